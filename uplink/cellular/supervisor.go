package cellular

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config of the bearer.
type Config struct {
	// Open opens the AT port; it is called again after every loss.
	Open func() (Port, error)
	// PIN may be empty when the SIM asks for none.
	PIN  string
	Dial Dial
	// Dir holds the PIN record, the peers file and the chat script; it is created with mode 0700.
	Dir string
	// Pppd and Chat are the programs; an empty Pppd leaves dialing to the operating system.
	Pppd, Chat string
	// SharedPort tells that AT commands and the data call use one port: it is closed before pppd starts.
	SharedPort bool
	// Poll is the time between two looks at registration and signal, default 30 s.
	Poll time.Duration
	// BackoffMin and BackoffMax bound the wait after a failure, default 5 s and 10 min.
	BackoffMin, BackoffMax time.Duration
	Log                    *slog.Logger
}

// Phase is where the bearer stands.
type Phase string

// Phases of the bearer.
const (
	PhaseClosed      Phase = "closed"      // the AT port is not open
	PhaseUnlocking   Phase = "unlocking"   // asking the SIM
	PhaseRegistering Phase = "registering" // waiting for the network
	PhaseRegistered  Phase = "registered"  // on the network, no call of ours
	PhaseDialing     Phase = "dialing"     // pppd runs
	PhaseFault       Phase = "fault"       // a person must act; see Detail
)

// State is a snapshot of the bearer.
type State struct {
	Phase        Phase
	Detail       string
	Registration Registration
	Operator     Operator
	SignalDBm    int
	SignalKnown  bool
	Since        time.Time
	Dials        int
	Unanswered   int     // looks during a call that the AT port did not answer
	History      []Event // newest first, at most maxHistory
}

// Event is one change of the bearer.
type Event struct {
	Time  time.Time
	Phase Phase
	Text  string
}

// maxHistory bounds the events kept; older ones are dropped.
const maxHistory = 64

// Supervisor runs the bearer.
type Supervisor struct {
	cfg Config

	mu    sync.Mutex
	state State
}

// New returns a supervisor with the defaults filled in.
func New(cfg Config) *Supervisor {
	orDefault(&cfg.Poll, 30*time.Second)
	orDefault(&cfg.BackoffMin, 5*time.Second)
	orDefault(&cfg.BackoffMax, 10*time.Minute)
	if cfg.Chat == "" {
		cfg.Chat = "/usr/sbin/chat"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{cfg: cfg, state: State{Phase: PhaseClosed}}
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Snapshot is the state now; the caller owns it.
func (s *Supervisor) Snapshot() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.History = append([]Event(nil), st.History...)
	return st
}

// set records a phase. Only a change of phase or words makes an event.
func (s *Supervisor) set(phase Phase, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Phase == phase && s.state.Detail == detail {
		return
	}
	now := time.Now()
	if s.state.Phase != phase {
		s.state.Since = now
	}
	s.state.Phase, s.state.Detail = phase, detail
	s.state.History = append([]Event{{now, phase, detail}}, s.state.History...)
	if len(s.state.History) > maxHistory {
		s.state.History = s.state.History[:maxHistory]
	}
	s.cfg.Log.Info("bearer", "phase", string(phase), "detail", detail)
}

func (s *Supervisor) observe(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
}

// Run keeps the bearer up until ctx ends. Failures wait with back-off and jitter,
// so that an operator sees no dial storm.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("cellular: %w", err)
	}
	wait := s.cfg.BackoffMin
	for {
		began := time.Now()
		err := s.session(ctx)
		if ctx.Err() != nil {
			s.set(PhaseClosed, "the station stops")
			return nil
		}
		var pin errPIN
		if errors.As(err, &pin) {
			s.set(PhaseFault, pin.text)
			wait = s.cfg.BackoffMax
		} else {
			s.set(PhaseClosed, err.Error())
			if time.Since(began) > s.cfg.BackoffMax {
				wait = s.cfg.BackoffMin
			}
		}
		if !sleep(ctx, wait/2+rand.N(wait/2+1)) {
			return nil
		}
		wait = min(2*wait, s.cfg.BackoffMax)
	}
}

