package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/concentrator/round"
	"busbar/plc"
)

// maxRepeats is how often a visit is begun again after failures of our own side before
// the round goes on with the next meter: what fails may have to do with this one.
const maxRepeats = 3

// registerRest keeps two readings of a meter's registers apart: meter time is kept in
// seconds, and two values of one second would contradict each other. On a real line a
// visit takes longer than this.
const registerRest = 1100 * time.Millisecond

// visit calls one meter, stores what came of it in one transaction and only then
// tells planner and roster.
func (e *Engine) visit(ctx context.Context, v round.Visit) {
	c, ok := e.prepare(ctx, v)
	if !ok {
		return
	}
	e.setPhase(PhaseReading)
	pause(ctx, time.Until(e.read[v.Meter].Add(registerRest)))
	err := c.run(ctx)
	if !c.read.IsZero() {
		e.read[v.Meter] = c.read
	}
	if err != nil {
		e.broken(ctx, v, c, err)
		return
	}
	e.failing = 0
	e.lineUp()
	e.judge(c)
	r := e.visitRecord(v, c)
	stored, err := e.record(ctx, r)
	if err != nil {
		e.notStored(v, c, r.Events)
		return
	}
	e.advance(v, c, stored)
}

// prepare makes the call, or takes the meter out of the round. What is stored already
// is asked before the line is used: values that cannot be stored are not fetched.
func (e *Engine) prepare(ctx context.Context, v round.Visit) (*call, bool) {
	now := time.Now()
	e.mu.Lock()
	m, _ := e.roster.Meter(v.Meter)
	readable := e.roster.Readable(now, v.Meter)
	if !readable {
		e.planner.Skip(now, v)
		e.closeRound(now)
		e.publishLocked()
	}
	e.mu.Unlock()
	if !readable {
		return nil, false
	}
	c := &call{
		cfg: &e.cfg, link: e.link, m: m, past: e.past[v.Meter],
		source: capture.Source{Meter: m.Title, Received: now, Trusted: e.cfg.ClockTrusted(), Sign: e.cfg.Deviation},
	}
	if c.last, c.has = e.cursors[v.Meter]; c.has {
		return c, true
	}
	var err error
	if c.last, c.has, err = e.journal.LastEntry(ctx, v.Meter, e.cfg.Profile); err != nil {
		e.storageFault(ctx, fmt.Errorf("find the last reading of meter %v: %w", v.Meter, err))
		e.interrupted()
		pause(ctx, diskRest)
		return nil, false
	}
	return c, true
}

// broken ends a visit that failed through our own side. Values that were read are
// stored; nothing is concluded about the meter.
func (e *Engine) broken(ctx context.Context, v round.Visit, c *call, err error) {
	c.x.Outcome, c.x.Detail = plc.Aborted, printable(err.Error())
	if !errors.Is(err, plc.ErrLineDown) { // it has to do with this meter, such as its keys
		c.m.LastOutcome, c.m.LastDetail = c.x.Outcome, c.x.Detail
	}
	if len(c.readings) > 0 {
		if _, err := e.record(ctx, e.visitRecord(v, c)); err != nil {
			e.storageFault(ctx, err)
		}
	}
	e.ourFault(ctx, err)
	rest := e.failed()
	now := time.Now()
	e.mu.Lock()
	e.roster.Visited(now, c.m)
	if e.failing%maxRepeats == 0 {
		e.planner.Report(now, v, c.x, c.m.Credit)
		e.closeRound(now)
	} else {
		e.planner.Interrupted()
	}
	e.publishLocked()
	e.mu.Unlock()
	if ctx.Err() == nil {
		pause(ctx, rest)
	}
}

// judge updates the meter's record from the finished call.
func (e *Engine) judge(c *call) {
	m := &c.m
	x := c.x
	if c.undecoded {
		x.Outcome = plc.Answered // the line is not to blame for what the meter wrote
	}
	link := round.Credit(round.Link{Credit: m.Credit, Clean: m.CleanReads}, x)
	m.Credit, m.CleanReads = link.Credit, link.Clean
	m.Visits++
	m.LastOutcome, m.LastDetail = c.x.Outcome, c.x.Detail
	if c.x.Answers > 0 {
		m.Up, m.Down = c.x.Up, c.x.Down
	}
	if c.x.Outcome == plc.Answered {
		m.Failures = 0
	} else {
		m.Failures++
	}
	for _, r := range c.readings {
		if r.Quality&(concentrator.TimeImplausible|concentrator.NoMeterTime) == 0 && r.Time.After(m.LastReading) {
			m.LastReading = r.Time
		}
	}
}

