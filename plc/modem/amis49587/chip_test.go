package amis49587_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/board"
	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
	"busbar/plc/mac"
	"busbar/plc/modem"
	"busbar/plc/modem/amis49587"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	"busbar/storage"
)

// register is a meter that answers everything with one value.
type register struct{}

var answer = []byte{0xC4, 1, 0xC1, 0, 6, 0, 1, 0x23, 0x45}

func (register) Handle(time.Time, byte, byte, []byte) []byte { return answer }
func (register) Reset()                                      {}

func title(n byte) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, 0, n})
}

// newChip is a chip before three servers that all hear each other; the last has no address yet.
func newChip(t testing.TB, cfg chip.Config, p plc.Profile) *chip.Chip {
	t.Helper()
	m, err := street.New(street.Config{
		Profile: p, Seed: 1, Start: time.Now(), Noise: street.Noise{Floor: 56},
		Loss: func(int, int) float64 { return 40 },
		Servers: []street.Server{
			{Title: title(1), App: register{}, Address: 1},
			{Title: title(2), App: register{}, Address: 2},
			{Title: title(3), App: register{}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return chip.New(cfg, m)
}

// get is a GET request to a server.
func get(a plc.Address) mac.DataRequest {
	apdu := []byte{0xC0, 1, 0xC1, 0, 3, 1, 0, 1, 8, 0, 0xFF, 2, 0}
	return mac.DataRequest{Source: 0xC00, Destination: a, MSDU: llc.LPDU{DSAP: 1, SSAP: 0x10, APDU: apdu}.Append(nil)}
}

func broadcast(p plc.Profile, a ciase.APDU) mac.DataRequest {
	return mac.DataRequest{
		Source: p.Initiator, Destination: plc.AllPhysical,
		MSDU: llc.LPDU{DSAP: p.CIASEServerSAP, SSAP: p.CIASEClientSAP, APDU: a.Append(nil)}.Append(nil),
	}
}

// read sends a GET and waits for its answer.
func read(ctx context.Context, d *amis49587.Driver, a plc.Address) error {
	if err := d.Send(ctx, get(a)); err != nil {
		return err
	}
	select {
	case i := <-d.Indications():
		l, _, err := llc.Parse(i.MSDU)
		if err != nil || i.Source != a || i.Destination != 0xC00 || !bytes.Equal(l.APDU, answer) {
			return fmt.Errorf("%+v, %v", i, err)
		}
		return nil
	case <-time.After(time.Minute):
		return errors.New("no answer in a minute")
	}
}

// start waits until the modem is ready and lets the servers synchronize on a first frame, which
// none of them hears the content of.
func start(ctx context.Context, t *testing.T, d *amis49587.Driver) {
	t.Helper()
	await(t, d, ready)
	if err := d.Send(ctx, broadcast(plc.DefaultProfile(), ciase.Discover{})); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
}

// inMemory runs driver and chip in a bubble.
func inMemory(t *testing.T, cfg chip.Config, profile func(*plc.Profile), then func(context.Context, *testing.T, *amis49587.Driver, *chip.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := plc.DefaultProfile()
		c := newChip(t, cfg, p) // the street has no order of octets
		if profile != nil {
			profile(&p)
		}
		server := chip.NewServer(c)
		port := chip.NewPort(server)
		d, err := amis49587.New(amis49587.Config{
			Open: func() (modem.Port, error) { port.Reopen(); return port, nil },
			Name: "the chip", Baud: 38400, Profile: p,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = server.ServePort(ctx, port) }) // ends with ctx
		running.Go(func() { _ = d.Run(ctx) })                  // as well
		defer running.Wait()
		defer cancel()
		then(ctx, t, d, server)
	})
}

func await(t *testing.T, d *amis49587.Driver, ok func(amis49587.State) bool) {
	t.Helper()
	for range 60000 {
		if ok(d.State()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never came: %+v", d.State())
}

func ready(s amis49587.State) bool { return s.Ready() }

// TestChipAsItIs reads a meter through every variant of the chip that the sources allow.
func TestChipAsItIs(t *testing.T) {
	little := func(p *plc.Profile) { p.AddressOrder = plc.LittleEndian }
	for _, c := range []struct {
		name    string
		cfg     chip.Config
		profile func(*plc.Profile)
		size    int
	}{
		{"data sheet", chip.Config{}, nil, 36},
		{"35 octets", chip.Config{ShortConfig: true, StrictConfig: true}, nil, 35},
		{"36 octets, strict", chip.Config{StrictConfig: true}, nil, 36},
		{"padding", chip.Config{Padding: true}, nil, 36},
		{"strict poll", chip.Config{StrictPoll: true}, nil, 36},
		{"other status mark", chip.Config{AltStatus: true}, nil, 36},
		{"little-endian", chip.Config{AddressOrder: plc.LittleEndian}, little, 36},
		{"everything", chip.Config{AddressOrder: plc.LittleEndian, ShortConfig: true, StrictConfig: true, Padding: true, StrictPoll: true, AltStatus: true}, little, 35},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Firmware = 0x21
			inMemory(t, c.cfg, c.profile, func(ctx context.Context, t *testing.T, d *amis49587.Driver, s *chip.Server) {
				start(ctx, t, d)
				for i := range 10 {
					if err := read(ctx, d, plc.Address(1+i%2)); err != nil {
						t.Fatal(err)
					}
				}
				st := d.State()
				if st.Configuration != c.size || st.Firmware != 0x21 || !st.Polled || st.Counters.WrongOrder != 0 {
					t.Errorf("%+v", st)
				}
				n := st.Counters
				if n.NoStatus+n.LateStatus+n.NoACK+n.Refused+n.Unpolled+n.Garbage+n.BadChecksum+n.Broken+n.NoConfirm+n.Dropped+n.Undecodable+n.Lost != 0 {
					t.Errorf("a sound chip, and yet %+v", n)
				}
				chipCounters := counters(ctx, t, s)
				if chipCounters.NoACK+chipCounters.Repeated+chipCounters.BadFrames+chipCounters.Garbage+chipCounters.Unpolled+chipCounters.Ignored+chipCounters.Overflow != 0 {
					t.Errorf("the chip complains: %+v", chipCounters)
				}
				if signal, err := d.Signal(ctx); err != nil || !signal.Measured() {
					t.Errorf("%+v, %v", signal, err)
				}
				if k, err := d.Counters(ctx, false); err != nil || k.Transmitted == 0 || k.CRCOK < 10 {
					t.Errorf("%+v, %v", k, err)
				}
			})
		})
	}
}

func counters(ctx context.Context, t *testing.T, s *chip.Server) (n chip.Counters) {
	t.Helper()
	if err := s.Do(ctx, func(_ time.Time, c *chip.Chip, _ *street.Mains) { n = c.Counters() }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestChipDiscovers: Discover, the report of the one server that has no address, and a
// repeater call.
func TestChipDiscovers(t *testing.T) {
	inMemory(t, chip.Config{}, nil, func(ctx context.Context, t *testing.T, d *amis49587.Driver, _ *chip.Server) {
		start(ctx, t, d)
		p := plc.DefaultProfile()
		if err := d.Send(ctx, broadcast(p, ciase.Discover{Probability: 100, Slots: 4})); err != nil {
			t.Fatal(err)
		}
		i := <-d.Indications()
		l, _, err := llc.Parse(i.MSDU)
		if err != nil {
			t.Fatal(err)
		}
		apdu, _, err := ciase.Parse(l.APDU, 8)
		report, ok := apdu.(ciase.DiscoverReport)
		if err != nil || !ok || len(report.Titles) != 1 || report.Titles[0] != title(3) || i.Source != plc.New {
			t.Errorf("%+v from %v, %v", apdu, i.Source, err)
		}
		time.Sleep(4 * time.Second)
		if err := d.Send(ctx, broadcast(p, ciase.RepeaterCall{MaxAddress: 99})); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := d.RepeaterCall(ctx, 99); err != nil {
			t.Fatal(err)
		}
		if slots := int(time.Since(began) / p.Slot()); slots < 5 || slots > 8 {
			t.Errorf("a repeater call to address 99 took %d slots, want 5 and some waiting", slots)
		}
		if err := read(ctx, d, 1); err != nil {
			t.Error(err)
		}
	})
}

// TestChipFaults switches the chip's faults on, one after the other: the meter is read all
// the same, or the line is said to be down and comes back.
func TestChipFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(time.Time, *chip.Chip)
		down  bool
	}{
		{"NAK once", func(_ time.Time, c *chip.Chip) { c.Faults.NAK = 1 }, false},
		{"NAK twice", func(_ time.Time, c *chip.Chip) { c.Faults.NAK = 2 }, false},
		{"ACK lost", func(_ time.Time, c *chip.Chip) { c.Faults.LoseACK = 1 }, false},
		{"status late", func(_ time.Time, c *chip.Chip) { c.Faults.LateStatus = 1 }, false},
		{"status late twice", func(_ time.Time, c *chip.Chip) { c.Faults.LateStatus = 2 }, false},
		{"checksum of the confirm", func(_ time.Time, c *chip.Chip) { c.Faults.BadChecksum = 1 }, false},
		{"checksum of confirm and answer", func(_ time.Time, c *chip.Chip) { c.Faults.BadChecksum = 2 }, false},
		{"power cycle", func(now time.Time, c *chip.Chip) { c.PowerCycle(now) }, false},
		{"length too small", func(_ time.Time, c *chip.Chip) { c.Faults.ShortLength = 1 }, false},
		{"no mains", func(_ time.Time, c *chip.Chip) { c.Faults.NotSync = true }, true},
		{"dead", func(_ time.Time, c *chip.Chip) { c.Faults.Silent = true }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inMemory(t, chip.Config{StrictPoll: true}, nil, func(ctx context.Context, t *testing.T, d *amis49587.Driver, s *chip.Server) {
				start(ctx, t, d)
				time.Sleep(time.Second)
				set := func(f func(time.Time, *chip.Chip)) {
					if err := s.Do(ctx, func(now time.Time, c *chip.Chip, _ *street.Mains) { f(now, c) }); err != nil {
						t.Fatal(err)
					}
				}
				set(c.fault)
				err := read(ctx, d, 1)
				if !c.down && err != nil || c.down && !errors.Is(err, plc.ErrLineDown) {
					t.Errorf("%v; %+v", err, d.State())
				}
				if err != nil {
					t.Log(err)
				}
				set(func(_ time.Time, c *chip.Chip) { c.Faults = chip.Faults{} })
				await(t, d, ready)
				for len(d.Indications()) > 0 {
					<-d.Indications() // the answer to the request whose confirm was lost
				}
				if err := read(ctx, d, 2); err != nil {
					t.Errorf("afterwards: %v; %+v", err, d.State())
				}
			})
		})
	}
}

// TestAcknowledgedWhileNobodyReads: the reader of the indications hangs until the queue has
// overflowed, and the chip misses no acknowledgment within its 40 ms. Time is virtual, so
// that it is the driver's delay that counts and not this machine's.
func TestAcknowledgedWhileNobodyReads(t *testing.T) {
	const exchanges = 100
	inMemory(t, chip.Config{}, nil, func(ctx context.Context, t *testing.T, d *amis49587.Driver, s *chip.Server) {
		start(ctx, t, d)
		for i := range exchanges {
			if err := d.Send(ctx, get(plc.Address(1+i%2))); err != nil {
				t.Fatal(err)
			}
			await(t, d, func(s amis49587.State) bool { return s.Counters.Indications > uint64(i) })
		}
		time.Sleep(time.Second)
		saw := counters(ctx, t, s)
		if saw.Sent < 2*exchanges || saw.NoACK != 0 || saw.Repeated != 0 {
			t.Errorf("the chip: %+v", saw)
		}
		if n := d.State().Counters; n.Dropped == 0 || n.Lost != 0 {
			t.Errorf("the reader was not slow, or the line was lost: %+v", n)
		}
	})
}

// TestAcknowledgedWhileDatabaseIsBusy: the whole path of an answer up to the disk, on a
// pseudo-terminal in real time. The reader of the indications stores each in the
// station's database, whose disk takes for ever: every frame of the modem is acknowledged
// while the first commit is still under way. How long the chip waits for it is the machine's
// affair here and is only told.
func TestAcknowledgedWhileDatabaseIsBusy(t *testing.T) {
	const exchanges = 20
	p := plc.DefaultProfile()
	p.Speed = 20
	server := chip.NewServer(newChip(t, chip.Config{Timers: chip.FastTimers(p.Speed)}, p))
	terminal, err := chip.OpenTerminal()
	if err != nil {
		t.Fatal(err)
	}
	watch := &stopwatch{}
	d, err := amis49587.New(amis49587.Config{
		Open: func() (modem.Port, error) { return board.OpenModem(terminal.Path(), 38400) },
		Name: terminal.Path(), Baud: 38400, Profile: p, Trace: watch.trace,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(ctx, terminal) }) // ends with ctx
	running.Go(func() { _ = d.Run(ctx) })                  // as well
	defer running.Wait()
	defer cancel()

	disk := make(chan struct{}) // closed: the disk is fast again
	reached := make(chan struct{})
	var once sync.Once
	store, err := storage.Open(ctx, storage.Options{Dir: t.TempDir(), BeforeCommit: func() {
		once.Do(func() { close(reached) })
		<-disk
	}})
	if err != nil {
		t.Fatal(err)
	}
	stored := make(chan int, 1)
	go func() { stored <- keep(ctx, store, d, exchanges) }()

	start(ctx, t, d)
	for i := range exchanges {
		if err := d.Send(ctx, get(plc.Address(1+i%2))); err != nil {
			t.Fatal(err)
		}
		// The next request waits for this one's answer to have left the modem.
		await(t, d, func(s amis49587.State) bool { return s.Counters.Indications > uint64(i) })
	}
	<-reached
	chipSaw := counters(ctx, t, server)
	state := d.State()
	select {
	case n := <-stored:
		t.Fatalf("the disk was not slow: %d stored", n)
	default:
	}
	// The disk is still busy with the first reading, and every frame is acknowledged.
	frames, delays := watch.result()
	if state.Counters.Indications != exchanges || frames < 2*exchanges || len(delays) != frames || state.Counters.FramesIn != uint64(frames) {
		t.Errorf("%d frames of the modem, %d acknowledged while the disk was busy: %+v", frames, len(delays), state.Counters)
	}
	close(disk)
	if n := <-stored; n != exchanges {
		t.Errorf("%d readings stored, want %d", n, exchanges)
	}
	slices.Sort(delays)
	t.Logf("%d frames acknowledged while the disk was busy; from the last octet read to ACK written: median %v, largest %v (tACK is 40 ms)",
		frames, delays[len(delays)/2], delays[len(delays)-1])
	t.Logf("the chip: %d frames to the host, %d without an answer within tACK, %d repeated", chipSaw.Sent, chipSaw.NoACK, chipSaw.Repeated)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// keep stores a reading of every indication and returns how many are stored.
func keep(ctx context.Context, store *storage.Store, d *amis49587.Driver, n int) (stored int) {
	for i := range n {
		ind := <-d.Indications()
		meter := title(byte(ind.Source))
		k, err := store.RecordVisit(ctx, concentrator.VisitRecord{
			Meter: concentrator.Meter{Title: meter, State: concentrator.StateRegistered, Address: ind.Source},
			Visit: concentrator.Visit{Meter: meter, Readings: 1, Exchange: plc.Exchange{Outcome: plc.Answered, Begin: ind.At, End: ind.At}},
			Readings: []concentrator.Reading{{
				Meter: meter, Channel: concentrator.Channel{Class: 3, Attribute: 2},
				Time: ind.At.Truncate(time.Second).Add(time.Duration(i) * time.Minute), Value: 74565, Received: ind.At,
			}},
		})
		if err != nil {
			return stored
		}
		stored += k
	}
	return stored
}

// stopwatch measures, at the driver's port, from the last octet of each frame of the modem to
// the ACK of it.
type stopwatch struct {
	mu     sync.Mutex
	in     []byte
	ends   []time.Time
	frames int
	delays []time.Duration
}

func (w *stopwatch) trace(at time.Time, toModem bool, octets []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if toModem {
		if len(octets) == 1 && octets[0] == modem.ACK && len(w.ends) > 0 {
			w.delays = append(w.delays, at.Sub(w.ends[0]))
			w.ends = w.ends[1:]
		}
		return
	}
	w.in = append(w.in, octets...)
	for len(w.in) > 0 {
		size := 1
		switch w.in[0] {
		case modem.STX:
			_, n, err := modem.ParseFrame(w.in)
			if errors.Is(err, modem.ErrIncomplete) {
				return
			}
			size = n
			w.frames++
			w.ends = append(w.ends, at)
		case modem.StatusMark:
			size = modem.StatusSize
			if len(w.in) < size {
				return
			}
		}
		w.in = w.in[size:]
	}
}

func (w *stopwatch) result() (frames int, delays []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frames, slices.Clone(w.delays)
}

// TestPseudoTerminalComesBack: the emulator ends and another one takes its place, at another
// path, as an adapter does that is plugged in again.
func TestPseudoTerminalComesBack(t *testing.T) {
	p := plc.DefaultProfile()
	p.Speed = 20
	var mu sync.Mutex
	path := ""
	serve := func(ctx context.Context) (stop func()) {
		server := chip.NewServer(newChip(t, chip.Config{Timers: chip.FastTimers(p.Speed)}, p))
		terminal, err := chip.OpenTerminal()
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		path = terminal.Path()
		mu.Unlock()
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(ctx, terminal) }) // ends with ctx
		return func() { cancel(); running.Wait() }
	}
	stop := serve(t.Context())
	d, err := amis49587.New(amis49587.Config{
		Open: func() (modem.Port, error) {
			mu.Lock()
			defer mu.Unlock()
			return board.OpenModem(path, 38400)
		},
		Name: "the modem", Baud: 38400, Profile: p,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = d.Run(ctx) }) // ends with ctx
	defer running.Wait()
	defer cancel()
	start(ctx, t, d)
	if err := read(ctx, d, 1); err != nil {
		t.Fatal(err)
	}
	stop()
	await(t, d, func(s amis49587.State) bool { return s.Phase == amis49587.Closed })
	if s := d.State(); !strings.Contains(s.Detail, "the device is gone") && !strings.Contains(s.Detail, "no such port") {
		t.Errorf("%s", s.Detail)
	}
	stop = serve(t.Context())
	defer stop()
	start(ctx, t, d)
	if err := read(ctx, d, 2); err != nil {
		t.Error(err)
	}
	if s := d.State(); s.Counters.Lost == 0 || !s.Polled {
		t.Errorf("%+v", s)
	}
}
