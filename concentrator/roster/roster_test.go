package roster

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func title(n int) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, byte(n >> 8), byte(n)})
}

func newRoster(known ...concentrator.Meter) *Roster {
	return New(start, Config{Line: plc.DefaultProfile()}, known)
}

func report(n int, from plc.Address) plc.Report {
	return plc.Report{Title: title(n), Address: from, Credits: plc.Credits{Initial: 0}}
}

func registered(n int, a plc.Address) concentrator.Meter {
	return concentrator.Meter{
		Title: title(n), Address: a, State: concentrator.StateRegistered,
		LastAsked: start, LastHeard: start, Discovered: start,
	}
}

var (
	answered = plc.Exchange{Outcome: plc.Answered, Requests: 1, Answers: 1, Slots: 4}
	silent   = plc.Exchange{Outcome: plc.Silent, Requests: 1, Slots: 4}
)

// codes are the events since the last call.
func codes(r *Roster) []concentrator.EventCode {
	_, events := r.Unsaved()
	var out []concentrator.EventCode
	for _, e := range events {
		out = append(out, e.Code)
	}
	return out
}

// prove answers every proof of the roster until none is left.
func prove(t *testing.T, r *Roster, now time.Time) {
	t.Helper()
	for range 1000 {
		switch s := r.Next(now); s.Kind {
		case Ping:
			r.Pinged(now, s.Ping.Title, answered)
		case Register:
			r.Registered(s.Register)
		default:
			return
		}
	}
	t.Fatal("proofs do not end")
}

func TestCapacityOfARegister(t *testing.T) {
	// sfsk.md 4.5
	for _, tc := range []struct{ frame, title, want int }{
		{26, 6, 1},
		{26, 8, 1},
		{62, 6, 6},
		{62, 8, 4},
		{98, 6, 10},
		{98, 8, 8},
		{134, 6, 15},
		{134, 8, 12},
		{242, 6, 28},
		{242, 8, 22},
	} {
		p := plc.DefaultProfile()
		p.MaxFrame = tc.frame
		r := New(start, Config{Line: p}, nil)
		if got := r.capacity(tc.title); got != tc.want {
			t.Errorf("frame of %d, title of %d octets: %d titles, want %d", tc.frame, tc.title, got, tc.want)
		}
	}
}

func TestRegisterIssuesLowestFreeAddresses(t *testing.T) {
	r := newRoster(registered(100, 2))
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{
		report(3, plc.New), report(1, plc.New), report(2, plc.New),
	}, answered)
	s := r.Next(start)
	if s.Kind != Register || len(s.Register) != 3 {
		t.Fatalf("next step is %+v, want a Register of three", s)
	}
	for i, want := range []plc.Registration{{Title: title(1), Address: 1}, {Title: title(2), Address: 3}, {Title: title(3), Address: 4}} {
		if s.Register[i] != want {
			t.Errorf("registration %d is %v, want %v", i, s.Register[i], want)
		}
	}
	meters, _ := r.Unsaved()
	if len(meters) != 3 || meters[1].Address != 3 {
		t.Errorf("unsaved before the Register is sent: %+v, want the three meters with their addresses", meters)
	}
	if again := r.Next(start); !slices.Equal(again.Register, s.Register) {
		t.Errorf("asking twice gives %v, want the same step %v", again.Register, s.Register)
	}
}

func TestRegisterCreditIsThatOfTheFarthest(t *testing.T) {
	r := newRoster()
	far := report(1, plc.New)
	far.Credits = plc.Credits{Initial: 3, Current: 1}
	near := report(2, plc.New)
	relayed := plc.Report{Title: title(3), Address: plc.New, Relayed: true, Credits: plc.Credits{Initial: 3, Current: 0}}
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{far, near, relayed}, answered)
	s := r.Next(start)
	if s.Kind != Register || s.Credit != 4 {
		t.Fatalf("step %+v, want a Register with credit 4: three hops to the relaying meter and one more", s)
	}
	if s.Register[0].Title != title(2) || s.Register[0].Address != 1 {
		t.Errorf("first is %v, want the nearest meter at the lowest address", s.Register[0])
	}
}

