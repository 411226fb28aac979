package roster

import (
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// individual reports whether a can be the address of one server (sfsk.md 2.3).
func (r *Roster) individual(a plc.Address) bool { return a > plc.NoBody && a < r.cfg.Line.FIMA }

// holder is the meter that holds address a, or nil.
func (r *Roster) holder(a plc.Address) *entry {
	for _, e := range r.byTitle {
		if e.meter.Address == a {
			return e
		}
	}
	return nil
}

// notAddressed is the time-out not addressed of a meter: the shortest and the longest it
// can be, from what is configured and what the meter says.
func (r *Roster) notAddressed(m *concentrator.Meter) (shortest, longest time.Duration) {
	configured := r.cfg.Line.NotAddressed
	if m.NotAddressed <= 0 {
		return configured, configured
	}
	return min(configured, m.NotAddressed), max(configured, m.NotAddressed)
}

// forgotten is when the meter has surely given up its address: it was not addressed
// for its whole time-out.
func (r *Roster) forgotten(m *concentrator.Meter) time.Time {
	_, longest := r.notAddressed(m)
	return m.LastAsked.Add(longest)
}

// occupied are the addresses that may not be issued now.
func (r *Roster) occupied(now time.Time) map[plc.Address]bool {
	taken := make(map[plc.Address]bool, len(r.entries))
	for _, e := range r.byTitle {
		m := &e.meter
		if r.individual(m.Address) && (m.State != concentrator.StateLost || e.proof != settled || now.Before(r.forgotten(m))) {
			taken[m.Address] = true
		}
		if m.Former != plc.NoBody && now.Before(m.FormerUntil) {
			taken[m.Former] = true
		}
	}
	for a, until := range r.held {
		if now.Before(until) {
			taken[a] = true
		} else {
			delete(r.held, a)
		}
	}
	return taken
}

// issue gives e the lowest free address: short addresses keep the repeater call
// short (sfsk.md 2.6). It reports false when none is free.
func (r *Roster) issue(e *entry, taken map[plc.Address]bool) bool {
	for a := plc.Address(1); a < r.cfg.Line.FIMA; a++ {
		if taken[a] {
			continue
		}
		if old := r.holder(a); old != nil { // lost, and its time-out is over
			old.meter.Address = plc.New
			old.dirty = true
		}
		taken[a] = true
		e.meter.Address, e.dirty = a, true
		return true
	}
	return false
}

// retire takes e's address away. Nobody gets it before a meter that still has it
// must have forgotten it.
func (r *Roster) retire(now time.Time, e *entry) {
	m := &e.meter
	if r.individual(m.Address) {
		_, longest := r.notAddressed(m)
		m.Former, m.FormerUntil = m.Address, now.Add(longest)
		r.held[m.Address] = m.FormerUntil
	}
	m.Address, e.dirty = plc.New, true
}

// quarantine stops all work with a title that answers at two addresses: nothing
// that it says can be believed to come from one meter. Both addresses stay empty
// until whoever has them must have forgotten them; then the title is looked for again.
func (r *Roster) quarantine(now time.Time, e *entry, one, other plc.Address) {
	_, longest := r.notAddressed(&e.meter)
	until := now.Add(longest)
	r.event(now, e.meter.Title, concentrator.EventMeterDuplicate,
		"the title answers at address %v and at address %v; it is not read before %s", one, other, stamp(until))
	r.retire(now, e)
	for _, a := range []plc.Address{one, other} {
		if r.individual(a) {
			r.held[a] = until
		}
	}
	e.meter.State, e.meter.Quarantined = concentrator.StateLost, until
	e.proof, e.claim = settled, plc.NoBody
}
