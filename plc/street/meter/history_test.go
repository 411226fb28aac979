package meter

import (
	"slices"
	"testing"
	"time"

	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

func setClock(t *testing.T, m *Meter, now, to time.Time) {
	t.Helper()
	l := connect(t, m, clientManagement)
	l.now = now
	ref := cosem.Ref{Class: cosem.ClassClock, Object: nameClock, Attribute: 2}
	if r, err := l.do(dlms.Set(ref, appendDateTime(nil, m.dateTime(to.UnixMilli())))); err != nil || r[0].Access != cosem.Success {
		t.Fatalf("set the clock: %v, %v", r, err)
	}
	if got := m.Clock(now); !got.Equal(to) {
		t.Fatalf("the clock shows %v after it was set to %v", got, to)
	}
}

// times are the entries of the profile from one time of the meter's clock to another.
func times(m *Meter, from, to time.Time) (out []string) {
	for v := range m.Held(from, to) {
		if v.Object == profileColumns[2] {
			out = append(out, v.Time.Format("15:04"))
		}
	}
	return out
}

func TestClockIsSet(t *testing.T) {
	at := start.Add(7 * time.Minute) // 20:07
	for _, tt := range []struct {
		name string
		by   time.Duration
		want []string
	}{
		{"a little forward", 2 * time.Minute, []string{"19:45", "20:00", "20:15", "20:30", "20:45"}},
		{"over a quarter", 30 * time.Minute, []string{"19:45", "20:00", "20:45"}},
		{"back", -time.Minute, []string{"19:45", "20:00", "20:15", "20:30", "20:45"}},
		{"back over a quarter", -20 * time.Minute, []string{"19:45", "20:00", "20:15", "20:30", "20:45"}},
	} {
		m := newMeter(nil)
		setClock(t, m, at, at.Add(tt.by))
		got := times(m, start.Add(-20*time.Minute), start.Add(45*time.Minute))
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: entries %v, want %v", tt.name, got, tt.want)
		}
		// Whatever the clock did, no energy is lost.
		later := at.Add(3 * time.Hour)
		p := m.profile(later.UnixMilli())
		var sum uint64
		for i := 1; i <= p.inUse(); i++ {
			p.enter(i)
			sum += uint64(p.entry.imported)
			if s := p.entry.status; s != 0 && s != statusClockSet {
				t.Errorf("%s: status %02X", tt.name, s)
			}
		}
		if in, _ := m.energy(p.real).Total(); in != sum {
			t.Errorf("%s: entries add up to %d, the register has %d", tt.name, sum, in)
		}
		if n := m.eventTable(later.UnixMilli()).inUse(); n != 2 {
			t.Errorf("%s: %d events, want 2", tt.name, n)
		}
	}
}

func TestClockIsSetOften(t *testing.T) {
	m := newMeter(func(c *Config) { c.Offset, c.Drift = 3*time.Second, 5 })
	now := start
	for i := range 3 * maxSpans {
		now = now.Add(time.Hour)
		setClock(t, m, now, now.Add(time.Duration(i%7-3)*time.Second))
	}
	if len(m.past.spans) > maxSpans || m.eventTable(now.UnixMilli()).inUse() != maxEvents {
		t.Errorf("%d spans, %d events", len(m.past.spans), m.eventTable(now.UnixMilli()).inUse())
	}
	p := m.profile(now.UnixMilli())
	last := int64(0)
	for i := 1; i <= p.inUse(); i++ {
		p.enter(i)
		if p.entry.clock <= last {
			t.Fatalf("entry %d at %d after %d", i, p.entry.clock, last)
		}
		last = p.entry.clock
	}
}

func TestOutageIsNotMetered(t *testing.T) {
	off, on := start.Add(-5*time.Hour-3*time.Minute), start.Add(-3*time.Hour-4*time.Minute)
	m := newMeter(func(c *Config) { c.Outages = []Outage{{off, on}} })
	whole := newMeter(nil)
	lost := whole.energy(on.UnixMilli()).Minus(whole.energy(off.UnixMilli()))
	got := whole.energy(start.UnixMilli()).Minus(m.energy(start.UnixMilli()))
	if got != lost || lost.Import[0]+lost.Import[1] == 0 {
		t.Errorf("the register lacks %+v, the outage took %+v", got, lost)
	}
	if e := m.energy(off.Add(time.Hour).UnixMilli()); e != m.energy(off.UnixMilli()) {
		t.Errorf("it counted in the outage")
	}
	want := []string{"14:30", "14:45", "17:00", "17:15"}
	if got := times(m, off.Add(-30*time.Minute), on.Add(20*time.Minute)); !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
	p := m.profile(start.UnixMilli())
	for i := 1; i <= p.inUse(); i++ {
		p.enter(i)
		at := time.UnixMilli(p.entry.clock).UTC().Format("02 15:04")
		if (p.entry.status&statusOutage != 0) != (at == "25 17:00") {
			t.Errorf("entry of %s has status %02X", at, p.entry.status)
		}
	}
}

