package street

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
	"busbar/plc/mac"
)

// echo is an application that answers with what it was asked, and counts.
type echo struct {
	handled, resets int
	last            []byte
	answer          []byte // instead of the echo
}

func (e *echo) Handle(_ time.Time, _, _ byte, apdu []byte) []byte {
	e.handled++
	e.last = append([]byte(nil), apdu...)
	if e.answer != nil {
		return e.answer
	}
	return apdu
}

func (e *echo) Reset() { e.resets++ }

func title(i int) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, byte(i >> 8), byte(i)})
}

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

// silence is a line on which nothing is lost by chance.
func silence() Noise { return Noise{Floor: 56} }

// chain is a loss between stations of which each hears only the next one.
func chain(from, to int) float64 {
	if d := from - to; d == 1 || d == -1 {
		return 40
	}
	return 200
}

// allHear is a loss between stations that hear each other well.
func allHear(int, int) float64 { return 40 }

// rig is a street with echoes behind its modems.
type rig struct {
	*Mains
	t    *testing.T
	apps []*echo
	slot int64
}

// newRig builds a street of n servers. Unless edit changes that, they are registered as 1 to n.
func newRig(t *testing.T, n int, loss func(from, to int) float64, edit func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t}
	cfg := Config{Profile: plc.DefaultProfile(), Seed: 1, Start: start, Noise: silence(), Loss: loss}
	for i := 1; i <= n; i++ {
		app := &echo{}
		r.apps = append(r.apps, app)
		cfg.Servers = append(cfg.Servers, Server{Title: title(i), App: app, Address: plc.Address(i)})
	}
	if edit != nil {
		edit(&cfg)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Mains = m
	return r
}

// run lets n slots go by and returns what the initiator received in them.
func (r *rig) run(n int64) []Indication {
	r.slot += n
	r.Advance(r.slot)
	return r.Take()
}

// send transmits in the next slot and returns the slot in which it was sent.
func (r *rig) send(to plc.Address, credit plc.Credit, dsap byte, apdu []byte) int64 {
	ssap := byte(16)
	if ciase.IsAPDU(apdu[0]) {
		ssap = 1
	}
	l := llc.LPDU{DSAP: dsap, SSAP: ssap, APDU: apdu}
	return r.Transmit(r.slot+1, mac.DataRequest{Source: 0xC00, Destination: to, Credit: credit, MSDU: l.Append(nil)})
}

// wake gives every server a frame to synchronize on, hop by hop: who synchronizes on a
// frame does not repeat it.
func (r *rig) wake() {
	for range 8 {
		r.send(plc.AllPhysical, 7, 0, ciase.Discover{}.Append(nil))
		r.run(20)
	}
}

func TestCreditsTellTheHopsOfBothDirections(t *testing.T) {
	r := newRig(t, 4, chain, nil)
	r.wake()
	for _, tc := range []struct {
		server, credit plc.Credit
		answered       bool
	}{
		{1, 0, true},
		{2, 0, false},
		{2, 1, true},
		{3, 1, false},
		{3, 2, true},
		{3, 5, true},
		{4, 2, false},
		{4, 3, true},
		{4, 7, true},
	} {
		hops := tc.server - 1
		at := r.slot
		sent := r.send(plc.Address(tc.server), tc.credit, 1, []byte{0xC0, 1, 2, 3})
		if sent != at+2 {
			t.Fatalf("a frame of one subframe given in slot %d was sent at %d, want %d", at, sent, at+2)
		}
		got := r.run(60)
		if !tc.answered {
			if len(got) != 0 {
				t.Errorf("server %d with credit %d answered: it is %d hops away", tc.server, tc.credit, hops)
			}
			continue
		}
		if len(got) != 1 {
			t.Fatalf("server %d with credit %d: %d indications, want 1", tc.server, tc.credit, len(got))
		}
		in := got[0]
		want := plc.Credits{Initial: tc.credit, Current: tc.credit - hops, Delta: min(hops, plc.MaxDelta)}
		if in.Credits != want {
			t.Errorf("server %d: answer with credits %+v, want %+v", tc.server, in.Credits, want)
		}
		// Request and repetitions, a slot of turn-around, then the answer and its hops.
		if due := at + 1 + int64(1+tc.credit) + 1 + int64(1+hops); in.Slot != due {
			t.Errorf("server %d with credit %d: answer in slot %d, want %d", tc.server, tc.credit, in.Slot, due)
		}
		if want := []byte{0x90, 16, 1, 0xC0, 1, 2, 3}; !bytes.Equal(in.MSDU, want) || in.Source != plc.Address(tc.server) {
			t.Errorf("server %d: answer % X from %v, want % X", tc.server, in.MSDU, in.Source, want)
		}
		if !in.At.Equal(r.Grid().At(in.Slot)) || !in.Signal.Measured() {
			t.Errorf("answer at %v with signal %+v", in.At, in.Signal)
		}
	}
	if n := r.apps[3].handled; n != 2 {
		t.Errorf("the farthest server handled %d requests, want 2: repetitions are no new requests", n)
	}
}

