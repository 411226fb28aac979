package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
)

func sample(i int) Record {
	return Record{
		At: time.Unix(1_700_000_000, int64(i)), Kind: MSDU, Sent: i%2 == 0, Source: 0xC00, Destination: plc.Address(i & 0xFFF),
		Credits: plc.Credits{Initial: 3, Current: 2, Delta: 1}, Signal: plc.Signal{S0: 1, N0: 2, S1: 3, N1: 4, Method: 5, Gain: 6},
		Lost: uint32(i), Whole: i % 300, Octets: bytes.Repeat([]byte{byte(i)}, i%300),
	}
}

func TestRecords(t *testing.T) {
	for i := range 300 {
		want := sample(i)
		b := want.Append([]byte{9})[1:]
		got, n, err := ParseRecord(b)
		if err != nil || n != len(b) || n != want.Size() || !got.At.Equal(want.At) {
			t.Fatalf("%d: %+v, %d, %v", i, got, n, err)
		}
		got.At = want.At
		if len(want.Octets) == 0 {
			got.Octets = want.Octets
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
	long := Record{Octets: make([]byte, 3000)}
	got, _, err := ParseRecord(long.Append(nil))
	if err != nil || len(got.Octets) != MaxOctets || got.Whole != 3000 {
		t.Errorf("%d octets of %d, %v", len(got.Octets), got.Whole, err)
	}
}

func TestTruncated(t *testing.T) {
	b := sample(20).Append(nil)
	for i := range b {
		if _, _, err := ParseRecord(b[:i]); !errors.Is(err, ErrIncomplete) {
			t.Errorf("cut to %d octets: %v", i, err)
		}
	}
	for i := range 8 * len(b) {
		d := bytes.Clone(b)
		d[i/8] ^= 1 << (i % 8)
		if _, _, err := ParseRecord(d); err == nil {
			t.Errorf("bit %d altered: no error", i)
		}
	}
}

// TestTornTail cuts a file anywhere in its last record and goes on behind it: only that
// record is lost.
func TestTornTail(t *testing.T) {
	var whole []byte
	for i := range 5 {
		whole = sample(40 + i).Append(whole)
	}
	last := sample(44).Size()
	for cut := range last {
		for after := range 3 {
			b := bytes.Clone(whole[:len(whole)-cut])
			for i := range after {
				b = sample(100 + i).Append(b)
			}
			r := NewReader(bytes.NewReader(b))
			n := 0
			for {
				if _, err := r.Next(); err != nil {
					break
				}
				n++
			}
			want := 4 + after
			if cut == 0 {
				want++
			}
			if n != want {
				t.Fatalf("cut %d, %d behind: %d records, want %d (%d skipped, %d torn)", cut, after, n, want, r.Skipped, r.Torn())
			}
		}
	}
}

// TestGrowingFile: a record that is half written is waited for.
func TestGrowingFile(t *testing.T) {
	var file bytes.Buffer
	r := NewReader(&file)
	b := sample(50).Append(nil)
	file.Write(b[:20])
	if _, err := r.Next(); !errors.Is(err, io.EOF) || r.Torn() != 20 {
		t.Fatalf("%v, %d", err, r.Torn())
	}
	file.Write(b[20:])
	if got, err := r.Next(); err != nil || got.Destination != 50 || r.Skipped != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestRotation fills four files and finds the newest records in order.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	synctest.Test(t, func(t *testing.T) {
		for part := range 2 { // the second goes on with the first one's files
			b := New(Config{Path: path, Limit: 4000, Keep: 2})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- b.Run(ctx) }()
			for i := range 100 {
				b.Record(sample(1000*part + 100 + i))
				synctest.Wait()
			}
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if c := b.Counts(); c.Records != 100 || c.Lost != 0 {
				t.Errorf("%+v", c)
			}
		}
	})
	var got []plc.Address
	for _, name := range []string{path + ".2", path + ".1", path} {
		b, err := os.ReadFile(name)
		if err != nil || len(b) > 4000 {
			t.Fatalf("%s: %d octets, %v", name, len(b), err)
		}
		r := NewReader(bytes.NewReader(b))
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			got = append(got, rec.Destination)
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a third old file is kept")
	}
	if len(got) < 20 || got[len(got)-1] != 1199 {
		t.Fatalf("%v", got)
	}
	for i := 1; i < len(got); i++ {
		if got[i] != got[i-1]+1 {
			t.Fatalf("%v", got)
		}
	}
}

// TestBounds: a disk that takes nothing costs records, not memory, and the next one says how many.
func TestBounds(t *testing.T) {
	b := New(Config{Path: "unused", Memory: 20_000})
	for i := range 10_000 {
		b.Record(sample(i%200 + 50))
	}
	if len(b.queue) > queueOctets || b.Counts().Lost == 0 || b.Counts().Lost >= 10_000 {
		t.Errorf("%d octets queued, %+v", len(b.queue), b.Counts())
	}
	lost := b.lost
	b.take(nil)
	b.Record(sample(60))
	rec, _, err := ParseRecord(b.take(nil))
	if err != nil || rec.Lost != lost || lost == 0 {
		t.Errorf("%+v, %v, %d lost", rec, err, lost)
	}
	all := b.Records()
	if len(all) < 40 || all[len(all)-1].Destination != 60 {
		t.Errorf("%d records in memory", len(all))
	}
	size := 0
	for _, r := range all {
		size += r.Size()
	}
	if size > 20_000 || size < 10_000-300 {
		t.Errorf("%d octets in memory", size)
	}
}

// TestHostHook: the driver's hook keeps a copy, because the driver uses its buffer again.
func TestHostHook(t *testing.T) {
	b := New(Config{})
	var hook func(at time.Time, toModem bool, octets []byte) = b.Host
	octets := []byte{2, 3, 0x21}
	hook(time.Unix(5, 0), true, octets)
	octets[0] = 9
	if got := b.Records(); len(got) != 1 || got[0].Kind != Host || !got[0].Sent || got[0].Octets[0] != 2 || !got[0].At.Equal(time.Unix(5, 0)) {
		t.Errorf("%+v", got)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(sample(0).Append(nil))
	f.Add(sample(20).Append(sample(3).Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if rec, n, err := ParseRecord(b); err == nil {
			again, _, err := ParseRecord(rec.Append(nil))
			if err != nil || n > len(b) || !bytes.Equal(again.Octets, rec.Octets) || !again.At.Equal(rec.At) {
				t.Fatalf("%+v was read again as %+v, %v", rec, again, err)
			}
		}
		r := NewReader(bytes.NewReader(b))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		if r.Skipped+int64(r.Torn()) > int64(len(b)) {
			t.Fatalf("%d skipped and %d torn of %d", r.Skipped, r.Torn(), len(b))
		}
	})
}

func ExampleBox() {
	b := New(Config{})
	b.Record(Record{At: time.Unix(0, 0), Kind: MSDU, Sent: true, Source: 0xC00, Destination: 5, Octets: []byte{0x90, 0, 1, 0x1C}})
	for _, r := range b.Records() {
		fmt.Printf("%v %v to %v: % X\n", r.Kind, r.Source, r.Destination, r.Octets)
	}
	// Output:
	// msdu C00 to 005: 90 00 01 1C
}

func BenchmarkRecord(b *testing.B) {
	box := New(Config{})
	r := sample(200)
	b.ReportAllocs()
	for b.Loop() {
		box.Record(r)
	}
}
