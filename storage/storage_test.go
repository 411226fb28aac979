package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

var (
	night   = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	profile = cosem.MustOBIS("1.0.99.1.0.255")
	import_ = concentrator.Channel{Profile: profile, Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
	export_ = concentrator.Channel{Profile: profile, Class: 3, Object: cosem.MustOBIS("1.0.2.8.0.255"), Attribute: 2}
	total   = concentrator.Channel{Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: -2}
)

// title is the identity of the n-th meter.
func title(n int) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'M', 'M', 'M', 0, 0, 0, byte(n >> 8), byte(n)})
}

func meter(n int) concentrator.Meter {
	return concentrator.Meter{Title: title(n), State: concentrator.StateRegistered, Address: plc.Address(n)}
}

// readings are count quarter hours of one channel from start.
func readings(n int, c concentrator.Channel, start time.Time, count int) []concentrator.Reading {
	list := make([]concentrator.Reading, count)
	for i := range list {
		list[i] = concentrator.Reading{
			Meter: title(n), Channel: c, Time: start.Add(time.Duration(i) * 15 * time.Minute),
			Value: int64(100000*n + 17*i), Scaler: 0, Unit: 30, Received: start.Add(24 * time.Hour),
		}
	}
	return list
}

func visit(n int, list []concentrator.Reading) concentrator.VisitRecord {
	return concentrator.VisitRecord{
		Meter: meter(n), Readings: list,
		Visit: concentrator.Visit{
			Round: 7, Meter: title(n), Readings: len(list),
			Exchange: plc.Exchange{
				Outcome: plc.Answered, Requests: 3, Answers: 2, Slots: 40, Credit: 2, Up: 1, Down: 3,
				Signal: plc.Signal{S0: 400, N0: 20, S1: 380, N1: 30, Method: 2, Gain: 5},
				Begin:  night, End: night.Add(1500 * time.Millisecond),
			},
		},
	}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s.options)
}

func record(t testing.TB, s *Store, r concentrator.VisitRecord) int {
	t.Helper()
	n, err := s.RecordVisit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func events(t testing.TB, s *Store, code concentrator.EventCode) (list []concentrator.Event) {
	t.Helper()
	all, err := s.Events(t.Context(), time.Time{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Code == code {
			list = append(list, e)
		}
	}
	return list
}

func count(t testing.TB, s *Store) int64 {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.Readings
}

func TestReadingIsStoredOnce(t *testing.T) {
	s := open(t, Options{})
	list := readings(1, import_, night, 4)
	if n := record(t, s, visit(1, list)); n != 4 {
		t.Fatalf("stored %d of 4 new readings", n)
	}
	again := append(readings(1, import_, night, 6), list[0]) // two more, and one twice in the same visit
	if n := record(t, s, visit(1, again)); n != 2 {
		t.Fatalf("stored %d, want the 2 new ones", n)
	}
	if got := events(t, s, concentrator.EventValueChanged); len(got) != 0 {
		t.Fatalf("the same values made events: %v", got)
	}
	st, _ := s.Stats(t.Context())
	if st.Readings != 6 || st.Duplicates != 5 || st.Changed != 0 {
		t.Fatalf("stats %+v", st)
	}
}

func TestFirstValueStays(t *testing.T) {
	s := open(t, Options{})
	record(t, s, visit(1, readings(1, import_, night, 3)))
	other := readings(1, import_, night, 3)
	other[1].Value++
	other[2].Unit = 27
	if n := record(t, s, visit(1, other)); n != 0 {
		t.Fatalf("stored %d second values", n)
	}
	got, err := s.Readings(t.Context(), title(1), Query{Limit: 10})
	if err != nil || len(got) != 3 {
		t.Fatalf("%d readings, %v", len(got), err)
	}
	for i, want := range readings(1, import_, night, 3) {
		if got[i] != want {
			t.Errorf("reading %d is %+v, want the first %+v", i, got[i], want)
		}
	}
	list := events(t, s, concentrator.EventValueChanged)
	if len(list) != 1 {
		t.Fatalf("%d events, want one for the visit", len(list))
	}
	want := "2 values came again with other values, the first of them 1.0.99.1.0.255/1.0.1.8.0.255 at 2026-03-01T02:15:00Z; those stored first were kept"
	if list[0].Text != want || list[0].Meter != title(1) {
		t.Errorf("event %+v, want text %q", list[0], want)
	}
	if st, _ := s.Stats(t.Context()); st.Changed != 2 {
		t.Errorf("counted %d changed values, want 2", st.Changed)
	}
}

// TestReadingSurvives keeps extremes of every field through a restart.
func TestReadingSurvives(t *testing.T) {
	s := open(t, Options{})
	want := []concentrator.Reading{
		{
			Meter: title(1), Channel: total, Time: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), ClockStatus: 0xFF, RowStatus: 0xFFFFFFFF,
			Value: -1 << 63, Scaler: -128, Unit: 255, Quality: 0xFFFF, Received: night,
		},
		{
			Meter: title(1), Channel: import_, Time: time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC),
			Value: 1<<63 - 1, Scaler: 127, Received: night,
		},
	}
	record(t, s, visit(1, want))
	s = reopen(t, s)
	got, err := s.Readings(t.Context(), title(1), Query{Limit: 10})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, want, err)
	}
}

