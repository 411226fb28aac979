package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

var (
	morning  = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	meterA   = plc.MustSystemTitle([]byte("BUS\x00\x00\x00\x00\x01"))
	meterB   = plc.MustSystemTitle([]byte("BUS\x00\x00\x00\x00\x02"))
	imported = concentrator.Channel{Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
	total    = concentrator.Channel{Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
)

func open(t *testing.T, dir string) *Archive {
	t.Helper()
	a, err := Open(t.Context(), dir, func() time.Time { return morning })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func greet(t *testing.T, a *Archive, station string, epoch uint64) [concentrator.Lanes]uint64 {
	t.Helper()
	held, err := a.Greet(t.Context(), Visitor{Station: station, Program: "1.0", Epoch: epoch, Boot: 1, Backlog: 12})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// batchOf is a batch whose content is told by its body.
func batchOf(epoch uint64, lane concentrator.Lane, seq uint64, body string) concentrator.Batch {
	return concentrator.Batch{ID: concentrator.BatchID{Epoch: epoch, Lane: lane, Seq: seq}, Body: []byte(body), Hash: sha256.Sum256([]byte(body))}
}

func readings(meter plc.SystemTitle, c concentrator.Channel, first, count int) (list []concentrator.Reading) {
	for i := first; i < first+count; i++ {
		list = append(list, concentrator.Reading{
			Meter: meter, Channel: c, Time: morning.Add(time.Duration(i) * 15 * time.Minute), ClockStatus: 0x80, RowStatus: 1 << 31,
			Value: int64(-5 + 7*i), Scaler: -1, Unit: 30, Quality: concentrator.StatusRaised, Received: morning.Add(24 * time.Hour),
		})
	}
	return list
}

func store(t *testing.T, a *Archive, station string, b concentrator.Batch, rec concentrator.Records) Stored {
	t.Helper()
	s, err := a.StoreBatch(t.Context(), station, b, rec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func all(t *testing.T, r *Reader, q Query) (list []concentrator.Reading) {
	t.Helper()
	for reading, err := range r.Readings(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, reading)
	}
	return list
}

func TestBatchIsStoredOnce(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	if held := greet(t, a, "TS-1", 1<<63+9); held != [concentrator.Lanes]uint64{} {
		t.Errorf("held %v", held)
	}
	want := append(readings(meterA, imported, 0, 4), readings(meterB, total, 0, 2)...)
	b := batchOf(1<<63+9, concentrator.LaneReadings, 1, "one")
	s := store(t, a, "TS-1", b, concentrator.Records{Readings: want})
	if s.New != 6 || s.Repeated || s.Receipt.ID != b.ID || s.Receipt.Hash != b.Hash || s.Receipt.Refused || !s.Receipt.CenterAt.Equal(morning) {
		t.Errorf("stored %+v", s)
	}
	again := store(t, a, "TS-1", b, concentrator.Records{Readings: want})
	if !again.Repeated || again.New != 6 || again.Receipt != s.Receipt {
		t.Errorf("again %+v", again)
	}
	if got := all(t, &a.Reader, Query{}); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v want\n%+v", got, want)
	}
	if held := greet(t, a, "TS-1", 1<<63+9); held[concentrator.LaneReadings] != 1 {
		t.Errorf("held %v", held)
	}
	if held := greet(t, a, "TS-1", 5); held != [concentrator.Lanes]uint64{} {
		t.Errorf("of another epoch held %v", held)
	}
	stations, err := a.Stations(t.Context())
	if err != nil || len(stations) != 1 || stations[0].Readings != 6 || stations[0].Repeats != 1 || stations[0].Meters != 2 || stations[0].Batches != 1 {
		t.Errorf("%+v (%v)", stations, err)
	}
}

// TestReceiptSurvivesReopening: what was receipted is there after a restart.
func TestReceiptSurvivesReopening(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	greet(t, a, "TS-1", 1)
	b := batchOf(1, concentrator.LaneReadings, 1, "one")
	first := store(t, a, "TS-1", b, concentrator.Records{Readings: readings(meterA, imported, 0, 4)})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open(t, dir)
	if held := greet(t, a, "TS-1", 1); held[concentrator.LaneReadings] != 1 {
		t.Errorf("held %v", held)
	}
	list, err := a.Receipts(t.Context(), "TS-1", 1, concentrator.LaneReadings, 1, 9, 10)
	if err != nil || len(list) != 1 || list[0] != first.Receipt {
		t.Errorf("%+v (%v), want %+v", list, err, first.Receipt)
	}
}

func TestOtherContentUnderANumber(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	store(t, a, "TS-1", batchOf(1, 1, 1, "one"), concentrator.Records{Readings: readings(meterA, imported, 0, 1)})
	other := batchOf(1, 1, 1, "two")
	if _, err := a.StoreBatch(t.Context(), "TS-1", other, concentrator.Records{Readings: readings(meterA, imported, 1, 1)}); !errors.Is(err, ErrContent) {
		t.Fatalf("%v", err)
	}
	s, err := a.RefuseBatch(t.Context(), "TS-1", other, "other content")
	if err != nil || !s.Receipt.Refused || s.Receipt.Hash != other.Hash {
		t.Errorf("%+v (%v)", s, err)
	}
	if again := store(t, a, "TS-1", batchOf(1, 1, 1, "one"), concentrator.Records{}); again.Receipt.Refused || !again.Repeated {
		t.Errorf("the first batch is now %+v", again)
	}
	if got := all(t, &a.Reader, Query{}); len(got) != 1 {
		t.Errorf("%d readings", len(got))
	}
}

func TestRefusedBatchStaysRefused(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	b := batchOf(1, 1, 1, "rubbish")
	for i := range 2 {
		s, err := a.RefuseBatch(t.Context(), "TS-1", b, "cannot be decoded")
		if err != nil || !s.Receipt.Refused || s.Receipt.Reason != "cannot be decoded" || s.Repeated != (i == 1) {
			t.Errorf("%+v (%v)", s, err)
		}
	}
	if s := store(t, a, "TS-1", b, concentrator.Records{}); !s.Receipt.Refused {
		t.Errorf("stored later: %+v", s)
	}
	if held := greet(t, a, "TS-1", 1); held[1] != 1 {
		t.Errorf("held %v", held)
	}
	stations, err := a.Stations(t.Context())
	if err != nil || stations[0].Refused != 1 {
		t.Errorf("%+v (%v)", stations, err)
	}
}

// TestSecondValueIsKeptBeside: nothing is written over.
func TestSecondValueIsKeptBeside(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	first := readings(meterA, imported, 0, 3)
	store(t, a, "TS-1", batchOf(1, 1, 1, "one"), concentrator.Records{Readings: first})
	second := readings(meterA, imported, 1, 3) // two that are stored, one that is new
	second[0].Value++
	second[1].Received = second[1].Received.Add(time.Hour) // received again: the same value
	for seq, wantConflicts := range []int{1, 0} {
		s := store(t, a, "TS-1", batchOf(1, 1, uint64(seq+2), fmt.Sprint(seq)), concentrator.Records{Readings: second})
		if s.Conflicts != wantConflicts {
			t.Errorf("batch %d: %+v", seq+2, s)
		}
	}
	got := all(t, &a.Reader, Query{})
	if !reflect.DeepEqual(got[:3], first) || len(got) != 4 {
		t.Errorf("the first values changed: %+v", got)
	}
	var conflicts []concentrator.Reading
	for r, err := range a.Conflicts(t.Context(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		conflicts = append(conflicts, r)
	}
	if !reflect.DeepEqual(conflicts, second[:1]) {
		t.Errorf("conflicts %+v", conflicts)
	}
	stations, err := a.Stations(t.Context())
	if err != nil || stations[0].Conflicts != 1 || stations[0].Duplicates != 4 {
		t.Errorf("%+v (%v)", stations, err)
	}
	meters, err := a.Meters(t.Context())
	if err != nil || len(meters) != 1 || meters[0].Conflicts != 1 || meters[0].Readings != 4 || !meters[0].Newest.Equal(got[3].Time) {
		t.Errorf("%+v (%v)", meters, err)
	}
}

// TestMissingBatches: a center restored from a backup tells what it lost, goes on,
// and takes the lost ones when they come yet.
func TestMissingBatches(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	store(t, a, "TS-1", batchOf(1, 1, 1, "1"), concentrator.Records{Readings: readings(meterA, imported, 0, 1)})
	if s := store(t, a, "TS-1", batchOf(1, 1, 4, "4"), concentrator.Records{Readings: readings(meterA, imported, 3, 1)}); s.Missing != 2 {
		t.Errorf("%+v", s)
	}
	missing := func() int {
		list, err := a.Stations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list[0].Missing
	}
	if missing() != 2 {
		t.Errorf("missing %d", missing())
	}
	store(t, a, "TS-1", batchOf(1, 1, 3, "3"), concentrator.Records{Readings: readings(meterA, imported, 2, 1)})
	if missing() != 1 {
		t.Errorf("missing %d", missing())
	}
	if held := greet(t, a, "TS-1", 1); held[1] != 4 {
		t.Errorf("held %v", held)
	}
}

func TestMeterMoves(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	greet(t, a, "TS-2", 1)
	store(t, a, "TS-1", batchOf(1, 1, 1, "1"), concentrator.Records{Readings: readings(meterA, imported, 0, 2)})
	s := store(t, a, "TS-2", batchOf(1, 1, 1, "1"), concentrator.Records{Readings: readings(meterA, imported, 1, 2)})
	if s.Duplicates != 1 || s.New != 1 {
		t.Errorf("%+v", s)
	}
	meters, err := a.Meters(t.Context())
	if err != nil || len(meters) != 1 || meters[0].Station != "TS-2" || meters[0].Readings != 3 {
		t.Errorf("%+v (%v)", meters, err)
	}
}

func TestOrders(t *testing.T) {
	a := open(t, t.TempDir())
	o := concentrator.Order{
		ID: "o1", Kind: concentrator.OrderRead, Meter: meterA,
		Ref:    cosem.Ref{Class: 7, Object: imported.Profile, Attribute: 2, Select: &cosem.Selection{Selector: 2, Parameters: []byte{1, 2}}},
		Issued: morning, Expires: morning.Add(time.Minute),
	}
	if err := a.AddOrder(t.Context(), "TS-1", o); err == nil {
		t.Error("an order for a station nobody knows was taken")
	}
	greet(t, a, "TS-1", 1)
	greet(t, a, "TS-2", 1)
	if err := a.AddOrder(t.Context(), "TS-1", o); err != nil {
		t.Fatal(err)
	}
	late := o
	late.ID, late.Expires = "o0", morning
	if err := a.AddOrder(t.Context(), "TS-1", late); err != nil {
		t.Fatal(err)
	}
	if err := a.AddOrder(t.Context(), "TS-1", o); !errors.Is(err, ErrUnfit) {
		t.Errorf("twice: %v", err)
	}
	list, err := a.OpenOrders(t.Context(), "TS-1", 10)
	if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], Order{Station: "TS-1", Order: o}) {
		t.Fatalf("open %+v (%v)", list, err)
	}
	for i, want := range []bool{true, false} {
		if news, err := a.ConfirmOrder(t.Context(), "TS-1", "o1"); err != nil || news != want {
			t.Errorf("confirmation %d: %v (%v)", i, news, err)
		}
	}
	if news, err := a.ConfirmOrder(t.Context(), "TS-2", "o0"); err != nil || news {
		t.Errorf("another station confirmed: %v (%v)", news, err)
	}
	if list, err := a.OpenOrders(t.Context(), "TS-1", 10); err != nil || len(list) != 0 {
		t.Errorf("open %+v (%v)", list, err)
	}
	done := o
	done.State, done.Attempt = concentrator.OrderDone, 2
	done.Result = &concentrator.OrderResult{Time: morning.Add(time.Second), Outcome: plc.Answered, Data: []byte{1}, Text: "7 Wh", Scaler: 1, Unit: 30, Quality: 2}
	store(t, a, "TS-1", batchOf(1, 0, 1, "1"), concentrator.Records{Orders: []concentrator.Order{done}})
	changed := done
	changed.State, changed.Result = concentrator.OrderRefused, nil
	store(t, a, "TS-1", batchOf(1, 0, 2, "2"), concentrator.Records{Orders: []concentrator.Order{changed}})
	got, found, err := a.Order(t.Context(), "o1")
	if err != nil || !found || !reflect.DeepEqual(got.Order, done) || !got.Confirmed.Equal(morning) {
		t.Errorf("%+v (%v), want %+v", got, err, done)
	}
	if _, found, err := a.Order(t.Context(), "o9"); err != nil || found {
		t.Errorf("o9: %v (%v)", found, err)
	}
	// A result nobody asked for, as after a restore; and one under an order of another station.
	foreign := done
	foreign.ID = "o7"
	store(t, a, "TS-2", batchOf(1, 0, 1, "1"), concentrator.Records{Orders: []concentrator.Order{foreign}})
	if _, err := a.StoreBatch(t.Context(), "TS-2", batchOf(1, 0, 2, "2"), concentrator.Records{Orders: []concentrator.Order{done}}); !errors.Is(err, ErrUnfit) {
		t.Errorf("%v", err)
	}
}

func TestEvents(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	want := []concentrator.Event{
		{Time: morning, Code: concentrator.EventStarted, Text: "started"},
		{Time: morning, Meter: meterA, Code: concentrator.EventMeterLost, Text: "lost"},
	}
	store(t, a, "TS-1", batchOf(1, 0, 1, "1"), concentrator.Records{Events: want})
	got, err := a.Events(t.Context(), 10)
	if err != nil || len(got) != 2 || got[0].Event != want[1] || got[1].Event != want[0] || got[0].Station != "TS-1" {
		t.Errorf("%+v (%v)", got, err)
	}
}

func TestQueries(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	list := append(readings(meterA, imported, 0, 4), readings(meterB, imported, 0, 4)...)
	store(t, a, "TS-1", batchOf(1, 1, 1, "1"), concentrator.Records{Readings: list})
	for name, c := range map[string]struct {
		q    Query
		want []concentrator.Reading
	}{
		"meter":   {Query{Meter: meterB}, list[4:]},
		"from":    {Query{Meter: meterA, From: list[2].Time}, list[2:4]},
		"to":      {Query{Meter: meterA, To: list[2].Time}, list[:2]},
		"limit":   {Query{Limit: 3}, list[:3]},
		"beyond":  {Query{Limit: 6}, list[:6]},
		"newest":  {Query{Newest: true, Limit: 2}, []concentrator.Reading{list[3], list[7]}},
		"object":  {Query{Object: cosem.MustOBIS("1.0.2.8.0.255")}, nil},
		"nothing": {Query{From: morning.AddDate(1, 0, 0)}, nil},
	} {
		if got := all(t, &a.Reader, c.q); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for range a.Readings(t.Context(), Query{}) {
		break // leaving early must not hold a connection
	}
	for range 8 {
		for range a.Readings(t.Context(), Query{}) {
			break
		}
	}
}

// TestTwoProcesses: one server per archive; a command line beside it reads and
// sees what was committed.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	greet(t, a, "TS-1", 1)
	if _, err := Open(t.Context(), dir, nil); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second server: %v", err)
	}
	r, err := OpenReader(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for seq := range 3 {
		store(t, a, "TS-1", batchOf(1, 1, uint64(seq+1), fmt.Sprint(seq)), concentrator.Records{Readings: readings(meterA, imported, seq, 1)})
		if got := all(t, r, Query{}); len(got) != seq+1 {
			t.Errorf("after batch %d the reader sees %d readings", seq+1, len(got))
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := all(t, r, Query{}); len(got) != 3 {
		t.Errorf("after the server's end the reader sees %d readings", len(got))
	}
	after, err := OpenReader(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if got := all(t, after, Query{}); len(got) != 3 {
		t.Errorf("a reader without a server sees %d readings", len(got))
	}
	if _, err := after.db.Exec("DELETE FROM reading"); err == nil {
		t.Error("a reader can write")
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := OpenReader(t.Context(), t.TempDir()); !errors.Is(err, ErrNone) {
		t.Errorf("no archive: %v", err)
	}
	dir := t.TempDir()
	a := open(t, dir)
	if _, err := a.writer.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("newer: %v", err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, fileName), []byte("not a database at all, only text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), foreign, nil); err == nil {
		t.Error("a text file was opened as an archive")
	}
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
}

// TestStationsAtOnce: writers take turns, none fails.
func TestStationsAtOnce(t *testing.T) {
	a := open(t, t.TempDir())
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			station := fmt.Sprintf("TS-%d", n)
			if _, err := a.Greet(context.Background(), Visitor{Station: station, Epoch: 1}); err != nil {
				t.Error(err)
				return
			}
			meter := plc.MustSystemTitle([]byte{'B', 'U', 'S', byte(n)})
			for seq := range 5 {
				b := batchOf(1, 1, uint64(seq+1), fmt.Sprint(n, seq))
				if _, err := a.StoreBatch(context.Background(), station, b, concentrator.Records{Readings: readings(meter, imported, seq*10, 10)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	stations, err := a.Stations(t.Context())
	if err != nil || len(stations) != 8 {
		t.Fatalf("%d stations (%v)", len(stations), err)
	}
	for _, s := range stations {
		if s.Readings != 50 || s.Missing != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestBatchIsWholeOrNothing: a batch that cannot be stored leaves nothing behind,
// not even its number.
func TestBatchIsWholeOrNothing(t *testing.T) {
	a := open(t, t.TempDir())
	greet(t, a, "TS-1", 1)
	bad := append(readings(meterA, imported, 0, 3), concentrator.Reading{Channel: total, Time: morning}) // no meter
	_, err := a.StoreBatch(t.Context(), "TS-1", batchOf(1, 1, 1, "1"), concentrator.Records{Readings: bad})
	if !errors.Is(err, ErrUnfit) {
		t.Errorf("%v", err)
	}
	if got := all(t, &a.Reader, Query{}); len(got) != 0 {
		t.Errorf("%d readings stayed", len(got))
	}
	if held := greet(t, a, "TS-1", 1); held[1] != 0 {
		t.Errorf("held %v", held)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.StoreBatch(ctx, "TS-1", batchOf(1, 1, 1, "1"), concentrator.Records{Readings: readings(meterA, imported, 0, 3)}); err == nil {
		t.Error("stored after the end of its context")
	}
}

// BenchmarkStoreBatch stores batches of 2000 readings, each with its flush.
func BenchmarkStoreBatch(b *testing.B) {
	a, err := Open(b.Context(), b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Greet(b.Context(), Visitor{Station: "TS-1", Epoch: 1}); err != nil {
		b.Fatal(err)
	}
	var seq uint64
	for b.Loop() {
		seq++
		var list []concentrator.Reading
		for m := range 20 {
			list = append(list, readings(plc.MustSystemTitle([]byte{'B', 'U', 'S', byte(m)}), imported, int(seq)*100, 100)...)
		}
		if _, err := a.StoreBatch(b.Context(), "TS-1", batchOf(1, 1, seq, fmt.Sprint(seq)), concentrator.Records{Readings: list}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}
