package engine

import (
	"context"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/concentrator/order"
	"busbar/plc"
	"busbar/plc/cosem"
)

// Wake tells RunOrders that there may be a new order. It never blocks.
func (e *Engine) Wake() { poke(e.wake) }

// orderPoll is how often the journal is asked for orders that nobody announced.
const orderPoll = time.Minute

// RunOrders executes orders, one at a time, between the exchanges of whatever Run is
// doing, until ctx ends; then it returns nil. It must be called once.
func (e *Engine) RunOrders(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-e.loaded:
	}
	desk, urgent := order.NewDesk(e.cfg.Orders), e.link.Urgent()
	for failures := 0; ctx.Err() == nil; {
		wait, err := e.orderTurn(ctx, desk, urgent)
		if err != nil {
			e.storageFault(ctx, err)
			wait = backoff(failures, time.Minute)
			failures++
		} else {
			failures = 0
		}
		if wait > 0 {
			e.awaitOrder(ctx, wait)
		}
	}
	return nil
}

func (e *Engine) awaitOrder(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-e.wake:
	}
}

// orderTurn does one thing about the pending orders and returns how long to wait
// before the next. An error is the journal's.
func (e *Engine) orderTurn(ctx context.Context, desk *order.Desk, urgent Link) (time.Duration, error) {
	pending, err := e.journal.PendingOrders(ctx)
	if err != nil {
		return 0, fmt.Errorf("list the pending orders: %w", err)
	}
	e.setPending(len(pending))
	now := time.Now()
	s := desk.Next(now, pending, e.standing)
	switch s.Kind {
	case order.Close:
		return 0, e.saveOrder(ctx, s.Order)
	case order.Execute:
		return e.execute(ctx, desk, urgent, s.Order)
	}
	wait := orderPoll
	if !s.At.IsZero() {
		wait = min(wait, max(time.Millisecond, s.At.Sub(now)))
	}
	return wait, nil
}

func (e *Engine) setPending(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pending != n {
		e.pending = n
		e.publishLocked()
	}
}

// standing is what the desk must know of a meter.
func (e *Engine) standing(title plc.SystemTitle) order.Standing {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, known := e.roster.Meter(title)
	return order.Standing{Known: known, Readable: e.roster.Readable(time.Now(), title)}
}

// saveOrder commits an order's state, final ones also after ctx has ended.
func (e *Engine) saveOrder(ctx context.Context, o concentrator.Order) error {
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		ctx = late
	}
	if err := e.journal.SaveOrder(ctx, o); err != nil {
		return fmt.Errorf("save order %s as %v: %w", o.ID, o.State, err)
	}
	e.storedAgain()
	if o.State.Final() {
		attrs := []any{"order", o.ID, "meter", o.Meter, "obis", o.Ref.Object, "attempt", o.Attempt, "state", o.State}
		if o.Result != nil && o.Result.Detail != "" {
			attrs = append(attrs, "err", o.Result.Detail)
		}
		e.cfg.Log.Info("order", attrs...)
	}
	return nil
}

// execute makes one attempt. Running is committed before the first frame.
func (e *Engine) execute(ctx context.Context, desk *order.Desk, urgent Link, o concentrator.Order) (time.Duration, error) {
	if err := e.saveOrder(ctx, o); err != nil {
		return 0, err
	}
	e.mu.Lock()
	m, _ := e.roster.Meter(o.Meter)
	e.mu.Unlock()
	scaler, unit, known := unitOf(m, o.Ref)
	refs := []cosem.Ref{o.Ref}
	if ref, has := capture.ScalerRef(o.Ref); has && !known {
		refs = append(refs, ref)
	}
	results, x, err := urgent.Get(ctx, peer(m), refs...)
	now := time.Now()
	switch {
	case err != nil:
		x.Outcome, x.Detail = plc.Aborted, printable(err.Error())
		e.ourFault(ctx, err)
	default:
		e.lineUp()
		if x.Outcome == plc.Answered && len(results) != len(refs) {
			x.Outcome, x.Detail = plc.Garbled, fmt.Sprintf("%d results for %d attributes", len(results), len(refs))
		}
		e.asked(now, o, m, x)
	}
	var result *concentrator.OrderResult
	if x.Outcome == plc.Answered {
		if len(results) == 2 {
			scaler, unit, _ = capture.Scaler(results[1])
		}
		source := capture.Source{Meter: m.Title, Received: now, Trusted: e.cfg.ClockTrusted(), Sign: e.cfg.Deviation}
		result = source.Answer(results[0], scaler, unit)
	}
	return 0, e.saveOrder(ctx, desk.Finish(now, o, x, result))
}

// asked tells roster and page of an order's exchange.
func (e *Engine) asked(now time.Time, o concentrator.Order, m concentrator.Meter, x plc.Exchange) {
	e.mu.Lock()
	e.roster.Asked(now, m.Title, x)
	e.mu.Unlock()
	e.contact(Contact{Meter: m.Title, Address: m.Address, What: "order " + o.ID, Exchange: x})
}

// unitOf looks up scaler and unit of an attribute among those read already.
func unitOf(m concentrator.Meter, ref cosem.Ref) (scaler int8, unit uint8, known bool) {
	same := func(r cosem.Ref) bool {
		return r.Class == ref.Class && r.Object == ref.Object && r.Attribute == ref.Attribute
	}
	for _, r := range m.Registers {
		if same(r.Ref) {
			return r.Scaler, r.Unit, true
		}
	}
	for _, c := range m.Layout {
		if same(c.Ref) && c.Unit != capture.UnitUnknown {
			return c.Scaler, c.Unit, true
		}
	}
	return 0, capture.UnitNone, false
}
