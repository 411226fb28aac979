package initiator

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/street"
)

// Handle is the meter as an application behind a simulated modem.
func (m *fakeMeter) Handle(now time.Time, client, _ byte, apdu []byte) []byte {
	if client != m.sap {
		return nil
	}
	return m.server.Receive(now, apdu)
}

// Reset is a restart of the meter.
func (m *fakeMeter) Reset() { m.server.Reset() }

// nextDoor is a street of which each house hears only its neighbors, and the station
// only the first one.
func nextDoor(from, to int) float64 {
	if d := from - to; d == 1 || d == -1 {
		return 40
	}
	return 200
}

// onStreet runs talk with an initiator on a chain of n houses with the given noise.
func onStreet(t *testing.T, n int, noise street.Noise, registered bool, talk func(t *testing.T, i *Initiator)) {
	synctest.Test(t, func(t *testing.T) {
		r := &ring{keys: map[plc.SystemTitle]dlms.Keys{}, next: map[plc.SystemTitle]uint32{}}
		cfg := street.Config{Profile: plc.DefaultProfile(), Seed: 1, Start: time.Now(), Noise: noise, Loss: nextDoor}
		for k := range n {
			m := &fakeMeter{title: titles[k], rows: 100}
			r.keys[m.title] = testKeys(byte(k))
			m.start(testKeys(byte(k)))
			server := street.Server{Title: m.title, App: m}
			if registered {
				server.Address = plc.Address(k + 1)
			}
			cfg.Servers = append(cfg.Servers, server)
		}
		mains, err := street.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		line := street.NewLine(mains)
		i := New(line, Config{Title: ours, Keys: r, Counters: r, Signal: true, SlotsForNew: 1})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- line.Run(ctx) }()
		go func() { ended <- i.Run(ctx) }()
		talk(t, i)
		cancel()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
}

// TestStreet finds, registers and reads the meters of a chain over the simulated mains,
// without loss: whatever is not answered at once is a fault in our timing.
func TestStreet(t *testing.T) {
	onStreet(t, 4, street.Noise{Floor: 56}, false, func(t *testing.T, i *Initiator) {
		readStreet(t, i, 4)
		if c := i.Counts(); c.Late+c.Stray+c.Foreign+c.Garbled+c.Forged+c.Timeouts+c.Retries > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestNoisyStreet reads over a line that loses one subframe in twenty, with too little
// credit half of the time: silence is normal, an error or a wrong value is not.
func TestNoisyStreet(t *testing.T) {
	onStreet(t, 4, street.Noise{Floor: 56, Impulse: 0.05}, true, func(t *testing.T, i *Initiator) {
		link, outcomes := i.Link(), map[plc.Outcome]int{}
		for range 8 { // a frame to synchronize on, hop by hop
			if _, _, err := link.Discover(t.Context(), plc.DiscoverRequest{Slots: 1, Credit: 7}); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 60 {
			k := round % 4
			p := plc.Peer{Title: titles[k], Address: plc.Address(k + 1), Credit: plc.Credit(k + round%2*3)}
			results, x, err := link.Get(t.Context(), p, profileRef, energyRef)
			if err != nil {
				t.Fatal(err)
			}
			outcomes[x.Outcome]++
			if x.Outcome != plc.Answered {
				continue
			}
			want, _ := (&fakeMeter{rows: 100}).Get(time.Time{}, profileRef)
			if !bytes.Equal(results[0].Data, want) || len(results[1].Data) != 5 {
				t.Errorf("meter %d: % X", k, results)
			}
		}
		c := i.Counts()
		if outcomes[plc.Answered] < 20 || outcomes[plc.Silent] == 0 || outcomes[plc.Refused] > 0 || c.Retries == 0 || c.Foreign+c.Forged > 0 {
			t.Errorf("outcomes %v, counts %+v", outcomes, c)
		}
		t.Logf("outcomes %v, counts %+v", outcomes, c)
	})
}

func readStreet(t *testing.T, i *Initiator, n int) {
	link, ctx := i.Link(), t.Context()
	var found []plc.SystemTitle
	for round := 0; len(found) < n && round < 40; round++ {
		reports, _, err := link.Discover(ctx, plc.DiscoverRequest{Probability: 100, Slots: 16, ReportCredit: 7, Credit: 7})
		if err != nil {
			t.Fatal(err)
		}
		var regs []plc.Registration
		for _, report := range reports {
			if !report.Relayed && !slices.Contains(found, report.Title) {
				found = append(found, report.Title)
				regs = append(regs, plc.Registration{Title: report.Title, Address: plc.Address(len(found))})
			}
		}
		if len(regs) == 0 {
			continue
		}
		if x, err := link.Register(ctx, regs, 7); err != nil || x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
	}
	if len(found) != n {
		t.Fatalf("found %v", found)
	}
	if x, err := link.RepeaterCall(ctx, plc.Address(n)); err != nil || x.Outcome != plc.Answered {
		t.Fatal(x, err)
	}
	for round := range 3 {
		for k, title := range found {
			p := plc.Peer{Title: title, Address: plc.Address(k + 1), Credit: 7}
			x, err := link.Ping(ctx, p)
			if err != nil || x.Outcome != plc.Answered {
				t.Errorf("ping: %+v, %v", x, err)
			}
			results, x, err := link.Get(ctx, p, profileRef)
			if err != nil || x.Outcome != plc.Answered || len(results) != 1 || len(results[0].Data) < 500 || !x.Signal.Measured() {
				t.Errorf("round %d: %+v, %v", round, x, err)
			}
			house := slices.Index(titles[:], title)
			if int(x.Up) != house || int(x.Down) != min(house, 3) {
				t.Errorf("house %d: up %d, down %d", house, x.Up, x.Down)
			}
			if longest := time.Duration(x.Slots+x.Requests+2) * slot; x.End.Sub(x.Begin) > longest {
				t.Errorf("%d slots took %v, more than %v", x.Slots, x.End.Sub(x.Begin), longest)
			}
		}
	}
}
