package street

import (
	"slices"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
)

// unregistered makes all servers of a rig new.
func unregistered(c *Config) {
	for i := range c.Servers {
		c.Servers[i].Address = plc.NoBody
	}
}

// reports are the titles of the reporters in what the initiator received.
func reports(t *testing.T, got []Indication) []plc.SystemTitle {
	t.Helper()
	var titles []plc.SystemTitle
	for _, in := range got {
		l, _, err := llc.Parse(in.MSDU)
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := ciase.Parse(l.APDU, 8)
		if err != nil {
			t.Fatal(err)
		}
		titles = append(titles, a.(ciase.DiscoverReport).Titles[0])
	}
	return titles
}

// discover sends a Discover and returns who reported in its window.
func (r *rig) discover(d ciase.Discover, credit plc.Credit) []plc.SystemTitle {
	r.send(plc.AllPhysical, credit, 0, d.Append(nil))
	width := int64(1 + d.ReportCredit)
	return reports(r.t, r.run(1+int64(1+credit)+1+int64(d.Slots)*width+1))
}

// register gives the addresses first, first+1... to the titles.
func (r *rig) register(first plc.Address, credit plc.Credit, titles ...plc.SystemTitle) {
	a := ciase.Register{Initiator: plc.MustSystemTitle([]byte("BBRINIT0"))}
	for i, t := range titles {
		a.Servers = append(a.Servers, plc.Registration{Title: t, Address: first + plc.Address(i)})
	}
	r.send(plc.AllPhysical, credit, 0, a.Append(nil))
	r.run(10 * int64(1+credit))
}

func (r *rig) ping(a plc.Address, t plc.SystemTitle, credit plc.Credit) bool {
	r.send(a, credit, 0, ciase.PingRequest{Title: t}.Append(nil))
	return len(r.run(20)) == 1
}

func TestRegistration(t *testing.T) {
	r := newRig(t, 1, allHear, unregistered)
	all := ciase.Discover{Probability: 100, Slots: 1}
	if got := r.discover(all, 0); len(got) != 0 {
		t.Fatal("a server reported on the frame that it synchronized on")
	}
	for range 2 { // a report changes nothing
		if got := r.discover(all, 0); !slices.Equal(got, []plc.SystemTitle{title(1)}) {
			t.Fatalf("reports of %v, want the one new server", got)
		}
	}
	if r.ping(7, title(1), 0) {
		t.Error("a new server answered a Ping")
	}
	r.register(7, 0, title(1))
	if !r.ping(7, title(1), 0) || r.ping(7, title(2), 0) || r.ping(8, title(1), 0) {
		t.Error("want an answer to the right title at the right address, and only to that")
	}
	if got := r.discover(all, 0); len(got) != 0 {
		t.Error("a registered server reported")
	}
	r.register(9, 0, title(1))
	if !r.ping(9, title(1), 0) || r.ping(7, title(1), 0) {
		t.Error("the second address did not replace the first")
	}
	r.register(plc.NoBody, 0, title(1))
	if !r.ping(9, title(1), 0) {
		t.Error("a server took nobody's address")
	}
}

func TestAlarmIsReportedAndCleared(t *testing.T) {
	r := newRig(t, 1, allHear, nil)
	r.wake()
	all := ciase.Discover{Probability: 100, Slots: 2}
	if got := r.discover(all, 0); len(got) != 0 {
		t.Fatal("a registered server without alarm reported")
	}
	r.Raise(0, 0x82)
	r.send(plc.AllPhysical, 0, 0, all.Append(nil))
	got := r.run(10)
	if len(got) != 1 || got[0].Source != 1 || got[0].MSDU[len(got[0].MSDU)-1] != 0x82 {
		t.Fatalf("want a report of 001 with the alarm, got %v", got)
	}
	for i, c := range []ciase.ClearAlarm{
		{Form: ciase.AlarmOfAll, Alarms: []uint8{1}},
		{Form: ciase.AlarmsOfSome, Titles: []plc.SystemTitle{title(2)}, Alarms: []uint8{0x82}},
		{Form: ciase.AlarmOfEachOne, Titles: []plc.SystemTitle{title(1)}, Alarms: []uint8{0x82}},
	} {
		r.send(plc.AllPhysical, 0, 0, c.Append(nil))
		r.run(10)
		if got := len(r.discover(all, 0)); got != map[bool]int{true: 0, false: 1}[i == 2] {
			t.Errorf("%d reports after ClearAlarm %d", got, i)
		}
	}
}

