package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

func (s *station) order(id string, meter plc.SystemTitle, change func(*concentrator.Order)) {
	o := concentrator.Order{
		ID: id, Kind: concentrator.OrderRead, Meter: meter, Issued: time.Now(), State: concentrator.OrderAccepted,
		Ref: cosem.Ref{Class: cosem.ClassRegister, Object: energy, Attribute: 2},
	}
	if change != nil {
		change(&o)
	}
	s.journal.mu.Lock()
	s.journal.orders = append(s.journal.orders, o)
	s.journal.mu.Unlock()
	s.engine.Wake()
}

func (s *station) ended(id string, limit time.Duration) concentrator.Order {
	s.t.Helper()
	s.until(limit, "order "+id+" at its end", func(*Snapshot) bool { return s.journal.order(id).State.Final() })
	return s.journal.order(id)
}

func TestOrderComesBetweenTheExchangesOfARound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(12)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.until(time.Hour, "the next round running", func(snap *Snapshot) bool { return snap.Round.Number == 2 && snap.Round.Done > 2 })
		began := time.Now()
		s.order("A-1", title(12), nil)
		o := s.ended("A-1", time.Minute)
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("took %v", took)
		}
		if snap := s.engine.Snapshot(); snap.Round.Number != 2 || !snap.Round.Finished.IsZero() {
			t.Errorf("the round had ended before: %+v", snap.Round)
		}
		if o.State != concentrator.OrderDone || o.Attempt != 1 || !strings.HasSuffix(o.Result.Text, " Wh") || o.Result.Scaler != -1 || o.Result.Unit != 30 {
			t.Errorf("order %+v, result %+v", o, o.Result)
		}
		if !slices.Equal(s.journal.states, []concentrator.OrderState{concentrator.OrderRunning, concentrator.OrderDone}) {
			t.Errorf("saved states %v", s.journal.states)
		}
		if n := strings.Count(strings.Join(s.trace(), "\n"), "urgent get"); n != 1 {
			t.Errorf("%d urgent reads", n)
		}
	})
}

func TestOrdersThatCannotBeDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(3)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { meters[2].refused = "no keys for this meter" })
		tests := []struct {
			id     string
			meter  plc.SystemTitle
			change func(*concentrator.Order)
			state  concentrator.OrderState
			detail string
		}{
			{"stranger", title(50), nil, concentrator.OrderRefused, "no such meter"},
			{"kind", title(1), func(o *concentrator.Order) { o.Kind = "disconnect" }, concentrator.OrderRefused, `unknown kind of order "disconnect"`},
			{"late", title(1), func(o *concentrator.Order) { o.Expires = time.Now() }, concentrator.OrderExpired, "before it could be tried"},
			{"nothing there", title(1), func(o *concentrator.Order) { o.Ref.Object = cosem.MustOBIS("1.0.99.97.0.255") }, concentrator.OrderRefused, "object undefined"},
			{"meter says no", title(3), nil, concentrator.OrderRefused, "no keys"},
		}
		for _, tt := range tests {
			s.order(tt.id, tt.meter, tt.change)
			if o := s.ended(tt.id, time.Minute); o.State != tt.state || !strings.Contains(o.Result.Detail, tt.detail) {
				t.Errorf("%s: %v, %q", tt.id, o.State, o.Result.Detail)
			}
		}
	})
}

func TestOrderForASilentMeterIsRepeatedUntilItExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		meters := street(2)
		s := start(t, quarterHours(), newLink(meters...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { meters[0].silent = true })
		s.order("A-1", title(1), func(o *concentrator.Order) { o.Expires = time.Now().Add(10 * time.Minute) })
		s.order("A-2", title(2), nil)
		if o := s.ended("A-2", time.Minute); o.State != concentrator.OrderDone {
			t.Errorf("the silent one holds up the other: %+v", o)
		}
		o := s.ended("A-1", 11*time.Minute)
		if o.State != concentrator.OrderExpired || o.Attempt < 3 || o.Attempt > 20 || o.Result.Outcome != plc.Silent {
			t.Errorf("order %+v, result %+v", o, o.Result)
		}
	})
}

func TestOrderWaitsForALineThatIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(2)...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.change(func() { s.link.street.down = fmt.Errorf("unplugged: %w", plc.ErrLineDown) })
		s.order("A-1", title(1), nil)
		time.Sleep(20 * time.Minute)
		if o := s.journal.order("A-1"); o.State.Final() {
			t.Errorf("ended while the line was down: %+v", o.Result)
		}
		s.change(func() { s.link.street.down = nil })
		if o := s.ended("A-1", time.Minute); o.State != concentrator.OrderDone {
			t.Errorf("order %+v", o)
		}
	})
}

func TestOrderOfAnEarlierRunIsTakenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		link, journal := newLink(street(2)...), newJournal()
		s := start(t, quarterHours(), link, journal)
		s.until(time.Hour, "a round", roundsDone(1))
		s.stop()
		s.order("running", title(1), func(o *concentrator.Order) { o.State, o.Attempt = concentrator.OrderRunning, 1 })
		s.order("doubtful", title(1), func(o *concentrator.Order) { o.State, o.Attempt, o.Kind = concentrator.OrderRunning, 1, "disconnect" })
		s = start(t, quarterHours(), link, journal)
		if o := s.ended("running", time.Minute); o.State != concentrator.OrderDone || o.Attempt != 2 {
			t.Errorf("a read found running: %+v", o)
		}
		if o := s.ended("doubtful", time.Minute); o.State != concentrator.OrderDoubtful {
			t.Errorf("an order that must not be repeated: %+v", o)
		}
	})
}

// An attempt is committed before its first frame: with a disk that refuses there is no frame.
func TestNoAttemptThatIsNotOnTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t, quarterHours(), newLink(street(2)...), newJournal())
		s.until(time.Hour, "a round", roundsDone(1))
		s.journal.mu.Lock()
		s.journal.failSave = errDisk
		s.journal.mu.Unlock()
		s.order("A-1", title(1), nil)
		time.Sleep(10 * time.Minute)
		if trace := strings.Join(s.trace(), "\n"); strings.Contains(trace, "urgent") {
			t.Error("the line was used for an attempt that nobody will remember")
		}
		s.journal.mu.Lock()
		s.journal.failSave = nil
		s.journal.mu.Unlock()
		if o := s.ended("A-1", 3*time.Minute); o.State != concentrator.OrderDone {
			t.Errorf("order %+v", o)
		}
	})
}
