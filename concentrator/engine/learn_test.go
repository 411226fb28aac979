package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/plc"
	"busbar/plc/cosem"
)

func TestLimitsOfAMeterAreLearned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		m.forgets = 90
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		if got := s.meter(1); got.NotAddressed != 90*time.Minute || got.MaxFrame != 134 {
			t.Errorf("time-out not addressed %v, longest frame %d", got.NotAddressed, got.MaxFrame)
		}
		s.change(func() {
			if m.maxFrame != 134 {
				t.Errorf("called with a longest frame of %d", m.maxFrame)
			}
		})
	})
}

// What a meter says of itself is asked once a day, and a change is told.
func TestChangedScalerIsLearnedWithinADay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { m.scaler = 2 })
		time.Sleep(25 * time.Hour)
		if n := s.journal.count(concentrator.EventLayoutChanged); n != 2 {
			t.Errorf("%d events, want one of the register and one of the column", n)
		}
		s.journal.mu.Lock()
		defer s.journal.mu.Unlock()
		young := 0
		for k, r := range s.journal.readings {
			if k.at.After(time.Now().Add(-30 * time.Minute)) {
				if young++; r.Scaler != 2 {
					t.Errorf("%v at %v has scaler %d, want 2", r.Channel, k.at, r.Scaler)
				}
			}
		}
		if young == 0 {
			t.Error("nothing was read")
		}
	})
}

// One odd answer while a meter is learned again changes nothing of what is known of it, and
// it is asked again within the hour.
func TestOddAnswerKeepsWhatIsKnown(t *testing.T) {
	scaler := func(r cosem.Ref) bool { return r.Class == cosem.ClassRegister && r.Attribute == 3 }
	profile := func(n int8) func(cosem.Ref) bool {
		return func(r cosem.Ref) bool { return r.Class == cosem.ClassProfileGeneric && r.Attribute == n }
	}
	for name, which := range map[string]func(cosem.Ref) bool{
		"scaler": scaler, "capture objects": profile(3), "capture period": profile(4), "sort method": profile(5),
		"limits": func(r cosem.Ref) bool { return r.Class == cosem.ClassSFSKTimeouts || r.Class == cosem.ClassLLC432 },
		"name":   func(r cosem.Ref) bool { return r.Object == nameObject },
	} {
		for _, access := range []cosem.AccessResult{cosem.OtherReason, cosem.TemporaryFailure} {
			t.Run(name+" "+access.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := newMeter(1)
					m.forgets, m.newestFirst = 90, true
					s := start(t, quarterHours(), newLink(m), newJournal())
					began := time.Now()
					s.until(time.Hour, "a round", roundsDone(1))
					was := s.meter(1)
					asked := 0
					s.change(func() {
						m.fails = func(r cosem.Ref) cosem.AccessResult {
							if since := time.Since(began); which(r) && since > 23*time.Hour && since < 25*time.Hour {
								asked++
								return access
							}
							return cosem.Success
						}
					})
					for range 30 {
						time.Sleep(time.Hour)
						now := s.meter(1)
						if !slices.Equal(now.Layout, was.Layout) || !slices.Equal(now.Registers, was.Registers) || now.CapturePeriod != was.CapturePeriod ||
							now.Unordered != was.Unordered || now.NotAddressed != was.NotAddressed || now.MaxFrame != was.MaxFrame || now.Name != was.Name {
							t.Fatalf("was %+v, is %+v", was, now)
						}
					}
					s.complete(m, began)
					s.change(func() {
						if asked == 0 {
							t.Error("it was not learned again")
						}
					})
					if age := time.Since(s.meter(1).Learned); age > 7*time.Hour {
						t.Errorf("learned %v ago", age)
					}
				})
			})
		}
	}
}

// A register that the meter does not have any more is left out, and so is its column.
func TestAbsentScalerIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() {
			m.fails = func(r cosem.Ref) cosem.AccessResult {
				if r.Class == cosem.ClassRegister && r.Attribute == 3 {
					return cosem.ObjectUndefined
				}
				return cosem.Success
			}
		})
		time.Sleep(25 * time.Hour)
		if got := s.meter(1); len(got.Registers) != 0 || got.Layout[2].Unit != capture.UnitUnknown {
			t.Errorf("registers %v, column in unit %d", got.Registers, got.Layout[2].Unit)
		}
	})
}

// A meter that does not say any more what it is, is read as before.
func TestReadingGoesOnWithoutLearning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		s := start(t, quarterHours(), newLink(m), newJournal())
		began := time.Now()
		s.until(time.Hour, "a round", roundsDone(1))
		s.link.mu.Lock()
		s.link.deaf = func(refs []cosem.Ref) bool {
			return slices.ContainsFunc(refs, func(r cosem.Ref) bool { return r.Class == cosem.ClassProfileGeneric && r.Attribute == 3 })
		}
		s.link.mu.Unlock()
		time.Sleep(30 * time.Hour)
		s.complete(m, began)
	})
}

func TestWideProfileIsReadInPieces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		cfg := quarterHours()
		cfg.MaxTransfer = 10 * capture.RowSize(make([]concentrator.Column, 3))
		s := start(t, cfg, newLink(m), newJournal())
		began := time.Now()
		s.until(12*time.Hour, "all read", func(*Snapshot) bool { return time.Since(s.lastEntry(m)) < 20*time.Minute })
		s.complete(m, began.Add(-23*time.Hour))
		for _, r := range s.ranges(m) {
			if n := int(r[1].Sub(r[0]) / m.period); n > 10 {
				t.Errorf("%d entries in one visit", n)
			}
		}
	})
}

// A profile whose numbers do not follow time is read by range, or not at all.
func TestProfileSortedAnotherWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, other := newMeter(1), newMeter(2)
		m.newestFirst, other.newestFirst, other.noRange = true, true, true
		s := start(t, quarterHours(), newLink(m, other), newJournal())
		began := time.Now()
		s.until(time.Hour, "rounds", roundsDone(3))
		s.change(func() { m.silent = true })
		time.Sleep(time.Hour)
		s.change(func() { m.silent = false }) // and then several entries at once
		time.Sleep(time.Hour)
		s.complete(m, began.Add(-23*time.Hour))
		if n := s.journal.count(concentrator.EventProfileGap); n != 0 {
			t.Errorf("%d events of gaps where none is", n)
		}
		if n := s.journal.count(concentrator.EventUnknownColumn); n != 1 {
			t.Errorf("%d events of a profile that cannot be read, want 1 a day", n)
		}
		s.change(func() {
			if other.byEntry != 0 {
				t.Errorf("%d reads by numbers that mean nothing", other.byEntry)
			}
		})
	})
}

// A refused invocation counter is never raised by itself: a person is told how.
func TestRefusedCounterSaysWhatToDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeter(1)
		m.counter = 4711
		s := start(t, quarterHours(), newLink(m), newJournal())
		s.until(2*time.Hour, "a round", roundsDone(1))
		want := "concentrator keys raise " + title(1).String() + " 4711"
		if got := s.meter(1); got.LastOutcome != plc.Refused || !strings.Contains(got.LastDetail, want) || !strings.Contains(got.LastDetail, "unauthenticated") {
			t.Errorf("%v, %q, want %q in it", got.LastOutcome, got.LastDetail, want)
		}
	})
}
