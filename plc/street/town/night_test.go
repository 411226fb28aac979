package town_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"busbar/board"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/initiator"
	"busbar/plc/modem"
	"busbar/plc/modem/amis49587"
	"busbar/plc/street"
	"busbar/plc/street/town"
)

// ring holds the keys of a town and counts for its station.
type ring struct {
	mu   sync.Mutex
	keys map[plc.SystemTitle]dlms.Keys
	next map[plc.SystemTitle]uint32
}

func newRing(t *town.Town) *ring {
	r := &ring{keys: map[plc.SystemTitle]dlms.Keys{}, next: map[plc.SystemTitle]uint32{}}
	for _, m := range t.Meters() {
		if k := m.Keys(); k.Mechanism != dlms.None {
			r.keys[m.Title()] = k
		}
	}
	return r
}

func (r *ring) Keys(t plc.SystemTitle) (dlms.Keys, bool, error) {
	k, ok := r.keys[t]
	return k, ok, nil
}

func (r *ring) Reserve(t plc.SystemTitle, n uint32) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.next[t] + 1
	r.next[t] += n
	return first, nil
}

// station is the crudest station: it finds, registers and reads in turn.
type station struct {
	link     *initiator.Link
	peers    []plc.Peer
	expected int
	read     map[key]int64
	failed   int
}

// key identifies a captured value.
type key struct {
	meter  plc.SystemTitle
	object cosem.OBIS
	second int64
}

// find discovers and registers until all are found or rounds are over.
func (s *station) find(ctx context.Context, rounds int) error {
	for round := 0; round < rounds && len(s.peers) < s.expected; round++ {
		credit := plc.Credit([]int{0, 1, 3}[min(2, round/6)])
		unknown := s.expected - len(s.peers)
		reports, _, err := s.link.Discover(ctx, plc.DiscoverRequest{
			Probability: 100, Slots: uint16(max(4, unknown)), ReportCredit: credit, Credit: credit,
		})
		if err != nil {
			return err
		}
		var fresh []plc.Registration
		for _, r := range reports {
			if s.known(r.Title) {
				continue
			}
			s.peers = append(s.peers, plc.Peer{Title: r.Title, Address: plc.Address(len(s.peers) + 1), Credit: credit})
			fresh = append(fresh, plc.Registration{Title: r.Title, Address: plc.Address(len(s.peers))})
		}
		for len(fresh) > 0 {
			n := min(len(fresh), 20)
			if _, err := s.link.Register(ctx, fresh[:n], 3); err != nil {
				return err
			}
			fresh = fresh[n:]
		}
	}
	_, err := s.link.RepeaterCall(ctx, plc.Address(len(s.peers)))
	return err
}

func (s *station) known(t plc.SystemTitle) bool {
	for _, p := range s.peers {
		if p.Title == t {
			return true
		}
	}
	return false
}

var (
	profile = cosem.MustOBIS("1.0.99.1.0.255")
	columns = cosem.Ref{Class: cosem.ClassProfileGeneric, Object: profile, Attribute: 3}
	energy  = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
)

// get asks until there is an answer, louder each time.
func (s *station) get(ctx context.Context, p *plc.Peer, refs ...cosem.Ref) ([]cosem.Result, error) {
	for range 6 {
		results, x, err := s.link.Get(ctx, *p, refs...)
		if err != nil || x.Outcome == plc.Answered {
			return results, err
		}
		if x.Outcome == plc.Refused {
			return nil, fmt.Errorf("%v refused: %s", p.Title, x.Detail)
		}
		p.Credit = min(p.Credit+1, plc.MaxCredit)
	}
	s.failed++
	return nil, nil
}

