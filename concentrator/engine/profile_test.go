package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

func TestRangeRefusedThenByEntry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		m.noRange = true
		s := start(t, quarterHours(), newLink(m), newJournal())
		began := time.Now()
		s.until(time.Hour, "a round", roundsDone(1))
		if !s.meter(1).ByEntry {
			t.Error("it is not remembered that the meter knows selection by entry only")
		}
		s.complete(m, began.Add(-23*time.Hour))
		s.until(time.Hour, "more rounds", roundsDone(4))
		s.complete(m, began.Add(-23*time.Hour))
		if r := s.engine.Snapshot().Rounds[3]; r.Done != 1 {
			t.Errorf("round %+v", r)
		}
		for _, r := range s.ranges(m)[1:] {
			if span := r[1].Sub(r[0]); span > time.Hour {
				t.Errorf("a later visit asked for %v once more", span)
			}
		}
	})
}

func TestMeterWithoutProfile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		m.noProfile = true
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(2*time.Hour, "rounds", roundsDone(3))
		if r := s.engine.Snapshot().Rounds[2]; r.Done != 1 {
			t.Errorf("round %+v", r)
		}
		if got := s.meter(1); got.Layout == nil || len(got.Layout) != 0 || got.LastReading.IsZero() || got.Failures != 0 {
			t.Errorf("meter %+v", got)
		}
		if n := len(s.journal.readings); n != 3 {
			t.Errorf("%d register readings in 3 rounds", n)
		}
	})
}

// A meter whose layout was changed is not misread: its buffer does not fit, so the layout
// is learned again and the entries come in the same round.
func TestChangedLayoutIsLearnedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		s := start(t, quarterHours(), newLink(m), newJournal())
		began := time.Now()
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { m.wide = true })
		s.until(time.Hour, "more rounds", roundsDone(3))
		if got := s.meter(1); len(got.Layout) != 4 || got.LastOutcome != plc.Answered {
			t.Errorf("layout %v, outcome %v %s", got.Layout, got.LastOutcome, got.LastDetail)
		}
		s.complete(m, began.Add(-23*time.Hour))
		if r := s.engine.Snapshot().Rounds[1]; r.Done != 1 {
			t.Errorf("the round of the change %+v", r)
		}
	})
}

// A meter that lost its profile is learned again too.
func TestProfileThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { m.noProfile = true })
		s.until(2*time.Hour, "rounds", roundsDone(4))
		if r := s.engine.Snapshot().Rounds[3]; r.Done != 1 {
			t.Errorf("round %+v", r)
		}
		if n := s.journal.count(concentrator.EventMeterRefused); n != 1 {
			t.Errorf("%d events of the refusal", n)
		}
	})
}

// A meter that was without mains has a gap: it is passed by, told once, and never asked for again.
func TestGapIsPassedAndTold(t *testing.T) {
	for name, noRange := range map[string]bool{"by range": false, "by entry": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMeter(1)
				m.noRange = noRange
				s := start(t, quarterHours(), newLink(m), newJournal())
				began := time.Now()
				s.until(time.Hour, "a round", roundsDone(1))
				gap := [2]time.Time{time.Now(), time.Now().Add(5 * 24 * time.Hour)}
				s.change(func() { m.silent, m.gap = true, gap })
				time.Sleep(5 * 24 * time.Hour)
				s.change(func() { m.silent, m.address = false, plc.New })
				back := time.Now()
				s.until(3*time.Hour, "read again", func(*Snapshot) bool { return s.meter(1).LastReading.After(back) })
				time.Sleep(3 * time.Hour)
				s.complete(m, began.Add(-23*time.Hour))
				if n := s.journal.count(concentrator.EventProfileGap); n != 1 {
					t.Errorf("%d events of the gap", n)
				}
				s.change(func() { m.ranges = nil })
				time.Sleep(time.Hour)
				for _, r := range s.ranges(m) {
					if span := r[1].Sub(r[0]); span > time.Hour {
						t.Errorf("%v is still asked for", span)
					}
				}
			})
		})
	}
}

