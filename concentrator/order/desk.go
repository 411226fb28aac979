package order

import (
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Config bounds the life of an order. NewDesk fills in what is zero.
type Config struct {
	Life     time.Duration // of an order without an expiry, from its issue (default 24 h)
	Attempts int           // attempts without an answer before an order is refused (default 20)
	RetryMin time.Duration // after the first attempt without an answer; doubles (default 5 s)
	RetryMax time.Duration // longest wait between two attempts (default 5 min)
}

// Standing is what the desk must know of an order's meter.
type Standing struct {
	Known    bool // the station knows the title
	Readable bool // it has a proved address
}

// Kind says what a Step is.
type Kind uint8

// Kinds of steps.
const (
	Wait    Kind = iota // nothing to do before At
	Execute             // commit Order (running, attempt n), then do it
	Close               // commit Order: it ended without an attempt
)

// Step is what the desk wants done next.
type Step struct {
	Kind  Kind
	Order concentrator.Order
	At    time.Time // Wait: ask again then at the latest; zero: when there is a new order
}

// trial is what is remembered of an order between two attempts.
type trial struct {
	notBefore time.Time
	attempts  int // without an answer, in this run of the program
	last      plc.Exchange
}

// Desk decides about orders. What it remembers is about pending orders only and is
// not needed after a restart.
type Desk struct {
	cfg    Config
	trials map[string]trial
}

// NewDesk returns a Desk.
func NewDesk(cfg Config) *Desk {
	if cfg.Life <= 0 {
		cfg.Life = 24 * time.Hour
	}
	if cfg.Attempts <= 0 {
		cfg.Attempts = 20
	}
	if cfg.RetryMin <= 0 {
		cfg.RetryMin = 5 * time.Second
	}
	if cfg.RetryMax <= 0 {
		cfg.RetryMax = 5 * time.Minute
	}
	return &Desk{cfg: cfg, trials: map[string]trial{}}
}

// Expiry is when an order's time is over.
func (d *Desk) Expiry(o concentrator.Order) time.Time {
	if !o.Expires.IsZero() {
		return o.Expires
	}
	if o.Issued.IsZero() {
		return time.Time{}
	}
	return o.Issued.Add(d.cfg.Life)
}

// unreadable is how soon an order for a meter without an address is looked at again.
const unreadable = 5 * time.Second

// Next decides over the pending orders, oldest first. An order found running was
// interrupted: no attempt runs while the desk is asked.
func (d *Desk) Next(now time.Time, pending []concentrator.Order, standing func(plc.SystemTitle) Standing) Step {
	d.forget(pending)
	wait := Step{}
	for _, o := range pending {
		s := d.decide(now, o, standing(o.Meter))
		if s.Kind != Wait {
			return s
		}
		if wait.At.IsZero() || s.At.Before(wait.At) {
			wait.At = s.At
		}
	}
	return wait
}

func (d *Desk) decide(now time.Time, o concentrator.Order, s Standing) Step {
	if o.State == concentrator.OrderRunning {
		if o = settle(o, Restart); o.State.Final() {
			return d.end(now, o, plc.Aborted, "the station was restarted in the middle of it")
		}
	}
	expiry := d.Expiry(o)
	t := d.trials[o.ID]
	switch {
	case o.Kind != concentrator.OrderRead:
		return d.end(now, settle(o, Refuse), plc.Refused, fmt.Sprintf("unknown kind of order %q", o.Kind))
	case o.Meter.IsZero() || o.Ref.Class == 0 || o.Ref.Object.IsZero():
		return d.end(now, settle(o, Refuse), plc.Refused, "names no meter or no attribute")
	case !expiry.IsZero() && !now.Before(expiry):
		return d.expired(now, o, t)
	case !s.Known:
		return d.end(now, settle(o, Refuse), plc.Refused, "no such meter at this station")
	case t.attempts >= d.cfg.Attempts:
		return d.end(now, settle(o, Refuse), t.last.Outcome, fmt.Sprintf("no answer in %d attempts", t.attempts))
	case now.Before(t.notBefore):
		return Step{At: sooner(t.notBefore, expiry)}
	case !s.Readable:
		return Step{At: sooner(now.Add(unreadable), expiry)}
	}
	o = settle(o, Start)
	o.Attempt++
	return Step{Kind: Execute, Order: o}
}

func (d *Desk) expired(now time.Time, o concentrator.Order, t trial) Step {
	if t.attempts > 0 {
		return d.end(now, settle(o, Expire), t.last.Outcome, fmt.Sprintf("expired after %d attempts without an answer", t.attempts))
	}
	return d.end(now, settle(o, Expire), plc.Aborted, "expired before it could be tried")
}

func sooner(t, expiry time.Time) time.Time {
	if !expiry.IsZero() && expiry.Before(t) {
		return expiry
	}
	return t
}

// settle applies an event that the callers know to be in the table.
func settle(o concentrator.Order, e Event) concentrator.Order {
	if next, err := Next(o.State, e, Repeatable(o.Kind)); err == nil {
		o.State = next
	}
	return o
}

func (d *Desk) end(now time.Time, o concentrator.Order, outcome plc.Outcome, detail string) Step {
	o.Result = &concentrator.OrderResult{Time: now, Outcome: outcome, Detail: detail}
	return Step{Kind: Close, Order: o}
}

// Finish returns the order after an attempt. Result is the meter's word; it is nil
// when there was none. Silence puts a repeatable order back and makes the wait before
// its next attempt longer; an attempt that we broke off ourselves costs nothing.
func (d *Desk) Finish(now time.Time, o concentrator.Order, x plc.Exchange, result *concentrator.OrderResult) concentrator.Order {
	switch {
	case result != nil && result.Outcome == plc.Answered:
		o = settle(o, Answer)
	case x.Outcome == plc.Refused, result != nil:
		o = settle(o, Refuse)
		if result == nil {
			result = &concentrator.OrderResult{Time: now, Outcome: plc.Refused, Detail: x.Detail}
		}
	default:
		d.unanswered(now, o.ID, x)
		o = settle(o, Silence)
		if o.State.Final() {
			result = &concentrator.OrderResult{Time: now, Outcome: x.Outcome, Detail: "acted, no answer: " + x.Detail}
		}
	}
	if o.State.Final() {
		o.Result = result
		delete(d.trials, o.ID)
	}
	return o
}

func (d *Desk) unanswered(now time.Time, id string, x plc.Exchange) {
	t := d.trials[id]
	wait := d.cfg.RetryMin
	if x.Outcome != plc.Aborted {
		for range min(t.attempts, 16) {
			wait = min(2*wait, d.cfg.RetryMax)
		}
		t.attempts++
		t.last = x
	}
	t.notBefore = now.Add(wait)
	d.trials[id] = t
}

// forget drops what is remembered of orders that are pending no more.
func (d *Desk) forget(pending []concentrator.Order) {
	if len(d.trials) == 0 {
		return
	}
	alive := make(map[string]bool, len(pending))
	for _, o := range pending {
		alive[o.ID] = true
	}
	for id := range d.trials {
		if !alive[id] {
			delete(d.trials, id)
		}
	}
}
