package roster

import (
	"math"
	"math/rand"
	"testing"
)

// singles is the expected number of slots used by exactly one of n servers.
func singles(n int, c choice) float64 {
	p := float64(c.percent) / 100
	return float64(n) * p * math.Pow(1-p/float64(c.slots), float64(n-1))
}

func TestSinglesAgreesWithYield(t *testing.T) {
	b := belief{weight: make([]float64, 101)}
	b.weight[100] = 1
	c := choice{slots: 64, percent: 50}
	if got, want := b.yield(c), singles(100, c); math.Abs(got-want) > 1e-9 {
		t.Errorf("yield for exactly 100 servers is %v, want %v", got, want)
	}
}

// throw lets n servers draw slots and counts those that were alone.
func throw(rnd *rand.Rand, n int, c choice) int {
	used := make([]int, c.slots)
	for range n {
		if rnd.Intn(100) < c.percent {
			used[rnd.Intn(c.slots)]++
		}
	}
	alone := 0
	for _, u := range used {
		if u == 1 {
			alone++
		}
	}
	return alone
}

// TestDiscoverTime holds the adaptive choice against the times of sfsk.md 4.6 for
// S adapted to the remaining number: 0.8, 2.3 and 8.1 minutes for 100, 300 and 1000
// meters with a perfect guess. Ours starts without any guess.
func TestDiscoverTime(t *testing.T) {
	const slot = 0.15 / 60 // minutes
	for _, tc := range []struct {
		meters  int
		minutes float64
	}{{1, 1.8}, {10, 2.8}, {100, 2.5}, {300, 4.5}, {1000, 11}} {
		worst := 0.0
		for seed := range int64(20) {
			rnd := rand.New(rand.NewSource(seed))
			b := newBelief(2048, 0)
			left, slots, empty, rounds := tc.meters, 0, 0, 0
			for empty < emptyRounds {
				c := b.choose(512)
				alone := throw(rnd, left, c)
				b.observe(c, alone, alone, false)
				left -= alone
				slots += c.slots + roundOverhead
				rounds++
				if alone > 0 {
					empty = 0
				} else if c.percent == 100 {
					empty++
				}
				if rounds > 200 {
					t.Fatalf("%d meters, seed %d: not settled after %d rounds, %d left", tc.meters, seed, rounds, left)
				}
			}
			if left > tc.meters/50 {
				t.Errorf("%d meters, seed %d: settled with %d not found", tc.meters, seed, left)
			}
			worst = max(worst, float64(slots)*slot)
		}
		t.Logf("%d meters: worst of 20 seeds %.1f min", tc.meters, worst)
		if worst > tc.minutes {
			t.Errorf("%d meters took %.1f minutes, want at most %.1f", tc.meters, worst, tc.minutes)
		}
	}
}

func TestExpectedCountShapesTheFirstRound(t *testing.T) {
	if c := newBelief(2048, 300).choose(512); c.slots < 192 || c.slots > 384 {
		t.Errorf("with 300 meters missing the first round has %d slots, want about 300", c.slots)
	}
	if c := newBelief(2048, 3).choose(512); c.slots > 64 {
		t.Errorf("with 3 meters missing the first round has %d slots, want few", c.slots)
	}
}

func TestGarbledMeansMoreThanOne(t *testing.T) {
	quiet, noisy := newBelief(200, 0), newBelief(200, 0)
	quiet.observe(choice{32, 100}, 0, 0, false)
	noisy.observe(choice{32, 100}, 0, 0, true)
	if quiet.mean() >= noisy.mean() {
		t.Errorf("mean %v after silence, %v after garbled reports: want more after garbled", quiet.mean(), noisy.mean())
	}
}

func TestLeaveMoreThanBelieved(t *testing.T) {
	b := newBelief(10, 0)
	b.observe(choice{32, 100}, 50, 50, false)
	if m := b.mean(); math.IsNaN(m) || m < 0 || m > 10 {
		t.Errorf("mean %v after impossible news, want a number from 0 to 10", m)
	}
	if c := b.choose(0); c.slots != minSlots {
		t.Errorf("choice %v with a limit of 0, want the floor of %d slots", c, minSlots)
	}
}
