package round

import (
	"slices"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Config tells a Planner when and how often. New fills in what is zero, but not Period.
type Config struct {
	Period time.Duration // between the starts of two rounds; 0: the next one follows at once
	Passes int           // visits of a meter per round at most (default 3)
	Slot   time.Duration // one subframe on the line, for the air-time figures (default 150 ms)
	// MeterSlots is the air time one meter may take in one round; beyond it the meter
	// is not retried in that round (default 4000, ten minutes at 2,400 bit/s).
	MeterSlots int
	// Pause is the wait before a round of a station without meters, and between
	// continuous rounds that had nothing to do (default 10 s).
	Pause time.Duration
}

func (c Config) withDefaults() Config {
	if c.Passes <= 0 {
		c.Passes = 3
	}
	if c.Slot <= 0 {
		c.Slot = 150 * time.Millisecond
	}
	if c.MeterSlots <= 0 {
		c.MeterSlots = 4000
	}
	if c.Pause <= 0 {
		c.Pause = 10 * time.Second
	}
	return c
}

// Candidate is a meter that may be visited: what decides about its place.
type Candidate struct {
	Title  plc.SystemTitle
	Credit plc.Credit
	Last   time.Time // last success; the oldest comes first among equals
}

// Visit is one call on one meter.
type Visit struct {
	Meter plc.SystemTitle
	Pass  int // 1 for the first visit in this round
}

// item is a meter in the round.
type item struct {
	Candidate
	slots int // taken in this round
}

// Planner holds one round after the other. The queue is as long as the number of
// meters given to Begin and Add.
type Planner struct {
	cfg     Config
	round   concentrator.Round
	queue   []item // this pass, next first
	again   []item // failed in this pass
	pass    int
	seen    map[plc.SystemTitle]bool // in this round, visited or not
	running bool
	next    time.Time // start of the next round

	slots  int           // air time of the running or last round
	spent  time.Duration // on the visits of the running round
	visits int
	mean   time.Duration // of one visit in the round before
	begun  time.Time     // of the current visit; zero between visits
}

// New returns a Planner whose first round has the number after last and is due at once.
func New(cfg Config, last uint64) *Planner {
	return &Planner{cfg: cfg.withDefaults(), round: concentrator.Round{Number: last}}
}

// Due reports whether a round should begin now, and otherwise how long to wait.
func (p *Planner) Due(now time.Time) (bool, time.Duration) {
	if p.running {
		return false, 0
	}
	return !now.Before(p.next), max(0, p.next.Sub(now))
}

// Begin starts a round over the candidates: cheap meters first, so that many are
// done early, and among equals the one that waited longest.
func (p *Planner) Begin(now time.Time, candidates []Candidate) {
	p.round = concentrator.Round{Number: p.round.Number + 1, Started: now, Total: len(candidates)}
	p.queue, p.again, p.pass, p.running = p.queue[:0], nil, 1, true
	p.seen = make(map[plc.SystemTitle]bool, len(candidates))
	for _, c := range candidates {
		p.queue = append(p.queue, item{Candidate: c})
		p.seen[c.Title] = true
	}
	order(p.queue)
	p.slots, p.spent, p.visits, p.begun = 0, 0, 0, time.Time{}
	p.next = p.start(now)
	if len(candidates) == 0 {
		p.finish(now)
	}
}

// start is when the round after one that starts now begins: at the next multiple of
// the period, so that rounds stay on the quarter-hours at which meters capture.
func (p *Planner) start(now time.Time) time.Time {
	if p.cfg.Period <= 0 {
		return now
	}
	return now.Truncate(p.cfg.Period).Add(p.cfg.Period)
}

func order(items []item) {
	slices.SortStableFunc(items, func(a, b item) int {
		if a.Credit != b.Credit {
			return int(a.Credit) - int(b.Credit)
		}
		if c := a.Last.Compare(b.Last); c != 0 {
			return c
		}
		return a.Title.Compare(b.Title)
	})
}

// Add puts a meter that was registered meanwhile at the end of the running round. It
// does nothing between rounds or when the meter is in the round already.
func (p *Planner) Add(c Candidate) {
	if !p.running || p.seen[c.Title] {
		return
	}
	p.seen[c.Title] = true
	p.queue = append(p.queue, item{Candidate: c})
	p.round.Total++
}

// Next returns the visit that is due, or how long to wait. It returns the same visit
// until that is reported.
func (p *Planner) Next(now time.Time) (v Visit, wait time.Duration, ok bool) {
	if !p.running {
		_, wait = p.Due(now)
		return Visit{}, wait, false
	}
	if p.begun.IsZero() {
		p.begun = now
	}
	p.round.Current = p.queue[0].Title
	return Visit{Meter: p.queue[0].Title, Pass: p.pass}, 0, true
}

// Report takes in how a visit ended; credit is the meter's new one. A meter that
// stayed silent is tried again after all others, because noise is bursty and follows
// appliances. One that refuses is not: it would refuse again.
func (p *Planner) Report(now time.Time, v Visit, x plc.Exchange, credit plc.Credit) {
	if !p.running || len(p.queue) == 0 || p.queue[0].Title != v.Meter {
		return
	}
	it := p.queue[0]
	p.queue = p.queue[1:]
	p.spend(now, x.Slots)
	it.slots += x.Slots
	it.Credit = credit
	switch {
	case x.Outcome == plc.Answered:
		p.round.Done++
	case x.Outcome == plc.Refused, p.pass >= p.cfg.Passes, it.slots >= p.cfg.MeterSlots:
		p.round.Failed++
	default:
		p.again = append(p.again, it)
	}
	p.turn(now)
}

// Skip takes the next visit out of the round without making it, because the meter
// has no proved address any more. Add puts it back.
func (p *Planner) Skip(now time.Time, v Visit) {
	if p.running && len(p.queue) > 0 && p.queue[0].Title == v.Meter {
		p.queue = p.queue[1:]
		p.begun = time.Time{}
		p.round.Total--
		delete(p.seen, v.Meter)
		p.turn(now)
	}
}

// Interrupted tells that the current visit came to nothing through our own fault.
// It is due again; its time does not count for the forecast.
func (p *Planner) Interrupted() { p.begun = time.Time{} }

func (p *Planner) spend(now time.Time, slots int) {
	if !p.begun.IsZero() {
		p.spent += max(0, now.Sub(p.begun))
		p.visits++
	}
	p.begun = time.Time{}
	p.slots += slots
}

// turn goes to the next pass or ends the round when the queue is empty.
func (p *Planner) turn(now time.Time) {
	if len(p.queue) > 0 {
		return
	}
	if len(p.again) == 0 {
		p.finish(now)
		return
	}
	p.queue, p.again = p.again, nil
	p.pass++
	order(p.queue)
}

func (p *Planner) finish(now time.Time) {
	p.running = false
	p.round.Finished, p.round.Current = now, plc.SystemTitle{}
	if p.visits > 0 {
		p.mean = p.spent / time.Duration(p.visits)
	}
	if p.visits == 0 || p.cfg.Period <= 0 && p.slots == 0 {
		p.next = later(p.next, now.Add(p.cfg.Pause))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Round is the running or last round. Its Phase is the engine's to fill.
func (p *Planner) Round() concentrator.Round { return p.round }

// Remaining is the number of visits still to make, retries already known included.
func (p *Planner) Remaining() int { return len(p.queue) + len(p.again) }

// Forecast is when the running round will end, as the mean of the visits so far tells
// (or those of the round before); zero when nothing can be said.
func (p *Planner) Forecast(now time.Time) time.Time {
	mean := p.mean
	if p.visits > 0 {
		mean = p.spent / time.Duration(p.visits)
	}
	if !p.running || mean == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(p.Remaining()) * mean)
}

// Budget is the air time of the running or last round.
type Budget struct {
	Slots     int // taken by visits so far
	Expected  int // by the whole round, as the mean of the visits so far tells
	Available int // line slots in one period; 0 when rounds are continuous
}

// Budget tells how the air time of the round stands against its period. A round that
// expects more than is available ends late.
func (p *Planner) Budget() Budget {
	b := Budget{Slots: p.slots, Expected: p.slots}
	if p.visits > 0 {
		b.Expected += p.slots * p.Remaining() / p.visits
	}
	if p.cfg.Period > 0 {
		b.Available = int(p.cfg.Period / p.cfg.Slot)
	}
	return b
}
