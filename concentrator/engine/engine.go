package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/roster"
	"busbar/concentrator/round"
	"busbar/plc"
)

// Engine finds and reads meters and executes orders. Make one with New, then run Run
// and RunOrders, each in its own goroutine, once.
type Engine struct {
	cfg     Config
	link    Link
	journal Journal

	loaded chan struct{} // closed when the roster holds the stored meters
	wake   chan struct{} // to RunOrders: look again

	// Owned by Run.
	cursors map[plc.SystemTitle]time.Time // profile read up to here, in meter time
	past    map[plc.SystemTitle]passed    // profile entries looked at in vain
	read    map[plc.SystemTitle]time.Time // when its registers were read last
	lead    time.Duration                 // line time that discovery had more than the visits
	failing int                           // errors of our side in a row
	holdOff time.Time                     // no first round before, unless the roster settles

	mu sync.Mutex // guards what follows; never held across a blocking call
	shared
}

// shared is what both goroutines touch.
type shared struct {
	roster  *roster.Roster
	planner *round.Planner
	started time.Time
	phase   string
	line    Health
	storage Health
	trouble string
	pending int
	recent  []Contact
	rounds  []concentrator.Round
	events  []concentrator.Event // of our own, waiting to be stored
	told    map[toldKey]time.Time
	changed chan struct{}

	snapshot *Snapshot // the latest one that somebody asked for
	stale    bool      // something has changed since
}

// New returns an Engine over a line and a journal. It fails when the configuration
// is not usable.
func New(cfg Config, link Link, journal Journal) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	now := time.Now()
	e := &Engine{
		cfg: cfg, link: link, journal: journal,
		loaded: make(chan struct{}), wake: make(chan struct{}, 1),
		cursors: map[plc.SystemTitle]time.Time{}, past: map[plc.SystemTitle]passed{}, read: map[plc.SystemTitle]time.Time{},
		shared: shared{
			planner: round.New(round.Config{Period: cfg.Period, Passes: cfg.Passes, Slot: cfg.Line.Slot()}, cfg.LastRound),
			roster:  newRoster(now, cfg, nil),
			started: now, phase: PhaseWaiting, told: map[toldKey]time.Time{}, changed: make(chan struct{}),
			line: Health{OK: true, Since: now}, storage: Health{OK: true, Since: now},
		},
	}
	e.publishLocked() // nobody else has it yet
	return e, nil
}

func newRoster(now time.Time, cfg Config, known []concentrator.Meter) *roster.Roster {
	return roster.New(now, roster.Config{
		Line: cfg.Line, Expected: cfg.Expected, MaxMeters: cfg.MaxMeters,
		Interval: cfg.DiscoveryInterval, RepeaterCall: cfg.RepeaterCall, FailedVisits: 2 * cfg.Passes,
	}, known)
}

// Run loads the known meters and then finds, reads and keeps them until ctx ends;
// then it returns nil. It must be called once.
func (e *Engine) Run(ctx context.Context) error {
	if !e.load(ctx) {
		return nil
	}
	e.holdOff = time.Now().Add(e.cfg.Settle)
	for ctx.Err() == nil {
		e.turn(ctx)
	}
	e.farewell(ctx)
	return nil
}

// load waits until the journal can be read.
func (e *Engine) load(ctx context.Context) bool {
	for n := 0; ctx.Err() == nil; n++ {
		meters, err := e.journal.Meters(ctx)
		if err == nil {
			now := time.Now()
			e.mu.Lock()
			e.roster = newRoster(now, e.cfg, meters)
			e.eventLocked(concentrator.Event{Time: now, Code: concentrator.EventStarted, Text: fmt.Sprintf("started with %d known meters", len(meters))})
			e.publishLocked()
			e.mu.Unlock()
			close(e.loaded)
			return true
		}
		e.storageFault(ctx, fmt.Errorf("read the known meters: %w", err))
		pause(ctx, backoff(n, time.Minute))
	}
	return false
}

// farewell stores what is still unsaved when the station stops.
func (e *Engine) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	e.flush(ctx)
}

// lastWords bounds the writes after ctx ended: the supervisor waits for us.
const lastWords = 2 * time.Second