func TestQueryReadings(t *testing.T) {
	s := open(t, Options{})
	record(t, s, visit(1, append(readings(1, import_, night, 8), readings(1, export_, night, 8)...)))
	record(t, s, visit(2, readings(2, import_, night, 8)))
	for _, c := range []struct {
		what  string
		meter int
		q     Query
		want  int
	}{
		{"all", 1, Query{Limit: 100}, 16},
		{"limited", 1, Query{Limit: 5}, 5},
		{"no limit given", 1, Query{}, 0},
		{"one channel", 1, Query{Channel: &export_, Limit: 100}, 8},
		{"half open", 1, Query{Channel: &import_, From: night.Add(15 * time.Minute), To: night.Add(45 * time.Minute), Limit: 100}, 2},
		{"unknown channel", 1, Query{Channel: &total, Limit: 100}, 0},
		{"unknown meter", 3, Query{Limit: 100}, 0},
	} {
		got, err := s.Readings(t.Context(), title(c.meter), c.q)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %d readings, %v, want %d", c.what, len(got), err, c.want)
		}
	}
}

func TestLastEntry(t *testing.T) {
	s := open(t, Options{})
	if _, found, err := s.LastEntry(t.Context(), title(1), profile); found || err != nil {
		t.Fatalf("an empty store has an entry: %v %v", found, err)
	}
	list := append(readings(1, import_, night, 5), readings(1, export_, night, 3)...)
	list = append(list, concentrator.Reading{Meter: title(1), Channel: total, Time: night.Add(99 * time.Hour)})
	list = append(list, concentrator.Reading{
		Meter: title(1), Channel: import_, Time: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), Quality: concentrator.TimeImplausible,
	})
	record(t, s, visit(1, list))
	record(t, s, visit(2, readings(2, import_, night, 50)))
	last, found, err := s.LastEntry(t.Context(), title(1), profile)
	if want := night.Add(time.Hour); err != nil || !found || !last.Equal(want) {
		t.Fatalf("last entry %v %v %v, want %v: neither registers nor the year 2099 count", last, found, err, want)
	}
}

// fill sets every field below v to something that is not zero.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(night.Add(time.Duration(*n) * time.Millisecond)))
		return
	}
	if v.Type() == reflect.TypeFor[plc.SystemTitle]() {
		v.Set(reflect.ValueOf(title(5)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(int64(*n % 100))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 100))
	default:
		t.Fatalf("cannot fill %v", v.Type())
	}
}

// TestMeterSurvives guards against a new field of Meter that nobody stores.
func TestMeterSurvives(t *testing.T) {
	s := open(t, Options{})
	var full concentrator.Meter
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	bare := concentrator.Meter{Title: title(6), Layout: []concentrator.Column{}} // read, and empty: not nil
	if err := s.SaveMeters(t.Context(), []concentrator.Meter{bare, full}, nil); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	got, err := s.Meters(t.Context())
	if err != nil || !reflect.DeepEqual(got, []concentrator.Meter{full, bare}) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, []concentrator.Meter{full, bare}, err)
	}
	one, found, err := s.Meter(t.Context(), title(5))
	if err != nil || !found || !reflect.DeepEqual(one, full) {
		t.Fatalf("one meter %+v %v %v", one, found, err)
	}
	if _, found, err := s.Meter(t.Context(), title(9)); found || err != nil {
		t.Fatalf("an unknown meter: %v %v", found, err)
	}
}

func TestOrderSurvives(t *testing.T) {
	s := open(t, Options{})
	var full concentrator.Order
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	full.State = concentrator.OrderDoubtful
	if err := s.SaveOrder(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	got, err := s.Orders(t.Context(), 10)
	if err != nil || !reflect.DeepEqual(got, []concentrator.Order{full}) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, full, err)
	}
}