func TestRegisterIsRetriedThreeTimesAndLouder(t *testing.T) {
	r := newRoster()
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	var credits []plc.Credit
	for range maxTries {
		s := r.Next(start)
		if s.Kind != Register {
			t.Fatalf("step %+v, want Register", s)
		}
		credits = append(credits, s.Credit)
		r.Registered(s.Register)
		if s = r.Next(start); s.Kind != Ping || s.Ping.Title != title(1) {
			t.Fatalf("step %+v, want Ping", s)
		}
		r.Pinged(start, title(1), silent)
	}
	if !slices.Equal(credits, []plc.Credit{0, 1, 2}) {
		t.Errorf("credits of the Registers %v, want 0 1 2", credits)
	}
	if s := r.Next(start); s.Kind != Discover {
		t.Errorf("step %+v after three tries, want Discover", s)
	}
	if m, _ := r.Meter(title(1)); m.State != concentrator.StateNew || m.Address != 1 {
		t.Errorf("meter %+v, want new with its address kept", m)
	}
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	if s := r.Next(start); s.Kind != Discover {
		t.Errorf("step %+v when it reports again at once, want Discover: it is given a rest", s)
	}
	later := start.Add(time.Hour)
	r.Discovered(later, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	prove(t, r, later)
	if m, _ := r.Meter(title(1)); m.State != concentrator.StateRegistered {
		t.Errorf("state %v after a Ping was answered, want registered", m.State)
	}
	if got := codes(r); !slices.Equal(got, []concentrator.EventCode{concentrator.EventMeterDiscovered, concentrator.EventMeterRegistered}) {
		t.Errorf("events %v, want discovered and registered once each", got)
	}
}

func TestReports(t *testing.T) {
	req := plc.DiscoverRequest{Slots: 8, Probability: 100}
	at := start.Add(time.Hour)
	for _, tc := range []struct {
		name    string
		reports []plc.Report
		kind    Kind
		who     int
		address plc.Address
	}{
		{"its own address: nothing to do", []plc.Report{report(1, 1)}, Idle, 0, 0},
		{"from new: prove the address", []plc.Report{report(1, plc.New)}, Ping, 1, 1},
		{"from another address: prove the address", []plc.Report{report(1, 77)}, Ping, 1, 1},
		{"relayed and registered: nothing to do", []plc.Report{{Title: title(1), Address: 2, Relayed: true}}, Idle, 0, 0},
		{"unknown title at a free address keeps it", []plc.Report{report(9, 40)}, Register, 9, 40},
		{"unknown title at an initiator's address", []plc.Report{report(9, 0xC00)}, Register, 9, 3},
		{"unknown title relayed", []plc.Report{{Title: title(9), Address: 1, Relayed: true}}, Register, 9, 3},
		{"no title at all", []plc.Report{{Address: plc.New}}, Idle, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRoster(registered(1, 1), registered(2, 2))
			r.Discovered(at, req, tc.reports, answered)
			s := r.Next(at)
			if s.Kind != tc.kind {
				t.Fatalf("step %+v, want kind %d", s, tc.kind)
			}
			switch s.Kind {
			case Ping:
				if s.Ping.Title != title(tc.who) || s.Ping.Address != tc.address {
					t.Errorf("ping %v, want meter %v at %v", s.Ping, title(tc.who), tc.address)
				}
			case Register:
				if want := (plc.Registration{Title: title(tc.who), Address: tc.address}); s.Register[0] != want {
					t.Errorf("registration %v, want %v", s.Register[0], want)
				}
			}
		})
	}
}

func TestMeterThatForgotItsAddressGetsItBack(t *testing.T) {
	r := newRoster(registered(1, 5))
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	r.Pinged(start, title(1), silent)
	s := r.Next(start)
	if s.Kind != Register || s.Register[0].Address != 5 {
		t.Fatalf("step %+v, want a Register at its old address 005", s)
	}
	prove(t, r, start)
	if !r.Readable(start, title(1)) {
		t.Error("not readable after the proof")
	}
	if s := r.Next(start); s.Kind != RepeaterCall || s.MaxAddress != 5 {
		t.Errorf("step %+v, want a repeater call up to 005 after the growth", s)
	}
}

