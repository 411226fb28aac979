package night

import (
	"context"
	"iter"
	"runtime"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/proof"
	"busbar/plc"
	"busbar/plc/street"
	"busbar/plc/street/town"
	"busbar/storage"
)

// small is a street that a few hours suffice for.
func small(t *testing.T, meters int, seed uint64) town.Config {
	h, source := homes(t, seed)
	t.Logf("%d meters, seed %d, energy from %s", meters, seed, source)
	return town.Config{
		Meters: meters, Seed: seed, Profile: plc.DefaultProfile(), Noise: street.Standard(), Security: town.Mixed, Homes: h,
	}
}

// night runs a stage in a bubble.
func night(t *testing.T, cfg town.Config, play func(s *stage)) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, cfg.Seed) // the station's challenges are part of the seed
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, cfg, &center{keep: true}, 10*time.Second)
		play(s)
		s.close()
	})
}

// TestNight reads a street for some hours, waits for a round that began later and reached
// every meter, and compares what the center got with what the meters held: everything
// that was captured by then has to be there, once, and equal.
func TestNight(t *testing.T) {
	meters, hours := 40, 2
	if testing.Short() {
		meters, hours = 15, 1
	}
	cfg := small(t, meters, 5)
	night(t, cfg, func(s *stage) {
		time.Sleep(time.Duration(hours) * time.Hour)
		until := time.Now()
		s.round(until)
		s.stopStation()
		s.deliver()
		// The first visits read back 24 hours; a meter's clock may be off by this.
		const slack = time.Minute
		must := span{from: time.Now().Add(slack - 24*time.Hour), to: until.Add(-slack)}
		got, err := proof.Compare(s.held(must), s.center.all())
		if err != nil {
			s.Fatal(err)
		}
		s.Log(got)
		if !got.OK() {
			s.Errorf("%v: %v", got, got.ExamplesByKind)
		}
		s.checkStore()
		s.checkCounters(cfg.Meters)
	})
}

// round waits for a round that began after since and read every meter.
func (s *stage) round(since time.Time) {
	s.Helper()
	for deadline := time.Now().Add(3 * time.Hour); time.Now().Before(deadline); time.Sleep(time.Second) {
		for _, r := range s.engine.Snapshot().Rounds {
			if r.Started.After(since) && r.Failed == 0 && r.Done == r.Total && r.Total == len(s.town.Titles()) {
				return
			}
		}
	}
	s.Errorf("no round read every meter: %+v", s.engine.Snapshot().Rounds)
}

// span is a time in which values were captured.
type span struct{ from, to time.Time }

// held is what the meters held. What they captured within must has to be stored.
func (s *stage) held(must span) iter.Seq2[proof.Held, error] {
	const wattHours = 30 // the unit of all that simulated meters count
	return func(yield func(proof.Held, error) bool) {
		for h, err := range s.town.Held(context.Background(), must.from.Add(-6*time.Hour), time.Now().Add(time.Hour)) {
			ok := yield(proof.Held{
				Must: !h.Told && !h.Time.Before(must.from) && !h.Time.After(must.to),
				Reading: concentrator.Reading{
					Meter: h.Meter, Time: h.Time, Value: h.Value.Value, Unit: wattHours,
					Channel: concentrator.Channel{Profile: h.Profile, Class: h.Object.Class, Object: h.Object.Object, Attribute: h.Object.Attribute},
				},
			}, err)
			if !ok {
				return
			}
		}
	}
}

// all is what the center was given.
func (c *center) all() iter.Seq2[concentrator.Reading, error] {
	return func(yield func(concentrator.Reading, error) bool) {
		for _, r := range c.readings {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// checkStore compares the store with the center, to the bit.
func (s *stage) checkStore() {
	s.Helper()
	sum, count, err := s.store.Digest(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if count != len(s.center.readings) || sum != storage.DigestReadings(s.center.readings) {
		s.Errorf("%d values are stored and %d at the center, or they differ", count, len(s.center.readings))
	}
}

// checkCounters looks for what must not happen on a street without faults.
func (s *stage) checkCounters(meters int) {
	s.Helper()
	stats, _ := s.stats()
	c := s.wire.Counts()
	s.Logf("%+v", stats)
	s.Logf("%+v", c)
	if stats.Dropped+stats.Oversize > 0 || c.Foreign+c.Garbled+c.Forged+c.Swapped > 0 {
		s.Error("a street without faults showed faults")
	}
	if c.Timeouts == 0 || c.Timeouts > c.Sent/5 || c.Late+c.Stray > c.Sent/100 {
		s.Errorf("of %d frames sent %d were not answered; %d answers late, %d stray", c.Sent, c.Timeouts, c.Late, c.Stray)
	}
	stored, err := s.store.Stats(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if stored.Failures > 0 || stored.Changed > 0 || stored.Meters != int64(meters) {
		s.Errorf("store: %+v", stored)
	}
	for _, e := range s.center.events {
		switch e.Code {
		case concentrator.EventMeterDiscovered, concentrator.EventMeterRegistered, concentrator.EventStarted:
		default:
			s.Errorf("event %v", e)
		}
	}
}

// digests sum up a night.
type digests struct {
	mains  uint64   // every frame and who received it
	stored [32]byte // every value
	values int
}

// TestOneSeedOneDigest: a seed is all that is needed to see a night again.
func TestOneSeedOneDigest(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.GOMAXPROCS(1)
	one := digestOf(t, 1)
	runtime.GOMAXPROCS(2)
	if two := digestOf(t, 1); one != two {
		t.Errorf("seed 1 made two nights:\n%+v\n%+v", one, two)
	}
	if other := digestOf(t, 2); one.mains == other.mains || one.stored == other.stored {
		t.Errorf("seeds 1 and 2 made the same night: %+v", one)
	}
}

func digestOf(t *testing.T, seed uint64) (d digests) {
	meters := 16
	if testing.Short() {
		meters = 8
	}
	night(t, small(t, meters, seed), func(s *stage) {
		// Between two slots, so that nothing else happens when the station is stopped.
		time.Sleep(time.Hour + s.town.Profile().Slot()/3)
		s.stopStation()
		s.deliver()
		var err error
		if d.stored, d.values, err = s.store.Digest(s.Context()); err != nil {
			s.Fatal(err)
		}
		_, d.mains = s.stats()
	})
	if d.values == 0 {
		t.Error("nothing was read")
	}
	return d
}
