package round

import (
	"slices"
	"testing"
	"time"

	"busbar/plc"
)

var start = time.Date(2026, 3, 1, 10, 7, 0, 0, time.UTC)

func title(n int) plc.SystemTitle { return plc.MustSystemTitle([]byte{'B', 'B', 'R', byte(n)}) }

func exchange(o plc.Outcome, slots int) plc.Exchange {
	return plc.Exchange{Outcome: o, Requests: 1, Answers: 1, Slots: slots}
}

func TestCredit(t *testing.T) {
	ok := func(up, down plc.Credit) plc.Exchange {
		return plc.Exchange{Outcome: plc.Answered, Requests: 2, Answers: 2, Up: up, Down: down}
	}
	retried := ok(0, 0)
	retried.Requests = 3
	silent := plc.Exchange{Outcome: plc.Silent, Requests: 2}
	for _, tc := range []struct {
		name string
		link Link
		x    plc.Exchange
		want Link
	}{
		{"first answer of a near meter keeps a margin of one", Link{0, 0}, ok(0, 0), Link{1, 1}},
		{"fourth clean visit still has the margin", Link{1, 3}, ok(0, 0), Link{1, 4}},
		{"fifth clean visit drops the margin", Link{1, 4}, ok(0, 0), Link{0, 5}},
		{"trusted meter follows the larger direction", Link{0, 7}, ok(2, 1), Link{2, 8}},
		{"the other direction", Link{0, 7}, ok(1, 2), Link{2, 8}},
		{"a retry costs the trust and brings the margin back", Link{0, 9}, retried, Link{1, 0}},
		{"credit falls at once to what is needed", Link{7, 2}, ok(1, 1), Link{2, 3}},
		{"seven hops need no margin beyond the limit", Link{7, 0}, ok(7, 2), Link{7, 1}},
		{"three or more: kept", Link{5, 2}, ok(3, 3), Link{5, 3}},
		{"three or more, kept although trusted", Link{5, 6}, ok(3, 3), Link{5, 7}},
		{"three or more: lowered after ten clean visits", Link{5, 9}, ok(3, 3), Link{4, 10}},
		{"three or more: lowered again after twenty", Link{4, 19}, ok(3, 3), Link{3, 20}},
		{"three or more: never below three", Link{3, 29}, ok(3, 3), Link{3, 30}},
		{"three or more: never below what the answer needed", Link{5, 9}, ok(5, 3), Link{5, 10}},
		{"three or more although we called with less: raised", Link{1, 0}, ok(2, 3), Link{3, 1}},
		{"silence 0 to 1", Link{0, 9}, silent, Link{1, 0}},
		{"silence 1 to 2", Link{1, 0}, silent, Link{2, 0}},
		{"silence 2 to 3", Link{2, 0}, silent, Link{3, 0}},
		{"silence 3 to 5", Link{3, 0}, silent, Link{5, 0}},
		{"silence 4 to 5", Link{4, 0}, silent, Link{5, 0}},
		{"silence 5 to 7", Link{5, 0}, silent, Link{7, 0}},
		{"silence stays at 7", Link{7, 0}, silent, Link{7, 0}},
		{"silence after a first answer counts as silence", Link{1, 3}, plc.Exchange{Outcome: plc.Silent, Requests: 3, Answers: 1}, Link{2, 0}},
		{"garbled like silent", Link{1, 3}, plc.Exchange{Outcome: plc.Garbled, Requests: 1, Answers: 1}, Link{2, 0}},
		{"refused is an answer", Link{1, 9}, plc.Exchange{Outcome: plc.Refused, Requests: 1, Answers: 1}, Link{0, 10}},
		{"refused by ourselves, nothing sent", Link{2, 3}, plc.Exchange{Outcome: plc.Refused}, Link{2, 3}},
		{"aborted says nothing", Link{2, 3}, plc.Exchange{Outcome: plc.Aborted, Requests: 1}, Link{2, 3}},
	} {
		if got := Credit(tc.link, tc.x); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestCreditConverges(t *testing.T) {
	// A meter two repetitions away, first called with none.
	l, visits := Link{}, 0
	for l.Clean < 10 {
		x := plc.Exchange{Outcome: plc.Silent, Requests: 1}
		if l.Credit >= 2 {
			x = plc.Exchange{Outcome: plc.Answered, Requests: 1, Answers: 1, Up: 2, Down: 2}
		}
		l = Credit(l, x)
		if visits++; visits > 20 {
			t.Fatalf("not settled: %+v", l)
		}
	}
	if l.Credit != 2 || visits != 12 {
		t.Errorf("credit %d after %d visits, want 2 after 12", l.Credit, visits)
	}
}

// run makes visits until the round ends; outcome says how the nth visit of a meter goes.
func run(t *testing.T, p *Planner, now time.Time, outcome func(n, visit int) plc.Outcome) (order []int, end time.Time) {
	t.Helper()
	visits := map[plc.SystemTitle]int{}
	for {
		v, _, ok := p.Next(now)
		if !ok {
			return order, now
		}
		if again, _, _ := p.Next(now); again != v {
			t.Fatalf("Next is not repeatable: %v then %v", v, again)
		}
		n := int(v.Meter.Bytes()[3])
		visits[v.Meter]++
		order = append(order, n)
		now = now.Add(time.Second)
		p.Report(now, v, exchange(outcome(n, visits[v.Meter]), 10), plc.Credit(visits[v.Meter]))
		if len(order) > 1000 {
			t.Fatal("the round does not end")
		}
	}
}

func TestOrderAndRetries(t *testing.T) {
	p := New(Config{Period: 15 * time.Minute, Passes: 3}, 6)
	p.Begin(start, []Candidate{
		{Title: title(1), Credit: 3},
		{Title: title(2), Last: start},
		{Title: title(3), Last: start.Add(-time.Hour)},
		{Title: title(4)},
		{Title: title(5)},
	})
	order, end := run(t, p, start, func(n, visit int) plc.Outcome {
		switch {
		case n == 4:
			return plc.Silent // never answers
		case n == 5:
			return plc.Refused
		case n == 3 && visit == 1:
			return plc.Garbled
		}
		return plc.Answered
	})
	if want := []int{4, 5, 3, 2, 1, 4, 3, 4}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v: by credit, then the oldest; failed ones after all others; refused ones once", order, want)
	}
	r := p.Round()
	if r.Number != 7 || r.Total != 5 || r.Done != 3 || r.Failed != 2 || !r.Finished.Equal(end) || !r.Current.IsZero() {
		t.Errorf("round %+v, want number 7, 3 of 5 done, 2 failed, finished", r)
	}
	if due, wait := p.Due(end); due || wait != start.Truncate(15*time.Minute).Add(15*time.Minute).Sub(end) {
		t.Errorf("next round due %v in %v, want at the next quarter-hour", due, wait)
	}
	if b := p.Budget(); b.Slots != 80 || b.Expected != 80 || b.Available != 6000 {
		t.Errorf("budget %+v, want 80 slots of 6000", b)
	}
}

func TestSlowMeterDoesNotEatTheRound(t *testing.T) {
	p := New(Config{Period: time.Minute, Passes: 10, MeterSlots: 25}, 0)
	p.Begin(start, []Candidate{{Title: title(1)}, {Title: title(2)}})
	order, _ := run(t, p, start, func(n, _ int) plc.Outcome {
		if n == 1 {
			return plc.Silent
		}
		return plc.Answered
	})
	if want := []int{1, 2, 1, 1}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v: given up after 25 slots", order, want)
	}
}

