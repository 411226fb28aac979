package center_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"busbar/storage/archive"
)

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestReadingsArriveOnceThroughCuts(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	// A TLS greeting takes about 2,500 octets from the station: cuts fall into it,
	// into hello and into batches. Every eighth connection is whole, so that it ends.
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWire(t, func() string { return h.address }, func(n int) int64 {
		if n%8 == 7 {
			return 20000
		}
		return rng.Int64N(6000)
	})
	s := newStation(t, "TS-1", dialer(t, dir, "TS-1", w.address()))
	for m := range 20 {
		if _, err := s.store.RecordVisit(t.Context(), visit(m, day)); err != nil {
			t.Fatal(err)
		}
		if m%5 == 0 {
			w.cut()
		}
	}
	eventually(t, "delivery", s, func() bool { return delivered(t, s, h.archive) })
	same(t, s, h.archive)
	stations, err := h.archive.Stations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(stations) != 1 || stations[0].Missing != 0 || stations[0].Conflicts != 0 || stations[0].Refused != 0 {
		t.Errorf("stations %+v", stations)
	}
	if stations[0].Duplicates != 0 {
		t.Errorf("%d readings came in two batches", stations[0].Duplicates)
	}
	t.Logf("%d connections, %d batches, %d came again", w.count, stations[0].Batches, stations[0].Repeats)
}

func TestCenterRestarts(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	address := h.address
	s := newStation(t, "TS-1", dialer(t, dir, "TS-1", address))
	for m := range 6 {
		if _, err := s.store.RecordVisit(t.Context(), visit(m, day)); err != nil {
			t.Fatal(err)
		}
		if m%2 == 1 {
			h.stop()
			h = newHall(t, dir, address)
		}
	}
	eventually(t, "delivery", s, func() bool { return delivered(t, s, h.archive) })
	same(t, s, h.archive)
}

var _ = archive.Query{}
