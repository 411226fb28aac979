package acse

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(g.octets))
	}
	f.Add(unhex("6311800100be0f040e0800065f1f040000021c00860007"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, limit := allocated(func() { _, _, _ = parse(b) }), uint64(4*len(b)+4096); got > limit {
			t.Fatalf("%d octets took %d octets of memory, want at most %d", len(b), got, limit)
		}
		m, n, err := parse(b)
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatalf("consumed %d of %d octets", n, len(b))
		}
		if r, ok := m.(RLRE); ok && r.Loose || outside(m) {
			return
		}
		again := m.Append(nil)
		if len(again) != m.Size() {
			t.Fatalf("Size %d, but %d octets were written", m.Size(), len(again))
		}
		m2, n2, err := parse(again)
		if err != nil || n2 != len(again) || !reflect.DeepEqual(m, m2) {
			t.Fatalf("%#v written and read again is %#v, %v", m, m2, err)
		}
	})
}

// outside reports a release reason that Append has no octet for.
func outside(m message) bool {
	switch m := m.(type) {
	case RLRQ:
		return m.Reason > 0xFF
	case RLRE:
		return m.Reason > 0xFF
	}
	return false
}

// TestParsersAllocateLittle holds every parser to 4 times its input and 4 KiB.
func TestParsersAllocateLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, g := range golden {
		for range 50 {
			b := bytes.Clone(unhex(g.octets))
			b[r.IntN(len(b))] = byte(r.IntN(256))
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			if got, limit := allocated(func() { _, _, _ = parse(b) }), uint64(4*len(b)+4096); got > limit {
				t.Fatalf("%d octets took %d octets of memory, want at most %d: % X", len(b), got, limit, b)
			}
		}
	}
}

// allocated measures the memory f takes: the least of three runs, since others run too.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