// readProfile reads the last n entries of a meter.
func (s *station) readProfile(ctx context.Context, p *plc.Peer, n int) error {
	ref := cosem.Ref{Class: cosem.ClassProfileGeneric, Object: profile, Attribute: 2}
	count, err := s.get(ctx, p, cosem.Ref{Class: cosem.ClassProfileGeneric, Object: profile, Attribute: 7})
	if err != nil || count == nil {
		return err
	}
	used, _, err := cosem.ParseValue(count[0].Data)
	if err != nil {
		return err
	}
	entries, _ := used.Integer()
	first := max(1, entries-int64(n)+1)
	ref.Select = cosem.ByEntry(uint32(first), uint32(entries), 1, 0)
	results, err := s.get(ctx, p, columns, ref)
	if err != nil || results == nil {
		return err
	}
	return s.keep(p.Title, results[0].Data, results[1].Data)
}

// keep takes in the rows of a profile.
func (s *station) keep(title plc.SystemTitle, columns, buffer []byte) error {
	layout, _, err := cosem.ParseCaptureObjects(columns)
	if err != nil {
		return err
	}
	_, err = cosem.ScanProfile(buffer, len(layout), 0, 15*time.Minute, func(r cosem.Row) error {
		at, err := r.Time.Time(cosem.DeviationToUTC)
		if err != nil {
			return err
		}
		for i, c := range layout {
			if v, ok := r.Cells[i].Integer(); ok && c.Class == cosem.ClassRegister {
				s.read[key{title, c.Object, at.Unix()}] = v
			}
		}
		return nil
	})
	return err
}

// begin runs a station on a line until the test ends.
func begin(t *testing.T, ctx context.Context, line initiator.Line, w *town.Town) *station {
	t.Helper()
	r := newRing(w)
	cfg := initiator.Config{
		Profile: w.Profile(), Title: plc.MustSystemTitle([]byte("BBRSTAT1")), Keys: r, Counters: r, AllowUnprotected: true,
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	i := initiator.New(line, cfg)
	go func() { _ = i.Run(ctx) }()
	return &station{link: i.Link(), expected: len(w.Titles()), read: map[key]int64{}}
}

// compare checks that everything that was read is what the meters held.
func (s *station) compare(t *testing.T, ctx context.Context, w *town.Town, from, to time.Time) {
	t.Helper()
	held := map[key]int64{}
	for h, err := range w.Held(ctx, from, to) {
		if err != nil {
			t.Fatal(err)
		}
		if !h.Told {
			held[key{h.Meter, h.Object.Object, h.Time.Unix()}] = h.Value.Value
		}
	}
	different := 0
	for k, v := range s.read {
		if truth, ok := held[k]; !ok || truth != v {
			different++
		}
	}
	if different > 0 || len(s.read) == 0 {
		t.Errorf("%d of %d values read are not what the meters held (%d values)", different, len(s.read), len(held))
	}
}

// night runs a town under a line in virtual time. Each round reads the last entries of every
// profile and a register, every hour.
func night(t *testing.T, cfg town.Config, hours, entries int) (digest uint64, sum town.Summary, s *station) {
	cryptotest.SetGlobalRandom(t, cfg.Seed) // the station's challenges are random octets, too
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)))
		cfg.Start = time.Now()
		w, err := town.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		line, err := w.Line()
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- line.Run(ctx) }()
		s = begin(t, ctx, line, w)
		if err := s.find(ctx, 40); err != nil {
			t.Fatal(err)
		}
		for end := cfg.Start.Add(time.Duration(hours) * time.Hour); time.Now().Before(end); {
			next := time.Now().Add(time.Hour)
			for i := range s.peers {
				if err := s.readProfile(ctx, &s.peers[i], entries); err != nil {
					t.Fatal(err)
				}
				if _, err := s.get(ctx, &s.peers[i], energy); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Until(next))
		}
		s.compare(t, ctx, w, cfg.Start.Add(-48*time.Hour), time.Now().Add(time.Minute))
		if err := w.Do(ctx, func(m *street.Mains) { digest = m.Digest() }); err != nil {
			t.Fatal(err)
		}
		if sum, err = w.Summary(ctx); err != nil {
			t.Fatal(err)
		}
		stop()
		<-ended
		synctest.Wait()
	})
	return digest, sum, s
}

func config(meters int) town.Config {
	return town.Config{Meters: meters, Seed: 3, Profile: plc.DefaultProfile(), Noise: street.Standard(), Security: town.Mixed}
}

