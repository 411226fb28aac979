package axdr

import "testing"

// day is the buffer of a profile of 96 quarters of an hour, as in the tests of
// plc/cosem: clock, status and two registers.
func day() []byte {
	b := AppendArray(nil, 96)
	for i := range 96 {
		b = AppendStructure(b, 4)
		b = AppendOctets(b, []byte{0x07, 0xE8, 5, 1, 3, byte(i / 4), byte(i % 4 * 15), 0, 0xFF, 0x80, 0, 0})
		b = AppendUnsigned(b, 0)
		b = AppendDoubleLongU(b, uint32(1000+7*i))
		b = AppendDoubleLongU(b, uint32(i))
	}
	return b
}

// BenchmarkA4Walk reads every element of a day.
func BenchmarkA4Walk(b *testing.B) {
	buffer := day()
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		d := NewDecoder(buffer)
		for d.Left() > 0 {
			if _, err := d.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkA4Skip passes over a day.
func BenchmarkA4Skip(b *testing.B) {
	buffer := day()
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		if err := NewDecoder(buffer).Skip(); err != nil {
			b.Fatal(err)
		}
	}
}