// diskRest is how long to wait before a journal that refused is tried again.
const diskRest = 5 * time.Second

// turn is one piece of work: a discovery step, a visit, or a wait.
func (e *Engine) turn(ctx context.Context) {
	now := time.Now()
	step, visit, wait := e.decide(now)
	saved := e.flush(ctx)
	switch {
	case step.Kind == roster.Register && !saved:
		// An address that is not on the disk must not reach the line: after a power cut it
		// would be issued twice.
		pause(ctx, diskRest)
	case visit != nil && !saved:
		// Values that cannot be stored are not fetched. Meters are still kept alive.
		e.interrupted()
		pause(ctx, diskRest)
	case step.Kind != roster.Idle:
		e.step(ctx, step)
	case visit != nil:
		e.visit(ctx, *visit)
	default:
		e.setPhase(PhaseWaiting)
		pause(ctx, wait)
	}
	e.account(step, visit, time.Since(now))
}

// leadSlots bounds the line time that is owed to discovery or to the visits: as long as
// one visit or one Discover takes at most, more or less.
const leadSlots = 512

// account notes who had the line.
func (e *Engine) account(step roster.Step, visit *round.Visit, spent time.Duration) {
	bound := e.cfg.Line.Slots(leadSlots)
	switch {
	case visit != nil:
		e.lead = max(e.lead-spent, -bound)
	case step.Kind != roster.Idle:
		e.lead = min(e.lead+spent, bound)
	}
}

// decide picks what comes next. Discovery has the line alone until it settles for the
// first time; later its steps and the visits of a round share the line by time, so that
// neither starves: a Ping is a fiftieth of a long visit, and if they took turns one by one
// a large segment would lose meters that nobody came to ask.
func (e *Engine) decide(now time.Time) (step roster.Step, visit *round.Visit, wait time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	step = e.roster.Next(now)
	settling := !e.holdOff.IsZero() && !e.roster.Settled() && now.Before(e.holdOff)
	if settling && step.Kind != roster.Idle {
		return step, nil, 0
	}
	if !settling {
		e.beginRound(now)
	}
	v, wait, ok := e.planner.Next(now)
	if ok && (step.Kind == roster.Idle || e.lead >= 0) {
		return roster.Step{}, &v, 0
	}
	if step.Kind == roster.Idle {
		wait = e.idle(now, step.At, wait)
	}
	return step, nil, wait
}

// longest wait without looking again.
const maxRest = time.Minute

func (e *Engine) idle(now, at time.Time, wait time.Duration) time.Duration {
	if !at.IsZero() {
		if due := at.Sub(now); wait <= 0 || due < wait {
			wait = due
		}
	}
	if wait <= 0 || wait > maxRest {
		wait = maxRest
	}
	return wait
}

// beginRound starts a round when one is due and somebody can be read.
func (e *Engine) beginRound(now time.Time) {
	if due, _ := e.planner.Due(now); !due {
		return
	}
	var candidates []round.Candidate
	for _, m := range e.roster.Meters() {
		if e.roster.Readable(now, m.Title) {
			candidates = append(candidates, candidate(m))
		}
	}
	if len(candidates) == 0 {
		return
	}
	e.holdOff = time.Time{}
	e.planner.Begin(now, candidates)
	e.cfg.Log.Info("round begins", "round", e.planner.Round().Number, "meters", len(candidates))
	e.publishLocked()
}

func candidate(m concentrator.Meter) round.Candidate {
	return round.Candidate{Title: m.Title, Credit: m.Credit, Last: m.LastReading}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// backoff doubles from one second with each failure, up to limit.
func backoff(failures int, limit time.Duration) time.Duration {
	return min(limit, time.Second<<min(failures, 16))
}

// failed counts one more failure of our side and returns how long to rest: not for
// long, so that a modem that was plugged in again is soon used.
func (e *Engine) failed() time.Duration {
	e.failing++
	return backoff(e.failing-1, 15*time.Second)
}

// interrupted tells the planner that the current visit is not made now.
func (e *Engine) interrupted() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.planner.Interrupted()
}

// poke tells a waiting loop to look again; it never blocks.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
