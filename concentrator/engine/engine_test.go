package engine

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// evening is when a test begins: a bubble begins in the year 2000, at the edge of what
// is a plausible time.
var evening = time.Date(2026, 3, 1, 20, 1, 0, 0, time.UTC)

func bubble(t *testing.T, fn func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening))
		fn(t)
	})
}

// station is an engine over fakes.
type station struct {
	t       *testing.T
	link    *fakeLink
	journal *fakeJournal
	engine  *Engine
	stop    func()
}

// quarterHours reads one register and the profile each quarter of an hour.
func quarterHours() Config {
	return Config{Period: 15 * time.Minute, Registers: []cosem.OBIS{energy}, Log: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, cfg Config, link *fakeLink, journal *fakeJournal) *station {
	t.Helper()
	e, err := New(cfg, link, journal)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{e.Run, e.RunOrders} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
	s := &station{t: t, link: link, journal: journal, engine: e}
	s.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(s.stop)
	return s
}

func street(n int) []*fakeMeter {
	var meters []*fakeMeter
	for i := range n {
		m := newMeter(i + 1)
		m.depth = plc.Credit(i % 4)
		meters = append(meters, m)
	}
	return meters
}

// change does something to the street while the engine runs.
func (s *station) change(fn func()) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	fn()
}

func (s *station) trace() []string {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return slices.Clone(s.link.street.trace)
}

func (s *station) meter(n int) concentrator.Meter {
	for _, m := range s.engine.Snapshot().Meters {
		if m.Title == title(n) {
			return m
		}
	}
	return concentrator.Meter{}
}

// until waits, in virtual time, for something to become true.
func (s *station) until(limit time.Duration, what string, is func(*Snapshot) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(limit); !is(s.engine.Snapshot()); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			snap := s.engine.Snapshot()
			s.t.Fatalf("after %v still not: %s\nround %+v, states %v, trouble %q\n%s", limit, what, snap.Round, snap.State, snap.Trouble,
				strings.Join(s.trace(), ", "))
		}
	}
}

func roundsDone(n int) func(*Snapshot) bool {
	return func(s *Snapshot) bool { return len(s.Rounds) >= n }
}

// complete fails unless the entries of m from from on, as far as they were captured a
// round ago, are stored with the values that the meter captured.
func (s *station) complete(m *fakeMeter, from time.Time) {
	s.t.Helper()
	s.link.mu.Lock()
	want := m.captured(from, time.Now().Add(-20*time.Minute), time.Now())
	s.link.mu.Unlock()
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	channel := concentrator.Channel{Profile: defaultProfile, Class: cosem.ClassRegister, Object: energy, Attribute: 2}
	for _, at := range want {
		r, ok := s.journal.readings[readingKey{m.title, channel, at.UTC()}]
		if !ok || r.Value != m.value(at) || r.Scaler != -1 || r.Unit != 30 {
			s.t.Fatalf("meter %v, entry of %v: stored %v, %+v", m.title, at, ok, r)
		}
	}
	if len(want) == 0 {
		s.t.Fatalf("meter %v captured nothing since %v", m.title, from)
	}
}

func TestFromDiscoveryToTheFirstRound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(20)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.link.onRegister = func(regs []plc.Registration) {
			s.journal.mu.Lock()
			defer s.journal.mu.Unlock()
			for _, r := range regs {
				if s.journal.meters[r.Title].Address != r.Address {
					t.Errorf("address %v went out before it was stored", r.Address)
				}
			}
		}
		began := time.Now()
		s.until(2*time.Hour, "two rounds", roundsDone(2))
		snap := s.engine.Snapshot()
		if snap.State[concentrator.StateRegistered] != 20 || !snap.Settled || snap.Rounds[1].Done != 20 || snap.Rounds[1].Failed != 0 {
			t.Errorf("states %v, rounds %+v", snap.State, snap.Rounds)
		}
		addresses := map[plc.Address]bool{}
		for i, m := range meters {
			addresses[m.address] = true
			s.complete(m, began.Add(-24*time.Hour))
			if got := s.meter(i + 1); got.Name != "METER"+m.title.String() || got.CapturePeriod != 15*time.Minute || len(got.Registers) != 1 || got.Address != m.address {
				t.Errorf("meter %+v", got)
			}
		}
		if len(addresses) != 20 || addresses[plc.New] {
			t.Errorf("addresses %v", addresses)
		}
		if n := s.journal.count(concentrator.EventMeterRegistered); n != 20 {
			t.Errorf("%d events of registered meters", n)
		}
		if n := s.journal.count(concentrator.EventProfileGap) + s.journal.count(concentrator.EventUnknownColumn) + s.journal.count(concentrator.EventMeterClock); n != 0 {
			t.Errorf("events about nothing: %v", s.journal.events)
		}
	})
}