func TestServerThatAnswersEveryDiscoverIsNotPingedEachTime(t *testing.T) {
	r := newRoster(registered(1, 1))
	at := start.Add(time.Minute)
	r.Pinged(at, title(1), answered)
	r.Discovered(at, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	if s := r.Next(at); s.Kind != Idle {
		t.Errorf("step %+v, want nothing to do: it has just answered at its address", s)
	}
}

func TestDuplicateTitleIsQuarantined(t *testing.T) {
	req := plc.DiscoverRequest{Slots: 8, Probability: 100}
	for name, make := range map[string]func(r *Roster){
		"answers at its address although it reports from another": func(r *Roster) {
			r.Discovered(start, req, []plc.Report{report(1, 77)}, answered)
			r.Pinged(start, title(1), answered)
		},
		"reports twice in one window": func(r *Roster) {
			r.Discovered(start, req, []plc.Report{report(1, 1), report(1, 77)}, answered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoster(registered(1, 1), registered(2, 2))
			make(r)
			m, _ := r.Meter(title(1))
			if m.State == concentrator.StateRegistered || m.Address != plc.New || r.Readable(start, title(1)) {
				t.Fatalf("meter %+v is still used", m)
			}
			until := start.Add(6 * time.Hour)
			if !m.Quarantined.Equal(until) {
				t.Errorf("quarantined until %v, want %v", m.Quarantined, until)
			}
			if got := codes(r); !slices.Contains(got, concentrator.EventMeterDuplicate) {
				t.Errorf("events %v, want a duplicate", got)
			}
			taken := r.occupied(start)
			if !taken[1] || !taken[77] {
				t.Error("an address of the quarantined title is free")
			}
			r.Discovered(start, req, []plc.Report{report(1, plc.New)}, answered)
			if s := r.Next(start); s.Kind == Register {
				t.Error("registered while in quarantine")
			}
			r.Discovered(until, req, []plc.Report{report(1, plc.New)}, answered)
			prove(t, r, until)
			if !r.Readable(until, title(1)) {
				t.Error("not readable after the quarantine and a new registration")
			}
		})
	}
}

func TestTwoTitlesAtOneAddress(t *testing.T) {
	r := newRoster(registered(1, 1))
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(2, 1)}, answered)
	if r.Readable(start, title(1)) {
		t.Error("the owner of the address is read before it proved itself")
	}
	prove(t, r, start)
	a, _ := r.Meter(title(1))
	b, _ := r.Meter(title(2))
	if a.Address != 1 || b.Address != 2 || !r.Readable(start, title(1)) || !r.Readable(start, title(2)) {
		t.Errorf("addresses %v and %v, want 001 and 002, both readable", a.Address, b.Address)
	}
	if got := codes(r); !slices.Contains(got, concentrator.EventMeterDuplicate) {
		t.Errorf("events %v, want a duplicate", got)
	}
}

func TestAnotherMeterAnswersThePing(t *testing.T) {
	r := newRoster()
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	r.Registered(r.Next(start).Register)
	r.Pinged(start, title(1), plc.Exchange{Outcome: plc.Refused, Requests: 1, Answers: 1})
	s := r.Next(start)
	if s.Kind != Register || s.Register[0].Address != 2 {
		t.Errorf("step %+v, want a Register at another address than 001", s)
	}
}

func TestAddressIsNotReissuedBeforeItIsForgotten(t *testing.T) {
	lost := registered(1, 1)
	lost.State = concentrator.StateLost
	next := func(at time.Time) plc.Address {
		r := New(start, Config{Line: plc.DefaultProfile()}, []concentrator.Meter{lost, registered(2, 2)})
		r.Discovered(at, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(3, plc.New)}, answered)
		s := r.Next(at)
		if s.Kind != Register {
			t.Fatalf("step %+v, want Register", s)
		}
		old, _ := r.Meter(title(1))
		if (old.Address == plc.New) != (s.Register[0].Address == 1) {
			t.Errorf("old owner has %v while the address was given to %v", old.Address, s.Register[0])
		}
		return s.Register[0].Address
	}
	if got := next(start.Add(6*time.Hour - time.Second)); got != 3 {
		t.Errorf("issued %v one second before the time-out of its old owner, want 003", got)
	}
	if got := next(start.Add(6 * time.Hour)); got != 1 {
		t.Errorf("issued %v after the time-out, want 001", got)
	}
}

