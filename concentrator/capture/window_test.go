package capture

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestNext(t *testing.T) {
	const quarter = 15 * time.Minute
	plan := Plan{Period: quarter, Backfill: 24 * time.Hour, Max: 192}
	tests := []struct {
		name string
		plan Plan
		last time.Time // zero: nothing stored
		from time.Time
		to   time.Time
		due  bool
		more bool
	}{
		{"first contact", plan, time.Time{}, noon.Add(-24 * time.Hour), noon.Add(quarter), true, false},
		{"one period later", plan, noon.Add(-quarter), noon.Add(-quarter + time.Second), noon.Add(quarter), true, false},
		{"nothing captured yet", plan, noon.Add(-quarter + time.Second), noon.Add(-quarter + 2*time.Second), noon.Add(quarter), false, false},
		{"just captured", plan, noon, noon.Add(time.Second), noon.Add(quarter), false, false},
		{"long gap, oldest first", plan, noon.Add(-10 * 24 * time.Hour), noon.Add(-10*24*time.Hour + time.Second), noon.Add(-8*24*time.Hour + time.Second), true, true},
		{"meter clock was set back", plan, noon.Add(2 * time.Hour), noon.Add(-24 * time.Hour), noon.Add(quarter), true, false},
		{"meter clock was set back a little", plan, noon.Add(quarter), noon.Add(quarter + time.Second), noon.Add(quarter), false, false},
		{"last entry from 2099", plan, noon.AddDate(73, 0, 0), noon.Add(-24 * time.Hour), noon.Add(quarter), true, false},
		{"last entry from 1999", plan, time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), noon.Add(-24 * time.Hour), noon.Add(quarter), true, false},
		{"captures at events", Plan{Backfill: time.Hour, Max: 192}, noon.Add(-time.Minute), noon.Add(-time.Minute + time.Second), noon.Add(quarter), true, false},
		{"captures at events, set back", Plan{Backfill: time.Hour, Max: 192}, noon.Add(time.Hour), noon.Add(-time.Hour), noon.Add(quarter), true, false},
		{"no entry allowed is one", Plan{Period: quarter, Backfill: time.Hour}, time.Time{}, noon.Add(-time.Hour), noon.Add(-time.Hour + quarter), true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.plan.Next(noon, tt.last, !tt.last.IsZero())
			if !w.From.Equal(tt.from) || !w.To.Equal(tt.to) || w.Due != tt.due || w.More != tt.more {
				t.Errorf("window %v to %v, due %v, more %v\nwant   %v to %v, due %v, more %v", w.From, w.To, w.Due, w.More, tt.from, tt.to, tt.due, tt.more)
			}
		})
	}
}

// Read piece by piece, a gap of any length is read whole, each second once.
func TestNextLeavesNothingOut(t *testing.T) {
	plan := Plan{Period: time.Hour, Backfill: time.Hour, Max: 24}
	last := noon.Add(-100*time.Hour - 7*time.Minute)
	for range 10 {
		w := plan.Next(noon, last, true)
		if !w.From.Equal(last.Add(time.Second)) {
			t.Fatalf("window from %v after an entry of %v", w.From, last)
		}
		if !w.More {
			if w.To.Before(noon) {
				t.Fatalf("the last piece ends at %v, before the present", w.To)
			}
			return
		}
		last = w.To // as the engine does when the meter has nothing in the piece
	}
	t.Fatal("does not come to an end")
}

func TestEntries(t *testing.T) {
	plan := Plan{Period: 15 * time.Minute, Backfill: 24 * time.Hour, Max: 192}
	since := func(d time.Duration) Window { return Window{From: noon.Add(-d), To: noon, Due: true} }
	tests := []struct {
		name        string
		plan        Plan
		w           Window
		inUse, past uint32
		from, to    uint32
	}{
		{"empty profile", plan, since(24 * time.Hour), 0, 0, 0, 0},
		{"a day of a long profile", plan, since(24 * time.Hour), 1000, 0, 903, 1000},
		{"a young profile", plan, since(24 * time.Hour), 10, 0, 1, 10},
		{"one period and one more", plan, since(15 * time.Minute), 1000, 0, 998, 1000},
		{"long gap, oldest first", plan, since(10 * 24 * time.Hour), 1000, 0, 39, 230},
		{"looked at in vain", plan, since(10 * 24 * time.Hour), 1000, 230, 231, 422},
		{"all looked at", plan, since(10 * 24 * time.Hour), 230, 230, 0, 0},
		{"window in the future", plan, since(-time.Hour), 1000, 0, 999, 1000},
		{"unknown period", Plan{Max: 10}, since(time.Hour), 1000, 0, 995, 1000},
		{"no entry allowed is one", Plan{Period: time.Hour}, since(2 * time.Hour), 9, 0, 6, 6},
		{"more than a profile can hold", plan, since(24 * time.Hour), 1<<32 - 1, 0, 1<<32 - 98, 1<<32 - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, to := tt.plan.Entries(noon, tt.w, tt.inUse, tt.past)
			if from != tt.from || to != tt.to {
				t.Errorf("entries %d to %d, want %d to %d", from, to, tt.from, tt.to)
			}
		})
	}
}

func TestShifted(t *testing.T) {
	plan := Plan{Period: 15 * time.Minute}
	for _, tt := range []struct {
		entry uint32
		while time.Duration
		want  uint32
	}{
		{0, time.Hour, 0},
		{100, -time.Hour, 99},
		{100, 0, 99}, // one may have been captured meanwhile
		{100, 14 * time.Minute, 99},
		{100, 15 * time.Minute, 98},
		{100, 100 * 24 * time.Hour, 0},
	} {
		if got := plan.Shifted(tt.entry, tt.while); got != tt.want {
			t.Errorf("entry %d after %v is %d, want %d", tt.entry, tt.while, got, tt.want)
		}
	}
}
