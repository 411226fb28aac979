package dlms

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// DefaultServerConformance is what a Server grants unless told otherwise. Access and the
// general block transfer are granted only where ServerConfig.Conformance names them.
const DefaultServerConformance = DefaultConformance | apdu.PriorityManagement | apdu.GeneralProtection

// Objects is the meter behind a Server: its object tree with the rights of one client.
type Objects interface {
	// Get returns an attribute as one encoded value, which the Server keeps until the
	// last block is fetched.
	Get(now time.Time, ref cosem.Ref) ([]byte, cosem.AccessResult)
	// Set writes an attribute; data is one encoded value that the callee must copy to keep.
	Set(now time.Time, ref cosem.Ref, data []byte) cosem.AccessResult
	// Action invokes a method; data is its encoded parameter or nil, and so is what
	// it returns.
	Action(now time.Time, ref cosem.Ref, data []byte) ([]byte, cosem.AccessResult)
}

// ServerConfig says which association a Server offers. It is not changed after NewServer.
type ServerConfig struct {
	Title       plc.SystemTitle // the meter's own, 8 octets when ciphered
	ClientTitle plc.SystemTitle // the only client taken; zero takes any that holds the keys

	Keys Keys // mechanism and secrets of this association
	// Counter draws the meter's next invocation counter. Needed with HLSGMAC.
	Counter func() (uint32, error)
	// LastPeerCounter is the highest invocation counter a client ever used with these
	// keys, when SeenPeer; older ones are refused.
	LastPeerCounter uint32
	SeenPeer        bool

	Conformance apdu.Conformance // granted at most; 0 is DefaultServerConformance
	MaxPDU      int              // longest APDU taken in octets; 0 is DefaultMaxPDU
	MaxAnswer   int              // longest APDU sent in octets, for a link that carries less than clients take; 0: what they take
	MaxTransfer int              // longest value taken in blocks, in octets; 0 is DefaultMaxTransfer
	Window      int              // blocks of a general block transfer taken at once, 1 to 63; 0 is 1

	// PreEstablished is an association that is open from the start and after every
	// reset, with Conformance, to ClientTitle when ciphered. No client can open or release it.
	PreEstablished bool
	ClientMaxPDU   int // longest APDU the client of a pre-established association takes; 0: no limit

	// LastBroadcast is the highest invocation counter ever used under Keys.BroadcastKey,
	// when SeenBroadcast. Broadcasts of ClientTitle are taken when there is such a key.
	LastBroadcast uint32
	SeenBroadcast bool

	Challenge []byte    // fixed challenge for a replay; nil draws one from Rand
	Rand      io.Reader // nil is crypto/rand
}

// Validate tells what is missing or out of bounds.
func (c ServerConfig) Validate() error {
	if err := c.Keys.Validate(); err != nil {
		return err
	}
	if c.MaxPDU != 0 && (c.MaxPDU < minMaxPDU || c.MaxPDU > maxPDULimit) {
		return fmt.Errorf("longest APDU of %d octets: want %d to %d", c.MaxPDU, minMaxPDU, maxPDULimit)
	}
	if c.Keys.BroadcastKey != nil {
		if err := titled(c.ClientTitle); err != nil {
			return fmt.Errorf("broadcasts of no client: set ServerConfig.ClientTitle: %w", err)
		}
	}
	if c.Keys.symmetric() && c.Counter == nil {
		return errors.New("ciphering without invocation counters: set ServerConfig.Counter")
	}
	if !c.Keys.Security().Ciphered() && !named(c.Keys.Mechanism) && !c.Keys.Sign {
		return nil
	}
	if c.PreEstablished {
		return titled(c.Title, c.ClientTitle)
	}
	return titled(c.Title)
}

// ServerCounts are what a Server met since it was made.
type ServerCounts struct {
	Opened   int // associations opened
	Requests int // requests served, GETs of further blocks and refused ones included
	Repeats  int // requests sent again and answered again
	Refused  int // exception responses and rejected associations
	Forged   int // wrong key, wrong tag, weaker protection
	Replayed int // old invocation counters
	Failures int // answers not given because the meter has no counters left

	Broadcasts int // broadcasts obeyed
}