// TestEntriesAreCapturedInTime looks at every quarter for a day with clocks that are
// wrong: an entry exists exactly when the meter's clock has reached it.
func TestEntriesAreCapturedInTime(t *testing.T) {
	for _, drift := range []float64{0, 5, -5, 4000, -4000} {
		for _, offset := range []time.Duration{0, 20 * time.Second, -20 * time.Second, 3 * time.Hour} {
			m := newMeter(func(c *Config) { c.Offset, c.Drift = offset, drift })
			n := m.past.captured(start.UnixMilli())
			for now := start; now.Before(start.Add(24 * time.Hour)); now = now.Add(37 * time.Second) {
				k := m.past.captured(now.UnixMilli())
				if k < n || k > n+1 {
					t.Fatalf("drift %v, offset %v: %d entries after %d", drift, offset, k, n)
				}
				n = k
				_, q := m.past.entry(n)
				if clock := m.clock(now.UnixMilli()); clock < q*period-2 || clock >= (q+1)*period+2 {
					t.Fatalf("drift %v, offset %v: newest entry %d at clock %d", drift, offset, q*period, clock)
				}
				if m.past.since(q) != n || m.past.since(q+1) != n+1 {
					t.Fatalf("quarter %d: entry %d, %d", q, m.past.since(q), n)
				}
			}
		}
	}
}

func TestRingForgetsTheOldest(t *testing.T) {
	m := newMeter(func(c *Config) { c.Entries = 96 })
	l := connect(t, m, clientManagement)
	got := rows(t, m, l.get(profileRef(nil))[0])
	want := slices.Collect(m.Held(start.Add(-24*time.Hour+time.Second), start))
	if !slices.Equal(got, want) || len(got) != 2*96 {
		t.Errorf("%d values, want the last day", len(got))
	}
}

func TestNewMeterHasNothing(t *testing.T) {
	m := newMeter(nil)
	l := connect(t, m, clientManagement)
	l.now = installed.Add(time.Minute)
	if got := rows(t, m, l.get(profileRef(nil))[0]); len(got) != 0 {
		t.Errorf("%d values", len(got))
	}
	if v := l.value(cosem.ClassRegister, "1.0.1.29.0.255", 2); v.Int != 0 {
		t.Errorf("energy of the last quarter %v", v)
	}
}

func TestOneSeedOneStreet(t *testing.T) {
	kinds := map[Options]int{}
	for i := range 200 {
		kinds[Variety(1, i)]++
		if first, second := Variety(1, i), Variety(1, i); first != second {
			t.Fatal("variety differs from call to call")
		}
		offset, drift := ClockError(1, i)
		if offset.Abs() > 20*time.Second || drift < -5 || drift > 5 {
			t.Errorf("meter %d: clock %v off, %v millionths", i, offset, drift)
		}
		if err := SeededKeys(dlms.HLSGMAC, 1, i).Validate(); err != nil {
			t.Error(err)
		}
	}
	if plain := kinds[Options{}]; plain < 80 || plain > 140 || len(kinds) < 8 {
		t.Errorf("%d of 200 plain, %d kinds", plain, len(kinds))
	}
	if a, b := SeededKeys(dlms.HLSGMAC, 1, 1), SeededKeys(dlms.HLSGMAC, 1, 1); a.Encryption != b.Encryption || a.Encryption == a.Authentication {
		t.Error("keys are not of the seed, or are one")
	}
}

// BenchmarkDay reads 96 entries by range as one GET does.
func BenchmarkDay(b *testing.B) {
	m := newMeter(nil)
	v := &view{meter: m, client: clientManagement}
	ref := profileRef(cosem.ByRange(clockColumn, cosem.DateTimeOf(start.Add(-24*time.Hour+time.Second), -60, 0), cosem.DateTimeOf(start, -60, 0), nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, access := v.Get(start, ref); access != cosem.Success {
			b.Fatal(access)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/96, "µs/entry")
}

func TestClockStaysSetAfterAnOutage(t *testing.T) {
	m := newMeter(func(c *Config) {
		c.Outages = []Outage{{start.Add(time.Hour), start.Add(2 * time.Hour)}}
	})
	setClock(t, m, start, start.Add(10*time.Second))
	later := start.Add(3 * time.Hour)
	if got := m.Clock(later).Sub(later); got != 10*time.Second {
		t.Errorf("after the outage the clock is %v ahead, want the 10 s it was set to", got)
	}
	want := []string{"20:15", "20:30", "20:45", "21:00", "22:15"}
	if got := times(m, start.Add(time.Minute), start.Add(2*time.Hour+20*time.Minute)); !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
}
