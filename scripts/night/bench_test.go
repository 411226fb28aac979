package night

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/street"
	"busbar/plc/street/load"
	"busbar/plc/street/town"
)

// homes opens the recorded profiles when they are there. The second result says
// which it is.
func homes(tb testing.TB, seed uint64) (*load.Street, string) {
	tb.Helper()
	dir := load.Dir()
	if beside := filepath.Join("..", "..", "..", "shared", "profiles"); dir == "" && exists(beside) {
		dir = beside
	}
	h, source, err := town.Homes(dir, seed)
	if err != nil {
		tb.Fatal(err)
	}
	return h, source
}

func exists(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// figures of a night.
type figures struct {
	airtime  time.Duration // of all frames, overlapping ones counted each
	resident int64         // octets
	values   int64
	rounds   int // finished
	summary  town.Summary
}

const hours = 8

// BenchmarkNight is a night of 1,000 ciphered meters, from an empty database on.
func BenchmarkNight(b *testing.B) {
	h, source := homes(b, 1)
	cfg := town.Config{
		Meters: 1000, Seed: 1, Profile: plc.DefaultProfile(), Noise: street.Standard(), Security: town.Ciphered, Homes: h,
	}
	var f figures
	for b.Loop() {
		run := testing.InternalTest{Name: "night", F: func(t *testing.T) { f = measure(t, cfg) }}
		if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{run}) {
			b.Fatal("the night failed")
		}
	}
	b.ReportMetric(hours*3600*float64(b.N)/b.Elapsed().Seconds(), "virtual/real")
	b.ReportMetric(f.airtime.Seconds(), "airtime_s")
	b.ReportMetric(float64(f.resident)/(1<<20), "rss_MiB")
	b.ReportMetric(float64(f.values), "values")
	fmt.Fprintf(os.Stderr, "energy from %s; %d rounds; %v\n", source, f.rounds, f.summary)
}

// measure runs a night and returns its figures.
func measure(t *testing.T, cfg town.Config) (f figures) {
	cryptotest.SetGlobalRandom(t, cfg.Seed)
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, cfg, &center{}, 0)
		time.Sleep(hours * time.Hour)
		snapshot := s.engine.Snapshot()
		s.stopStation()
		f.resident = resident(t)
		s.deliver()
		stored, err := s.store.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.summary, err = s.town.Summary(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.airtime = cfg.Profile.Slots(int(f.summary.Slots))
		f.values, f.rounds = stored.Readings, len(snapshot.Rounds)
		if int(f.values) != s.center.count {
			t.Errorf("%d values stored, %d at the center", f.values, s.center.count)
		}
		s.close()
	})
	return f
}

// resident is the memory of this process that is in the machine's, street included.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var total, pages int64
	if _, err := fmt.Sscan(string(text), &total, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
