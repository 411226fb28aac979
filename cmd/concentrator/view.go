package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/engine"
	"busbar/concentrator/web"
	"busbar/storage"
	"busbar/uplink/cellular"
)

// view shows the station to the page and the command line: it is their web.Source.
// What costs a look into the database is kept for a moment, so that many viewers cost
// no more than one.
type view struct {
	s *station

	mu      sync.Mutex
	changed chan struct{}

	figures sync.Mutex // guards what follows
	taken   time.Time
	stats   storage.Stats
	backlog concentrator.Backlog
	fault   string // why the figures are old

	rows struct {
		sync.Mutex
		of     *engine.Snapshot
		meters []web.Meter
		reason string // why most of the unread ones are unread
	}
}

func newView(s *station) *view { return &view{s: s, changed: make(chan struct{})} }

// pulse is how often a view changes when nothing else does: ages grow, and the parts
// beside the engine do not say when they change. It is also how old figures of the
// database may be.
const pulse = time.Second

// Run tells of changes until ctx ends.
func (v *view) Run(ctx context.Context) error {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		changed := v.s.engine.Changed()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
		v.mu.Lock()
		close(v.changed)
		v.changed = make(chan struct{})
		v.mu.Unlock()
	}
}

// Changed implements web.Source.
func (v *view) Changed() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

// Meters implements web.Source.
func (v *view) Meters(context.Context) ([]web.Meter, error) {
	meters, _ := v.table(v.s.engine.Snapshot())
	return meters, nil
}

// table makes the rows of one snapshot once, and finds the commonest reason of failure.
func (v *view) table(snap *engine.Snapshot) (meters []web.Meter, reason string) {
	v.rows.Lock()
	defer v.rows.Unlock()
	if v.rows.of == snap {
		return v.rows.meters, v.rows.reason
	}
	v.rows.of, v.rows.meters, v.rows.reason = snap, make([]web.Meter, 0, len(snap.Meters)), ""
	reasons := map[string]int{}
	for _, m := range snap.Meters {
		v.rows.meters = append(v.rows.meters, web.MeterOf(m))
		if m.Failures == 0 || m.LastDetail == "" {
			continue
		}
		reasons[m.LastDetail]++
		if reasons[m.LastDetail] > reasons[v.rows.reason] {
			v.rows.reason = m.LastDetail
		}
	}
	return v.rows.meters, v.rows.reason
}

// Rounds implements web.Source.
func (v *view) Rounds(context.Context) ([]web.Round, error) {
	snap := v.s.engine.Snapshot()
	rounds := make([]web.Round, 0, len(snap.Rounds))
	for _, r := range slices.Backward(snap.Rounds) {
		rounds = append(rounds, web.RoundOf(r, time.Time{}))
	}
	return rounds, nil
}

// Events implements web.Source.
func (v *view) Events(ctx context.Context, since time.Time, limit int) ([]web.Event, error) {
	stored, err := v.s.store.Events(ctx, since, limit)
	if err != nil {
		return nil, err
	}
	events := make([]web.Event, 0, len(stored))
	for _, e := range stored {
		events = append(events, web.EventOf(e))
	}
	return events, nil
}

// Status implements web.Source.
func (v *view) Status(ctx context.Context) (web.Status, error) {
	snap, cfg := v.s.engine.Snapshot(), v.s.cfg
	_, reason := v.table(snap)
	s := web.Status{
		Station: cfg.Station, Version: version, Now: time.Now().UTC(), Started: snap.Started.UTC(),
		Meters: web.Counts{
			Known: snap.Known, Registered: snap.State[concentrator.StateRegistered], New: snap.State[concentrator.StateNew],
			Lost: snap.State[concentrator.StateLost], Unread: snap.Unread, Expected: cfg.Meters.Expected, Searching: !snap.Settled, Reason: reason,
		},
		Round: web.RoundOf(snap.Round, snap.Ends), Line: v.line(snap), Uplink: v.uplink(),
	}
	s.Storage, s.Outbox = v.storage(ctx, snap)
	if v.s.bearer != nil {
		s.Cellular = bearer(v.s.bearer.Snapshot())
	}
	s.Judge()
	return s, nil
}

func (v *view) line(snap *engine.Snapshot) web.Line {
	st := v.s.driver.State()
	l := web.Line{Port: v.s.cfg.Line.Modem, State: st.Phase.String(), Ready: st.Ready(), Since: st.Since.UTC(), Detail: st.Detail}
	if l.Ready && !snap.Line.OK {
		l.Ready, l.State, l.Since, l.Detail = false, "fault", snap.Line.Since.UTC(), snap.Line.Detail
	}
	return l
}

func (v *view) uplink() web.Uplink {
	if v.s.courier == nil {
		return web.Uplink{}
	}
	st := v.s.courier.State()
	return web.Uplink{
		Enabled: true, Connected: st.Connected, Since: web.Time(st.Since), LastReceipt: web.Time(st.LastReceipt),
		Error: st.LastError, NextAttempt: web.Time(st.NextAttempt),
	}
}

func (v *view) storage(ctx context.Context, snap *engine.Snapshot) (web.Storage, web.Outbox) {
	v.figures.Lock()
	defer v.figures.Unlock()
	if time.Since(v.taken) >= pulse {
		v.refresh(ctx)
	}
	st := web.Storage{
		Path: v.s.store.Path(), Bytes: v.stats.FileBytes + v.stats.WALBytes, Readings: v.stats.Readings, Error: v.fault,
	}
	if !snap.Storage.OK {
		st.Error = snap.Storage.Detail
	}
	b := v.backlog
	return st, web.Outbox{Readings: b.Readings, Batches: b.Batches, Bytes: b.Bytes, Oldest: web.Time(b.Oldest), Refused: b.Refused}
}

// refresh reads the figures. Those that cannot be read stay as they were.
func (v *view) refresh(ctx context.Context) {
	stats, err := v.s.store.Stats(ctx)
	if ctx.Err() != nil {
		return // the viewer has gone
	}
	v.taken, v.fault = time.Now(), ""
	if err != nil {
		v.fault = "cannot read: " + err.Error()
		return
	}
	v.stats = stats
	backlog, err := v.s.store.Backlog(ctx)
	if err != nil && ctx.Err() == nil {
		v.fault = "cannot read: " + err.Error()
		return
	}
	v.backlog = backlog
}

func bearer(st cellular.State) *web.Cellular {
	c := &web.Cellular{State: string(st.Phase), Detail: st.Detail, Operator: st.Operator.Name, Technology: st.Operator.Technology}
	if st.SignalKnown {
		c.SignalDBm = &st.SignalDBm
	}
	for _, e := range st.History {
		c.History = append(c.History, web.CellularEvent{Time: e.Time.UTC(), State: string(e.Phase), Text: e.Text})
	}
	return c
}
