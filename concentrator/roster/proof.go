package roster

import (
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Registered tells that the Register was sent. It proves nothing: each meter in it
// is pinged next.
func (r *Roster) Registered(regs []plc.Registration) {
	for _, reg := range regs {
		if e, ok := r.entries[reg.Title]; ok && e.proof == toRegister {
			e.proof = toPing
			e.tries++
		}
	}
}

// Pinged takes in the outcome of a Ping, whether it was a proof or a keep-alive.
func (r *Roster) Pinged(now time.Time, title plc.SystemTitle, x plc.Exchange) {
	e, ok := r.entries[title]
	if !ok || x.Outcome == plc.Aborted {
		return
	}
	r.touch(now, e, x)
	if e.proof != toPing {
		return
	}
	switch {
	case x.Outcome == plc.Answered && r.individual(e.claim) && e.claim != e.meter.Address:
		r.quarantine(now, e, e.meter.Address, e.claim)
	case x.Outcome == plc.Answered:
		r.proved(now, e)
	case x.Outcome == plc.Refused:
		r.event(now, title, concentrator.EventMeterDuplicate, "another meter answers at its address %v; it gets another one", e.meter.Address)
		r.retire(now, e)
		r.again(now, e)
	default:
		r.again(now, e)
	}
}

// touch notes that a meter was asked and perhaps heard.
func (r *Roster) touch(now time.Time, e *entry, x plc.Exchange) {
	if x.Requests > 0 || x.Outcome != plc.Answered {
		e.meter.LastAsked = now
	}
	if x.Outcome != plc.Answered {
		return
	}
	e.meter.LastAsked, e.meter.LastHeard, e.provedAt = now, now, now
	e.meter.Up, e.meter.Down = x.Up, x.Down
	if x.Signal.Measured() {
		e.meter.Signal = x.Signal
	}
}

// proved ends a series with success.
func (r *Roster) proved(now time.Time, e *entry) {
	m := &e.meter
	if m.State != concentrator.StateRegistered {
		m.State = concentrator.StateRegistered
		m.Failures = 0
		r.event(now, m.Title, concentrator.EventMeterRegistered, "registered at address %v", m.Address)
	}
	if e.tries > 0 {
		r.grown = true
		r.callRepeaters = r.callRepeaters || !r.sweep.active
	}
	m.Credit = max(m.Credit, e.credit)
	e.proof, e.tries, e.series, e.credit, e.claim = settled, 0, 0, 0, plc.NoBody
	e.retryAt, e.dirty = time.Time{}, true
}

// again registers once more and louder, or gives up. A registered meter that does
// not answer is registered once more under its own address before it is called lost:
// if it forgot the address it is new, hears the Register and needs no discovery.
func (r *Roster) again(now time.Time, e *entry) {
	e.credit = Louder(e.credit)
	if e.tries < maxTries {
		e.proof = toRegister
		return
	}
	m := &e.meter
	e.proof, e.tries, e.dirty = settled, 0, true
	e.series++
	e.retryAt = now.Add(min(r.cfg.Interval, time.Duration(e.series)*10*time.Minute))
	e.credit = 0
	switch {
	case m.State == concentrator.StateRegistered:
		m.State = concentrator.StateLost
		r.event(now, m.Title, concentrator.EventMeterLost, "no answer at address %v, last heard %s", m.Address, stamp(m.LastHeard))
	case e.series%2 == 0:
		r.retire(now, e) // perhaps somebody else sits on this address
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// Louder is the next step of the credit ladder 0, 1, 2, 3, 5, 7 (sfsk.md 8.3).
func Louder(c plc.Credit) plc.Credit {
	switch {
	case c < 3:
		return c + 1
	case c < 5:
		return 5
	}
	return plc.MaxCredit
}

// Visited takes in the record of a meter after a visit. A meter that failed long
// enough, and that nobody heard for its time-out not addressed, must prove its
// address again.
func (r *Roster) Visited(now time.Time, m concentrator.Meter) {
	e, ok := r.entries[m.Title]
	if !ok {
		return
	}
	m.State, m.Address = e.meter.State, e.meter.Address // the roster's alone to change
	m.Former, m.FormerUntil, m.Quarantined = e.meter.Former, e.meter.FormerUntil, e.meter.Quarantined
	m.LastAsked = later(m.LastAsked, e.meter.LastAsked)
	m.LastHeard = later(m.LastHeard, e.meter.LastHeard)
	e.meter = m
	shortest, _ := r.notAddressed(&m)
	if m.State == concentrator.StateRegistered && e.proof == settled &&
		m.Failures >= r.cfg.FailedVisits && now.Sub(m.LastHeard) > shortest {
		e.proof, e.tries, e.credit, e.claim = toPing, 0, m.Credit, plc.NoBody
	}
}

// Unsafe marks a meter's record as not stored.
func (r *Roster) Unsafe(title plc.SystemTitle) {
	if e, ok := r.entries[title]; ok {
		e.dirty = true
	}
}

// Asked takes in an exchange outside a visit, such as an order's.
func (r *Roster) Asked(now time.Time, title plc.SystemTitle, x plc.Exchange) {
	if e, ok := r.entries[title]; ok && x.Outcome != plc.Aborted {
		r.touch(now, e, x)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
