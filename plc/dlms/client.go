package dlms

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// Defaults of a ClientConfig.
const (
	DefaultMaxPDU      = 239 // what one MAC frame carries behind the LLC header (IEC 61334-4-32)
	DefaultMaxTransfer = 64 << 10
	challengeSize      = 16
	minMaxPDU          = 12 // IEC 62056-5-3: less is refused as too short
	maxPDULimit        = 0xFFFF
)

// DefaultConformance is what a Client proposes unless told otherwise. Access and the
// general block transfer are proposed only where ClientConfig.Conformance names them.
const DefaultConformance = apdu.Get | apdu.Set | apdu.Action | apdu.SelectiveAccess |
	apdu.BlockTransferGet | apdu.BlockTransferSet | apdu.BlockTransferAction | apdu.MultipleReferences

// ClientConfig says whom a Client talks to and as whom. It is not changed after
// NewClient.
type ClientConfig struct {
	ClientTitle, ServerTitle plc.SystemTitle // 8 octets each when ciphered

	Keys Keys
	// Counter draws the next invocation counter of ours towards this meter; it is on
	// disk before Counter returns. Needed with HLSGMAC.
	Counter func() (uint32, error)
	// LastPeerCounter is the highest invocation counter the meter ever used towards
	// us, when SeenPeer; older ones are refused.
	LastPeerCounter uint32
	SeenPeer        bool

	Conformance apdu.Conformance // proposed; 0 is DefaultConformance
	MaxPDU      int              // longest APDU we take in octets, 12 to 65535; 0 is DefaultMaxPDU
	MaxSend     int              // longest APDU we send in octets, for a link that carries less than the meter takes; 0: what it takes
	MaxTransfer int              // longest value taken in blocks, in octets; 0 is DefaultMaxTransfer
	Window      int              // blocks of a general block transfer we take at once, 1 to 63; 0 is 1

	// ShortNames opens an association by short names, for Read and Write. Mechanisms
	// with a proof are not spoken in one.
	ShortNames bool

	Form      Form // envelope of ciphered requests
	Dedicated bool // propose a fresh key for each association, and take answers under no other

	// PreEstablished is an association that both ends take for open without a request.
	// Conformance and MeterMaxPDU are then what was agreed on.
	PreEstablished bool
	MeterMaxPDU    int // longest APDU the meter takes in octets; 0: no limit

	// Notify is told what the meter says unasked. It is called within Receive and must
	// not call the client. nil: it is only counted.
	Notify func(Notice)

	Challenge []byte    // fixed challenge for a replay; nil draws one from Rand
	Rand      io.Reader // nil is crypto/rand
}

// Effects is what follows from a received APDU.
type Effects struct {
	Down    []byte         // the next request to send; nil: none
	Done    bool           // the operation is finished
	Results []cosem.Result // of the finished operation; their data is a copy
	Ignored bool           // late, repeated, foreign, unasked, or a block of more: keep waiting
}

// Counts are oddities that are no errors, since the client was made.
type Counts struct {
	Ignored            int // late, repeated or foreign answers
	Forged, Garbled    int
	ConstantChallenges int // the meter's challenge was that of the association before
	LooseReleases      int // release answers with wrong lengths
	LooseActions       int // ACTION answers in blocks that joined to a result instead of a value
	Notices            int // notifications
}

// Client is the concentrator's end of one association. It is used by one goroutine.
type Client struct {
	association
	cfg    ClientConfig
	keys   func() *Keys // a function prints as its address, whatever the verb
	op     *operation
	invoke apdu.Invoke
	block  general // general block transfer of the request under way
	long   uint32  // identity of access requests
	turns  uint64  // transactions of general-ciphering and signed APDUs, from a random number on
	due    int     // association requests sent of this association that no AARE answered yet

	armed bool // suite, shield and signet are made

	challenge, meterChallenge, lastChallenge []byte
	dedicated                                cipher.Secret
	counts                                   Counts
}

