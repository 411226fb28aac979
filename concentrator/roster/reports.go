package roster

import (
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Discovered takes in the reports of one Discover window.
func (r *Roster) Discovered(now time.Time, req plc.DiscoverRequest, reports []plc.Report, x plc.Exchange) {
	heard, fresh := 0, 0
	from := map[plc.SystemTitle]plc.Address{}
	for _, p := range reports {
		if p.Title.IsZero() {
			continue
		}
		if p.Relayed {
			if r.relayed(now, p) {
				fresh++
			}
			continue
		}
		first, seen := from[p.Title]
		switch {
		case !seen:
			from[p.Title] = p.Address
			h, f := r.direct(now, p)
			heard, fresh = heard+h, fresh+f
		case first != p.Address && r.individual(first) && r.individual(p.Address):
			if e, ok := r.entries[p.Title]; ok && !now.Before(e.meter.Quarantined) {
				r.quarantine(now, e, first, p.Address)
			}
		}
	}
	if r.sweep.active {
		r.advance(req, max(heard, fresh), fresh, x.Outcome == plc.Garbled)
		if !r.sweep.active {
			r.discoverAt = now.Add(r.cfg.Interval)
		}
		return
	}
	r.steady++
	r.discoverAt = now.Add(r.cfg.Interval)
	if fresh > 0 {
		r.startSweep(fresh)
	}
}

// direct takes in a report of the reporter itself. Heard is 1 when the reporter had
// no proved address, fresh is 1 when registering it is new work.
func (r *Roster) direct(now time.Time, p plc.Report) (heard, fresh int) {
	e, known := r.entries[p.Title]
	if !known {
		if e = r.meet(now, p, 0); e == nil {
			return 1, 0
		}
	}
	e.hear(now, p)
	switch {
	case now.Before(e.meter.Quarantined):
		return 0, 0
	case e.meter.State == concentrator.StateRegistered:
		stale := now.Sub(e.provedAt) >= provedFor
		if p.Address != e.meter.Address && (stale || r.individual(p.Address)) {
			r.doubt(e, p.Address)
		}
		return 0, 0
	case e.proof != settled || !known:
		r.claimed(now, e, p.Address)
		return 1, boolInt(!known)
	case now.Before(e.retryAt):
		return 1, 0
	}
	r.claimed(now, e, p.Address)
	e.begin(needed(p, 0))
	return 1, 1
}

// relayed takes in a title that another server heard and reports. The meter is
// farther away than its reporter, so it is called louder.
func (r *Roster) relayed(now time.Time, p plc.Report) (fresh bool) {
	e, known := r.entries[p.Title]
	switch {
	case !known:
		return r.meet(now, p, 1) != nil
	case e.meter.State == concentrator.StateRegistered, e.proof != settled,
		now.Before(e.meter.Quarantined), now.Before(e.retryAt):
		return false
	}
	e.begin(needed(p, 1))
	return true
}

// meet makes an entry for a title heard for the first time; nil when the table is full.
func (r *Roster) meet(now time.Time, p plc.Report, hops plc.Credit) *entry {
	if len(r.entries) >= r.cfg.MaxMeters {
		if r.stormAt.IsZero() || now.Sub(r.stormAt) >= time.Hour {
			r.stormAt = now
			r.event(now, plc.SystemTitle{}, concentrator.EventMeterStorm,
				"more than %d titles were reported; new ones are ignored", r.cfg.MaxMeters)
		}
		return nil
	}
	e := &entry{dirty: true, meter: concentrator.Meter{
		Title: p.Title, Address: plc.New, State: concentrator.StateNew, Discovered: now,
	}}
	e.begin(needed(p, hops))
	e.meter.Credit = e.credit
	r.insert(e)
	text := "heard for the first time"
	if p.Relayed {
		text = "heard for the first time, by another meter"
	}
	r.event(now, p.Title, concentrator.EventMeterDiscovered, "%s", text)
	return e
}

// needed is the credit that reaches the reporter, from what its report and our
// Discover used, and the hops beyond it.
func needed(p plc.Report, hops plc.Credit) plc.Credit {
	return min(plc.MaxCredit, max(p.Credits.Used(), p.Credits.Delta)+hops)
}

// begin starts a series of Registers and Pings.
func (e *entry) begin(credit plc.Credit) {
	e.proof, e.tries, e.claim = toRegister, 0, plc.NoBody
	e.credit = max(credit, e.credit)
}

func (e *entry) hear(now time.Time, p plc.Report) {
	e.meter.LastHeard, e.dirty = now, true
	e.meter.Up = p.Credits.Used()
	if p.Signal.Measured() {
		e.meter.Signal = p.Signal
	}
}

// doubt asks a registered meter to prove its address, because it reported from
// another one: it forgot its address, changed it, or there are two of it (D15).
func (r *Roster) doubt(e *entry, from plc.Address) {
	if e.proof == settled {
		e.proof, e.tries, e.claim, e.credit = toPing, 0, from, e.meter.Credit
	}
}

// claimed deals with a server that reports from an individual address that we did
// not give it: from an earlier life of this station, or from a foreign initiator.
// A free address stays its own. At an address of another meter two servers answer
// now; the newcomer gets its own by Register, and the owner must prove itself.
func (r *Roster) claimed(now time.Time, e *entry, from plc.Address) {
	if !r.individual(from) || from == e.meter.Address {
		return
	}
	if owner := r.holder(from); owner != nil {
		r.event(now, e.meter.Title, concentrator.EventMeterDuplicate,
			"reported from address %v, which belongs to meter %v; it gets another one", from, owner.meter.Title)
		if owner.meter.State == concentrator.StateRegistered {
			r.doubt(owner, plc.New)
		}
		return
	}
	if e.meter.Address == plc.New && !r.occupied(now)[from] {
		e.meter.Address, e.dirty = from, true
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
