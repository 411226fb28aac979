package reader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/hdlc"
)

// Access point and object that every client may use to learn a meter's counter.
const publicClient = 16

// Config says whom to read and as whom.
type Config struct {
	Target  Target
	Client  uint16 // access point of ours
	Server  uint16 // logical device
	Keys    dlms.Keys
	Title   plc.SystemTitle // ours, when ciphered
	Meter   plc.SystemTitle // zero: learned from the meter
	MaxPDU  int
	Timeout time.Duration // of one answer
	Retries int           // of a request that got none

	Device      uint16          // physical device, the lower HDLC address; 0: none
	AddressSize uint8           // octets of the server's HDLC address; 0: the fewest that fit
	HDLC        hdlc.Parameters // offered; zero fields are the defaults
	Serial      Serial          // of a serial port

	// Counter is the first invocation counter to use. 0 asks the meter, through its
	// public client, for CounterObject.
	Counter       uint32
	CounterObject cosem.OBIS

	// Trace sees every APDU as the link carries it; nil: nobody does.
	Trace func(sent bool, apdu []byte)
}

// maxTransfer bounds one value read in blocks, as a load profile of years.
const maxTransfer = 16 << 20

// Session is an open association.
type Session struct {
	cfg    Config
	client *dlms.Client
	link   Link
	stop   func() bool
	ctx    context.Context // of the whole session: a reader has one task
}

// Open connects and associates.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	if cfg.Keys.Mechanism == dlms.HLSGMAC {
		if err := learn(ctx, &cfg); err != nil {
			return nil, err
		}
	}
	return open(ctx, cfg)
}

func open(ctx context.Context, cfg Config) (*Session, error) {
	link, err := cfg.Target.connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Session{cfg: cfg, link: link, ctx: ctx, client: dlms.NewClient(cfg.client())}
	s.stop = context.AfterFunc(ctx, func() { _ = link.Close() }) // what waits is told by its Read
	if _, err := s.do(dlms.Open()); err != nil {
		return nil, errors.Join(fmt.Errorf("open an association as client %d of %v: %w", cfg.Client, cfg.Target, err), s.hangUp())
	}
	return s, nil
}

func (c *Config) client() dlms.ClientConfig {
	next := c.Counter
	return dlms.ClientConfig{
		ClientTitle: c.Title, ServerTitle: c.Meter, Keys: c.Keys, MaxPDU: c.MaxPDU, MaxTransfer: maxTransfer,
		Counter: func() (uint32, error) {
			if next == ^uint32(0) {
				return 0, errors.New("no invocation counter left: change the meter's keys")
			}
			next++
			return next - 1, nil
		},
	}
}

// learn asks the meter for what a ciphered association needs and the user did not give.
func learn(ctx context.Context, cfg *Config) error {
	if cfg.Counter == 0 {
		n, err := peerCounter(ctx, *cfg)
		if err != nil {
			return fmt.Errorf("learn the invocation counter from %v with client %d: %w; give it with --counter", cfg.CounterObject, publicClient, err)
		}
		cfg.Counter = n + 1
	}
	if !cfg.Meter.IsZero() {
		return nil
	}
	title, err := askTitle(ctx, *cfg)
	if err != nil {
		return fmt.Errorf("learn the meter's system title: %w; give it with --meter-title", err)
	}
	cfg.Meter = title
	cfg.Counter++ // the association request used one
	return nil
}

// peerCounter reads the highest counter the meter has seen, as anyone may.
func peerCounter(ctx context.Context, cfg Config) (uint32, error) {
	cfg.Client, cfg.Keys = publicClient, dlms.Keys{}
	s, err := open(ctx, cfg)
	if err != nil {
		return 0, err
	}
	r, err := s.Get(cosem.Ref{Class: cosem.ClassData, Object: cfg.CounterObject, Attribute: 2})
	if err = errors.Join(err, s.Close()); err != nil {
		return 0, err
	}
	if r.Access != cosem.Success {
		return 0, errors.New(r.Access.String())
	}
	v, _, err := cosem.ParseValue(r.Data)
	if err != nil {
		return 0, err
	}
	n, ok := v.Integer()
	if !ok || n < 0 || n >= 1<<32-1 {
		return 0, fmt.Errorf("%v is no counter", v)
	}
	return uint32(n), nil
}