func TestAnswerThatFitsNoFrameIsNotSent(t *testing.T) {
	r := newRig(t, 1, allHear, nil)
	r.wake()
	r.apps[0].answer = make([]byte, 240)
	r.send(1, 0, 1, []byte{0xC0})
	if got := r.run(40); len(got) != 0 || r.Stats().Oversize != 1 {
		t.Errorf("%d indications and %d oversize answers, want 0 and 1", len(got), r.Stats().Oversize)
	}
}

func TestNotAddressedMakesServersNew(t *testing.T) {
	r := newRig(t, 2, allHear, func(c *Config) { c.Timeouts.NotAddressed = time.Hour })
	r.wake()
	hour := r.Grid().Slots(time.Hour)
	for range 4 { // server 1 is addressed every half hour, server 2 never
		r.send(1, 0, 1, []byte{0xC0})
		r.run(hour / 2)
	}
	s := r.Survey()
	if r.apps[1].resets != 0 {
		t.Error("to look at a server changed it")
	}
	r.send(2, 0, 1, []byte{0xC0})
	if got := r.run(20); len(got) != 0 {
		t.Errorf("a server answered at the address it forgot")
	}
	if s[0].Address != 1 || r.apps[0].resets != 0 {
		t.Errorf("the server that was addressed has address %v and was reset %d times", s[0].Address, r.apps[0].resets)
	}
	if s[1].Address != plc.New || r.apps[1].resets != 1 {
		t.Errorf("the server that was not addressed is %+v, reset %d times", s[1], r.apps[1].resets)
	}
	if r.register(2, 0, title(2)); !r.ping(2, title(2), 0) {
		t.Error("a server that forgot its address takes no new one")
	}
}

func TestSilenceDesynchronizes(t *testing.T) {
	r := newRig(t, 1, allHear, func(c *Config) { c.Timeouts.FrameNotOK = time.Minute })
	r.wake()
	ask := func() int {
		r.send(1, 0, 1, []byte{0xC0})
		return len(r.run(10))
	}
	if ask() != 1 {
		t.Fatal("no answer from a synchronized server")
	}
	r.run(r.Grid().Slots(2 * time.Minute))
	if ask() != 0 {
		t.Error("the frame that synchronizes was answered")
	}
	if ask() != 1 {
		t.Error("no answer after synchronization")
	}
}

func TestForeignInitiatorIsIgnored(t *testing.T) {
	r := newRig(t, 1, allHear, nil)
	r.wake()
	l := llc.LPDU{DSAP: 1, SSAP: 16, APDU: []byte{0xC0}}
	r.Transmit(r.slot+1, mac.DataRequest{Source: 0xC05, Destination: 1, MSDU: l.Append(nil)})
	r.run(10)
	if r.apps[0].handled != 0 {
		t.Error("a server locked on C00 served C05")
	}
}

