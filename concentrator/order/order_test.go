package order

import (
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

var meter = plc.MustSystemTitle([]byte("BBR00001"))

func read(id string) concentrator.Order {
	return concentrator.Order{
		ID: id, Kind: concentrator.OrderRead, Meter: meter, State: concentrator.OrderAccepted,
		Ref:    cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2},
		Issued: start, Expires: start.Add(time.Hour),
	}
}

func always(s Standing) func(plc.SystemTitle) Standing {
	return func(plc.SystemTitle) Standing { return s }
}

var ready = always(Standing{Known: true, Readable: true})

func TestTable(t *testing.T) {
	const (
		accepted = concentrator.OrderAccepted
		running  = concentrator.OrderRunning
		done     = concentrator.OrderDone
		refused  = concentrator.OrderRefused
		expired  = concentrator.OrderExpired
		doubtful = concentrator.OrderDoubtful
		no       = concentrator.OrderState(0)
	)
	events := []Event{Start, Answer, Refuse, Silence, Expire, Restart}
	for state, want := range map[concentrator.OrderState][6]concentrator.OrderState{
		accepted: {running, no, refused, no, expired, accepted},
		running:  {no, done, refused, accepted, expired, accepted},
		done:     {}, refused: {}, expired: {}, doubtful: {}, no: {},
	} {
		for i, e := range events {
			got, err := Next(state, e, true)
			if want[i] == no {
				if err == nil || got != state {
					t.Errorf("%v, %v: %v, %v; want an error and no change", state, e, got, err)
				}
				continue
			}
			if got != want[i] || err != nil {
				t.Errorf("%v, %v: %v, %v; want %v", state, e, got, err, want[i])
			}
		}
	}
	for _, e := range []Event{Silence, Expire, Restart} {
		if got, _ := Next(running, e, false); got != doubtful {
			t.Errorf("running, %v, not repeatable: %v, want doubtful", e, got)
		}
	}
	if _, err := Next(done, Start, true); err == nil || !strings.Contains(err.Error(), "done cannot start") {
		t.Errorf("error %v, want words", err)
	}
}

func TestAdmission(t *testing.T) {
	for _, tc := range []struct {
		name     string
		change   func(*concentrator.Order)
		standing Standing
		at       time.Time
		kind     Kind
		state    concentrator.OrderState
		detail   string
	}{
		{"fit to run", nil, Standing{true, true}, start, Execute, concentrator.OrderRunning, ""},
		{"unknown meter", nil, Standing{}, start, Close, concentrator.OrderRefused, "no such meter"},
		{"unknown kind", func(o *concentrator.Order) { o.Kind = "explode" }, Standing{true, true}, start, Close, concentrator.OrderRefused, "unknown kind"},
		{"no attribute", func(o *concentrator.Order) { o.Ref = cosem.Ref{} }, Standing{true, true}, start, Close, concentrator.OrderRefused, "no attribute"},
		{"expired", nil, Standing{true, true}, start.Add(time.Hour), Close, concentrator.OrderExpired, "before it could be tried"},
		{"expired and unknown", nil, Standing{}, start.Add(time.Hour), Close, concentrator.OrderExpired, "expired"},
		{"no expiry: a day", func(o *concentrator.Order) { o.Expires = time.Time{} }, Standing{true, true}, start.Add(24 * time.Hour), Close, concentrator.OrderExpired, "expired"},
		{"no expiry: within the day", func(o *concentrator.Order) { o.Expires = time.Time{} }, Standing{true, true}, start.Add(23 * time.Hour), Execute, concentrator.OrderRunning, ""},
		{"running at restart", func(o *concentrator.Order) { o.State, o.Attempt = concentrator.OrderRunning, 2 }, Standing{true, true}, start, Execute, concentrator.OrderRunning, ""},
		{"running at restart, expired", func(o *concentrator.Order) { o.State = concentrator.OrderRunning }, Standing{true, true}, start.Add(2 * time.Hour), Close, concentrator.OrderExpired, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := read("1")
			if tc.change != nil {
				tc.change(&o)
			}
			s := NewDesk(Config{}).Next(tc.at, []concentrator.Order{o}, always(tc.standing))
			if s.Kind != tc.kind || s.Order.State != tc.state {
				t.Fatalf("step %+v, want kind %d, state %v", s, tc.kind, tc.state)
			}
			if s.Kind == Execute {
				if s.Order.Attempt != o.Attempt+1 || s.Order.Result != nil {
					t.Errorf("attempt %d with result %v, want attempt %d and none", s.Order.Attempt, s.Order.Result, o.Attempt+1)
				}
				return
			}
			if s.Order.Result == nil || !strings.Contains(s.Order.Result.Detail, tc.detail) {
				t.Errorf("result %+v, want a detail with %q", s.Order.Result, tc.detail)
			}
		})
	}
}