// A long outage of the station is made good in pieces, oldest first.
func TestLongOutageIsMadeGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		link, journal := newLink(m), newJournal()
		s := start(t, quarterHours(), link, journal)
		began := time.Now()
		s.until(time.Hour, "a round", roundsDone(1))
		s.stop()
		time.Sleep(10 * 24 * time.Hour)
		s = start(t, quarterHours(), link, journal)
		s.until(3*time.Hour, "all made good", func(*Snapshot) bool { return time.Since(s.lastEntry(m)) < 20*time.Minute })
		s.complete(m, began.Add(-23*time.Hour))
		for _, r := range s.ranges(m) {
			if n := int(r[1].Sub(r[0]) / m.period); n > 193 {
				t.Errorf("%d entries in one visit", n)
			}
		}
	})
}

// ranges are the parts of its profile that a meter was asked for.
func (s *station) ranges(m *fakeMeter) (ranges [][2]time.Time) {
	s.change(func() { ranges = slices.Clone(m.ranges) })
	return ranges
}

func (s *station) lastEntry(m *fakeMeter) time.Time {
	times := s.journal.profileTimes(m.title)
	if len(times) == 0 {
		return time.Time{}
	}
	return times[len(times)-1]
}

// A meter that lost its time captures in the year 2001; what it captures is still read, flagged
// by nobody, because the times are what it says.
func TestClockThatWentAstray(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() {
			m.astray = -time.Until(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).Abs().Truncate(time.Minute)
			m.first = time.Now().Add(m.astray)
		})
		time.Sleep(4 * time.Hour)
		old := 0
		for _, at := range s.journal.profileTimes(m.title) {
			if at.Year() == 2001 {
				old++
			}
		}
		if old < 14 {
			t.Errorf("%d entries of 4 hours with a wrong clock", old)
		}
		if n := s.journal.count(concentrator.EventMeterClock); n == 0 {
			t.Error("nobody is told of the clock")
		}
		if s.meter(1).ByEntry {
			t.Error("the meter is taken for one that knows no ranges")
		}
		s.change(func() { m.astray, m.first = 0, time.Now().Truncate(15*time.Minute) })
		began := time.Now()
		time.Sleep(2 * time.Hour)
		s.complete(m, began)
	})
}

// A meter whose clock was ahead for a while captures the hours in between after all: they
// are read, and the entry of the future does not keep the profile from being read.
func TestClockThatWasAhead(t *testing.T) {
	for name, noRange := range map[string]bool{"by range": false, "by entry": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMeter(1)
				m.noRange = noRange
				s := start(t, quarterHours(), newLink(m), newJournal())
				s.until(time.Hour, "a round", roundsDone(1))
				began := time.Now()
				s.change(func() { m.astray, m.gap = 5*time.Hour, [2]time.Time{began, began.Add(5 * time.Hour)} })
				time.Sleep(40 * time.Minute)
				if !s.lastEntry(m).After(began.Add(5 * time.Hour)) {
					t.Fatal("nothing was captured by the clock that is ahead")
				}
				s.change(func() { m.astray, m.gap = 0, [2]time.Time{} })
				time.Sleep(time.Hour)
				s.complete(m, began)
				s.change(func() { m.ranges = nil })
				time.Sleep(3 * time.Hour)
				s.complete(m, began)
				for _, r := range s.ranges(m) {
					if span := r[1].Sub(r[0]); span > time.Hour {
						t.Errorf("%v is read again and again", span)
					}
				}
			})
		})
	}
}

