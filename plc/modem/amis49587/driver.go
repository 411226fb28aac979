package amis49587

import (
	"context"
	"fmt"
	"sync"
	"time"

	"busbar/plc"
	"busbar/plc/mac"
	"busbar/plc/modem"
)

// Driver is one modem. Its methods may be called from any goroutine while Run runs; requests are done one after the other.
type Driver struct {
	cfg         Config
	requests    chan *request
	indications chan mac.DataIndication
	ended       chan struct{} // closed when Run returns

	counters Counters // owned by Run
	wait     time.Duration

	mu    sync.Mutex
	state State
}

// request is one piece of work for the owner.
type request struct {
	ctx  context.Context
	work func(*life, context.Context) error
	done chan error // takes one value
}

// New returns the driver of the modem behind cfg.Open. Nothing is opened before Run.
func New(cfg Config) (*Driver, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	d := &Driver{
		cfg: cfg, requests: make(chan *request), indications: make(chan mac.DataIndication, cfg.Queue),
		ended: make(chan struct{}), state: State{Port: cfg.Name, Detail: "not opened yet"},
	}
	return d, nil
}

// State returns what the driver is about.
func (d *Driver) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Indications delivers the MAC frames received, in order. When nobody reads and
// Config.Queue of them wait, the oldest is dropped and counted.
func (d *Driver) Indications() <-chan mac.DataIndication { return d.indications }

// Send hands one MSDU to the modem and returns after its confirm "sent", which comes
// after the first transmission and before the repetitions.
func (d *Driver) Send(ctx context.Context, r mac.DataRequest) error {
	if len(r.MSDU) < 1 || len(r.MSDU) > modem.MaxMSDU {
		return fmt.Errorf("MSDU of %d octets: the modem takes 1 to %d", len(r.MSDU), modem.MaxMSDU)
	}
	if !r.Source.Valid() || !r.Destination.Valid() || r.Credit > plc.MaxCredit {
		return fmt.Errorf("frame from %v to %v with credit %d: an address has 12 bits, a credit is at most %d", r.Source, r.Destination, r.Credit, plc.MaxCredit)
	}
	m := modem.Data{
		Credits: plc.Credits{Initial: r.Credit, Current: r.Credit}, Source: r.Source, Destination: r.Destination, MSDU: r.MSDU,
	}
	f := modem.Frame{Command: modem.DataRequest, Data: m.Append(nil, d.cfg.Profile.AddressOrder)}
	slots := mac.Subframes(len(r.MSDU))
	return d.do(ctx, func(l *life, ctx context.Context) error { return l.sendData(ctx, f, slots, slots*int(r.Credit)) })
}

// RepeaterCall waits until the frame sent last was repeated, has the modem call for
// repeaters, and returns when the slots of maxAddress are over (sfsk.md 2.6). Slots that
// the CIASE frame granted to new servers are the caller's to wait.
func (d *Driver) RepeaterCall(ctx context.Context, maxAddress plc.Address) error {
	return d.do(ctx, func(l *life, ctx context.Context) error { return l.repeaterCall(ctx, maxAddress) })
}

// Signal asks the modem how it received the last subframe. The zero Signal means that it
// does not know.
func (d *Driver) Signal(ctx context.Context) (plc.Signal, error) {
	value, err := d.Read(ctx, modem.IdentStatistics)
	if isRefused(err) {
		return plc.Signal{}, nil
	}
	if err != nil {
		return plc.Signal{}, err
	}
	s, _, err := modem.ParseStatistics(value)
	if err != nil {
		return plc.Signal{}, nil // another layout: the modem does not know, for us
	}
	return s.Last, nil
}

// Counters reads the modem's own counters of frames, and sets them to zero when reset is true.
func (d *Driver) Counters(ctx context.Context, reset bool) (modem.Counters, error) {
	flag := byte(0)
	if reset {
		flag = 1
	}
	value, err := d.Write(ctx, modem.IdentCounters, []byte{flag})
	if err != nil {
		return modem.Counters{}, err
	}
	c, _, err := modem.ParseCounters(value)
	if err != nil {
		return modem.Counters{}, fmt.Errorf("modem on %s: %w", d.cfg.Name, err)
	}
	return c, nil
}

// MinDeltaCredit reads the smallest number of repetitions any frame needed to reach
// the modem since it was last read; 7 when none came.
func (d *Driver) MinDeltaCredit(ctx context.Context) (plc.Credit, error) {
	value, err := d.Read(ctx, modem.IdentMinDeltaCredit)
	if err != nil {
		return 0, err
	}
	if len(value) < 1 {
		return 0, fmt.Errorf("modem on %s: minimum delta credit without value", d.cfg.Name)
	}
	return plc.Credit(value[0] & 7), nil
}

// Read returns the value of an entry of the modem's database. The modem's no is a
// RefusedError.
func (d *Driver) Read(ctx context.Context, ident modem.Ident) ([]byte, error) {
	return d.Write(ctx, ident, nil)
}

// Write sets an entry of the modem's database and returns what the modem stored.
func (d *Driver) Write(ctx context.Context, ident modem.Ident, value []byte) ([]byte, error) {
	var stored []byte
	err := d.do(ctx, func(l *life, ctx context.Context) (err error) {
		stored, err = l.retryAccess(ctx, modem.Access{Ident: ident, Value: value})
		return err
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// do has the owner do the work and waits for its end, or for the caller's. work may
// outlive the caller: what it writes to is read only when it ended.
func (d *Driver) do(ctx context.Context, work func(*life, context.Context) error) error {
	r := &request{ctx: ctx, work: work, done: make(chan error, 1)}
	select {
	case d.requests <- r:
	case <-d.ended:
		return fmt.Errorf("modem on %s: the driver has stopped: %w", d.cfg.Name, plc.ErrLineDown)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run owns the modem until ctx ends: it opens the port, configures the modem, serves
// requests, and begins anew after a loss. It returns nil when ctx ended. It is called once.
func (d *Driver) Run(ctx context.Context) error {
	defer close(d.ended)
	for {
		err := d.live(ctx)
		if ctx.Err() != nil {
			d.change(Closed, "the station stops")
			return nil
		}
		d.counters.Lost++
		d.change(Closed, err.Error())
		if !d.rest(ctx, err) {
			return nil
		}
	}
}

// rest waits before the port is opened again and refuses requests meanwhile.
func (d *Driver) rest(ctx context.Context, cause error) bool {
	d.wait = min(max(2*d.wait, d.cfg.Timers.ReopenMin), d.cfg.Timers.ReopenMax)
	timer := time.NewTimer(d.wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case r := <-d.requests:
			r.done <- cause
		}
	}
}

// change publishes a phase.
func (d *Driver) change(p Phase, detail string) {
	d.mu.Lock()
	changed := d.state.Phase != p || d.state.Since.IsZero()
	if changed {
		d.state.Since = time.Now()
	}
	changed = changed || d.state.Detail != detail
	d.state.Phase, d.state.Detail, d.state.Counters = p, detail, d.counters
	s := d.state
	d.mu.Unlock()
	if changed && d.cfg.Notify != nil {
		d.cfg.Notify(s)
	}
}

// publish updates what else State shows.
func (d *Driver) publish(set func(*State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Counters = d.counters
	if set != nil {
		set(&d.state)
	}
}
