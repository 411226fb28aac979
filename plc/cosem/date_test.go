package cosem

import (
	"bytes"
	"testing"
)

func TestDates(t *testing.T) {
	for _, tt := range []struct{ hex, text string }{
		{"07e8050103", "2024-05-01"}, {"ffff0501ff", "*-05-01"}, {"ffffffff07", "*-*-* weekday 7"}, {"ffffffffff", "*-*-*"},
	} {
		b := unhex(t, tt.hex)
		d, n, err := ParseDate(b)
		if err != nil || n != d.Size() || d.String() != tt.text || !bytes.Equal(d.Append(nil), b) {
			t.Errorf("%s: %v, %d octets, %v", tt.hex, d, n, err)
		}
	}
	for _, tt := range []struct{ hex, text string }{{"16000000", "22:00:00"}, {"16ffff63", "22:*:*"}} {
		b := unhex(t, tt.hex)
		d, n, err := ParseTimeOfDay(b)
		if err != nil || n != d.Size() || d.String() != tt.text || !bytes.Equal(d.Append(nil), b) {
			t.Errorf("%s: %v, %d octets, %v", tt.hex, d, n, err)
		}
	}
}

func TestTruncatedDatesFail(t *testing.T) {
	for n := range DateSize {
		if _, _, err := ParseDate(make([]byte, n)); err == nil {
			t.Errorf("date of %d octets", n)
		}
	}
	for n := range TimeOfDaySize {
		if _, _, err := ParseTimeOfDay(make([]byte, n)); err == nil {
			t.Errorf("time of %d octets", n)
		}
	}
}

// FuzzFields gives any octets to the parsers of what has a fixed layout: what is
// understood comes out as it went in, in hardly any memory.
func FuzzFields(f *testing.F) {
	for _, s := range []string{"02020fff161e", "0204120008 09060000010000ff 0f02 120000", "07e8050103", "16000000", "07e30c1f0217000000ffc400"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, fixedRoom, func() {
			_, _, _ = ParseScalerUnit(b)
			_, _, _ = ParseCaptureObject(b)
			_, _, _ = ParseDate(b)
			_, _, _ = ParseTimeOfDay(b)
			_, _, _ = ParseDateTime(b)
		})
		type field interface{ Append([]byte) []byte }
		same := func(v field, n int, err error) {
			if err == nil && !bytes.Equal(v.Append(nil), b[:n]) && len(v.Append(nil)) >= n {
				t.Fatalf("%v came out as %x, went in as %x", v, v.Append(nil), b[:n])
			}
		}
		s, n, err := ParseScalerUnit(b)
		same(s, n, err)
		c, n, err := ParseCaptureObject(b)
		same(c, n, err)
		d, n, err := ParseDate(b)
		same(d, n, err)
		m, n, err := ParseTimeOfDay(b)
		same(m, n, err)
		a, n, err := ParseDateTime(b)
		same(a, n, err)
	})
}