// Server is the meter's end of one association: one client, one logical device. It
// is used by one goroutine.
type Server struct {
	association
	cfg     ServerConfig
	keys    func() *Keys // a function prints as its address, whatever the verb
	objects Objects
	fault   error // of the configuration: every association is refused

	clientChallenge, challenge []byte

	cast     *shield // of the broadcast key; nil: broadcasts are not taken
	castPeer window
	block    general  // general block transfer under way
	joined   repeated // the last request that came in general blocks, and its sealed answer

	out    *download // long answer being fetched
	in     *upload   // long value coming in
	done   repeated  // the last SET or ACTION and its answer
	pushes uint64    // transactions of what was said unasked
	counts ServerCounts
}

// NewServer makes a server in state Closed. One whose cfg does not pass Validate refuses
// every association.
func NewServer(cfg ServerConfig, objects Objects) *Server {
	keys := cfg.Keys
	s := &Server{cfg: cfg, keys: func() *Keys { return &keys }, objects: objects, fault: cfg.Validate()}
	s.security, s.counter = keys.Security(), cfg.Counter
	s.peer = windowAfter(cfg.LastPeerCounter, cfg.SeenPeer)
	s.castPeer = windowAfter(cfg.LastBroadcast, cfg.SeenBroadcast)
	s.cfg.Keys = Keys{Mechanism: keys.Mechanism}
	if s.cfg.Conformance == 0 {
		s.cfg.Conformance = DefaultServerConformance
	}
	if s.cfg.MaxPDU <= 0 {
		s.cfg.MaxPDU = DefaultMaxPDU
	}
	if s.cfg.MaxTransfer <= 0 {
		s.cfg.MaxTransfer = DefaultMaxTransfer
	}
	s.cfg.Window = min(max(s.cfg.Window, 1), apdu.MaxWindow)
	if s.cfg.Rand == nil {
		s.cfg.Rand = rand.Reader
	}
	if s.fault == nil && keys.BroadcastKey != nil {
		s.cast, s.fault = newBroadcast(&keys)
		if s.cast != nil {
			s.cast.own, s.cast.peer = cfg.Title, cfg.ClientTitle
		}
	}
	s.preEstablish()
	return s
}

// preEstablish opens an association that needs no request.
func (s *Server) preEstablish() {
	if !s.cfg.PreEstablished || s.fault != nil {
		return
	}
	if s.fault = s.arm(s.keys(), s.cfg.Title, s.cfg.ClientTitle); s.fault != nil {
		return
	}
	s.state, s.granted, s.limit = Opened, s.cfg.Conformance, s.cfg.ClientMaxPDU
}

// String tells the meter and the state.
func (s *Server) String() string {
	return fmt.Sprintf("meter %v, association %v", s.cfg.Title, s.state)
}

// Opened reports whether a client has an association, its proof included.
func (s *Server) Opened() bool { return s.state == Opened }

// Counts returns what was met so far.
func (s *Server) Counts() ServerCounts { return s.counts }

// LastPeerCounter is the highest invocation counter a client used, and false when none
// was used yet. Its owner keeps it for the next Server with these keys.
func (s *Server) LastPeerCounter() (uint32, bool) { return s.peer.last() }

// Reset forgets the association, as a restart or a new registration does. Counters are
// kept, and a pre-established association is open again.
func (s *Server) Reset() {
	s.state, s.suite, s.shield, s.ded, s.signet = Closed, nil, nil, nil, nil
	s.granted, s.limit = 0, 0
	s.clientChallenge, s.challenge = nil, nil
	s.block, s.joined = general{}, repeated{}
	s.forget()
	s.preEstablish()
}

// LastBroadcast is the highest invocation counter used under the broadcast key, and
// false when none was used yet.
func (s *Server) LastBroadcast() (uint32, bool) { return s.castPeer.last() }

// forget drops transfers and the answer kept for a repeat.
func (s *Server) forget() { s.out, s.in, s.done = nil, nil, repeated{} }

// refusal is an exception response on its way out of the server.
type refusal struct{ apdu.ExceptionResponse }

// Error is the exception in words.
func (r refusal) Error() string { return r.String() }

func refuse(state apdu.StateError, service apdu.ServiceError) error {
	return refusal{apdu.ExceptionResponse{State: state, Service: service}}
}

// Receive takes one APDU from a client and returns the answer, nil when there is none:
// to rubbish without a tag, to an unconfirmed request, to answers of others, and when
// the meter has no invocation counters left. Octets that are not believed change nothing.
func (s *Server) Receive(now time.Time, b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	answer, err := s.receive(now, b)
	var r refusal
	switch {
	case errors.As(err, &r):
		s.counts.Refused++
		return r.Append(make([]byte, 0, r.Size()))
	case err != nil:
		s.counts.Failures++
		return nil
	}
	return answer
}
