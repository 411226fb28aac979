package load

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func quarterOf(t time.Time) int64 { return LocalSeconds(t, 0) / QuarterSeconds }

// ramp is a base whose every quarter tells its place: 1,000 times the week plus the
// hour of the week.
func ramp() *base {
	quarters := make([]uint32, yearQuarters)
	for q := range quarters {
		quarters[q] = uint32(1000*(q/weekQuarters) + q%weekQuarters/4)
	}
	return &base{name: "ramp", imported: newSeries(quarters)}
}

func TestDatesMeetTheirWeekdayAndWeek(t *testing.T) {
	h := Home{base: ramp(), scale: scaleOne}
	for at := date(1970, 1, 1); at.Year() < 2200; at = at.AddDate(0, 0, 5).Add(7 * time.Hour) {
		_, week := at.ISOWeek()
		hour := (int(at.Weekday())+6)%7*24 + at.Hour()
		want := 1000*((week-1)%yearWeeks) + hour
		if got, _ := h.Quarter(quarterOf(at)); got != uint32(want) {
			t.Fatalf("%v: %d, want week and hour %d", at, got, want)
		}
	}
	h.shift = 3
	at := date(2026, 11, 25)
	if got, _ := h.Quarter(quarterOf(at)); got != 1000*50+48 { // week 48, three later, from 0
		t.Errorf("shifted by three weeks: %d", got)
	}
}

func TestSumsAreExact(t *testing.T) {
	street := NewModel(3, 7)
	for i := range 9 {
		h := street.Home(i)
		// Over the end of a year of 53 weeks and the turn of the year.
		from := quarterOf(date(2026, 12, 20))
		before := h.Until(from * QuarterSeconds)
		var in, out uint64
		for q := from; q < from+3*weekQuarters; q++ {
			a, b := h.Quarter(q)
			in, out = in+uint64(a), out+uint64(b)
		}
		after := h.Until((from + 3*weekQuarters) * QuarterSeconds)
		gotIn, gotOut := after.Minus(before).Total()
		if in != gotIn || out != gotOut || in == 0 {
			t.Errorf("home %d: quarters add up to %d and %d Wh, registers moved by %d and %d", i, in, out, gotIn, gotOut)
		}
	}
}

func TestRegistersNeverFall(t *testing.T) {
	street := NewModel(4, 3)
	for i := range 8 {
		h := street.Home(i)
		last := h.Until(0)
		for s := int64(1_780_000_000); s < 1_780_000_000+3*86400; s += 97 {
			e := h.Until(s)
			for k := range 2 {
				if e.Import[k] < last.Import[k] || e.Export[k] < last.Export[k] {
					t.Fatalf("home %d: %+v after %+v", i, e, last)
				}
			}
			last = e
		}
	}
}

func TestTariffs(t *testing.T) {
	h := Home{base: ramp(), scale: scaleOne}
	day := LocalSeconds(date(2026, 11, 25), 0)
	move := func(from, to int64) [2]uint64 { return h.Until(day + to).Minus(h.Until(day + from)).Import }
	for _, tt := range []struct {
		from, to int64 // hours
		night    bool
	}{{0, 6, true}, {6, 22, false}, {22, 24, true}} {
		m := move(tt.from*3600, tt.to*3600)
		if moving, still := m[0], m[1]; (still == 0) == tt.night || (moving == 0) != tt.night {
			t.Errorf("from %d to %d o'clock: %v", tt.from, tt.to, m)
		}
	}
	whole := move(0, 86400)
	var sum uint64
	for q := range int64(dayQuarters) {
		in, _ := h.Quarter(day/QuarterSeconds + q)
		sum += uint64(in)
	}
	if whole[0]+whole[1] != sum {
		t.Errorf("tariffs add up to %d, the day is %d", whole[0]+whole[1], sum)
	}
}

func TestHomesDifferAndRepeat(t *testing.T) {
	a, b, c := NewModel(5, 1), NewModel(5, 1), NewModel(5, 2)
	seen := map[string]int{}
	differ := false
	for i := range 200 {
		x, y := a.Home(i), b.Home(i)
		at := LocalSeconds(date(2026, 5, 1), 0)
		if x.Until(at) != y.Until(at) {
			t.Fatalf("home %d: one seed gave two streets", i)
		}
		differ = differ || x.Until(at) != c.Home(i).Until(at)
		key := fmt.Sprint(x.Until(at))
		if j, ok := seen[key]; ok {
			t.Errorf("homes %d and %d have the same registers", i, j)
		}
		seen[key] = i
		if x.scale < minScale || x.scale > maxScale || x.shift < 0 || x.shift >= yearWeeks {
			t.Errorf("home %d: scale %d, shift %d", i, x.scale, x.shift)
		}
	}
	if !differ {
		t.Error("two seeds gave one street")
	}
}

