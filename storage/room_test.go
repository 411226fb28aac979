package storage

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc/cosem"
)

// deliver seals up to limit waiting readings and records the center's receipt.
func deliver(t *testing.T, s *Store, limit int) int {
	t.Helper()
	rec, err := s.Waiting(t.Context(), concentrator.LaneReadings, limit)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Len() == 0 {
		return 0
	}
	b, err := s.Seal(t.Context(), concentrator.LaneReadings, rec.Through, make([]byte, 30*rec.Len()))
	if err != nil {
		t.Fatalf("seal %d readings: %v", rec.Len(), err)
	}
	if err := s.Receipt(t.Context(), concentrator.Receipt{ID: b.ID, Hash: b.Hash}); err != nil {
		t.Fatalf("receipt for batch %d: %v", b.ID.Seq, err)
	}
	return rec.Len()
}

// fillUp records visits until the store is full, and returns the readings stored.
func fillUp(t *testing.T, s *Store, from time.Time) int {
	t.Helper()
	for total := 0; total < 1e6; total += 96 {
		_, err := s.RecordVisit(t.Context(), visit(1, readings(1, import_, from.Add(time.Duration(total)*15*time.Minute), 96)))
		if errors.Is(err, ErrFull) {
			return total
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the store is never full")
	return 0
}

// TestFullStoreDrains: a store at its bound takes nothing from the line, but everything it
// holds can be delivered, which makes room for the line again and again.
func TestFullStoreDrains(t *testing.T) {
	s := open(t, Options{MaxBytes: 1 << 20, Now: func() time.Time { return night }})
	from := night
	for range 3 {
		stored := fillUp(t, s, from)
		if stored == 0 {
			t.Fatal("there is no room although all was delivered")
		}
		from = from.Add(time.Duration(stored) * 15 * time.Minute)
		if err := s.SaveMeters(t.Context(), nil, make([]concentrator.Event, 2000)); !errors.Is(err, ErrFull) {
			t.Errorf("many events: %v, want ErrFull", err)
		}
		if err := s.SaveOrder(t.Context(), concentrator.Order{ID: from.String(), State: concentrator.OrderDone}); err != nil {
			t.Errorf("the end of an order: %v", err)
		}
		delivered := 0
		for n := deliver(t, s, 500); n > 0; n = deliver(t, s, 500) {
			delivered += n
		}
		if delivered != stored {
			t.Fatalf("%d of %d readings delivered", delivered, stored)
		}
	}
	if st, err := s.Stats(t.Context()); err != nil || st.FileBytes > 1<<20 || st.Readings == 0 {
		t.Errorf("stats %+v, %v", st, err)
	}
}

// TestFullDisk: a disk that others have filled stops what comes from the line; what waits
// is delivered yet.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("storage", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	record(t, s, visit(1, readings(1, import_, night, 500)))
	neighbor := filepath.Join(dir, "neighbor")
	glut(t, neighbor)
	stored := 500 + fillUp(t, s, night.AddDate(1, 0, 0))
	delivered := 0
	for n := deliver(t, s, 100); n > 0; n = deliver(t, s, 100) {
		delivered += n
		if _, err := s.RecordVisit(t.Context(), visit(2, readings(2, import_, night, 500))); !errors.Is(err, ErrFull) {
			t.Fatalf("a visit took the room of the deliveries: %v", err)
		}
	}
	if delivered != stored {
		t.Errorf("%d of %d readings delivered", delivered, stored)
	}
	if err := os.Remove(neighbor); err != nil {
		t.Fatal(err)
	}
	record(t, s, visit(2, readings(2, import_, night, 500)))
	if info, err := os.Stat(filepath.Join(dir, reserveName)); err != nil || info.Size() != reserveSize {
		t.Errorf("the reserve was not made again: %v", err)
	}
}

// glut takes all the room that is left on a disk.
func glut(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it failed already
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
}

// TestRetentionAfterANightWithoutClock: readings whose stamp cannot be trusted go with
// their neighbors, however many they are.
func TestRetentionAfterANightWithoutClock(t *testing.T) {
	now := night.AddDate(0, 0, 2)
	s := open(t, Options{Now: func() time.Time { return now }, RetainReadings: 100 * 24 * time.Hour})
	adrift := readings(1, import_, night.AddDate(-1, 0, 0), 2*maintainRows+10)
	for i := range adrift {
		adrift[i].Received, adrift[i].Quality = time.Unix(int64(i), 0).UTC(), concentrator.StationClock
	}
	record(t, s, visit(1, adrift))
	keep := func(want int64) {
		t.Helper()
		for deliver(t, s, 5000) > 0 {
		}
		if _, err := s.Maintain(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s); n != want {
			t.Errorf("%d readings are kept, want %d", n, want)
		}
	}
	keep(int64(len(adrift))) // nothing tells when they were received
	record(t, s, visit(1, readings(1, import_, night, 10)))
	keep(int64(len(adrift)) + 10)
	now = now.AddDate(0, 0, 200)
	young := readings(1, import_, now, 10)
	record(t, s, visit(1, young))
	keep(10)
	last, found, err := s.LastEntry(t.Context(), title(1), cosem.MustOBIS("1.0.99.1.0.255"))
	if want := young[9].Time; err != nil || !found || !last.Equal(want) {
		t.Errorf("last entry %v %v %v, want %v", last, found, err, want)
	}
}

// TestFullStoreNeverWedges: batches sealed ahead of their receipts leave room for the
// receipts, for orders and counters, however often the store was full before.
func TestFullStoreNeverWedges(t *testing.T) {
	s := open(t, Options{MaxBytes: 1 << 20, Now: func() time.Time { return night }})
	from := night
	refused := 0
	for i := range 12 {
		from = from.Add(time.Duration(fillUp(t, s, from)) * 15 * time.Minute)
		var window []concentrator.Batch
		for range 6 {
			rec, err := s.Waiting(t.Context(), concentrator.LaneReadings, 1000)
			if err != nil || rec.Len() == 0 {
				break
			}
			b, err := s.Seal(t.Context(), concentrator.LaneReadings, rec.Through, make([]byte, 30*rec.Len()))
			if errors.Is(err, ErrFull) {
				refused++
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			window = append(window, b)
		}
		if len(window) == 0 {
			t.Fatalf("cycle %d: not one batch could be sealed", i)
		}
		if err := s.SaveOrder(t.Context(), concentrator.Order{ID: from.String(), State: concentrator.OrderDone}); err != nil {
			t.Errorf("cycle %d: the end of an order: %v", i, err)
		}
		if _, err := s.Reserve(title(9+i), 64); err != nil {
			t.Errorf("cycle %d: counters: %v", i, err)
		}
		for _, b := range window {
			if err := s.Receipt(t.Context(), concentrator.Receipt{ID: b.ID, Hash: b.Hash}); err != nil {
				t.Fatalf("cycle %d: receipt: %v", i, err)
			}
		}
	}
	if refused == 0 {
		t.Error("no batch was ever refused: the reserve was not put to the test")
	}
	for deliver(t, s, 500) > 0 {
	}
	if fillUp(t, s, from) == 0 {
		t.Error("there is no room although all was delivered")
	}
}

// TestFullStoreWithoutAClock: where no stamp can be trusted, room is made all the same.
func TestFullStoreWithoutAClock(t *testing.T) {
	s := open(t, Options{MaxBytes: 1 << 20, Now: lostTime})
	from := night
	for i := range 4 {
		stored := 0
		for ; ; stored += 96 {
			rows := readings(1, import_, from.Add(time.Duration(stored)*15*time.Minute), 96)
			for i := range rows {
				rows[i].Quality, rows[i].Received = concentrator.StationClock, time.Unix(1000, 0).UTC()
			}
			_, err := s.RecordVisit(t.Context(), visit(1, rows))
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if stored == 0 {
			t.Fatalf("cycle %d: there is no room although all was delivered", i)
		}
		from = from.Add(time.Duration(stored) * 15 * time.Minute)
		for deliver(t, s, 500) > 0 {
		}
	}
}

// TestFullStoreAfterAClockAhead: what was settled by a clock that was ahead pins nothing.
func TestFullStoreAfterAClockAhead(t *testing.T) {
	now := night.AddDate(10, 0, 0)
	s := open(t, Options{MaxBytes: 1 << 20, Now: func() time.Time { return now }})
	record(t, s, visit(1, readings(1, import_, night, 500)))
	deliver(t, s, 500)
	now = night
	from := night.AddDate(1, 0, 0)
	for range 3 {
		stored := fillUp(t, s, from)
		from = from.Add(time.Duration(stored) * 15 * time.Minute)
		for deliver(t, s, 500) > 0 {
		}
		bodies, err := write(t.Context(), s, "count", func(t *tx) (n int64, err error) {
			_, err = t.get([]any{&n}, "SELECT count(*) FROM batch WHERE seq = 1")
			return n, err
		})
		if err != nil || bodies != 0 {
			t.Fatalf("the body of the first batch is kept by a full store: %d, %v", bodies, err)
		}
	}
}

// TestReserveIsKeptAtTheBound: the reserve holds no zeros, and the bound of the file, met
// where the disk has room, does not cost it.
func TestReserveIsKeptAtTheBound(t *testing.T) {
	s := open(t, Options{MaxBytes: 1 << 20, Now: func() time.Time { return night }})
	var lines strings.Builder
	for n := range 20_000 {
		lines.WriteString(keyLine(n+1, "none,,,"))
	}
	if _, err := s.ImportKeys(strings.NewReader(lines.String())); !errors.Is(err, ErrFull) {
		t.Fatalf("many keys: %v, want ErrFull", err)
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(s.Path()), reserveName))
	if err != nil || len(content) != reserveSize {
		t.Fatalf("%d octets of reserve, %v", len(content), err)
	}
	if bytes.Count(content, []byte{0}) > reserveSize/16 {
		t.Error("the reserve is of zeros")
	}
}