func TestKeepAlive(t *testing.T) {
	r := newRoster(registered(1, 1))
	r.discoverAt, r.callAt = start.Add(24*time.Hour), start.Add(24*time.Hour)
	if s := r.Next(start); s.Kind != Idle || !s.At.Equal(start.Add(2*time.Hour)) {
		t.Fatalf("step %+v, want idle for a third of 6 h", s)
	}
	at := start.Add(2 * time.Hour)
	if s := r.Next(at); s.Kind != Ping || s.Ping.Address != 1 {
		t.Fatalf("step %+v, want a keep-alive ping", s)
	}
	r.Pinged(at, title(1), silent)
	if s := r.Next(at); s.Kind != Idle || !s.At.Equal(at.Add(30*time.Minute)) {
		t.Errorf("step %+v after an unanswered ping, want the next after 30 min", s)
	}
	if !r.Readable(at, title(1)) {
		t.Error("an unanswered keep-alive made the meter unreadable")
	}
}

// What a meter says of its time-out not addressed counts when it is shorter than the one
// configured, and when it is longer, its address stays its own for longer.
func TestTimeoutOfTheMeter(t *testing.T) {
	hasty, slow := registered(1, 1), registered(2, 2)
	hasty.NotAddressed, slow.NotAddressed = time.Hour, 24*time.Hour
	r := newRoster(hasty, slow)
	r.discoverAt, r.callAt = start.Add(24*time.Hour), start.Add(24*time.Hour)
	if s := r.Next(start); s.Kind != Idle || !s.At.Equal(start.Add(20*time.Minute)) {
		t.Errorf("step %+v, want idle for a third of the hour of meter 1", s)
	}
	r.Pinged(start.Add(119*time.Minute), hasty.Title, answered)
	if s := r.Next(start.Add(2 * time.Hour)); s.Kind != Ping || s.Ping.Title != slow.Title {
		t.Errorf("step %+v, want a ping of meter 2 after a third of 6 h", s)
	}
	slow.State = concentrator.StateLost
	at := start.Add(12 * time.Hour)
	r = New(at, Config{Line: plc.DefaultProfile()}, []concentrator.Meter{slow, registered(1, 1)})
	if !r.occupied(at)[2] {
		t.Error("the address of a meter that keeps it for a day is free after 12 h")
	}
	restarted := New(start.Add(2*time.Hour), Config{Line: plc.DefaultProfile()}, []concentrator.Meter{hasty})
	if s := restarted.Next(start.Add(2 * time.Hour)); s.Kind != Ping {
		t.Errorf("step %+v, want a proof: meter 1 may have forgotten its address", s)
	}
}