// Discovery has the line alone until it settles; afterwards a round comes soon.
func TestFirstReadingComesSoonAfterDiscovery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(300)...), newJournal())
		s.until(time.Hour, "a reading", func(snap *Snapshot) bool { return snap.Round.Done > 0 })
		snap := s.engine.Snapshot()
		slots := int(time.Since(snap.Started) / slot)
		t.Logf("first reading of 300 meters after %d slots, %d registered", slots, snap.State[concentrator.StateRegistered])
		if snap.State[concentrator.StateRegistered] < 290 || slots > 9000 {
			t.Errorf("first reading after %d slots with %v", slots, snap.State)
		}
	})
}

// The planner moves only when a visit is on the disk.
func TestVisitIsStoredBeforeThePlannerMoves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		journal := newJournal()
		var e *Engine
		journal.onVisit = func(r VisitRecord) {
			if snap := e.Snapshot(); snap.Round.Current != r.Meter.Title || snap.Round.Done+snap.Round.Failed >= snap.Round.Total {
				t.Errorf("visit of %v is being stored, round %+v", r.Meter.Title, snap.Round)
			}
		}
		e, err := New(quarterHours(), newLink(street(5)...), journal)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = e.Run(ctx) }()
		s := &station{t: t, link: newLink(), journal: journal, engine: e}
		s.until(time.Hour, "a round", roundsDone(1))
	})
}

func TestRestartKeepsAddresses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(12)
		link, journal := newLink(meters...), newJournal()
		s := start(t, quarterHours(), link, journal)
		s.until(time.Hour, "a round", roundsDone(1))
		s.stop()
		before := map[plc.SystemTitle]plc.Address{}
		for _, m := range meters {
			before[m.title] = m.address
		}
		time.Sleep(time.Hour)
		fresh := newMeter(99)
		link.street.meters = append(link.street.meters, fresh)
		link.street.trace = nil
		cfg := quarterHours()
		cfg.LastRound = s.engine.Snapshot().Round.Number
		s = start(t, cfg, link, journal)
		s.until(2*time.Hour, "the new meter read", func(*Snapshot) bool { return s.meter(99).Visits > 0 })
		for _, m := range meters {
			if m.address != before[m.title] {
				t.Errorf("meter %v moved from %v to %v", m.title, before[m.title], m.address)
			}
			if m.address == fresh.address {
				t.Errorf("address %v has two owners", m.address)
			}
		}
		if n := strings.Count(strings.Join(s.trace(), "\n"), "register"); n != 1 {
			t.Errorf("%d Registers for one new meter", n)
		}
		if number := s.engine.Snapshot().Round.Number; number <= cfg.LastRound {
			t.Errorf("round %d after round %d", number, cfg.LastRound)
		}
	})
}

// A restart after a long outage finds meters that forgot their addresses.
func TestRestartAfterEveryAddressWasForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(12)
		link, journal := newLink(meters...), newJournal()
		s := start(t, quarterHours(), link, journal)
		s.until(time.Hour, "a round", roundsDone(1))
		s.stop()
		time.Sleep(8 * time.Hour) // beyond time-out not addressed
		for _, m := range meters {
			m.address = plc.New
		}
		began := time.Now()
		s = start(t, quarterHours(), link, journal)
		s.until(2*time.Hour, "all read", func(snap *Snapshot) bool {
			return len(snap.Rounds) > 1 && snap.Rounds[len(snap.Rounds)-1].Done == 12
		})
		for _, m := range meters {
			s.complete(m, began.Add(-8*time.Hour))
		}
	})
}

