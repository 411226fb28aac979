package roster

import (
	"slices"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Kind says what a Step is.
type Kind uint8

// Kinds of steps.
const (
	Idle Kind = iota // nothing to do before At
	Discover
	Register
	Ping
	RepeaterCall
)

// Step is one piece of discovery work for the line. Only the fields of its Kind are set.
type Step struct {
	Kind       Kind
	At         time.Time // Idle: when to ask again at the latest
	Discover   plc.DiscoverRequest
	Register   []plc.Registration
	Credit     plc.Credit // of the Register
	Ping       plc.Peer
	MaxAddress plc.Address // of the RepeaterCall
}

// Next decides the next step. Proofs come first, then Registers, the repeater call,
// discovery and keep-alives. A step stays due until it is reported. Addresses issued
// for a Register are in Unsaved and must be stored before it is sent.
func (r *Roster) Next(now time.Time) Step {
	if e := r.nextProof(); e != nil {
		return Step{Kind: Ping, Ping: plc.Peer{Title: e.meter.Title, Address: e.meter.Address, Credit: e.credit}}
	}
	if regs, credit := r.nextRegister(now); len(regs) > 0 {
		return Step{Kind: Register, Register: regs, Credit: credit}
	}
	if s, ok := r.nextRepeaterCall(now); ok {
		return s
	}
	if r.sweep.active {
		return Step{Kind: Discover, Discover: r.sweepRequest()}
	}
	due, alive := r.nextKeepAlive(now)
	if alive != nil {
		return Step{Kind: Ping, Ping: plc.Peer{Title: alive.meter.Title, Address: alive.meter.Address, Credit: alive.meter.Credit}}
	}
	if !now.Before(r.discoverAt) {
		return Step{Kind: Discover, Discover: r.steadyRequest()}
	}
	return Step{Kind: Idle, At: earliest(due, r.discoverAt, r.callAt)}
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// nextProof is the meter to ping next: the easiest to reach first.
func (r *Roster) nextProof() *entry {
	var best *entry
	for _, e := range r.byTitle {
		if e.proof != toPing {
			continue
		}
		if best == nil || e.credit < best.credit {
			best = e
		}
	}
	return best
}

// nextRegister is the next batch: as many as one frame carries, the easiest to
// reach first, called with the credit of the farthest among them.
func (r *Roster) nextRegister(now time.Time) ([]plc.Registration, plc.Credit) {
	var waiting []*entry
	for _, e := range r.byTitle {
		if e.proof == toRegister {
			waiting = append(waiting, e)
		}
	}
	if len(waiting) == 0 {
		return nil, 0
	}
	slices.SortStableFunc(waiting, func(a, b *entry) int { return int(a.credit) - int(b.credit) })
	waiting = waiting[:min(len(waiting), r.capacity(waiting[0].meter.Title.Size()))]
	taken := r.occupied(now)
	regs := make([]plc.Registration, 0, len(waiting))
	var credit plc.Credit
	for _, e := range waiting {
		if !r.individual(e.meter.Address) && !r.issue(e, taken) {
			e.proof, e.retryAt = settled, now.Add(r.cfg.Interval) // no address is free
			continue
		}
		regs = append(regs, plc.Registration{Title: e.meter.Title, Address: e.meter.Address})
		credit = max(credit, e.credit)
	}
	return regs, credit
}

// capacity is the number of titles of the given size in one Register of the
// longest frame: LLC header 3, tag 1, our own title, count 1 (sfsk.md 4.5).
func (r *Roster) capacity(titleSize int) int {
	return min(127, max(1, (r.cfg.Line.MaxFrame-5-titleSize)/(titleSize+2)))
}

func (r *Roster) nextRepeaterCall(now time.Time) (Step, bool) {
	if !r.callRepeaters && now.Before(r.callAt) {
		return Step{}, false
	}
	var highest plc.Address
	for _, e := range r.byTitle {
		if e.meter.State == concentrator.StateRegistered && r.individual(e.meter.Address) {
			highest = max(highest, e.meter.Address)
		}
	}
	if highest == plc.NoBody {
		r.RepeaterCalled(now) // nobody could take part
		return Step{}, false
	}
	return Step{Kind: RepeaterCall, MaxAddress: highest}, true
}

// RepeaterCalled tells that the repeater call was made.
func (r *Roster) RepeaterCalled(now time.Time) {
	r.callRepeaters, r.grown, r.callAt = false, false, now.Add(r.cfg.RepeaterCall)
}

// nextKeepAlive is the meter whose time-out not addressed needs a frame most, or nil
// and the time when the next one will (sfsk.md 2.5).
func (r *Roster) nextKeepAlive(now time.Time) (time.Time, *entry) {
	var first time.Time
	var best *entry
	for _, e := range r.byTitle {
		if !e.readable(now) {
			continue
		}
		due := r.keepAliveAt(&e.meter)
		if best == nil || due.Before(first) {
			first, best = due, e
		}
	}
	if best == nil || now.Before(first) {
		return first, nil
	}
	return first, best
}

// keepAliveAt is a third of the time-out after the last frame for the meter. When
// that one was not answered it may not have arrived, so the next comes sooner.
func (r *Roster) keepAliveAt(m *concentrator.Meter) time.Time {
	wait, _ := r.notAddressed(m)
	wait /= 3
	if m.LastAsked.After(m.LastHeard) {
		wait /= 4
	}
	return m.LastAsked.Add(wait)
}