// askTitle sends an association request only to learn from its answer who answers. The
// title sealed to does not matter: a request is sealed with our own.
func askTitle(ctx context.Context, cfg Config) (plc.SystemTitle, error) {
	cfg.Meter = plc.MustSystemTitle(make([]byte, 8))
	link, err := cfg.Target.connect(ctx, cfg)
	if err != nil {
		return plc.SystemTitle{}, err
	}
	defer link.Close()
	request, err := dlms.NewClient(cfg.client()).Start(dlms.Open())
	if err != nil {
		return plc.SystemTitle{}, err
	}
	s := Session{cfg: cfg, link: link, ctx: ctx}
	if err := s.send(request); err != nil {
		return plc.SystemTitle{}, err
	}
	answer, err := s.receive()
	if err != nil {
		return plc.SystemTitle{}, err
	}
	if len(answer) > 0 && apdu.Tag(answer[0]) != apdu.TagAARE {
		return plc.SystemTitle{}, fmt.Errorf("the meter answers with %v", apdu.Tag(answer[0]))
	}
	a, _, err := acse.ParseAARE(answer)
	if err != nil {
		return plc.SystemTitle{}, err
	}
	if a.Result != acse.Accepted {
		return plc.SystemTitle{}, fmt.Errorf("the meter refuses: %v, %v", a.Result, a.Diagnostic)
	}
	return plc.NewSystemTitle(a.RespondingTitle)
}

// Meter is the system title of the meter, zero when nobody said it.
func (s *Session) Meter() plc.SystemTitle { return s.cfg.Meter }

// Granted is what the meter granted: services, and the longest APDU it takes.
func (s *Session) Granted() (apdu.Conformance, int) { return s.client.Granted() }

// Get reads one attribute.
func (s *Session) Get(ref cosem.Ref) (cosem.Result, error) {
	r, err := s.do(dlms.Get(ref))
	if err != nil {
		return cosem.Result{}, err
	}
	return r[0], nil
}

// do runs one operation. A request without answer is sent again.
func (s *Session) do(op dlms.Op) ([]cosem.Result, error) {
	down, err := s.client.Start(op)
	if err != nil || down == nil {
		return nil, err
	}
	for tries := 0; ; {
		if down != nil {
			if err := s.send(down); err != nil {
				return nil, err
			}
		}
		down = nil
		b, err := s.receive()
		if errors.Is(err, ErrSilent) && tries < s.cfg.Retries {
			tries++
			if down, err = s.client.Resend(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			s.client.Abort()
			return nil, err
		}
		e, err := s.client.Receive(b)
		switch {
		case err != nil && !s.client.Busy():
			return nil, err
		case err != nil && tries >= s.cfg.Retries:
			s.client.Abort()
			return nil, err
		case err != nil:
			tries++
		case e.Done:
			return e.Results, nil
		}
		down = e.Down
	}
}

func (s *Session) send(b []byte) error {
	if s.cfg.Trace != nil {
		s.cfg.Trace(true, b)
	}
	if err := s.link.Send(b); err != nil {
		return s.reason(err)
	}
	return nil
}

func (s *Session) receive() ([]byte, error) {
	b, err := s.link.Receive(s.cfg.Timeout)
	if err != nil {
		return nil, s.reason(err)
	}
	if s.cfg.Trace != nil {
		s.cfg.Trace(false, b)
	}
	return b, nil
}

// reason prefers the end of the context, which closes the link under a Read.
func (s *Session) reason(err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	return err
}

// Close releases the association and hangs up. A meter that does not take part is left.
func (s *Session) Close() error {
	_, err := s.do(dlms.Release())
	if errors.Is(err, ErrSilent) {
		err = nil
	}
	var refused *dlms.RefusedError
	if errors.As(err, &refused) {
		err = nil
	}
	return errors.Join(err, s.hangUp())
}

func (s *Session) hangUp() error {
	if !s.stop() {
		return nil // the context's end closed it
	}
	return s.link.Close()
}