// Nobody reads, so a meter is called at a third of its time-out not addressed.
func TestMetersAreKeptAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(3)
		cfg := quarterHours()
		cfg.Period, cfg.DiscoveryInterval = 24*time.Hour, 24*time.Hour
		s := start(t, cfg, newLink(meters...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { s.link.street.trace = nil })
		for range 9 {
			time.Sleep(time.Hour)
			for _, m := range s.engine.Snapshot().Meters {
				if idle := time.Since(m.LastAsked); idle > 2*time.Hour+time.Minute {
					t.Errorf("meter %v was not asked for %v", m.Title, idle)
				}
			}
		}
		pings := 0
		for _, line := range s.trace() {
			if strings.HasPrefix(line, "ping") {
				pings++
			}
		}
		if pings != 3*3 { // at 22, 2 and 4 o'clock; at midnight there was a round
			t.Errorf("%d pings of 3 meters in 9 hours, want one each 2 hours: %v", pings, s.trace())
		}
	})
}

func TestReplacedMeter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(5)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		old := meters[2]
		fresh := newMeter(77)
		s.change(func() {
			old.silent = true
			s.link.street.meters = append(s.link.street.meters, fresh)
		})
		s.until(10*time.Hour, "the new one read, the old one lost", func(*Snapshot) bool {
			return s.meter(77).Visits > 1 && s.meter(3).State == concentrator.StateLost
		})
		if fresh.address == old.address {
			t.Errorf("address %v went over before its old owner must have forgotten it", fresh.address)
		}
		s.complete(fresh, time.Now().Add(-2*time.Hour))
		if lost := s.journal.count(concentrator.EventMeterLost); lost != 1 {
			t.Errorf("%d events of the lost one", lost)
		}
	})
}

// When the station stops in the middle of a visit, what was read is kept.
func TestStopKeepsWhatWasRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(1)...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		visited := func() int {
			s.journal.mu.Lock()
			defer s.journal.mu.Unlock()
			return len(s.journal.visits)
		}
		visits := visited()
		registers := func() int {
			s.journal.mu.Lock()
			defer s.journal.mu.Unlock()
			n := 0
			for k := range s.journal.readings {
				if k.channel.Profile.IsZero() {
					n++
				}
			}
			return n
		}
		before := registers()
		n := gets(s.trace())
		for gets(s.trace()) == n { // the first part of the next visit is answered
			time.Sleep(slot)
		}
		time.Sleep(slot)
		began := time.Now()
		s.stop()
		if took := time.Since(began); took > lastWords {
			t.Errorf("stopping took %v", took)
		}
		if len(s.journal.visits) != visits+1 || registers() != before+1 {
			t.Errorf("%d visits and %d register readings stored, want %d and %d", len(s.journal.visits), registers(), visits+1, before+1)
		}
		if last := s.journal.visits[visits].Exchange; last.Outcome != plc.Aborted {
			t.Errorf("the visit ended as %v", last.Outcome)
		}
	})
}

// Two register readings of one meter never bear the same second, however fast the line is.
func TestRegistersOfOneSecondAreReadOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		link := newLink(street(1)...)
		link.pace = time.Microsecond
		cfg := quarterHours()
		cfg.Period = 0
		journal := newJournal()
		start(t, cfg, link, journal)
		time.Sleep(time.Minute)
		journal.mu.Lock()
		defer journal.mu.Unlock()
		if len(journal.visits) < 30 || journal.offered != len(journal.readings) {
			t.Errorf("%d visits offered %d readings, of which %d were new", len(journal.visits), journal.offered, len(journal.readings))
		}
	})
}

func TestSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(3)...), newJournal())
		changed := s.engine.Changed()
		first := s.engine.Snapshot()
		<-changed
		s.until(time.Hour, "a round", roundsDone(1))
		if len(first.Meters) != 0 || len(first.Recent) != 0 {
			t.Error("an old snapshot was written")
		}
		time.Sleep(time.Second)
		one, other := s.engine.Snapshot(), s.engine.Snapshot()
		if one != other {
			t.Error("two snapshots of one state")
		}
		if one.Known != 3 || one.Round.Phase != PhaseWaiting || len(one.Recent) == 0 || len(one.Recent) > maxRecent || one.Budget.Available != 6000 {
			t.Errorf("known %d, phase %s, %d contacts, budget %+v", one.Known, one.Round.Phase, len(one.Recent), one.Budget)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]Config{
		"period":    {Period: -1},
		"line":      {Line: plc.Profile{BitRate: 1234}},
		"registers": {Registers: make([]cosem.OBIS, maxRegisters+1)},
	} {
		if _, err := New(cfg, newLink(), newJournal()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
