package cosem

import (
	"testing"
	"time"

	"busbar/plc/axdr"
)

// The benchmarks named A4 read or ask for one and the same day of 96 quarters of an
// hour: clock, status and two registers.

// stream measures ScanProfile over a buffer of that day in whatever encoding.
func stream(b *testing.B, buffer []byte) {
	sum, count := int64(0), 0
	row := func(r Row) error {
		sum += r.Cells[2].Int
		count++
		return nil
	}
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ScanProfile(buffer, 4, 0, quarter, row); err != nil {
			b.Fatal(err)
		}
	}
	if count != 96*b.N || sum == 0 {
		b.Fatalf("%d rows in %d rounds", count, b.N)
	}
}

func BenchmarkA4Stream(b *testing.B) { stream(b, day()) }

// BenchmarkA4StreamNulls leaves out every clock and status but the first.
func BenchmarkA4StreamNulls(b *testing.B) { stream(b, dayOfNulls()) }

// BenchmarkA4StreamCompact reads the day as a compact-array.
func BenchmarkA4StreamCompact(b *testing.B) { stream(b, dayCompact(b)) }

func BenchmarkA4Tree(b *testing.B) {
	buffer := day()
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		if v, _, err := ParseValue(buffer); err != nil || len(v.Items) != 96 {
			b.Fatal(err)
		}
	}
}

// BenchmarkA4TreeAppend writes the day again from its tree.
func BenchmarkA4TreeAppend(b *testing.B) {
	buffer := day()
	v, _, err := ParseValue(buffer)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, len(buffer))
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		dst = v.Append(dst[:0])
	}
}

// BenchmarkA4Request asks for the day by range: into octets of the caller, and as a
// Selection, which is what the reading client keeps.
func BenchmarkA4Request(b *testing.B) {
	from := DateTimeOf(time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC), int(NoDeviation), 0)
	to := DateTimeOf(time.Date(2024, 5, 1, 23, 45, 0, 0, time.UTC), int(NoDeviation), 0)
	b.Run("append", func(b *testing.B) {
		dst := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			dst = Range{Clock: clockColumn, From: from, To: to}.Append(dst[:0])
		}
		b.SetBytes(int64(len(dst)))
	})
	b.Run("selection", func(b *testing.B) {
		var s *Selection
		b.ReportAllocs()
		for b.Loop() {
			s = ByRange(clockColumn, from, to, nil)
		}
		b.SetBytes(int64(len(s.Parameters)))
	})
}

// dayOfNulls is day with every clock and status but the first left out.
func dayOfNulls() []byte {
	full := day()
	b := append([]byte(nil), full[:2+28]...)
	for i := 1; i < 96; i++ {
		row := full[2+28*i:][:28]
		b = axdr.AppendNull(axdr.AppendNull(axdr.AppendStructure(b, 4)))
		b = append(b, row[2+14+2:]...)
	}
	return b
}

// dayCompact is day as a compact-array.
func dayCompact(t testing.TB) []byte {
	v, _, err := ParseValue(day())
	if err != nil {
		t.Fatal(err)
	}
	v.Tag, v.Octets = axdr.CompactArray, unhex(t, "0204 09 11 06 06")
	return v.Append(nil)
}