func TestVisitSurvives(t *testing.T) {
	s := open(t, Options{})
	first, second := visit(1, nil), visit(1, readings(1, import_, night, 3))
	first.Visit.Exchange.Outcome, first.Visit.Exchange.Detail = plc.Silent, "no answer in 3 attempts"
	first.Visit.Round = 1<<64 - 1
	record(t, s, first)
	record(t, s, visit(2, nil))
	record(t, s, second)
	got, err := s.Visits(t.Context(), title(1), 10)
	if want := []concentrator.Visit{second.Visit, first.Visit}; err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, want, err)
	}
	if got, _ := s.Visits(t.Context(), title(1), 1); len(got) != 1 || got[0] != second.Visit {
		t.Fatalf("the newest is %+v", got)
	}
}

// TestVisitIsAllOrNothing lets a visit fail at its last statement.
func TestVisitIsAllOrNothing(t *testing.T) {
	s := open(t, Options{})
	err := writeOnly(t.Context(), s, "lay a trap", func(t *tx) error {
		_, err := t.exec("CREATE TRIGGER trap BEFORE INSERT ON visit WHEN new.round = 13 BEGIN SELECT raise(ABORT, 'trap'); END")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r := visit(1, readings(1, import_, night, 10))
	r.Events = []concentrator.Event{{Time: night, Code: concentrator.EventProfileGap, Text: "a gap"}}
	r.Visit.Round = 13
	if _, err := s.RecordVisit(t.Context(), r); err == nil || !strings.Contains(err.Error(), "trap") {
		t.Fatalf("the trap did not work: %v", err)
	}
	meters, _ := s.Meters(t.Context())
	if st, _ := s.Stats(t.Context()); st.Readings != 0 || st.Events != 0 || st.Visits != 0 || len(meters) != 0 {
		t.Fatalf("a failed visit left %+v and %d meters", st, len(meters))
	}
	r.Visit.Round = 14
	if n := record(t, s, r); n != 10 {
		t.Fatalf("stored %d of 10 when done again", n)
	}
	b, _ := s.Backlog(t.Context())
	rec, _ := s.Waiting(t.Context(), concentrator.LaneReadings, 100)
	if b.Readings != 10 || rec.Through != 10 {
		t.Fatalf("arrival numbers have a hole: backlog %+v, through %d", b, rec.Through)
	}
}

func TestForeignReadingIsRefused(t *testing.T) {
	s := open(t, Options{})
	if _, err := s.RecordVisit(t.Context(), visit(1, readings(2, import_, night, 1))); err == nil {
		t.Fatal("a visit of meter 1 stored a reading of meter 2")
	}
}

// gate is a disk that hangs in the next commit once it is armed.
type gate struct {
	armed            atomic.Bool
	entered, release chan struct{}
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}), release: make(chan struct{})}
}

func (g *gate) commit() {
	if g.armed.CompareAndSwap(true, false) {
		g.entered <- struct{}{}
		<-g.release
	}
}

// hang makes the next commit of s hang and returns when it does.
func (g *gate) hang(t *testing.T, s *Store) {
	t.Helper()
	g.armed.Store(true)
	go func() { _ = s.SaveMeters(context.Background(), []concentrator.Meter{meter(9999)}, nil) }()
	<-g.entered
}

// queued waits until n pieces of work wait for the writer.
func queued(s *Store, n int) {
	for len(s.writer.queue) < n {
		time.Sleep(time.Millisecond)
	}
}

// TestGroupSharesCommits lets work gather behind a commit that hangs.
func TestGroupSharesCommits(t *testing.T) {
	g := newGate()
	s := open(t, Options{BeforeCommit: g.commit})
	const visits = 40
	for _, c := range []struct {
		channel concentrator.Channel
		bad     int
		commits int64
	}{
		{import_, -1, 2}, // the one that hangs, and one for all that wait
		{export_, 20, 0}, // one cannot be stored: those before it are done one by one, and it harms no other
	} {
		before := s.writer.figures.commits.Load()
		g.hang(t, s)
		var wg sync.WaitGroup
		for i := range visits {
			wg.Go(func() {
				r := visit(i, readings(i, c.channel, night, 1))
				if i == c.bad {
					r.Meter.Title, r.Readings = plc.SystemTitle{}, nil
				}
				if _, err := s.RecordVisit(context.Background(), r); (err != nil) != (i == c.bad) {
					t.Errorf("visit %d: %v", i, err)
				}
			})
		}
		queued(s, visits)
		g.release <- struct{}{}
		wg.Wait()
		if n := s.writer.figures.commits.Load() - before; c.commits != 0 && n != c.commits {
			t.Errorf("%d visits took %d commits, want %d", visits, n, c.commits)
		}
	}
	if n := count(t, s); n != 2*visits-1 {
		t.Errorf("%d readings, want %d", n, 2*visits-1)
	}
}

