package engine

import (
	"time"

	"busbar/concentrator"
	"busbar/concentrator/round"
	"busbar/plc"
)

// Phases of the engine, as Snapshot.Round.Phase tells them.
const (
	PhaseDiscovering = "discovering"
	PhaseRegistering = "registering"
	PhaseReading     = "reading"
	PhaseWaiting     = "waiting"
)

// Health is whether something of our own side works.
type Health struct {
	OK     bool
	Since  time.Time
	Detail string // why not, in words; empty when OK
}

// Contact is one piece of work on the line, for the list of the latest.
type Contact struct {
	Meter   plc.SystemTitle // zero for broadcasts
	Address plc.Address
	What    string // "visit", "ping", "register 3", "discover 32 slots", "repeater call", "order ID"
	plc.Exchange
}

// Bounds of what a Snapshot remembers.
const (
	maxRecent = 64
	maxRounds = 96
)

// Snapshot is the state of the engine at one moment. It is immutable: its slices are
// never written again and may be shared, but not changed.
type Snapshot struct {
	At      time.Time
	Started time.Time
	Round   concentrator.Round // running or last, with the phase the engine is in
	Ends    time.Time          // forecast of its end; zero when unknown
	Budget  round.Budget
	Rounds  []concentrator.Round           // finished ones, newest last, at most 96
	Meters  []concentrator.Meter           // ordered by title
	Known   int                            // meters, in any state
	State   map[concentrator.LineState]int // meters by state
	Unread  int                            // given up in the running or last round
	Unknown int                            // estimate of meters not heard yet, while searching
	Settled bool                           // no search is running
	Line    Health
	Storage Health
	Trouble string    // last error of our own side in words; stays until the next one
	Recent  []Contact // newest last, at most 64
	Orders  int       // pending
}

// Snapshot returns the latest state. It waits for neither line nor disk and never
// returns nil. Two calls without a change between them return the same one.
func (e *Engine) Snapshot() *Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stale {
		e.snapshot, e.stale = e.snapshotLocked(time.Now()), false
	}
	return e.snapshot
}

// Changed returns a channel that is closed at the next change. Take it before the
// Snapshot, so that no change is missed.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// publishLocked tells that something has changed. The copy of all meters is made when
// somebody asks for it: a station that nobody looks at makes none.
func (e *Engine) publishLocked() {
	e.stale = true
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *Engine) snapshotLocked(now time.Time) *Snapshot {
	s := &Snapshot{
		At: now, Started: e.started, Round: e.planner.Round(), Ends: e.planner.Forecast(now), Budget: e.planner.Budget(),
		Meters: e.roster.Meters(), State: map[concentrator.LineState]int{},
		Unknown: e.roster.Unknown(), Settled: e.roster.Settled(),
		Line: e.line, Storage: e.storage, Trouble: e.trouble, Orders: e.pending,
		Recent: append([]Contact(nil), e.recent...), Rounds: append([]concentrator.Round(nil), e.rounds...),
	}
	s.Round.Phase = e.phase
	s.Known, s.Unread = len(s.Meters), s.Round.Failed
	for _, m := range s.Meters {
		s.State[m.State]++
	}
	return s
}

// setPhase publishes when the phase changes.
func (e *Engine) setPhase(phase string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != phase {
		e.phase = phase
		e.publishLocked()
	}
}

// contact adds to the latest work and publishes.
func (e *Engine) contact(c Contact) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recent = append(e.recent, c)
	if n := len(e.recent) - maxRecent; n > 0 {
		e.recent = append(e.recent[:0], e.recent[n:]...)
	}
	e.publishLocked()
}