func TestModelIsInBounds(t *testing.T) {
	if NewModel(0, 1).Bases() != 1 {
		t.Error("a model of no households: want one")
	}
	total := 0.0
	for _, w := range sun {
		total += w
	}
	if total != sunTotal {
		t.Errorf("sun adds up to %v, not %v", total, sunTotal)
	}
	weather := newWeather(1)
	if m := average(weather[:]); math.Abs(m-1) > 0.05 {
		t.Errorf("mean weather %.2f, want 1", m)
	}
	plants := 0
	s := NewModel(32, 1)
	for i := range s.bases {
		b := &s.bases[i]
		if kwh := float64(b.imported.until(yearQuarters).minus(split{}).day) / 1000; kwh < 1000 || kwh > 25000 {
			t.Errorf("%s: %.0f kWh a year by day", b.name, kwh)
		}
		if b.exported.sums != nil {
			plants++
			for d := range yearWeeks * 7 {
				if night := b.exported.sums[d*dayQuarters+nightEnd] - b.exported.sums[d*dayQuarters]; night > 0 {
					t.Fatalf("%s exports %d Wh in the night of day %d", b.name, night, d)
				}
			}
		}
	}
	if plants < 3 || plants > 15 {
		t.Errorf("%d of 32 homes have a solar plant, want about 8", plants)
	}
}

// write makes a file of recorded series with n rows.
func write(t *testing.T, dir, name, head string, n int, row func(int) string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(head + "\n")
	for i := range n {
		b.WriteString(row(i) + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenKeepsEverySum(t *testing.T) {
	dir := t.TempDir()
	start := date(2013, 1, 1)
	value := func(i int) int { return (i*7919 + i/48) % 1301 } // Wh in a half hour
	write(t, dir, "london-3.csv", "time,a,b,c", 365*48, func(i int) string {
		wh := float64(value(i)) / 1000
		return fmt.Sprintf("%s,%v,0,%v", start.Add(time.Duration(i)*30*time.Minute).Format("2006-01-02 15:04"), wh, wh)
	})
	write(t, dir, "ausgrid-12.csv", "time,load,pv", 366*48, func(i int) string { return fmt.Sprintf("t,%v,%v", 0.8, float64(i%3)) })
	s, err := Open(dir, 1)
	if err != nil || s.Bases() != 4 {
		t.Fatalf("%v", err)
	}
	home := s.Home(1) // the first of London, behind that of Sydney
	if home.Name() != "london-3 home 1" {
		t.Errorf("home 1 is %s", home.Name())
	}
	for i := range 364 * 48 {
		q := quarterOf(start) + int64(2*i)
		a, _ := home.Quarter(q)
		b, _ := home.Quarter(q + 1)
		if int(a+b) != value(i) || a > b+1 || b > a+1 {
			t.Fatalf("half hour %d: %d + %d Wh, want %d", i, a, b, value(i))
		}
	}
	sydney := s.Home(0)
	for i, want := range [3][2]uint32{{400, 0}, {0, 100}, {0, 600}} { // 0.8 kW against 0, 1 and 2 kW
		q := quarterOf(date(2011, 7, 4)) + int64(2*(144+i))
		a1, b1 := sydney.Quarter(q)
		a2, b2 := sydney.Quarter(q + 1)
		if a1+a2 != want[0] || b1+b2 != want[1] {
			t.Errorf("half hour %d: in %d, out %d, want %v", i, a1+a2, b1+b2, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir(), 1); err == nil || !strings.Contains(err.Error(), "household model") {
		t.Errorf("an empty directory: %v", err)
	}
	for name, tt := range map[string]struct {
		head, row string
		n         int
		what      string
	}{
		"too short":    {"time,a,b,c", "t,1,1,1", 100, "days"},
		"too narrow":   {"time,a,b", "t,1,1", 100, "columns"},
		"no number":    {"time,a,b,c", "t,1,x,1", 100, "line 2, column 3"},
		"negative":     {"time,a,b,c", "t,1,1,-1", 100, "line 2, column 4"},
		"not a number": {"time,a,b,c", "t,NaN,1,1", 1, "line 2, column 2"},
		"nothing":      {"time,a,b,c", "", 0, "columns"},
		"ragged":       {"time,a,b,c", "t,1", 1, "fields"},
	} {
		dir := t.TempDir()
		write(t, dir, "london-3.csv", tt.head, tt.n, func(int) string { return tt.row })
		if _, err := Open(dir, 1); err == nil || !strings.Contains(err.Error(), tt.what) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.what)
		}
	}
}

func TestRecordedHomesAddUp(t *testing.T) {
	s := recorded(t)
	if s.Bases() < 21 {
		t.Skipf("only %d of 21 recorded homes", s.Bases())
	}
	// The first Californian home from Monday, 1 August 2016 0:00, in kWh as recorded.
	h := s.Home(0)
	for i, want := range []uint64{2276, 851, 835, 838, 1478} {
		from := LocalSeconds(date(2016, 8, 1), 0) + int64(i)*3600
		if got := h.Until(from + 3600).Minus(h.Until(from)).Import; got[0]+got[1] != want {
			t.Errorf("hour %d: %v Wh, want %d", i, got, want)
		}
	}
}

func BenchmarkHomeUntil(b *testing.B) {
	h := NewModel(2, 1).Home(5)
	i := int64(0)
	for b.Loop() {
		i += 977
		h.Until(1_700_000_000 + i)
	}
}

func BenchmarkNewModel(b *testing.B) {
	for b.Loop() {
		NewModel(24, 1)
	}
}

func ExampleStreet() {
	street := NewModel(24, 1) // or Open(Dir(), 1) where recorded series are at hand
	home := street.Home(100)
	at := LocalSeconds(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), time.Hour)
	day := home.Until(at).Minus(home.Until(at - 86400))
	imported, _ := day.Total()
	fmt.Println(imported > 1000, imported < 100_000)
	// Output: true true
}