func TestReportCreditAndOverheardTitles(t *testing.T) {
	r := newRig(t, 3, chain, unregistered)
	d := ciase.Discover{Probability: 100, Slots: 8, ReportCredit: 3}
	seen := map[plc.SystemTitle]bool{}
	for range 20 {
		for _, name := range r.discover(d, 7) {
			seen[name] = true
		}
	}
	if len(seen) != 3 {
		t.Fatalf("reports of %v: want all three over the hops", seen)
	}
	// Without credit only the nearest is heard, but it tells of the next one.
	r.send(plc.AllPhysical, 7, 0, ciase.Discover{Probability: 100, Slots: 1}.Append(nil))
	got := r.run(40)
	if len(got) != 1 {
		t.Fatalf("%d reports without credit, want one", len(got))
	}
	l, _, _ := llc.Parse(got[0].MSDU)
	a, _, err := ciase.Parse(l.APDU, 8)
	if titles := a.(ciase.DiscoverReport).Titles; err != nil || len(titles) != 2 || titles[0] != title(1) {
		t.Errorf("report of %v, want server 1 and one that it heard", titles)
	}
	// Equal credit: the hops that the Discover needed.
	d = ciase.Discover{Probability: 100, Slots: 1, ReportCredit: 7, EqualCredit: true}
	r.send(plc.AllPhysical, 2, 0, d.Append(nil))
	if got := r.run(60); len(got) != 1 || got[0].Credits.Initial != 0 {
		t.Errorf("reports with equal credit: %v, want one with credit 0", got)
	}
}

// roundsToFind discovers and registers until n servers are known, choosing the slots by the number of unknown ones.
func roundsToFind(t *testing.T, n int, slots func(unknown int) int) (slotsUsed int64) {
	t.Helper()
	r := newRig(t, n, allHear, unregistered)
	r.wake()
	known := 0
	for round := 0; known < n; round++ {
		if round > 400 {
			t.Fatalf("only %d of %d servers found", known, n)
		}
		got := r.discover(ciase.Discover{Probability: 100, Slots: uint16(slots(n - known))}, 0)
		for len(got) > 0 {
			batch := got[:min(len(got), 22)]
			r.register(plc.Address(known+1), 0, batch...)
			known += len(batch)
			got = got[len(batch):]
		}
	}
	return r.slot
}

func TestAdaptiveSlotsFindServersSooner(t *testing.T) {
	adaptive := roundsToFind(t, 60, func(unknown int) int { return max(4, unknown) })
	fixed := roundsToFind(t, 60, func(int) int { return 10 })
	if adaptive >= fixed {
		t.Errorf("adapted slots took %d slots, ten fixed ones %d: collisions cost nothing?", adaptive, fixed)
	}
}

func TestCollisionsLoseReports(t *testing.T) {
	r := newRig(t, 20, allHear, unregistered)
	r.wake()
	before := r.Stats().Collisions
	got := r.discover(ciase.Discover{Probability: 100, Slots: 10}, 0)
	// 20 reports in 10 slots: about 10 * 2 * 0.9^19 = 2.7 arrive alone.
	if len(got) == 0 || len(got) > 8 || r.Stats().Collisions == before {
		t.Errorf("%d of 20 reports in 10 slots arrived, %d collisions", len(got), r.Stats().Collisions-before)
	}
	// A probability of 0 lets nobody report, one of 50 some.
	if got := r.discover(ciase.Discover{Slots: 50}, 0); len(got) != 0 {
		t.Errorf("%d reports with probability 0", len(got))
	}
	sent := r.Stats().Frames
	r.discover(ciase.Discover{Probability: 50, Slots: 50}, 0)
	if n := r.Stats().Frames - sent - 1; n < 4 || n > 16 {
		t.Errorf("%d of 20 servers reported with probability 50", n)
	}
}

// row puts stations on a row, 10 dB from one to the next.
func row(from, to int) float64 {
	d := from - to
	if d < 0 {
		d = -d
	}
	return float64(10 * d)
}

func TestRepeaterCall(t *testing.T) {
	r := newRig(t, 12, row, func(c *Config) {
		c.Servers[3].Repeater = Always
		c.Servers[4].Repeater = Never
		c.Servers[11].Address = 90 // does not take part
	})
	r.wake()
	if before := r.repeaters(); len(before) != 11 {
		t.Fatalf("before the call %v repeat, want all but the one that never does", before)
	}
	call := ciase.RepeaterCall{MaxAddress: 30}
	r.send(plc.AllPhysical, 7, 0, call.Append(nil))
	r.run(9)
	over := r.CallRepeaters(r.slot+1, ciase.DefaultThreshold)
	if want := r.slot + 1 + 2; over != want { // 31 positions of 21 a slot
		t.Errorf("the call is over in slot %d, want %d", over, want)
	}
	r.run(10)
	// 122-104 dBµV: who is within 18 dB of a caller, one place, yields.
	if got, want := r.repeaters(), []int{2, 4, 6, 8, 10, 12}; !slices.Equal(got, want) {
		t.Errorf("repeaters are %v, want %v", got, want)
	}
	// Every server is still reached.
	for i := range 11 {
		r.send(plc.Address(i+1), 7, 1, []byte{0xC0})
		if got := r.run(40); len(got) != 1 {
			t.Errorf("server %d is not reached after the call", i+1)
		}
	}
	// Who did not receive the RepeaterCall takes no part.
	before := r.repeaters()
	r.CallRepeaters(r.slot+1, 200)
	r.run(10)
	if got := r.repeaters(); !slices.Equal(got, before) {
		t.Errorf("a call that nobody was told of changed the repeaters to %v", got)
	}
}