// NewClient makes a client in state Closed. Faults of cfg are told by Start.
func NewClient(cfg ClientConfig) *Client {
	keys := cfg.Keys
	c := &Client{
		cfg: cfg, keys: func() *Keys { return &keys },
		invoke: apdu.Confirmed | apdu.HighPriority,
	}
	c.security, c.counter = keys.Security(), cfg.Counter
	c.security.ShortNames = cfg.ShortNames
	c.peer = windowAfter(cfg.LastPeerCounter, cfg.SeenPeer)
	c.cfg.Keys = Keys{Mechanism: keys.Mechanism}
	if c.cfg.Conformance == 0 {
		c.cfg.Conformance = DefaultConformance
		if cfg.ShortNames {
			c.cfg.Conformance = apdu.Read | apdu.Write | apdu.ParameterizedAccess | apdu.MultipleReferences | apdu.InformationReportBit
		}
		if c.cfg.Form != ServiceForm || c.security.Signed {
			c.cfg.Conformance |= apdu.GeneralProtection
		}
	}
	if c.cfg.MaxPDU <= 0 {
		c.cfg.MaxPDU = DefaultMaxPDU
	}
	c.cfg.MaxPDU = min(c.cfg.MaxPDU, maxPDULimit)
	if c.cfg.MaxTransfer <= 0 {
		c.cfg.MaxTransfer = DefaultMaxTransfer
	}
	c.cfg.Window = min(max(c.cfg.Window, 1), apdu.MaxWindow)
	if c.cfg.Rand == nil {
		c.cfg.Rand = rand.Reader
	}
	return c
}

// String tells the meter and the state.
func (c *Client) String() string {
	return fmt.Sprintf("association with %v, %v", c.cfg.ServerTitle, c.state)
}

// State is where the association stands.
func (c *Client) State() State { return c.state }

// Busy reports whether an operation waits for an answer.
func (c *Client) Busy() bool { return c.op != nil }

// Counts returns the oddities counted so far.
func (c *Client) Counts() Counts { return c.counts }

// Granted is the conformance and the longest APDU (0: no limit) the meter granted.
func (c *Client) Granted() (apdu.Conformance, int) { return c.granted, c.limit }

// LastPeerCounter is the highest invocation counter the meter used, and false when it
// used none yet. Its owner keeps it for the next Client of this meter and key.
func (c *Client) LastPeerCounter() (uint32, bool) { return c.peer.last() }

// Start begins an operation and returns the APDU to send: the request itself, or the
// AARQ when the association must be opened first. nil without an error means that
// there is nothing to do: opening an open association, releasing a closed one.
func (c *Client) Start(op Op) ([]byte, error) {
	if c.op != nil {
		return nil, ErrBusy
	}
	if err := op.check(); err != nil {
		return nil, err
	}
	if op.kind == opRelease && c.state == Closed || op.kind == opOpen && c.state == Opened {
		return nil, nil
	}
	if err := c.ready(); err != nil {
		return nil, err
	}
	if c.cfg.PreEstablished {
		if c.state == Closed {
			if err := c.newTurns(); err != nil {
				return nil, err
			}
		}
		if done := c.preEstablished(op); done {
			return nil, nil
		}
	}
	c.op = &operation{Op: op}
	if c.state == Closed {
		return c.associate()
	}
	e, err := c.advance()
	return e.Down, err
}

// preEstablished takes the association for open, or for closed after a release, and
// reports whether that is all there is to do.
func (c *Client) preEstablished(op Op) bool {
	if op.kind == opRelease {
		c.state = Closed
		return true
	}
	c.state, c.granted, c.limit = Opened, c.cfg.Conformance, c.cfg.MeterMaxPDU
	return op.kind == opOpen
}

// ready finds faults of the configuration and makes the shield once.
func (c *Client) ready() error {
	if err := c.keys().Validate(); err != nil {
		return fmt.Errorf("association with %v: %w", c.cfg.ServerTitle, err)
	}
	if c.cfg.MaxPDU < minMaxPDU {
		return fmt.Errorf("association with %v: longest APDU of %d octets: want %d to %d",
			c.cfg.ServerTitle, c.cfg.MaxPDU, minMaxPDU, maxPDULimit)
	}
	if c.cfg.Dedicated && c.security.Protection&cipher.Encrypted == 0 {
		return errors.New("dedicated key without encryption: it would be known to all")
	}
	if c.cfg.ShortNames && proves(c.security.Mechanism) {
		return fmt.Errorf("%v with short names is not spoken here", c.security.Mechanism)
	}
	if c.armed {
		return nil
	}
	if c.keys().symmetric() && c.cfg.Counter == nil {
		return errors.New("ciphering without invocation counters: set ClientConfig.Counter")
	}
	if err := c.arm(c.keys(), c.cfg.ClientTitle, c.cfg.ServerTitle); err != nil {
		return fmt.Errorf("association with %v: %w", c.cfg.ServerTitle, err)
	}
	c.armed = true
	return nil
}

