package apdu

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

func seeds(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	for _, g := range golden {
		all = append(all, unhex(g.octets))
	}
	for _, n := range notifications(t) {
		all = append(all, n.octets)
	}
	return all
}

// check gives b to the parser of its tag. What was parsed must survive being written
// and read again, and be the same octets unless b had a longer form of a length, a
// default or a boolean.
func check(t testing.TB, b []byte) {
	t.Helper()
	m, n, err := parserFor(b)(b)
	if err != nil {
		return
	}
	if n > len(b) {
		t.Fatalf("consumed %d of %d octets", n, len(b))
	}
	again := m.Append(nil)
	if len(again) != m.Size() {
		t.Fatalf("Size %d, but %d octets were written", m.Size(), len(again))
	}
	if len(again) > n && !(Tag(b[0]) == TagExceptionResponse && n == 3) {
		t.Fatalf("%d octets were written again as %d", n, len(again))
	}
	if len(again) == n {
		for i := range again {
			if again[i] != b[i] && !(again[i] == 1 && b[i] > 1) {
				t.Fatalf("octet %d: %02X was written again as %02X", i, b[i], again[i])
			}
		}
	}
	m2, n2, err := parserFor(again)(again)
	if err != nil || n2 != len(again) || !reflect.DeepEqual(m, m2) {
		t.Fatalf("%#v written and read again is %#v, %v", m, m2, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, b)
		if got, limit := allocated(func() { _, _, _ = parserFor(b)(b) }), uint64(4*len(b)+4096); got > limit {
			t.Fatalf("%d octets took %d octets of memory, want at most %d", len(b), got, limit)
		}
	})
}

// FuzzParseLists reads the lists that joined blocks are.
func FuzzParseLists(f *testing.F) {
	f.Add(unhex("03 0000 030101fa 000100 1100"))
	f.Add(unhex("02 1100 120001"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if values, n, err := ParseValues(b); err == nil {
			again := AppendValues(nil, values)
			if len(again) != ValuesSize(values) || len(again) > n || !bytes.HasSuffix(b[:n], again[min(len(again), 1):]) {
				t.Fatalf("% X written again is % X", b[:n], again)
			}
		}
		list, _, err := ParseActed(b)
		if err != nil {
			return
		}
		again, _, err := ParseActed(AppendActed(nil, list))
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Fatalf("%v written and read again is %v, %v", list, again, err)
		}
	})
}

func FuzzParseResults(f *testing.F) {
	f.Add(unhex("0200060000139101040000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := ParseResults(b)
		if err != nil {
			return
		}
		again := AppendResults(nil, r)
		r2, n2, err := ParseResults(again)
		if err != nil || n2 != len(again) || n2 > n || !reflect.DeepEqual(r, r2) {
			t.Fatalf("%v written and read again is %v, %v", r, r2, err)
		}
	})
}

// mutate damages b as a line, or somebody on it, would.
func mutate(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + r.IntN(4) {
		i := r.IntN(len(b))
		switch r.IntN(5) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = byte(r.IntN(256))
		case 2:
			b = b[:i+1]
		case 3:
			b = append(b[:i:i], append([]byte{0x84, 0xFF, 0xFF, 0xFF, 0xFF}, b[i:]...)...)
		case 4:
			b = append(b, b[i:]...)
		}
	}
	return b
}

// TestParsersAllocateLittle holds every parser to 4 times its input and 4 KiB.
func TestParsersAllocateLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	inputs := append(seeds(t),
		append(unhex("c403c140"), bytes.Repeat(unhex("0101"), 64)...),
		append(unhex("c003c140"), bytes.Repeat(unhex("00010000010000ff0200"), 64)...),
		append(unhex("c003c140"), bytes.Repeat(unhex("00010000010000ff02010100"), 64)...),
		append(unhex("c401c100"), bytes.Repeat([]byte{1, 1}, 30000)...),
	)
	for _, s := range inputs {
		for i := range 50 {
			b := s
			if i > 0 {
				b = mutate(r, s)
			}
			if got, limit := allocated(func() { _, _, _ = parserFor(b)(b) }), uint64(4*len(b)+4096); got > limit {
				t.Fatalf("%d octets took %d octets of memory, want at most %d: % X", len(b), got, limit, b[:min(len(b), 40)])
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