func TestUnreadableMeterWaitsAndDoesNotBlockOthers(t *testing.T) {
	other := read("2")
	other.Meter = plc.MustSystemTitle([]byte("BBR00002"))
	standing := func(title plc.SystemTitle) Standing { return Standing{Known: true, Readable: title == other.Meter} }
	d := NewDesk(Config{})
	if s := d.Next(start, []concentrator.Order{read("1"), other}, standing); s.Kind != Execute || s.Order.ID != "2" {
		t.Errorf("step %+v, want order 2 executed", s)
	}
	s := d.Next(start, []concentrator.Order{read("1")}, standing)
	if s.Kind != Wait || !s.At.Equal(start.Add(unreadable)) {
		t.Errorf("step %+v, want a wait of %v", s, unreadable)
	}
	if s := d.Next(start, nil, standing); s.Kind != Wait || !s.At.IsZero() {
		t.Errorf("step %+v without orders, want to wait for one", s)
	}
}

func TestSilenceBacksOffUntilExpiry(t *testing.T) {
	d := NewDesk(Config{RetryMin: 10 * time.Second, RetryMax: 5 * time.Minute})
	now, o := start, read("1")
	var waits []time.Duration
	for {
		s := d.Next(now, []concentrator.Order{o}, ready)
		if s.Kind == Close {
			if s.Order.State != concentrator.OrderExpired || s.Order.Result.Outcome != plc.Silent {
				t.Errorf("closed as %+v %+v, want expired and silent", s.Order, s.Order.Result)
			}
			break
		}
		if s.Kind == Wait {
			waits = append(waits, s.At.Sub(now))
			now = s.At
			continue
		}
		o = d.Finish(now, s.Order, plc.Exchange{Outcome: plc.Silent, Requests: 2}, nil)
		if o.State != concentrator.OrderAccepted || o.Result != nil {
			t.Fatalf("after silence %+v, want accepted without result", o)
		}
	}
	want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second}
	for i, w := range want {
		if waits[i] != w {
			t.Errorf("wait %d is %v, want %v", i, waits[i], w)
		}
	}
	if !now.Equal(start.Add(time.Hour)) {
		t.Errorf("closed at %v, want at the expiry", now)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	d := NewDesk(Config{Attempts: 3})
	o := read("1")
	o.Issued, o.Expires = time.Time{}, time.Time{} // lives until it is answered or given up
	now := start
	for range 100 {
		s := d.Next(now, []concentrator.Order{o}, ready)
		switch s.Kind {
		case Close:
			if s.Order.State != concentrator.OrderRefused || s.Order.Attempt != 3 {
				t.Errorf("closed as %+v, want refused after 3 attempts", s.Order)
			}
			return
		case Wait:
			now = s.At
		case Execute:
			o = d.Finish(now, s.Order, plc.Exchange{Outcome: plc.Garbled, Requests: 1}, nil)
		}
	}
	t.Error("the order never ends")
}

func TestFinish(t *testing.T) {
	for _, tc := range []struct {
		name    string
		x       plc.Exchange
		result  *concentrator.OrderResult
		state   concentrator.OrderState
		outcome plc.Outcome
	}{
		{"answered", plc.Exchange{Outcome: plc.Answered}, &concentrator.OrderResult{Outcome: plc.Answered, Data: []byte{0x11, 1}}, concentrator.OrderDone, plc.Answered},
		{"refused by an access result", plc.Exchange{Outcome: plc.Answered}, &concentrator.OrderResult{Outcome: plc.Refused, Detail: "object undefined"}, concentrator.OrderRefused, plc.Refused},
		{"refused by the association", plc.Exchange{Outcome: plc.Refused, Detail: "no key for this meter"}, nil, concentrator.OrderRefused, plc.Refused},
		{"silent", plc.Exchange{Outcome: plc.Silent}, nil, concentrator.OrderAccepted, 0},
		{"aborted", plc.Exchange{Outcome: plc.Aborted}, nil, concentrator.OrderAccepted, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := NewDesk(Config{})
			s := d.Next(start, []concentrator.Order{read("1")}, ready)
			o := d.Finish(start, s.Order, tc.x, tc.result)
			if o.State != tc.state || o.State.Final() != (o.Result != nil) {
				t.Fatalf("order %+v, want %v and a result only when final", o, tc.state)
			}
			if o.Result != nil && (o.Result.Outcome != tc.outcome || tc.x.Outcome == plc.Refused && o.Result.Detail != tc.x.Detail) {
				t.Errorf("result %+v, want outcome %v", o.Result, tc.outcome)
			}
		})
	}
}

func TestAbortedAttemptIsNotCounted(t *testing.T) {
	d := NewDesk(Config{Attempts: 1})
	s := d.Next(start, []concentrator.Order{read("1")}, ready)
	o := d.Finish(start, s.Order, plc.Exchange{Outcome: plc.Aborted}, nil)
	if s = d.Next(start.Add(time.Minute), []concentrator.Order{o}, ready); s.Kind != Execute {
		t.Errorf("step %+v after an attempt that we broke off, want another attempt", s)
	}
}

func TestDeskForgetsOrdersThatAreGone(t *testing.T) {
	d := NewDesk(Config{})
	s := d.Next(start, []concentrator.Order{read("1")}, ready)
	d.Finish(start, s.Order, plc.Exchange{Outcome: plc.Silent}, nil)
	if len(d.trials) != 1 {
		t.Fatalf("%d trials, want 1", len(d.trials))
	}
	d.Next(start, nil, ready)
	if len(d.trials) != 0 {
		t.Errorf("%d trials remembered of orders that are gone", len(d.trials))
	}
}
