package street

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
	"busbar/plc/mac"
	"busbar/plc/street/meter"
)

// host is the crudest user host of a Line: request, wait, next.
type host struct {
	*Line
	answers, silent int
}

func msdu(dsap, ssap byte, apdu ...byte) []byte {
	return llc.LPDU{DSAP: dsap, SSAP: ssap, APDU: apdu}.Append(nil)
}

// ask sends to a and waits for its answer until half a slot after it is due.
func (h *host) ask(ctx context.Context, a plc.Address, credit plc.Credit, frame []byte) (mac.DataIndication, bool) {
	n, p := mac.Subframes(len(frame)), h.mains.Profile()
	if err := h.Send(ctx, mac.DataRequest{Source: p.Initiator, Destination: a, Credit: credit, MSDU: frame}); err != nil {
		return mac.DataIndication{}, false
	}
	wait := n*int(credit) + p.GapSlots + n*(1+int(credit))
	late := time.After(p.Slots(wait) + p.Slot()/2)
	for {
		select {
		case in := <-h.Indications():
			if in.Source == a {
				time.Sleep(p.Slots(int(in.Credits.Current) * mac.Subframes(len(in.MSDU))))
				h.answers++
				return in, true
			}
		case <-late:
			h.silent++
			return mac.DataIndication{}, false
		}
	}
}

