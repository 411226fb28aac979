package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

func TestDiskThatRefusesLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(6)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		began := time.Now()
		s.until(time.Hour, "a round", roundsDone(1))
		s.journal.set(errDisk)
		time.Sleep(20 * time.Minute)
		snap := s.engine.Snapshot()
		if snap.Storage.OK || !strings.Contains(snap.Storage.Detail, "cannot store") || !strings.Contains(snap.Storage.Detail, errDisk.Error()) {
			t.Errorf("storage %+v", snap.Storage)
		}
		if snap.State[concentrator.StateRegistered] != 6 {
			t.Errorf("states %v: the disk is not the meters' fault", snap.State)
		}
		before := gets(s.trace())
		time.Sleep(2 * time.Hour)
		if n := gets(s.trace()) - before; n != 0 {
			t.Errorf("%d reads of values that cannot be stored", n)
		}
		for _, m := range s.engine.Snapshot().Meters {
			if idle := time.Since(m.LastAsked); idle > 130*time.Minute {
				t.Errorf("meter %v was not kept alive for %v", m.Title, idle)
			}
		}
		s.journal.set(nil)
		rounds := len(s.engine.Snapshot().Rounds)
		s.until(time.Hour, "two more rounds", roundsDone(rounds+2))
		for _, m := range meters {
			s.complete(m, began.Add(-24*time.Hour))
		}
		if snap := s.engine.Snapshot(); !snap.Storage.OK {
			t.Errorf("storage %+v", snap.Storage)
		}
		if n := s.journal.count(concentrator.EventStorage); n != 1 {
			t.Errorf("%d events of the fault, want 1", n)
		}
	})
}

func gets(trace []string) int {
	n := 0
	for _, line := range trace {
		if strings.HasPrefix(line, "get") {
			n++
		}
	}
	return n
}

func TestStartWaitsForTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		journal := newJournal()
		journal.set(errDisk)
		s := start(t, quarterHours(), newLink(street(2)...), journal)
		time.Sleep(10 * time.Minute)
		if trace := s.trace(); len(trace) != 0 {
			t.Errorf("the line was used before the known meters were: %v", trace)
		}
		if s.engine.Snapshot().Storage.OK {
			t.Error("storage is called well")
		}
		journal.set(nil)
		s.until(time.Hour, "a round", roundsDone(1))
	})
}

func TestNoMeterIsBlamedForADeadLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(6)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		began := time.Now()
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { s.link.street.down = fmt.Errorf("modem port /dev/ttyS1 is gone: %w", plc.ErrLineDown) })
		time.Sleep(90 * time.Minute)
		snap := s.engine.Snapshot()
		if snap.Line.OK || !strings.Contains(snap.Line.Detail, "/dev/ttyS1") {
			t.Errorf("line %+v", snap.Line)
		}
		for _, m := range snap.Meters {
			if m.Failures != 0 || m.State != concentrator.StateRegistered {
				t.Errorf("meter is blamed: %+v", m)
			}
		}
		s.change(func() { s.link.street.down = nil })
		back := time.Now()
		s.until(time.Minute, "line used again", func(snap *Snapshot) bool { return snap.Line.OK })
		t.Logf("used again after %v", time.Since(back))
		rounds := len(s.engine.Snapshot().Rounds)
		s.until(time.Hour, "two more rounds", roundsDone(rounds+2))
		for _, m := range meters {
			s.complete(m, began.Add(-24*time.Hour))
		}
		if down, up := s.journal.count(concentrator.EventModemDown), s.journal.count(concentrator.EventModemUp); down != 1 || up != 1 {
			t.Errorf("%d events of the loss and %d of the return", down, up)
		}
	})
}

// A fault beside the line, such as a key store that cannot be read, is not a dead line.
func TestOtherFaultsAreNotADeadLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(2)...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { s.link.street.down = fmt.Errorf("no invocation counters left") })
		time.Sleep(30 * time.Minute)
		if snap := s.engine.Snapshot(); !snap.Line.OK || !strings.Contains(snap.Trouble, "no invocation counters left") {
			t.Errorf("line %+v, trouble %q", snap.Line, snap.Trouble)
		}
		if n := s.journal.count(concentrator.EventModemDown); n != 0 {
			t.Errorf("%d events of a dead line", n)
		}
		if got := s.meter(1); !strings.Contains(got.LastDetail, "no invocation counters left") || got.Failures != 0 {
			t.Errorf("meter %+v, want the reason and no blame", got)
		}
	})
}

// An address that is not on the disk never reaches the line.
func TestNoAddressThatIsNotOnTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(3)...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		fresh := newMeter(77)
		s.change(func() {
			s.link.street.trace = nil
			s.link.street.meters = append(s.link.street.meters, fresh)
		})
		s.journal.set(errDisk)
		time.Sleep(3 * time.Hour)
		trace := strings.Join(s.trace(), "\n")
		if !strings.Contains(trace, "discover") || strings.Contains(trace, "register") {
			t.Errorf("on the line while nothing could be stored: %s", trace)
		}
		s.journal.set(nil)
		s.until(time.Hour, "the new one read", func(*Snapshot) bool { return s.meter(77).Visits > 0 })
	})
}