func TestTwoFramesAtOnceCollide(t *testing.T) {
	// Both servers are equally loud at the station: two answers at once, none received.
	r := newRig(t, 2, allHear, func(c *Config) { c.Servers[1].Address = 1 })
	r.wake()
	r.apps[0].answer, r.apps[1].answer = []byte{1}, []byte{2}
	r.send(1, 0, 1, []byte{0xC0})
	if got := r.run(20); len(got) != 0 {
		t.Errorf("%d indications of two different answers in one slot", len(got))
	}
	if r.Stats().Collisions == 0 {
		t.Error("the collision was not counted")
	}
	// The same answer at the same time is one answer.
	r.apps[1].answer = []byte{1}
	r.send(1, 0, 1, []byte{0xC0})
	if got := r.run(20); len(got) != 1 {
		t.Errorf("%d indications of one answer sent by two, want 1", len(got))
	}
}

func TestTheLouderOfTwoIsHeard(t *testing.T) {
	near := func(from, to int) float64 {
		if from+to == 1 { // station and server 1
			return 20
		}
		return 40
	}
	r := newRig(t, 2, near, func(c *Config) { c.Servers[1].Address = 1 })
	r.wake()
	r.apps[0].answer, r.apps[1].answer = []byte{1}, []byte{2}
	r.send(1, 0, 1, []byte{0xC0})
	got := r.run(20)
	if len(got) != 1 || got[0].MSDU[3] != 1 {
		t.Errorf("got %v, want the answer of the louder server", got)
	}
}

func TestFreeFrom(t *testing.T) {
	r := newRig(t, 1, allHear, nil)
	r.wake()
	at := r.slot + 1
	r.send(1, 2, 1, []byte{0xC0}) // occupies at to at+3, answer at+4 to at+7
	r.run(1)
	if free := r.FreeFrom(r.slot + 1); free != at+3 {
		t.Errorf("free from %d while repeating, want %d", free, at+3)
	}
	r.run(4) // the answer has begun
	if free := r.FreeFrom(r.slot); free != at+5 {
		t.Errorf("free from %d while receiving, want %d", free, at+5)
	}
}

func TestFaults(t *testing.T) {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	r := newRig(t, 1, allHear, func(c *Config) {
		c.Faults = []Fault{
			{Kind: Mute, Servers: []int{0}, From: at(10), To: at(20)},
			{Kind: Garbage, From: at(30), To: at(40)},
			{Kind: PowerLoss, From: at(50), To: at(60)},
			{Kind: NoiseBurst, From: at(70), To: at(80), DB: 60},
			{Kind: StationDown, From: at(90), To: at(100)},
		}
	})
	r.wake()
	ask := func(minute int) []byte {
		r.slot = max(r.slot, r.Grid().Index(at(minute)))
		r.Advance(r.slot)
		r.send(1, 0, 1, []byte{0xC0, 1, 2, 3, 4, 5, 6})
		got := r.run(10)
		if len(got) == 0 {
			return nil
		}
		return got[0].MSDU[3:]
	}
	want := []byte{0xC0, 1, 2, 3, 4, 5, 6}
	for _, minute := range []int{5, 25, 45, 85, 105} {
		if got := ask(minute); !bytes.Equal(got, want) {
			t.Errorf("minute %d: % X, want % X", minute, got, want)
		}
		switch minute {
		case 5:
			if got := ask(15); got != nil {
				t.Errorf("a mute meter answered % X", got)
			}
		case 25:
			if got := ask(35); got == nil || bytes.Equal(got, want) {
				t.Errorf("a meter with the fault garbage answered % X", got)
			}
		case 45:
			if got := ask(55); got != nil || r.apps[0].resets != 1 {
				t.Errorf("a meter without power answered % X and was reset %d times", got, r.apps[0].resets)
			}
			if got := ask(65); got != nil {
				t.Error("a meter answered before it was synchronized")
			}
			if got := ask(66); !bytes.Equal(got, want) {
				t.Errorf("after its power came back the meter said % X", got)
			}
			if got := ask(75); got != nil {
				t.Errorf("answer % X through a noise burst", got)
			}
		case 85:
			if !r.Down() && ask(95) != nil {
				t.Error("a station without mains received something")
			}
		}
	}
}

