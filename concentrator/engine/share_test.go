package engine

import (
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/roster"
	"busbar/concentrator/round"
)

// On a large segment a round lasts longer than the servers' time-out not addressed. Those
// that wait for their visit are asked all the same: many short Pings for each long visit.
func TestLongRoundKeepsEveryMeterAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const meters = 60
		cfg := quarterHours().withDefaults()
		cfg.Line.NotAddressed = time.Hour
		link := newLink(street(meters)...)
		link.pace = 8 * slot // a visit takes two minutes, a Ping twelve seconds
		s := start(t, cfg, link, newJournal())
		s.until(3*time.Hour, "every meter registered", func(snap *Snapshot) bool {
			return snap.State[concentrator.StateRegistered] == meters
		})
		for range 3 * 60 {
			time.Sleep(time.Minute)
			for _, m := range s.engine.Snapshot().Meters {
				if idle := time.Since(m.LastAsked); idle > cfg.Line.NotAddressed {
					t.Fatalf("meter %v was not asked for %v and has forgotten its address", m.Title, idle)
				}
			}
		}
	})
}

// What one side left unused is owed to it for a while, not for ever.
func TestLineTimeIsShared(t *testing.T) {
	e, err := New(quarterHours(), newLink(), newJournal())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		visit       bool
		spent, lead time.Duration
	}{
		{true, 30 * time.Second, -30 * time.Second},
		{false, 10 * time.Second, -20 * time.Second},
		{false, 30 * time.Second, 10 * time.Second},
		{false, time.Hour, leadSlots * slot},
		{true, time.Hour, -leadSlots * slot},
	} {
		step, visit := roster.Step{Kind: roster.Ping}, (*round.Visit)(nil)
		if c.visit {
			visit = &round.Visit{}
		}
		e.account(step, visit, c.spent)
		if e.lead != c.lead {
			t.Errorf("after %v discovery leads by %v, want %v", c.spent, e.lead, c.lead)
		}
	}
}
