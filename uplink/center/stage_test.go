package center_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/storage"
	"busbar/storage/archive"
	"busbar/uplink"
	"busbar/uplink/center"
	"busbar/uplink/pki"
	"busbar/uplink/ws"
)

// hall is a running center with real TLS on loopback and a real archive.
type hall struct {
	dir     string
	address string
	archive *archive.Archive
	stop    func()
}

func newHall(t *testing.T, dir, address string) *hall {
	t.Helper()
	a, err := archive.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := center.New(center.Config{
		Archive: a, CA: filepath.Join(dir, pki.AuthorityCert),
		Cert: filepath.Join(dir, pki.CenterCert), Key: filepath.Join(dir, pki.CenterKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := center.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	local, err := center.ListenLocal(t.Context(), filepath.Join(dir, "center.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() {
		if err := s.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		if err := s.ServeLocal(ctx, local); err != nil {
			t.Error(err)
		}
	})
	h := &hall{dir: dir, address: ln.Addr().String(), archive: a}
	h.stop = sync.OnceFunc(func() {
		cancel()
		both.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// newPKI makes a center's directory with the given stations.
func newPKI(t *testing.T, stations ...string) string {
	t.Helper()
	dir := t.TempDir()
	m := pki.Maker{Dir: dir}
	if err := m.Init([]string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range stations {
		if _, err := m.AddStation(id); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func dialer(t *testing.T, dir, station, address string) *ws.Dialer {
	t.Helper()
	own := filepath.Join(dir, pki.StationsDir, station)
	d, err := ws.New(ws.Config{
		URL: "wss://" + address + center.Path, CA: filepath.Join(own, pki.AuthorityCert),
		Cert: filepath.Join(own, pki.StationCert), Key: filepath.Join(own, pki.StationKey),
		HandshakeTimeout: 5 * time.Second, AnswerTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wire is a TCP proxy that cuts the line: each connection after its number of octets
// from the station, then at will.
type wire struct {
	ln     net.Listener
	target string

	mu    sync.Mutex
	conns map[net.Conn]bool
	after func(connection int) int64 // octets from the station that pass; negative: all
	back  func(connection int) int64 // the same to the station
	count int
}

func newWire(t *testing.T, target string, after, back func(int) int64) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{ln: ln, target: target, after: after, back: back, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = ln.Close(); w.cut() })
	go w.accept()
	return w
}

func (w *wire) accept() {
	for {
		from, err := w.ln.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = from.Close()
			continue
		}
		w.mu.Lock()
		w.conns[from], w.conns[to] = true, true
		limit, back := w.after(w.count), w.back(w.count)
		w.count++
		w.mu.Unlock()
		both := func() { _ = from.Close(); _ = to.Close() }
		carry := func(to, from net.Conn, limit int64) {
			defer both()
			if limit < 0 {
				_, _ = io.Copy(to, from)
			} else {
				_, _ = io.CopyN(to, from, limit)
			}
		}
		go carry(to, from, limit)
		go carry(from, to, back)
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}

// whole lets everything pass.
func whole(int) int64 { return -1 }

func (w *wire) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (w *wire) address() string { return w.ln.Addr().String() }

// station is the station's side: a real store and a courier.
type station struct {
	id      string
	store   *storage.Store
	courier *uplink.Courier
	stop    func()
	orders  chan struct{}
}

// newStation makes a station; without a way to the center its courier rests until run.
func newStation(t *testing.T, id string, c uplink.Center) *station {
	t.Helper()
	store, err := storage.Open(t.Context(), storage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &station{id: id, store: store, orders: make(chan struct{}, 100)}
	t.Cleanup(func() {
		if s.stop != nil {
			s.stop()
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if c != nil {
		s.run(t, c)
	}
	return s
}

// run starts the courier.
func (s *station) run(t *testing.T, c uplink.Center) {
	t.Helper()
	s.courier = uplink.New(uplink.Config{
		Station: s.id, Version: "test", BatchSize: 50, BatchAge: 5 * time.Millisecond, Poll: 5 * time.Millisecond,
		BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond,
		NewOrder: func() { s.orders <- struct{}{} },
	}, s.store, s.store, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.courier.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

var profile = cosem.MustOBIS("1.0.99.1.0.255")

func title(n int) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'B', 'U', 'S', 0, 0, 0, byte(n >> 8), byte(n)})
}

// visit is one meter's day of two channels.
func visit(meter int, day time.Time) concentrator.VisitRecord {
	rec := concentrator.VisitRecord{
		Meter: concentrator.Meter{Title: title(meter), State: concentrator.StateRegistered},
		Visit: concentrator.Visit{Meter: title(meter)},
	}
	for c, object := range []string{"1.0.1.8.0.255", "1.0.2.8.0.255"} {
		for i := range 96 {
			rec.Readings = append(rec.Readings, concentrator.Reading{
				Meter:   title(meter),
				Channel: concentrator.Channel{Profile: profile, Class: 3, Object: cosem.MustOBIS(object), Attribute: 2},
				Time:    day.Add(time.Duration(i) * 15 * time.Minute), ClockStatus: 0x80,
				Value: int64(1000*meter + 37*i*(c+1)), Unit: 30, Received: day.Add(25 * time.Hour),
			})
		}
	}
	return rec
}

// eventually waits until ok, with the station's words when that never comes.
func eventually(t *testing.T, what string, s *station, ok func() bool) {
	t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s did not happen; the station says %+v", what, s.courier.State())
}

// delivered reports whether the station has receipts for all it stored.
func delivered(t *testing.T, s *station) bool {
	t.Helper()
	backlog, err := s.store.Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return backlog.Readings == 0 && backlog.Batches == 0
}

func same(t *testing.T, s *station, a *archive.Archive) {
	t.Helper()
	want, count, err := s.store.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []concentrator.Reading
	for r, err := range a.Readings(t.Context(), archive.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if got := storage.DigestReadings(all); got != want || len(all) != count {
		t.Errorf("the center holds %d readings, the station %d, digests %x and %x", len(all), count, got[:4], want[:4])
	}
}
