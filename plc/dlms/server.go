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

// DefaultServerConformance is what a Server can do.
const DefaultServerConformance = DefaultConformance | apdu.PriorityManagement

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
	if !c.Keys.Security().Ciphered() {
		return nil
	}
	if c.Counter == nil {
		return errors.New("ciphering without invocation counters: set ServerConfig.Counter")
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

	out    *download // long answer being fetched
	in     *upload   // long value coming in
	done   repeated  // the last SET or ACTION and its answer
	counts ServerCounts
}

// NewServer makes a server in state Closed. One whose cfg does not pass Validate refuses
// every association.
func NewServer(cfg ServerConfig, objects Objects) *Server {
	keys := cfg.Keys
	s := &Server{cfg: cfg, keys: func() *Keys { return &keys }, objects: objects, fault: cfg.Validate()}
	s.security, s.counter = keys.Security(), cfg.Counter
	s.peer = windowAfter(cfg.LastPeerCounter, cfg.SeenPeer)
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
	if s.cfg.Rand == nil {
		s.cfg.Rand = rand.Reader
	}
	return s
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

// Reset forgets the association, as a restart or a new registration does. Counters are kept.
func (s *Server) Reset() {
	s.state, s.shield = Closed, nil
	s.granted, s.limit = 0, 0
	s.clientChallenge, s.challenge = nil, nil
	s.forget()
}

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

func (s *Server) receive(now time.Time, b []byte) ([]byte, error) {
	tag := apdu.Tag(b[0])
	switch {
	case answers[tag]:
		return nil, nil
	case tag == apdu.TagAARQ: // of any length: no limit is agreed yet
		return s.associate(b)
	case len(b) > s.cfg.MaxPDU:
		return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
	case s.state == Closed:
		return nil, refuse(apdu.ServiceNotAllowed, apdu.OperationNotPossible)
	case tag == apdu.TagRLRQ:
		return s.release(b)
	}
	o, err := s.unveil(tag, b)
	if err != nil {
		return nil, err
	}
	plain, err := s.serve(now, o)
	if plain == nil || err != nil {
		return nil, err
	}
	return s.protect(plain, o.general)
}

// answers are the tags that a client never sends; a meter that answered them could
// talk to another meter for ever.
var answers = map[apdu.Tag]bool{
	apdu.TagAARE: true, apdu.TagRLRE: true, apdu.TagExceptionResponse: true,
	apdu.TagConfirmedServiceError: true, apdu.TagGloConfirmedServiceError: true,
	apdu.TagGetResponse: true, apdu.TagSetResponse: true, apdu.TagActionResponse: true,
	apdu.TagGloGetResponse: true, apdu.TagGloSetResponse: true, apdu.TagGloActionResponse: true,
	apdu.TagDataNotification: true, apdu.TagEventNotification: true, apdu.TagGloEventNotification: true,
}

// unveil opens a request, or takes it as it is in an association without ciphering.
func (s *Server) unveil(tag apdu.Tag, b []byte) (opened, error) {
	_, glo := tag.Plain()
	sealed := glo || tag == apdu.TagGeneralGlo
	switch {
	case s.shield == nil && sealed:
		return opened{}, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	case s.shield == nil:
		return opened{plain: b}, nil
	case !sealed && procedures[tag] == nil:
		return opened{}, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	case !sealed:
		s.counts.Forged++
		return opened{}, refuse(apdu.ServiceNotAllowed, apdu.DecipheringError)
	}
	return s.believe(s.shield, b)
}

// believe opens what was sealed to sh and puts a failure into the words of an exception.
func (s *Server) believe(sh *shield, b []byte) (opened, error) {
	o, err := s.admit(sh, b)
	switch {
	case errors.Is(err, ErrReplayed):
		s.counts.Replayed++
		return opened{}, refusal{apdu.ExceptionResponse{
			State: apdu.ServiceNotAllowed, Service: apdu.InvocationCounter, Counter: s.peer.next(),
		}}
	case errors.Is(err, ErrForged):
		s.counts.Forged++
		return opened{}, refuse(apdu.ServiceNotAllowed, apdu.DecipheringError)
	case err != nil:
		return opened{}, refuse(apdu.ServiceNotAllowed, apdu.OtherReason)
	}
	return o, nil
}
