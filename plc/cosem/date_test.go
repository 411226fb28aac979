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