func TestTwinsAnswerTogether(t *testing.T) {
	// Two meters of one title take the same address; what they say alike is heard once, what
	// they say differently not at all.
	r := newRig(t, 2, allHear, func(c *Config) {
		unregistered(c)
		c.Servers[1].Title = title(1)
	})
	r.wake()
	r.register(1, 0, title(1))
	if !r.ping(1, title(1), 0) {
		t.Error("no answer to the Ping that both answer alike")
	}
	r.apps[0].answer, r.apps[1].answer = []byte{1}, []byte{2}
	r.send(1, 0, 1, []byte{0xC0})
	if got := r.run(20); len(got) != 0 || r.apps[0].handled+r.apps[1].handled != 2 {
		t.Errorf("%d indications, %d and %d requests served", len(got), r.apps[0].handled, r.apps[1].handled)
	}
}

func TestBabblingServerDisturbs(t *testing.T) {
	r := newRig(t, 2, allHear, func(c *Config) {
		c.Faults = []Fault{{Kind: Babble, Servers: []int{1}, To: start.Add(time.Hour)}}
	})
	r.wake()
	lost, rubbish := 0, 0
	for range 200 {
		r.send(1, 0, 1, []byte{0xC0})
		answered := false
		for _, in := range r.run(10) {
			if in.Source == 1 {
				answered = true
			} else {
				rubbish++
			}
		}
		if !answered {
			lost++
		}
	}
	if lost == 0 || lost > 150 || rubbish == 0 {
		t.Errorf("of 200 requests %d were lost and %d frames of rubbish arrived", lost, rubbish)
	}
	r.run(r.Grid().Slots(2 * time.Hour))
	before := r.Stats().Frames
	if r.run(1000); r.Stats().Frames != before {
		t.Error("the server still babbles after the fault ended")
	}
}

func TestConfigFaultsAreTold(t *testing.T) {
	good := Config{Profile: plc.DefaultProfile(), Start: start, Servers: []Server{{Title: title(1), App: &echo{}}}}
	for name, edit := range map[string]func(*Config){
		"no start": func(c *Config) { c.Start = time.Time{} },
		"no title": func(c *Config) { c.Servers = []Server{{App: &echo{}}} },
		"fault":    func(c *Config) { c.Faults = []Fault{{Kind: Mute, Servers: []int{1}}} },
		"profile":  func(c *Config) { c.Profile.BitRate = 1 },
	} {
		c := good
		edit(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

func TestGrid(t *testing.T) {
	g := Grid{Start: start, Slot: 150 * time.Millisecond}
	for _, tc := range []struct {
		offset time.Duration
		slot   int64
	}{{0, 0}, {149 * time.Millisecond, 0}, {150 * time.Millisecond, 1}, {-1, -1}, {-150 * time.Millisecond, -1}, {-151 * time.Millisecond, -2}} {
		if got := g.Index(start.Add(tc.offset)); got != tc.slot {
			t.Errorf("%v lies in slot %d, want %d", tc.offset, got, tc.slot)
		}
	}
	if g.Index(g.At(77)) != 77 || g.Slots(151*time.Millisecond) != 2 {
		t.Error("a slot does not begin where it begins")
	}
}

func ExampleMains() {
	m, err := New(Config{
		Profile: plc.DefaultProfile(), Start: start, Noise: Quiet(),
		Servers: []Server{{Title: title(1), App: &echo{}, Place: Place{Feeder: 1, Along: 80}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	discover := llc.LPDU{DSAP: 0, SSAP: 1, APDU: ciase.Discover{Probability: 100, Slots: 4}.Append(nil)}
	for slot := int64(0); slot < 40; slot += 20 { // the first one only synchronizes the meter
		m.Transmit(slot, mac.DataRequest{Source: 0xC00, Destination: plc.AllPhysical, MSDU: discover.Append(nil)})
		m.Advance(slot + 20)
	}
	for _, in := range m.Take() {
		fmt.Printf("%v says % X\n", in.Source, in.MSDU)
	}
	// Output: FFE says 90 FD 00 1E 01 42 42 52 00 00 00 00 01 00
}