func TestNight(t *testing.T) {
	cfg := config(30)
	before := runtime.GOMAXPROCS(1)
	one, sum, s := night(t, cfg, 2, 8)
	runtime.GOMAXPROCS(4)
	two, _, _ := night(t, cfg, 2, 8)
	runtime.GOMAXPROCS(before)
	if one != two {
		t.Errorf("one seed, two nights: %x and %x", one, two)
	}
	if sum.Registered != 30 || len(s.peers) != 30 || sum.Repeaters == 0 || sum.Repeaters == 30 {
		t.Errorf("found %d: %v", len(s.peers), sum)
	}
	if s.failed > 10 {
		t.Errorf("%d reads failed after all attempts", s.failed)
	}
	t.Logf("%v; %d values read, %d reads failed", sum, len(s.read), s.failed)
}

// TestDriverInVirtualTime puts the driver and the chip's octets between station and street.
func TestDriverInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := town.New(config(12))
		if err != nil {
			t.Fatal(err)
		}
		port, err := w.Port()
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = w.ServePort(ctx, port) })
		begun := time.Now()
		drive(t, ctx, w, &running, func() (modem.Port, error) {
			port.Reopen()
			return port, nil
		})
		t.Logf("read in %v of virtual time", time.Since(begun))
		stop()
		running.Wait()
	})
}

// TestDriverOnTerminal is the same in real time, with slots of 1 ms.
func TestDriverOnTerminal(t *testing.T) {
	cfg := config(12)
	cfg.Profile.Speed = 150
	w, err := town.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := w.OpenTerminal()
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.Serve(ctx, terminal) })
	drive(t, ctx, w, &running, func() (modem.Port, error) { return board.OpenModem(terminal.Path(), 115200) })
	sum, err := w.Summary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := sum.Chip; n.Polls == 0 || n.Unpolled > n.Frames/10 {
		t.Errorf("T_REQ is not seen: %+v", n)
	}
	t.Logf("%v %+v", sum, sum.Chip)
	stop()
	running.Wait()
}

// drive reads every meter of a town once over the driver.
func drive(t *testing.T, ctx context.Context, w *town.Town, running *sync.WaitGroup, open func() (modem.Port, error)) {
	t.Helper()
	d, err := amis49587.New(amis49587.Config{Open: open, Baud: 115200, Profile: w.Profile()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	running.Go(func() { _ = d.Run(ctx) })
	s := begin(t, ctx, d, w)
	if err := s.find(ctx, 40); err != nil {
		t.Fatal(err)
	}
	for i := range s.peers {
		if err := s.readProfile(ctx, &s.peers[i], 8); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	s.compare(t, ctx, w, now.Add(-48*time.Hour), now.Add(time.Minute)) // clocks of meters may be fast
	if len(s.peers) != s.expected || s.failed > 2 {
		t.Errorf("found %d of %d meters, %d reads failed", len(s.peers), s.expected, s.failed)
	}
}

// BenchmarkNight is a night of 1,000 ciphered meters in virtual time.
func BenchmarkTownNight(b *testing.B) {
	const hours = 8
	var sum town.Summary
	var s *station
	for b.Loop() {
		cfg := config(1000)
		cfg.Security = town.Ciphered
		testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
			Name: "night", F: func(t *testing.T) { _, sum, s = night(t, cfg, hours, 32) },
		}})
	}
	if len(s.read) == 0 {
		b.Fatal("nothing was read")
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(hours*3600/seconds, "x-real-time")
	b.ReportMetric(float64(len(s.read))/seconds, "values/s")
	fmt.Fprintf(os.Stderr, "%v; %d meters found, %d values, %d reads failed\n", sum, len(s.peers), len(s.read), s.failed)
}

func ExampleTown() {
	w, err := town.New(town.Config{Meters: 2, Profile: plc.DefaultProfile(), Noise: street.Quiet()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, title := range w.Titles() {
		fmt.Println(title)
	}
	// Output:
	// 4242520000002711
	// 4242520000002712
}
