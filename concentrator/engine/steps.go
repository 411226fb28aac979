package engine

import (
	"context"
	"fmt"
	"time"

	"busbar/concentrator/roster"
	"busbar/plc"
)

// step does one piece of discovery work. A failure of our side leaves it due.
func (e *Engine) step(ctx context.Context, s roster.Step) {
	var err error
	switch s.Kind {
	case roster.Discover:
		e.setPhase(PhaseDiscovering)
		err = e.discover(ctx, s.Discover)
	case roster.Register:
		e.setPhase(PhaseRegistering)
		err = e.register(ctx, s.Register, s.Credit)
	case roster.Ping:
		err = e.ping(ctx, s.Ping)
	case roster.RepeaterCall:
		e.setPhase(PhaseDiscovering)
		err = e.repeaterCall(ctx, s.MaxAddress)
	}
	if err != nil {
		e.ourFault(ctx, err)
		pause(ctx, e.failed())
		return
	}
	e.failing = 0
	e.lineUp()
}

func (e *Engine) discover(ctx context.Context, r plc.DiscoverRequest) error {
	reports, x, err := e.link.Discover(ctx, r)
	if err != nil {
		return fmt.Errorf("discover: %w", err)
	}
	now := time.Now()
	e.mu.Lock()
	e.roster.Discovered(now, r, reports, x)
	unknown := e.roster.Unknown()
	e.mu.Unlock()
	e.cfg.Log.Info("discovered", "slots", r.Slots, "credit", r.Credit, "reports", len(reports), "unknown", unknown, "outcome", x.Outcome)
	e.contact(Contact{Address: plc.AllPhysical, What: fmt.Sprintf("discover, %d slots, %d reports", r.Slots, len(reports)), Exchange: x})
	return nil
}

func (e *Engine) register(ctx context.Context, regs []plc.Registration, credit plc.Credit) error {
	x, err := e.link.Register(ctx, regs, credit)
	if err != nil {
		return fmt.Errorf("register %d meters: %w", len(regs), err)
	}
	e.mu.Lock()
	e.roster.Registered(regs)
	e.mu.Unlock()
	e.cfg.Log.Info("register sent", "meters", len(regs), "credit", credit)
	e.contact(Contact{Address: plc.AllPhysical, What: fmt.Sprintf("register %d meters", len(regs)), Exchange: x})
	return nil
}

// ping proves an address or keeps one alive. A meter that proves itself joins the
// running round, and orders that wait for it are looked at again.
func (e *Engine) ping(ctx context.Context, p plc.Peer) error {
	x, err := e.link.Ping(ctx, p)
	if err != nil {
		return fmt.Errorf("ping meter %v: %w", p.Title, err)
	}
	now := time.Now()
	e.mu.Lock()
	was := e.roster.Readable(now, p.Title)
	e.roster.Pinged(now, p.Title, x)
	m, _ := e.roster.Meter(p.Title)
	joined := !was && e.roster.Readable(now, p.Title)
	if joined {
		e.planner.Add(candidate(m))
	}
	e.mu.Unlock()
	e.cfg.Log.Debug("ping", "meter", p.Title, "addr", p.Address, "credit", p.Credit, "outcome", x.Outcome, "state", m.State)
	e.contact(Contact{Meter: p.Title, Address: p.Address, What: "ping", Exchange: x})
	if joined {
		poke(e.wake)
	}
	return nil
}

func (e *Engine) repeaterCall(ctx context.Context, highest plc.Address) error {
	x, err := e.link.RepeaterCall(ctx, highest)
	if err != nil {
		return fmt.Errorf("repeater call: %w", err)
	}
	e.mu.Lock()
	e.roster.RepeaterCalled(time.Now())
	e.mu.Unlock()
	e.cfg.Log.Info("repeater call", "addr", highest)
	e.contact(Contact{Address: plc.AllPhysical, What: fmt.Sprintf("repeater call up to address %v", highest), Exchange: x})
	return nil
}