func (e *Engine) visitRecord(v round.Visit, c *call) VisitRecord {
	events := e.daily(c.events, false)
	if c.x.Outcome == plc.Refused {
		events = append(events, e.daily([]concentrator.Event{{
			Time: time.Now(), Meter: v.Meter, Code: concentrator.EventMeterRefused, Text: c.x.Detail,
		}}, true)...)
	}
	return VisitRecord{
		Visit: concentrator.Visit{Round: e.roundNumber(), Meter: v.Meter, Exchange: c.x, Readings: len(c.readings)},
		Meter: c.m, Readings: c.readings, Events: events,
	}
}

// notStored goes on without having stored a visit: the cursor stays, so the next visit
// reads the same entries, and the meter is tried again in this round. Its events are
// told once a day, so they wait for the disk.
func (e *Engine) notStored(v round.Visit, c *call, events []concentrator.Event) {
	now := time.Now()
	e.mu.Lock()
	old, _ := e.roster.Meter(v.Meter)
	c.m.LastReading = old.LastReading
	e.roster.Visited(now, c.m)
	e.roster.Unsafe(v.Meter)
	for _, ev := range events {
		e.eventLocked(ev)
	}
	number := e.planner.Round().Number
	e.planner.Report(now, v, plc.Exchange{Outcome: plc.Aborted, Slots: c.x.Slots}, c.m.Credit)
	e.closeRound(now)
	e.publishLocked()
	e.mu.Unlock()
	e.cfg.Log.Warn("visit not stored", "meter", v.Meter, "round", number)
}

// advance tells roster and planner of a stored visit.
func (e *Engine) advance(v round.Visit, c *call, stored int) {
	if !c.progress.until.IsZero() && (!c.has || c.progress.until.After(c.last)) {
		e.cursors[v.Meter] = c.progress.until
	}
	if c.progress.past.entry > 0 {
		e.past[v.Meter] = c.progress.past
	} else {
		delete(e.past, v.Meter)
	}
	e.logVisit(v, c, stored)
	now := time.Now()
	e.mu.Lock()
	e.roster.Visited(now, c.m)
	e.planner.Report(now, v, c.x, c.m.Credit)
	e.closeRound(now)
	e.mu.Unlock()
	e.contact(Contact{Meter: v.Meter, Address: c.m.Address, What: "visit", Exchange: c.x})
}

func (e *Engine) roundNumber() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.planner.Round().Number
}

func (e *Engine) logVisit(v round.Visit, c *call, stored int) {
	level := slog.LevelInfo
	if c.x.Outcome != plc.Answered {
		level = slog.LevelWarn
	}
	attrs := []any{
		"meter", v.Meter, "addr", c.m.Address, "round", e.roundNumber(), "visit", v.Pass, "credit", c.x.Credit,
		"outcome", c.x.Outcome, "readings", len(c.readings), "stored", stored, "slots", c.x.Slots,
	}
	if c.x.Detail != "" {
		attrs = append(attrs, "err", c.x.Detail)
	}
	e.cfg.Log.Log(context.Background(), level, "visit", attrs...)
}

// closeRound keeps a round that has just ended.
func (e *Engine) closeRound(now time.Time) {
	r := e.planner.Round()
	if r.Finished.IsZero() || len(e.rounds) > 0 && e.rounds[len(e.rounds)-1].Number == r.Number {
		return
	}
	e.rounds = append(e.rounds, r)
	if n := len(e.rounds) - maxRounds; n > 0 {
		e.rounds = append(e.rounds[:0], e.rounds[n:]...)
	}
	e.cfg.Log.Info("round ended", "round", r.Number, "done", r.Done, "failed", r.Failed, "took", now.Sub(r.Started).Round(time.Millisecond))
}