// attach runs f with a line on m in a bubble that has reached the mains' start.
func attach(t *testing.T, cfg func(start time.Time) Config, f func(ctx context.Context, h *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		m, err := New(cfg(time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		h := &host{Line: NewLine(m)}
		ended := make(chan error)
		go func() { ended <- h.Run(ctx) }()
		f(ctx, h)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if err := h.Send(context.Background(), mac.DataRequest{MSDU: []byte{1}}); !errors.Is(err, plc.ErrLineDown) {
			t.Errorf("sending on a line that has stopped: %v", err)
		}
	})
}

func TestLine(t *testing.T) {
	cfg := func(start time.Time) Config {
		return Config{
			Profile: plc.DefaultProfile(), Start: start, Noise: silence(), Loss: allHear,
			Servers: []Server{{Title: title(1), App: &echo{}, Address: 1}},
			Faults:  []Fault{{Kind: StationDown, From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}},
		}
	}
	attach(t, cfg, func(ctx context.Context, h *host) {
		wake := msdu(0, 1, ciase.Discover{}.Append(nil)...)
		begin := time.Now()
		if err := h.Send(ctx, mac.DataRequest{Source: 0xC00, Destination: plc.AllPhysical, Credit: 1, MSDU: wake}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 300*time.Millisecond {
			t.Errorf("Send returned after %v, want the rest of this slot and one of its own", took)
		}
		// The second Send waits for the repetition of the first.
		if err := h.Send(ctx, mac.DataRequest{Source: 0xC00, Destination: plc.AllPhysical, MSDU: wake}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 600*time.Millisecond {
			t.Errorf("the second Send returned after %v, want 600ms", took)
		}
		in, ok := h.ask(ctx, 1, 0, msdu(1, 16, 0xC0, 7))
		if !ok || !in.At.Equal(time.Now()) || time.Since(begin) != 1200*time.Millisecond {
			t.Errorf("answer %v %v after %v", in, ok, time.Since(begin))
		}
		if s, err := h.Signal(ctx); err != nil || !s.Measured() || s.SNR() < 15 {
			t.Errorf("signal %+v, %v", s, err)
		}
		call := msdu(0, 1, ciase.RepeaterCall{MaxAddress: 50}.Append(nil)...)
		if err := h.Send(ctx, mac.DataRequest{Source: 0xC00, Destination: plc.AllPhysical, MSDU: call}); err != nil {
			t.Fatal(err)
		}
		begin = time.Now()
		if err := h.RepeaterCall(ctx, 50); err != nil || time.Since(begin) != 600*time.Millisecond {
			t.Errorf("repeater call took %v: %v; want the rest of this slot and three", time.Since(begin), err)
		}
		time.Sleep(time.Hour)
		err := h.Send(ctx, mac.DataRequest{Source: 0xC00, Destination: 1, MSDU: call})
		if !errors.Is(err, plc.ErrLineDown) || !errors.Is(h.RepeaterCall(ctx, 1), plc.ErrLineDown) {
			t.Errorf("sending without mains: %v", err)
		}
		if err := h.Send(ctx, mac.DataRequest{}); err == nil {
			t.Error("an empty frame was sent")
		}
		dead, cancel := context.WithCancel(ctx)
		cancel()
		if err := h.Send(dead, mac.DataRequest{MSDU: call}); !errors.Is(err, context.Canceled) {
			t.Errorf("sending with a context that has ended: %v", err)
		}
	})
}

func TestNobodyReads(t *testing.T) {
	cfg := func(start time.Time) Config {
		return Config{
			Profile: plc.DefaultProfile(), Start: start, Noise: silence(), Loss: allHear,
			Servers: []Server{{Title: title(1), App: &echo{}}},
			Faults:  []Fault{{Kind: Babble}},
		}
	}
	attach(t, cfg, func(_ context.Context, h *host) {
		time.Sleep(time.Hour)
		if len(h.Indications()) != lineQueue || h.Dropped() == 0 {
			t.Errorf("%d indications wait and %d were dropped", len(h.Indications()), h.Dropped())
		}
		if first := <-h.Indications(); time.Since(first.At) > 50*time.Minute {
			t.Error("the newest were dropped, not the oldest")
		}
	})
}

// night reads every meter of a standard street in turn for some hours and returns the digest.
func night(t *testing.T, chance uint64, meters int, hours time.Duration) (digest uint64, h *host, stats Stats) {
	attach(t, func(start time.Time) Config {
		c := Config{Profile: plc.DefaultProfile(), Seed: chance, Start: start, Noise: Standard()}
		for i, p := range Layout(chance, meters) {
			c.Servers = append(c.Servers, Server{
				Title: title(i + 1), Address: plc.Address(i + 1), Place: p,
				App: &echo{answer: make([]byte, 60)}, State: &meter.LineState{},
			})
		}
		return c
	}, func(ctx context.Context, line *host) {
		h = line
		call := msdu(0, 1, ciase.RepeaterCall{MaxAddress: plc.Address(meters)}.Append(nil)...)
		for range 4 {
			if err := h.Send(ctx, mac.DataRequest{Source: 0xC00, Destination: plc.AllPhysical, Credit: 7, MSDU: call}); err != nil {
				t.Error(err)
				return
			}
		}
		time.Sleep(h.mains.Profile().Slots(7))
		if err := h.RepeaterCall(ctx, plc.Address(meters)); err != nil {
			t.Error(err)
			return
		}
		for end := time.Now().Add(hours); time.Now().Before(end); {
			for a := range plc.Address(meters) {
				h.ask(ctx, a+1, 1, msdu(1, 16, make([]byte, 40)...))
			}
		}
		if err := h.Do(ctx, func(m *Mains) { digest, stats = m.Digest(), m.Stats() }); err != nil {
			t.Error(err)
		}
	})
	return digest, h, stats
}

func TestOneSeedOneNight(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, h, _ := night(t, 7, 100, 3*time.Hour)
	runtime.GOMAXPROCS(4)
	if again, _, _ := night(t, 7, 100, 3*time.Hour); again != one {
		t.Errorf("digests %x and %x of one seed", one, again)
	}
	if other, _, _ := night(t, 8, 100, 3*time.Hour); other == one {
		t.Error("two seeds make the same night")
	}
	if h.silent == 0 || h.answers < 3*h.silent {
		t.Errorf("%d answers and %d silences: the noise of a standard street loses some, credit 1 does not reach all", h.answers, h.silent)
	}
	t.Logf("%d answers, %d silent", h.answers, h.silent)
}

// BenchmarkMainsNight is the mains alone under a line in virtual time: frames a second and how
// much faster than life a street of 1,000 meters runs.
func BenchmarkMainsNight(b *testing.B) {
	const hours = time.Hour
	var stats Stats
	for b.Loop() {
		ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
			Name: "night", F: func(t *testing.T) { _, _, stats = night(t, 1, 1000, hours) },
		}})
		if !ok {
			b.Fatal("the night failed")
		}
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(stats.Frames+stats.Repeats)/seconds, "frames/s")
	b.ReportMetric(hours.Seconds()/seconds, "x-real-time")
}

// BenchmarkMains is the mains alone: one request with credit 2 and its answer.
func BenchmarkMains(b *testing.B) {
	c := Config{Profile: plc.DefaultProfile(), Seed: 1, Start: start, Noise: Standard()}
	for i, p := range Layout(1, 1000) {
		c.Servers = append(c.Servers, Server{Title: title(i + 1), Address: plc.Address(i + 1), Place: p, App: &echo{}})
	}
	m, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	frame := msdu(1, 16, make([]byte, 40)...)
	slot := int64(0)
	for i := 0; b.Loop(); i++ {
		slot = m.Transmit(slot+1, mac.DataRequest{Source: 0xC00, Destination: plc.Address(1 + i%1000), Credit: 2, MSDU: frame}) + 15
		m.Advance(slot)
		m.Take()
	}
	b.ReportMetric(float64(m.Stats().Frames+m.Stats().Repeats)/b.Elapsed().Seconds(), "frames/s")
}
