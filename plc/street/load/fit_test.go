package load

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// recorded opens the recorded series or skips the test.
func recorded(t testing.TB) *Street {
	t.Helper()
	dir := os.Getenv("BUSBAR_PROFILES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", Dir())
		if Dir() == "" {
			dir = filepath.Join("..", "..", "..", "..", "shared", "profiles")
		}
	}
	s, err := Open(dir, 1)
	if err != nil {
		t.Skipf("no recorded series: %v", err)
	}
	return s
}

// figures describe one home by its hours of 52 weeks.
type figures struct {
	annual                       float64 // kWh in 365 days
	p5, p50, p95, p99, variation float64 // over the mean
	memory, days                 float64 // autocorrelation of the logarithm, spread of daily means
	shape                        [2][24]float64
}

// hours are the hourly watt-hours of a base, load only: what a home took in and, with a
// solar plant, no more than that.
func hours(b *base) []float64 {
	var out []float64
	for h := range yearWeeks * 7 * 24 {
		out = append(out, float64(b.imported.sums[4*h+4]-b.imported.sums[4*h]))
	}
	return out
}

func describe(x []float64) figures {
	mean := 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	f := figures{annual: mean * 8760 / 1000}
	sorted := slices.Sorted(slices.Values(x))
	at := func(p float64) float64 { return sorted[int(p*float64(len(sorted)))] / mean }
	f.p5, f.p50, f.p95, f.p99 = at(0.05), at(0.5), at(0.95), at(0.99)
	logs, daily := make([]float64, len(x)), make([]float64, len(x)/24)
	for i, v := range x {
		weekend := 0
		if i/24%7 >= 5 {
			weekend = 1
		}
		f.variation += (v/mean - 1) * (v/mean - 1) / float64(len(x))
		f.shape[weekend][i%24] += v / mean / (yearWeeks * float64(5-3*weekend))
		logs[i] = math.Log(max(0.02, v/mean/habit[weekend][i%24]))
		daily[i/24] += v / mean / 24
	}
	f.variation = math.Sqrt(f.variation)
	f.memory = autocorrelation(logs)
	f.days = deviation(daily)
	return f
}

func average(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func deviation(x []float64) float64 {
	m, sum := average(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum / float64(len(x)))
}

func correlation(x, y []float64) float64 {
	mx, my, sum := average(x), average(y), 0.0
	for i := range x {
		sum += (x[i] - mx) * (y[i] - my)
	}
	return sum / float64(len(x)) / deviation(x) / deviation(y)
}

func autocorrelation(x []float64) float64 { return correlation(x[1:], x[:len(x)-1]) }

// TestModelMeetsTheRecordedHomes compares the medians over the homes of both.
func TestModelMeetsTheRecordedHomes(t *testing.T) {
	real, model := recorded(t), NewModel(48, 1)
	collect := func(s *Street) (all []figures) {
		for i := range s.bases {
			if s.bases[i].exported.sums == nil {
				all = append(all, describe(hours(&s.bases[i])))
			}
		}
		return all
	}
	a, b := collect(real), collect(model)
	for _, c := range []struct {
		name      string
		of        func(figures) float64
		tolerance float64
	}{
		{"5 % quantile", func(f figures) float64 { return f.p5 }, 0.08},
		{"median", func(f figures) float64 { return f.p50 }, 0.10},
		{"95 % quantile", func(f figures) float64 { return f.p95 }, 0.25},
		{"99 % quantile", func(f figures) float64 { return f.p99 }, 0.50},
		{"coefficient of variation", func(f figures) float64 { return f.variation }, 0.08},
		{"autocorrelation", func(f figures) float64 { return f.memory }, 0.06},
		{"spread of daily means", func(f figures) float64 { return f.days }, 0.05},
		{"logarithm of annual kWh", func(f figures) float64 { return math.Log(f.annual) }, 0.12},
	} {
		x, y := median(a, c.of), median(b, c.of)
		t.Logf("%-26s recorded %.2f model %.2f", c.name, x, y)
		if math.Abs(x-y) > c.tolerance {
			t.Errorf("%s: recorded %.3f, model %.3f: more than %.2f apart", c.name, x, y, c.tolerance)
		}
	}
	for weekend := range 2 {
		var x, y [24]float64
		for h := range 24 {
			for _, f := range a {
				x[h] += f.shape[weekend][h] / float64(len(a))
			}
			for _, f := range b {
				y[h] += f.shape[weekend][h] / float64(len(b))
			}
		}
		if r := correlation(x[:], y[:]); r < 0.98 {
			t.Errorf("mean daily shape, weekend %d: correlation %.3f", weekend, r)
		} else {
			t.Logf("mean daily shape, weekend %d: correlation %.3f", weekend, r)
		}
	}
}

func median(all []figures, of func(figures) float64) float64 {
	var x []float64
	for _, f := range all {
		x = append(x, of(f))
	}
	slices.Sort(x)
	return x[len(x)/2]
}