func TestLateRoundIsFollowedAtOnce(t *testing.T) {
	p := New(Config{Period: time.Minute}, 0)
	p.Begin(start, []Candidate{{Title: title(1)}})
	v, _, _ := p.Next(start)
	end := start.Add(3 * time.Minute)
	p.Report(end, v, exchange(plc.Answered, 10), 0)
	if due, _ := p.Due(end); !due {
		t.Error("a round that took three periods is not followed at once")
	}
}

func TestContinuousRounds(t *testing.T) {
	p := New(Config{}, 0)
	p.Begin(start, []Candidate{{Title: title(1)}})
	v, _, _ := p.Next(start)
	p.Report(start.Add(time.Second), v, exchange(plc.Answered, 10), 0)
	if due, _ := p.Due(start.Add(time.Second)); !due {
		t.Error("continuous: the next round is not due at once")
	}
	p.Begin(start, []Candidate{{Title: title(1)}})
	v, _, _ = p.Next(start)
	p.Report(start, v, plc.Exchange{Outcome: plc.Refused}, 0)
	if due, wait := p.Due(start); due || wait != 10*time.Second {
		t.Errorf("due %v in %v after a round that sent nothing, want a pause of 10 s", due, wait)
	}
	p.Begin(start, nil)
	if due, wait := p.Due(start); due || wait != 10*time.Second {
		t.Errorf("due %v in %v after an empty round, want a pause of 10 s", due, wait)
	}
}

