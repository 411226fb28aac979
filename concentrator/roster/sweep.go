package roster

import "busbar/plc"

// levels are the credits of Discover and of the reports, hop by hop (sfsk.md 4.6, step 5).
var levels = [...]plc.Credit{0, 1, 3, 7}

// emptyRounds in a row raise the credit to the next level.
const emptyRounds = 2

// sweep is one search from the nearest servers to the farthest.
type sweep struct {
	active bool
	level  int
	empty  int // rounds in a row that brought nothing new
	belief belief
}

// startSweep begins at the nearest servers. Heard is the number of new ones that
// gave the reason to search, 0 at the first start: one new meter on a street that is
// known does not mean a thousand.
func (r *Roster) startSweep(heard int) {
	limit := r.cfg.MaxMeters
	if heard > 0 {
		limit = max(64, 16*heard)
	}
	r.sweep = sweep{active: true, belief: r.reckon(limit)}
}

// reckon is a fresh belief with a bound on the number of unknown servers.
func (r *Roster) reckon(limit int) belief {
	return newBelief(max(1, min(limit, r.cfg.MaxMeters, 2048)), r.missing())
}

// missing is how many of the expected meters are not registered; 0 when nothing is expected.
func (r *Roster) missing() int {
	return max(0, r.cfg.Expected-r.count(isRegistered))
}

// slotsLimit keeps the air time of one round within bounds: a report slot is
// 1+credit line slots wide.
func (r *Roster) slotsLimit(credit plc.Credit) int {
	return max(minSlots, r.cfg.MaxSlots/(1+int(credit)))
}

// sweepRequest is the next Discover of the running sweep.
func (r *Roster) sweepRequest() plc.DiscoverRequest {
	credit := levels[r.sweep.level]
	c := r.sweep.belief.choose(r.slotsLimit(credit))
	return request(c, credit)
}

func request(c choice, credit plc.Credit) plc.DiscoverRequest {
	return plc.DiscoverRequest{
		Probability: uint8(c.percent), Slots: uint16(c.slots),
		ReportCredit: credit, Credit: credit,
	}
}

// steadyRequest is the short Discover of the steady state. Far and near are asked
// alike; each fourth one is long enough that a street that forgot its addresses all
// at once cannot hide in collisions.
func (r *Roster) steadyRequest() plc.DiscoverRequest {
	credit := levels[len(levels)-1]
	slots := max(8, r.missing()+r.count(isLost))
	if r.steady%4 == 3 {
		slots = max(slots, 64)
	}
	return request(choice{slots: min(slots, r.slotsLimit(credit)), percent: 100}, credit)
}

// advance moves the sweep on after a round with the given request.
func (r *Roster) advance(req plc.DiscoverRequest, heard, fresh int, garbled bool) {
	s := &r.sweep
	c := choice{slots: max(2, int(req.Slots)), percent: max(1, int(req.Probability))}
	s.belief.observe(c, heard, fresh, garbled)
	switch {
	case fresh > 0:
		s.empty = 0
		return
	case req.Probability == 100:
		s.empty++
	}
	found := r.cfg.Expected > 0 && r.missing() == 0
	if s.empty < emptyRounds && (!found || s.empty == 0) {
		return
	}
	r.callRepeaters = r.callRepeaters || r.grown
	s.level++
	s.empty = 0
	if s.level == len(levels) || found {
		*s = sweep{}
		return
	}
	limit := r.cfg.MaxMeters
	if n := len(r.entries); n > 0 {
		limit = max(64, 4*n, 2*r.missing())
	}
	s.belief = r.reckon(limit)
}
