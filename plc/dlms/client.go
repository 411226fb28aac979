package dlms

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// Defaults of a ClientConfig.
const (
	DefaultMaxPDU      = 239 // what one MAC frame carries behind the LLC header (IEC 61334-4-32)
	DefaultMaxTransfer = 64 << 10
	challengeSize      = 16
	minMaxPDU          = 12 // IEC 62056-5-3: less is refused as too short
	maxPDULimit        = 0xFFFF
)

// DefaultConformance is what a Client can use.
const DefaultConformance = apdu.Get | apdu.Set | apdu.Action | apdu.SelectiveAccess |
	apdu.BlockTransferGet | apdu.BlockTransferSet | apdu.MultipleReferences

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
	MaxTransfer int              // longest value taken in blocks, in octets; 0 is DefaultMaxTransfer

	Challenge []byte    // fixed challenge for a replay; nil draws one from Rand
	Rand      io.Reader // nil is crypto/rand
}

// Effects is what follows from a received APDU.
type Effects struct {
	Down    []byte         // the next request to send; nil: none
	Done    bool           // the operation is finished
	Results []cosem.Result // of the finished operation; their data is a copy
	Ignored bool           // late, repeated or foreign: keep waiting
}

// Counts are oddities that are no errors, since the client was made.
type Counts struct {
	Ignored            int // late, repeated or foreign answers
	Forged, Garbled    int
	ConstantChallenges int // the meter's challenge was that of the association before
	LooseReleases      int // release answers with wrong lengths
}

// Client is the concentrator's end of one association. It is used by one goroutine.
type Client struct {
	association
	cfg    ClientConfig
	keys   func() *Keys // a function prints as its address, whatever the verb
	op     *operation
	invoke apdu.Invoke

	challenge, meterChallenge, lastChallenge []byte
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
	c.peer = windowAfter(cfg.LastPeerCounter, cfg.SeenPeer)
	c.cfg.Keys = Keys{Mechanism: keys.Mechanism}
	if c.cfg.Conformance == 0 {
		c.cfg.Conformance = DefaultConformance
	}
	if c.cfg.MaxPDU <= 0 {
		c.cfg.MaxPDU = DefaultMaxPDU
	}
	c.cfg.MaxPDU = min(c.cfg.MaxPDU, maxPDULimit)
	if c.cfg.MaxTransfer <= 0 {
		c.cfg.MaxTransfer = DefaultMaxTransfer
	}
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
	c.op = &operation{Op: op}
	if c.state == Closed {
		return c.associate()
	}
	e, err := c.advance()
	return e.Down, err
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
	if !c.security.Ciphered() || c.shield != nil {
		return nil
	}
	if c.cfg.Counter == nil {
		return errors.New("ciphering without invocation counters: set ClientConfig.Counter")
	}
	s, err := newShield(c.keys(), c.cfg.ClientTitle, c.cfg.ServerTitle)
	if err != nil {
		return fmt.Errorf("association with %v: %w", c.cfg.ServerTitle, err)
	}
	c.shield = s
	return nil
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
		return c.prove()
	case Releasing:
		return c.rlrq()
	}
	return c.protect(c.op.request, false)
}

// Abort gives up the operation. An open association stays open, because a late answer
// is told by its invoke id; one half open or half closed is forgotten.
func (c *Client) Abort() {
	c.op = nil
	if c.state != Opened {
		c.state = Closed
	}
}

// Reset forgets the association and its operation, for instance when the meter was
// registered anew. Counters are kept.
func (c *Client) Reset() { c.op, c.state = nil, Closed }

// send makes plain the request under way. A failure of ours ends the operation.
func (c *Client) send(plain []byte) (Effects, error) {
	if n := c.shield.sealedSize(len(plain), false); c.limit > 0 && n > c.limit {
		return c.fail(&TooLongError{Size: n, Limit: c.limit})
	}
	c.op.request = plain
	down, err := c.protect(plain, false)
	if err != nil {
		return c.fail(err)
	}
	return Effects{Down: down}, nil
}

// fail ends the operation; the association stays as it is.
func (c *Client) fail(err error) (Effects, error) {
	c.op = nil
	return Effects{}, err
}

// lose ends operation and association.
func (c *Client) lose(err error) (Effects, error) {
	c.op, c.state = nil, Closed
	return Effects{}, err
}

func (c *Client) finish(results []cosem.Result) Effects {
	c.op = nil
	return Effects{Done: true, Results: results}
}

func (c *Client) ignore() Effects {
	c.counts.Ignored++
	return Effects{Ignored: true}
}