func TestSilentMeterIsProvedThenLost(t *testing.T) {
	r := newRoster(registered(1, 1), registered(2, 2))
	r.discoverAt, r.callAt = start.Add(240*time.Hour), start.Add(240*time.Hour)
	m, _ := r.Meter(title(1))
	m.Failures, m.LastOutcome = 6, plc.Silent
	r.Visited(start.Add(5*time.Hour), m)
	if !r.Readable(start.Add(5*time.Hour), title(1)) {
		t.Fatal("doubted before its time-out has passed")
	}
	at := start.Add(7 * time.Hour)
	r.Visited(at, m)
	registers := 0
	for range 20 {
		s := r.Next(at)
		if s.Kind == Register {
			registers++
			if s.Register[0].Address != 1 {
				t.Errorf("registered at %v, want its own address 001", s.Register[0].Address)
			}
			r.Registered(s.Register)
			continue
		}
		if s.Kind != Ping || s.Ping.Title != title(1) {
			break
		}
		r.Pinged(at, title(1), silent)
	}
	if m, _ = r.Meter(title(1)); m.State != concentrator.StateLost || registers != maxTries {
		t.Errorf("state %v after %d Registers, want lost after %d", m.State, registers, maxTries)
	}
	if got := codes(r); !slices.Equal(got, []concentrator.EventCode{concentrator.EventMeterLost}) {
		t.Errorf("events %v, want one lost", got)
	}
	r.Discovered(at, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	if s := r.Next(at); s.Kind == Register {
		t.Error("registered again at once, want a rest first")
	}
	at = at.Add(time.Hour)
	r.Discovered(at, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	prove(t, r, at)
	if m, _ = r.Meter(title(1)); m.State != concentrator.StateRegistered || m.Address != 1 {
		t.Errorf("meter %+v, want registered at 001 again", m)
	}
}

func TestRestart(t *testing.T) {
	stale := registered(1, 1)
	stale.LastAsked = start.Add(-7 * time.Hour)
	half := registered(2, 2)
	half.State = concentrator.StateNew
	r := newRoster(stale, half, registered(3, 3))
	if s := r.Next(start); s.Kind != Ping || s.Ping.Title != title(1) {
		t.Errorf("first step %+v, want a ping of the meter that may have forgotten its address", s)
	}
	r.Pinged(start, title(1), answered)
	if s := r.Next(start); s.Kind != Ping || s.Ping.Title != title(2) {
		t.Errorf("second step %+v, want a ping of the meter whose Register was sent before", s)
	}
	r.Pinged(start, title(2), answered)
	s := r.Next(start)
	for s.Kind == RepeaterCall {
		r.RepeaterCalled(start)
		s = r.Next(start)
	}
	if s.Kind != Discover || s.Discover.Slots > 16 {
		t.Errorf("step %+v, want one short Discover and no sweep", s)
	}
}

func TestStormIsBoundedAndOneEvent(t *testing.T) {
	r := New(start, Config{Line: plc.DefaultProfile(), MaxMeters: 10}, nil)
	var flood []plc.Report
	for n := range 10000 {
		flood = append(flood, report(n, plc.New))
	}
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, flood, answered)
	if n := len(r.Meters()); n != 10 {
		t.Errorf("%d meters kept, want 10", n)
	}
	storms := 0
	for _, c := range codes(r) {
		if c == concentrator.EventMeterStorm {
			storms++
		}
	}
	if storms != 1 {
		t.Errorf("%d storm events, want 1", storms)
	}
}

func TestKeepTakesBackWhatWasNotStored(t *testing.T) {
	r := newRoster()
	r.Discovered(start, plc.DiscoverRequest{Slots: 8, Probability: 100}, []plc.Report{report(1, plc.New)}, answered)
	meters, events := r.Unsaved()
	if len(meters) != 1 || len(events) != 1 {
		t.Fatalf("unsaved %v %v, want one meter and one event", meters, events)
	}
	if m, e := r.Unsaved(); m != nil || e != nil {
		t.Fatalf("unsaved twice: %v %v", m, e)
	}
	r.Keep(meters, events)
	if m, e := r.Unsaved(); len(m) != 1 || len(e) != 1 {
		t.Errorf("unsaved after Keep: %v %v, want both back", m, e)
	}
}

func TestVisitedNeverMovesAnAddress(t *testing.T) {
	r := newRoster(registered(1, 1))
	m, _ := r.Meter(title(1))
	m.Address, m.State, m.Name = 9, concentrator.StateLost, "meter one"
	r.Visited(start, m)
	if m, _ = r.Meter(title(1)); m.Address != 1 || m.State != concentrator.StateRegistered || m.Name != "meter one" {
		t.Errorf("meter %+v: want name taken, address and state kept", m)
	}
}

// street answers discovery steps: meters at depth d hear credit d or more.
type street struct {
	rnd    *rand.Rand
	depth  map[plc.SystemTitle]plc.Credit
	has    map[plc.SystemTitle]plc.Address
	slots  int
	trace  []string
	missed float64
}

func (s *street) step(r *Roster, now time.Time) bool {
	x := plc.Exchange{Outcome: plc.Answered, Requests: 1, Answers: 1}
	step := r.Next(now)
	switch step.Kind {
	case Discover:
		req := step.Discover
		s.trace = append(s.trace, fmt.Sprintf("discover credit %d", req.Credit))
		s.slots += (1 + int(req.Slots)) * (1 + int(req.Credit))
		r.Discovered(now, req, s.reports(req), x)
	case Register:
		s.slots += 7 * (1 + int(step.Credit))
		for _, reg := range step.Register {
			if s.depth[reg.Title] <= step.Credit && s.rnd.Float64() >= s.missed {
				s.has[reg.Title] = reg.Address
			}
		}
		r.Registered(step.Register)
	case Ping:
		p := step.Ping
		s.slots += 2 * (2 + int(p.Credit))
		if s.has[p.Title] != p.Address || s.depth[p.Title] > p.Credit || s.rnd.Float64() < s.missed {
			x = silent
		}
		r.Pinged(now, p.Title, x)
	case RepeaterCall:
		s.trace = append(s.trace, "repeaters")
		r.RepeaterCalled(now)
	default:
		return false
	}
	return true
}

func (s *street) reports(req plc.DiscoverRequest) []plc.Report {
	slots := make(map[int][]plc.SystemTitle)
	for n := range len(s.depth) {
		t := title(n)
		if s.has[t] == 0 && s.depth[t] <= req.Credit && s.rnd.Intn(100) < int(req.Probability) {
			k := s.rnd.Intn(int(req.Slots))
			slots[k] = append(slots[k], t)
		}
	}
	var out []plc.Report
	for k := range int(req.Slots) {
		if in := slots[k]; len(in) == 1 && s.rnd.Float64() >= s.missed {
			out = append(out, plc.Report{Title: in[0], Address: plc.New, Credits: plc.Credits{Initial: req.ReportCredit, Current: req.ReportCredit - min(req.ReportCredit, s.depth[in[0]])}})
		}
	}
	return out
}

// TestWholeStreetIsFound runs the whole procedure: 200 meters up to four hops away,
// 5 % of all frames lost.
func TestWholeStreetIsFound(t *testing.T) {
	for seed := range int64(5) {
		s := &street{rnd: rand.New(rand.NewSource(seed)), depth: map[plc.SystemTitle]plc.Credit{}, has: map[plc.SystemTitle]plc.Address{}, missed: 0.05}
		for n := range 200 {
			s.depth[title(n)] = plc.Credit(n / 50)
		}
		r := newRoster()
		now := start
		for steps := 0; !r.Settled(); steps++ {
			now = now.Add(time.Second)
			if !s.step(r, now) && !r.Settled() {
				t.Fatalf("seed %d: idle but not settled", seed)
			}
			if steps > 5000 {
				t.Fatalf("seed %d: not settled after %d steps", seed, steps)
			}
		}
		for s.step(r, now) {
		}
		if n := r.count(isRegistered); n < 198 {
			t.Errorf("seed %d: %d of 200 registered", seed, n)
		}
		seen := map[plc.Address]bool{}
		for _, m := range r.Meters() {
			if seen[m.Address] && m.Address != plc.New {
				t.Errorf("seed %d: address %v twice", seed, m.Address)
			}
			seen[m.Address] = true
			if m.State == concentrator.StateRegistered && m.Address > 205 {
				t.Errorf("seed %d: meter at %v, want low addresses", seed, m.Address)
			}
		}
		trace := strings.Join(s.trace, "\n")
		order := []string{"discover credit 0", "repeaters", "discover credit 1", "repeaters", "discover credit 3", "repeaters", "discover credit 7"}
		for _, want := range order {
			i := strings.Index(trace, want)
			if i < 0 {
				t.Fatalf("seed %d: no %q in the rest of the steps, or out of order:\n%s", seed, want, strings.Join(s.trace, "\n"))
			}
			trace = trace[i+len(want):]
		}
		t.Logf("seed %d: %.1f minutes", seed, float64(s.slots)*0.15/60)
		if s.slots > 14000 {
			t.Errorf("seed %d: %d slots, want at most 14000 (35 min at 2400 bit/s)", seed, s.slots)
		}
	}
}

func TestExpectedCountEndsTheSweepEarly(t *testing.T) {
	s := &street{rnd: rand.New(rand.NewSource(1)), depth: map[plc.SystemTitle]plc.Credit{}, has: map[plc.SystemTitle]plc.Address{}}
	for n := range 20 {
		s.depth[title(n)] = 0
	}
	r := New(start, Config{Line: plc.DefaultProfile(), Expected: 20}, nil)
	for range 500 {
		if r.Settled() {
			break
		}
		s.step(r, start)
	}
	if !r.Settled() || r.count(isRegistered) != 20 || r.Unknown() != 0 {
		t.Fatalf("settled %v with %d registered", r.Settled(), r.count(isRegistered))
	}
	for _, line := range s.trace {
		if strings.Contains(line, "credit 3") {
			t.Errorf("searched on after everybody was found: %v", s.trace)
		}
	}
}