// session is one life of the AT port: open, unlock, register, dial, watch.
func (s *Supervisor) session(ctx context.Context) error {
	port, err := s.cfg.Open()
	if err != nil {
		return fmt.Errorf("AT port: %w", err)
	}
	d := newDialog(port)
	closed := false
	closePort := func() {
		if !closed {
			closed = true
			d.close()
		}
	}
	defer closePort()
	s.set(PhaseUnlocking, "")
	if err := s.prepare(ctx, d); err != nil {
		return err
	}
	s.set(PhaseRegistering, "")
	for {
		if err := s.look(ctx, d); err != nil {
			return err
		}
		if s.mayDial() {
			break
		}
		if !sleep(ctx, s.cfg.Poll) {
			return ctx.Err()
		}
	}
	if s.cfg.Pppd == "" {
		return s.watch(ctx, d, nil)
	}
	if s.cfg.SharedPort {
		closePort()
	}
	return s.dial(ctx, d)
}

func (s *Supervisor) prepare(ctx context.Context, d *dialog) error {
	var err error
	for range 3 { // a modem may need a few octets to find our speed
		if _, err = d.command(ctx, "ATE0", "ATE0"); err == nil || isModemError(err) {
			break
		}
		if ctx.Err() != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if _, err := d.command(ctx, "AT+CMEE=1", "AT+CMEE=1"); err != nil && !isModemError(err) {
		return err
	}
	return unlock(ctx, d, s.cfg.PIN, filepath.Join(s.cfg.Dir, "pin.json"))
}

// mayDial reports whether the network is there and roaming, if so, is allowed.
func (s *Supervisor) mayDial() bool {
	st := s.Snapshot()
	switch {
	case st.Registration == Roaming && !s.cfg.Dial.Roaming:
		s.set(PhaseRegistering, "registered in a foreign network, and roaming is not allowed: set cellular.roaming or check the antenna")
		return false
	case st.Registration.Registered():
		s.set(PhaseRegistered, "")
		return true
	}
	s.set(PhaseRegistering, st.Registration.String())
	return false
}

// look asks for registration, operator and signal. LTE, packet and circuit
// registration are asked in turn; the best one counts.
func (s *Supervisor) look(ctx context.Context, d *dialog) error {
	best := NotSearching
	for _, cmd := range []string{"CEREG", "CGREG", "CREG"} {
		line, err := d.query(ctx, "AT+"+cmd+"?", "+"+cmd+":")
		if err != nil {
			if isModemError(err) {
				continue
			}
			return err
		}
		if r, err := ParseRegistration(line); err == nil && (r.Registered() || best == NotSearching) {
			best = r
		}
		if best.Registered() {
			break
		}
	}
	operator, dBm, known := s.askOperator(ctx, d), 0, false
	if line, err := d.query(ctx, "AT+CSQ", "+CSQ:"); err == nil {
		dBm, known, _ = ParseSignal(line) // an unreadable signal is an unknown one
	}
	s.observe(func(st *State) {
		st.Registration, st.Operator, st.SignalDBm, st.SignalKnown = best, operator, dBm, known
	})
	return nil
}

func (s *Supervisor) askOperator(ctx context.Context, d *dialog) Operator {
	_, _ = d.command(ctx, "AT+COPS=3,0", "AT+COPS=3,0") // long names; a modem without them gives numbers
	line, err := d.query(ctx, "AT+COPS?", "+COPS:")
	if err != nil {
		return Operator{}
	}
	o, _ := ParseOperator(line)
	return o
}

// watch looks again and again until the AT port or, when there is a call, done ends. A
// call does not need the AT port, and pppd knows best whether it lives: a port that
// does not answer is counted and asked again.
func (s *Supervisor) watch(ctx context.Context, d *dialog, done <-chan error) error {
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-done:
			return err
		case <-tick.C:
			if done != nil && s.cfg.SharedPort {
				continue
			}
			err := s.look(ctx, d)
			switch {
			case err == nil && done == nil:
				s.mayDial()
			case err != nil && done == nil:
				return err
			case err != nil:
				s.observe(func(st *State) { st.Unanswered++; st.SignalKnown = false })
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