// reach is the longest APDU that we send in octets, 0: no limit.
func (c *Client) reach() int {
	if n := c.cfg.MaxSend; n > 0 && (c.limit == 0 || n < c.limit) {
		return n
	}
	return c.limit
}

// fits reports whether a plain request of n octets may go out as one APDU, or in general
// blocks.
func (c *Client) fits(n int) bool {
	if c.granted.Has(apdu.GeneralBlockTransfer) {
		return n <= maxPDULimit
	}
	return c.reach() == 0 || c.way().sealedSize(n) <= c.reach()
}

// way is how the next request goes.
func (c *Client) way() via {
	v := via{sh: c.shield, form: c.cfg.Form, transaction: transaction(c.turns)}
	if c.state != Opened {
		return via{sh: c.shield} // the initiate request and the proof
	}
	v.signet = c.signet
	if c.ded != nil {
		v.sh = c.ded
	}
	return v
}

// Resend makes a fresh attempt of the request under way. When ciphered it draws a new
// invocation counter, so that the meter does not take it for a recording.
func (c *Client) Resend() ([]byte, error) {
	if c.op == nil {
		return nil, ErrIdle
	}
	switch c.state {
	case Opening:
		return c.aarq()
	case Authenticating:
		return c.askProof()
	case Releasing:
		return c.rlrq()
	}
	c.block.stalls = 0 // how often we ask is for our owner to say
	if c.block.sending() {
		c.block.again()
		return c.block.block(c.cfg.Window), nil
	}
	if c.block.receiving() {
		return c.block.acknowledge(c.cfg.Window), nil
	}
	return c.seal(c.op.request)
}

// More is the next block to send right behind the one that Start, Resend, Receive or
// More returned, nil when it is the meter's turn. Only a general block transfer to a
// meter that takes several blocks at once gives any.
func (c *Client) More() []byte {
	if c.op == nil || !c.block.more() {
		return nil
	}
	return c.block.block(c.cfg.Window)
}

// Abort gives up the operation. An open association stays open, because a late answer
// is told by its invoke id; one half open or half closed is forgotten.
func (c *Client) Abort() {
	c.op, c.block = nil, general{}
	if c.state != Opened {
		c.close()
	}
}

// Reset forgets the association and its operation, for instance when the meter was
// registered anew. Counters are kept.
func (c *Client) Reset() { c.close(); c.op = nil }

// close forgets the association, its dedicated key with it.
func (c *Client) close() { c.state, c.ded, c.block = Closed, nil, general{} }

// send makes plain the request under way. A failure of ours ends the operation.
func (c *Client) send(plain []byte) (Effects, error) {
	c.op.request = plain
	c.block = general{}
	if n := c.way().sealedSize(len(plain)); !c.fits(len(plain)) {
		return c.fail(&TooLongError{Size: n, Limit: c.reach()})
	}
	down, err := c.seal(plain)
	if err != nil {
		return c.fail(err)
	}
	return Effects{Down: down}, nil
}

// seal protects a request, and begins to send it in general blocks when it is longer
// than one APDU.
func (c *Client) seal(plain []byte) ([]byte, error) {
	c.turns++
	down, err := c.protect(plain, c.way())
	if err != nil || c.reach() == 0 || len(down) <= c.reach() {
		return down, err
	}
	c.block = general{}
	if !c.granted.Has(apdu.GeneralBlockTransfer) || !c.block.send(down, c.reach()) {
		return nil, &TooLongError{Size: len(down), Limit: c.reach()}
	}
	return c.block.block(c.cfg.Window), nil
}

// fail ends the operation; the association stays as it is.
func (c *Client) fail(err error) (Effects, error) {
	c.op, c.block = nil, general{}
	return Effects{}, err
}

// lose ends operation and association.
func (c *Client) lose(err error) (Effects, error) {
	c.close()
	return c.fail(err)
}

func (c *Client) finish(results []cosem.Result) Effects {
	c.op, c.block = nil, general{}
	return Effects{Done: true, Results: results}
}

func (c *Client) ignore() Effects {
	c.counts.Ignored++
	return Effects{Ignored: true}
}
