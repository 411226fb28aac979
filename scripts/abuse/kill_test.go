package abuse

import (
	"io"
	"net"
	"testing"

	"busbar/concentrator/web"
	"busbar/plc/dlms"
	"busbar/plc/street"
	"busbar/plc/street/town"
)

// raise makes a stage with everything running.
func raise(t *testing.T, cfg town.Config) *stage {
	t.Helper()
	g := newStage(t, cfg)
	g.plug()
	g.openCenter("center")
	g.openStation()
	return g
}

// long leaves out what -short does not need.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes its time")
	}
}

// TestStationKilledInMidRound (S01, P07): kill -9 at any moment of a round loses nothing
// that was stored, delivers nothing twice, and uses no invocation counter again: a meter
// would refuse a replay and count it.
func TestStationKilledInMidRound(t *testing.T) {
	t.Parallel()
	const meters, kills = 10, 5
	g := raise(t, town.Config{Meters: meters})
	for n := range kills {
		before := g.until("in the middle of a round", func(s web.Status) bool {
			return s.Round.Phase == "reading" && s.Round.Done > n && s.Round.Done < meters-1 && s.Round.Finished == nil
		})
		g.station.kill()
		g.openStation()
		g.until("what was stored is there", func(s web.Status) bool {
			return s.Storage.Readings >= before.Storage.Readings && s.Meters.Known >= before.Meters.Known
		})
	}
	g.read()
	g.prove()
	g.counters()
	g.finish()
}

// counters makes sure that every meter believed every request.
func (g *stage) counters() {
	g.t.Helper()
	err := g.town.Do(g.t.Context(), func(*street.Mains) {
		for _, m := range g.town.Meters() {
			if c := m.Counts(); c.Replayed > 0 || c.Forged > 0 || c.Opened == 0 && m.Keys().Mechanism != dlms.None {
				g.t.Errorf("meter %v: %+v", m.Title(), c)
			}
		}
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// TestCenterKilledInMidDelivery (S01, U01): a center that dies between a batch and its
// receipt gets the batch again and stores it once.
func TestCenterKilledInMidDelivery(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Mixed})
	g.batch = 5 // hundreds of batches
	g.plug()
	g.openStation()
	g.until("a backlog", func(s web.Status) bool { return !s.Uplink.Connected && s.Outbox.Readings >= 8*2*20 })
	middle := 0
	for n := range 5 {
		g.openCenter("center")
		at := 0
		await(t, "the center stores", func() bool {
			all, _ := g.stored()
			at = len(all)
			return at > n*40
		}, g.station.said)
		g.center.kill()
		if s, err := g.ask(); err == nil && s.Outbox.Batches > 0 {
			middle++
		}
		t.Logf("killed when the center held %d", at)
	}
	if middle == 0 {
		t.Error("no kill fell into the delivery: the test tests nothing")
	}
	g.openCenter("center")
	g.until("all is delivered", func(s web.Status) bool { return s.Uplink.Connected && s.Outbox.Readings < 100 })
	g.finish()
}

// TestSIGTERM: whatever the station is about, SIGTERM ends it with exit code 0.
func TestSIGTERM(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8})
	g.openStation() // no modem, no center
	g.station.stop()
	reached := make(chan bool, 100)
	hanging := g.pretend(func(c net.Conn) {
		reached <- true
		_, _ = io.Copy(io.Discard, c)
	})
	g.openStation()
	<-reached // a center that never says a word
	g.station.stop()
	hanging()
	g.plug()
	g.openStation()
	g.until("searching", func(s web.Status) bool { return s.Line.Ready })
	g.station.stop()
	g.openCenter("center")
	g.openStation()
	g.until("reading", func(s web.Status) bool { return s.Round.Phase == "reading" && s.Round.Done > 0 })
	g.station.stop()
	if _, complaint, code := g.concentrator("status"); code != 3 {
		t.Errorf("status of a station that ended: exit code %d, %s", code, complaint)
	} else {
		tells(t, "status", complaint, "no station is running", "concentrator run")
	}
	g.openStation()
	g.finish()
}