// An entry of the future is not where reading goes on after a restart either, not even when
// that future has come.
func TestClockThatWasAheadBeforeARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, journal := newMeter(1), newJournal()
		s := start(t, quarterHours(), newLink(m), journal)
		s.until(time.Hour, "a round", roundsDone(1))
		began := time.Now()
		s.change(func() { m.astray, m.gap = 5*time.Hour, [2]time.Time{began, began.Add(5 * time.Hour)} })
		time.Sleep(40 * time.Minute)
		s.change(func() { m.astray, m.gap = 0, [2]time.Time{} })
		time.Sleep(time.Hour)
		s.complete(m, began)
		s.stop() // without power until the meter is where its clock was
		time.Sleep(5 * time.Hour)
		s = start(t, quarterHours(), newLink(m), journal)
		time.Sleep(4 * time.Hour)
		s.complete(m, began)
	})
}

// Each capture moves the entries of a full profile down: none is passed over when the first
// pieces of what may be new turn out to be known.
func TestFullRingIsReadWhole(t *testing.T) {
	for off := range 5 { // as many as the distance of the pieces
		bubble(t, func(t *testing.T) {
			m := newMeter(1)
			m.noRange, m.ring = true, 150
			cfg := quarterHours()
			cfg.MaxEntries, cfg.Backfill = 4, time.Hour
			s := start(t, cfg, newLink(m), newJournal())
			began := time.Now()
			s.until(time.Hour, "a round", roundsDone(1))
			s.change(func() {
				m.silent, m.gap = true, [2]time.Time{time.Now(), time.Now().Add(time.Duration(8+off) * m.period)}
			})
			time.Sleep(time.Duration(8+off)*m.period + 3*m.period)
			s.change(func() { m.silent, m.address = false, plc.New })
			back := time.Now()
			s.until(20*time.Hour, "read again", func(*Snapshot) bool { return s.lastEntry(m).After(back.Add(time.Hour)) })
			time.Sleep(3 * time.Hour)
			s.complete(m, began.Add(-30*time.Minute))
		})
	}
}

// Without a valid clock nobody knows the meter's deviation, so none is named.
func TestRangeWithoutAClockNamesNoDeviation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		m.noClock = true
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() {
			if len(m.deviations) == 0 || slices.ContainsFunc(m.deviations, func(d int16) bool { return d != cosem.NoDeviation }) {
				t.Errorf("deviations %v, want %d", m.deviations, cosem.NoDeviation)
			}
		})
	})
}

func TestSilentMeterIsTriedAgainAndLouder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(3)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		far := meters[0]
		s.change(func() { far.depth, far.calls = 5, nil }) // a repeater went away
		s.until(2*time.Hour, "read over more hops", func(*Snapshot) bool { return s.meter(1).Credit >= 5 && s.meter(1).Failures == 0 })
		if r := s.engine.Snapshot(); r.State[concentrator.StateLost] != 0 {
			t.Errorf("states %v", r.State)
		}
		s.change(func() { far.silent = true })
		rounds := len(s.engine.Snapshot().Rounds)
		s.until(time.Hour, "two rounds", roundsDone(rounds+2))
		r := s.engine.Snapshot().Rounds[rounds+1]
		if r.Failed != 1 || r.Done != 2 {
			t.Errorf("round %+v", r)
		}
		if got := s.meter(1); got.LastOutcome != plc.Silent || got.Failures < 3 || !strings.Contains(got.LastDetail, "no answer") {
			t.Errorf("meter %+v", got)
		}
	})
}

func TestRefusalIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(2)
		meters[1].refused = "no keys for this meter"
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.until(2*time.Hour, "rounds", roundsDone(3))
		if r := s.engine.Snapshot().Rounds[2]; r.Done != 1 || r.Failed != 1 {
			t.Errorf("round %+v", r)
		}
		if got := s.meter(2); got.LastOutcome != plc.Refused || got.LastDetail != "no keys for this meter" {
			t.Errorf("meter %+v", got)
		}
		if n := s.journal.count(concentrator.EventMeterRefused); n != 1 {
			t.Errorf("%d events in three rounds, want 1 a day", n)
		}
	})
}