func TestAddAndSkip(t *testing.T) {
	p := New(Config{Period: time.Hour}, 0)
	p.Add(Candidate{Title: title(9)})
	if _, _, ok := p.Next(start); ok {
		t.Fatal("a meter added between rounds is visited")
	}
	p.Begin(start, []Candidate{{Title: title(1)}, {Title: title(2)}})
	p.Add(Candidate{Title: title(3)})
	p.Add(Candidate{Title: title(3)})
	p.Add(Candidate{Title: title(1)})
	v, _, _ := p.Next(start)
	p.Skip(start, v)
	if r := p.Round(); r.Total != 2 {
		t.Errorf("total %d after one of three was skipped, want 2", r.Total)
	}
	p.Add(Candidate{Title: title(1)})
	order, _ := run(t, p, start, func(int, int) plc.Outcome { return plc.Answered })
	if want := []int{2, 3, 1}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if r := p.Round(); r.Done != 3 || r.Total != 3 {
		t.Errorf("round %+v, want 3 of 3", r)
	}
}

func TestReportOfAnotherVisitIsIgnored(t *testing.T) {
	p := New(Config{Period: time.Hour}, 0)
	p.Begin(start, []Candidate{{Title: title(1)}, {Title: title(2)}})
	p.Report(start, Visit{Meter: title(2), Pass: 1}, exchange(plc.Answered, 1), 0)
	if v, _, _ := p.Next(start); v.Meter != title(1) || p.Round().Done != 0 {
		t.Errorf("next %v, done %d: want the first visit still due", v, p.Round().Done)
	}
}

func TestForecast(t *testing.T) {
	p := New(Config{Period: time.Hour}, 0)
	p.Begin(start, []Candidate{{Title: title(1)}, {Title: title(2)}, {Title: title(3)}})
	if f := p.Forecast(start); !f.IsZero() {
		t.Errorf("forecast %v before anything was measured, want none", f)
	}
	now := start
	v, _, _ := p.Next(now)
	now = now.Add(4 * time.Second)
	p.Report(now, v, exchange(plc.Silent, 20), 1)
	if f := p.Forecast(now); !f.Equal(now.Add(12 * time.Second)) {
		t.Errorf("forecast %v, want three visits of 4 s from %v: two and the retry", f, now)
	}
	if b := p.Budget(); b.Expected != 80 {
		t.Errorf("expected %d slots, want 80", b.Expected)
	}
	p.Next(now)
	p.Interrupted()
	now = now.Add(time.Hour) // the modem was unplugged
	v, _, _ = p.Next(now)
	now = now.Add(2 * time.Second)
	p.Report(now, v, exchange(plc.Answered, 10), 0)
	if f := p.Forecast(now); !f.Equal(now.Add(6 * time.Second)) {
		t.Errorf("forecast %v, want two visits of the mean of 4 s and 2 s from %v", f, now)
	}
	run(t, p, now, func(int, int) plc.Outcome { return plc.Answered })
	p.Begin(now, []Candidate{{Title: title(1)}})
	if f := p.Forecast(now); f.IsZero() {
		t.Error("no forecast at the start of the second round, want the mean of the first")
	}
}