// TestBubble runs the store in virtual time: no goroutine outlives Close, or
// the bubble deadlocks, and no time passes while the disk works.
func TestBubble(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := s.RecordVisit(ctx, visit(i, readings(i, import_, night, 20))); err != nil {
					t.Error(err)
				}
				if _, err := s.Meters(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 0 {
			t.Errorf("%v of virtual time passed", d)
		}
		time.Sleep(8 * time.Hour)
		if n := count(t, s); n != 400 {
			t.Errorf("%d readings", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestContextEnds(t *testing.T) {
	g := newGate()
	s := open(t, Options{BeforeCommit: g.commit})
	g.armed.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := make(chan error)
	go func() {
		_, err := s.RecordVisit(ctx, visit(1, readings(1, import_, night, 5)))
		begun <- err
	}()
	<-g.entered
	if err := <-begun; !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a commit that takes longer than the caller waits: %v", err)
	}
	// The next one waits in the queue, and its caller leaves before it begins.
	ctx2, leave := context.WithCancel(t.Context())
	go func() {
		_, err := s.RecordVisit(ctx2, visit(2, readings(2, import_, night, 5)))
		begun <- err
	}()
	queued(s, 1)
	leave()
	if err := <-begun; !errors.Is(err, context.Canceled) {
		t.Fatalf("leaving the queue: %v", err)
	}
	// Readers do not wait for the slow disk.
	if _, err := s.Meters(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Key(title(1)); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := s.Meters(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("reading with an ended context: %v", err)
	}
	g.release <- struct{}{}
	record(t, s, visit(3, readings(3, import_, night, 5)))
	if n := count(t, s); n != 10 {
		t.Fatalf("%d readings: want those of the begun and of the last visit", n)
	}
}

// TestQueueIsBounded fills the queue behind a hanging disk.
func TestQueueIsBounded(t *testing.T) {
	g := newGate()
	s := open(t, Options{BeforeCommit: g.commit})
	g.hang(t, s)
	var wg sync.WaitGroup
	for range queueBound {
		wg.Go(func() {
			if err := s.SaveMeters(context.Background(), []concentrator.Meter{meter(1)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	queued(s, queueBound)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.SaveMeters(ctx, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full queue took more: %v", err)
	}
	g.release <- struct{}{}
	wg.Wait()
}

func TestClose(t *testing.T) {
	s := open(t, Options{})
	record(t, s, visit(1, readings(1, import_, night, 5)))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RecordVisit(t.Context(), visit(1, nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if _, err := s.Meters(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	for _, name := range []string{fileName, fileName + "-wal", lockName} {
		info, err := os.Stat(filepath.Join(s.options.Dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", name, info, err)
		}
	}
}

func TestDirectoryIsMadePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b?c%d#e")
	open(t, Options{Dir: dir})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v %v, want mode 0700", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		t.Fatalf("the file lies elsewhere: %v", err)
	}
	wide := filepath.Join(t.TempDir(), "wide")
	if err := errors.Join(os.Mkdir(wide, 0o700), os.Chmod(wide, 0o777)); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), Options{Dir: wide}); err == nil {
		t.Errorf("keys would lie where everybody can write; %v", s.Close())
	}
}

func TestDigest(t *testing.T) {
	a, b := open(t, Options{}), open(t, Options{})
	var all []concentrator.Reading
	for n := 1; n <= 3; n++ {
		all = append(all, append(readings(n, import_, night, 10), readings(n, export_, night, 10)...)...)
	}
	for n := 3; n >= 1; n-- {
		record(t, a, visit(n, all[20*(n-1):20*n]))
	}
	for n := 1; n <= 3; n++ {
		half := all[20*(n-1)+7 : 20*n]
		record(t, b, visit(n, half))
		later := append([]concentrator.Reading(nil), all[20*(n-1):20*n]...)
		for i := range later {
			later[i].Received = night.Add(100 * time.Hour)
		}
		record(t, b, visit(n, later))
	}
	sumA, countA, errA := a.Digest(t.Context())
	sumB, countB, errB := b.Digest(t.Context())
	if errA != nil || errB != nil || countA != 60 || countB != 60 || sumA != sumB {
		t.Fatalf("%x %d %v, %x %d %v: want the same", sumA, countA, errA, sumB, countB, errB)
	}
	if sum := DigestReadings(all); sum != sumA {
		t.Fatalf("digest outside the store %x, inside %x", sum, sumA)
	}
	all[5].Value++
	if sum := DigestReadings(all); sum == sumA {
		t.Fatal("a changed value has the same digest")
	}
	for range a.AllReadings(t.Context()) {
		break // leaving early must not hang or fail
	}
}