// repeaters are the numbers of the servers that repeat.
func (r *rig) repeaters() []int {
	var out []int
	for i, s := range r.Survey() {
		if s.Repeater {
			out = append(out, i+1)
		}
	}
	return out
}

func TestRepeaterCallOfNewServers(t *testing.T) {
	r := newRig(t, 40, allHear, unregistered)
	r.wake()
	call := ciase.RepeaterCall{MaxAddress: 1, SlotsForNew: 3, HasThreshold: true, Threshold: 83}
	r.send(plc.AllPhysical, 0, 0, call.Append(nil))
	r.run(3)
	// 122-40 dB lies below 83 dBµV: nobody is loud enough for anybody to yield.
	if over := r.CallRepeaters(r.slot+1, 0); over != r.slot+1+4 {
		t.Errorf("call over in slot %d, want %d", over, r.slot+5)
	}
	r.run(10)
	if n := len(r.repeaters()); n != 40 {
		t.Errorf("%d servers repeat, want 40", n)
	}
	call.Threshold = 80
	r.send(plc.AllPhysical, 0, 0, call.Append(nil))
	r.run(3)
	r.CallRepeaters(r.slot+1, 0)
	r.run(10)
	if n := len(r.repeaters()); n != 0 { // all hear the station
		t.Errorf("%d servers repeat, want none", n)
	}
}

func TestNoise(t *testing.T) {
	for _, name := range []string{"quiet", "standard", "hostile"} {
		n, err := NoiseByName(name)
		if err != nil {
			t.Fatal(err)
		}
		var sum [24]float64
		for station := range 50 {
			for minute := range 24 * 60 {
				at := start.Add(time.Duration(minute) * time.Minute)
				l := n.at(3, station, 1+station/10, at)
				if l < n.Floor {
					t.Fatalf("%s: %g dBµV lies below the floor", name, l)
				}
				sum[at.Hour()] += l / 3000
			}
		}
		if name != "quiet" && sum[20] < sum[4]+4 {
			t.Errorf("%s: evening %g, night %g dBµV", name, sum[20], sum[4])
		}
	}
	if _, err := NoiseByName("loud"); err == nil {
		t.Error("no error for a name that is none")
	}
}

func TestLayoutReachesEverybodyWithinSevenHops(t *testing.T) {
	for chance := range uint64(5) {
		places := append([]Place{{}}, Layout(chance, 300)...)
		l := newLinks(seed(chance), places, nil)
		hops := make([]int, len(places))
		frontier := []int{0}
		for hop := 1; len(frontier) > 0; hop++ {
			var next []int
			for _, t := range frontier {
				for r := 1; r < len(places); r++ {
					if hops[r] == 0 && l.at(r, t) > Standard().Floor+12 {
						hops[r] = hop
						next = append(next, r)
					}
				}
			}
			frontier = next
		}
		var count [9]int
		for _, h := range hops[1:] {
			if h > 8 {
				t.Fatalf("seed %d: a meter %d hops away", chance, h)
			}
			count[h]++
		}
		if count[0] > 3 {
			t.Errorf("seed %d: %d of 300 meters are out of reach", chance, count[0])
		}
		if count[1] < 60 || count[2]+count[3] < 10 {
			t.Errorf("seed %d: hops of 300 meters %v: too near or too far to be a street", chance, count)
		}
		t.Logf("seed %d: meters by number of transmissions they need: %v", chance, count[1:])
	}
}

func TestDrawsAreEvenAndIndependent(t *testing.T) {
	var s seed = 42
	var bins [10]int
	for slot := range int64(200) {
		for station := range 50 {
			bins[s.below(10, drawReception, slot, station)]++
		}
	}
	for i, n := range bins {
		if n < 850 || n > 1150 {
			t.Errorf("bin %d has %d of 10000 draws", i, n)
		}
	}
	if s.unit(drawReport, 5, 5) != s.unit(drawReport, 5, 5) || s.unit(drawReport, 5, 5) == s.unit(drawReportSlot, 5, 5) {
		t.Error("a draw depends on its purpose, slot and station, and on nothing else")
	}
}
