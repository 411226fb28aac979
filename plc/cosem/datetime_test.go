package cosem

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDateTimeBothSigns(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 30, 45, 120e6, time.UTC)
	for _, tt := range []struct {
		sign      DeviationSign
		deviation int
		status    byte
		hex       string
	}{
		{DeviationToUTC, -60, 0, "07ea0b19030d1e2d0cffc400"},
		{DeviationFromUTC, 60, 0, "07ea0b19030d1e2d0c003c00"},
		{DeviationToUTC, 300, 0x80, "07ea0b1903071e2d0c012c80"},
		{DeviationToUTC, 0, 0, "07ea0b19030c1e2d0c000000"},
		{DeviationFromUTC, int(NoDeviation), StatusUnknown, "07ea0b19030c1e2d0c8000ff"},
	} {
		d := tt.sign.DateTime(at, tt.deviation, tt.status)
		b := d.Append(nil)
		if !bytes.Equal(b, unhex(t, tt.hex)) || d.Size() != len(b) {
			t.Errorf("%v %d: %x, want %s", tt.sign, tt.deviation, b, tt.hex)
		}
		p, n, err := ParseDateTime(b)
		if err != nil || n != DateTimeSize || p != d {
			t.Errorf("%x: came back as %+v, %d octets, %v", b, p, n, err)
		}
		if back, err := p.Time(tt.sign); err != nil || !back.Equal(at) {
			t.Errorf("%v: %v, want %v (%v)", d, back, at, err)
		}
		if p.DaylightSaving() != (tt.status == 0x80) {
			t.Errorf("%v: daylight saving %v", d, p.DaylightSaving())
		}
	}
	if d, want := DateTimeOf(at, -60, 0), DeviationToUTC.DateTime(at, -60, 0); d != want {
		t.Errorf("DateTimeOf gives %v, want %v", d, want)
	}
	wrong, err := DateTimeOf(at, -60, 0).Time(DeviationFromUTC)
	if err != nil || wrong.Sub(at) != 2*time.Hour {
		t.Errorf("read with the other sign: %v, %v; want two hours off", wrong.Sub(at), err)
	}
}

func TestDateTimeThatIsNoInstant(t *testing.T) {
	for _, text := range []string{
		"ffff0b19030d1e2d00000000", // no year
		"07eaff19030d1e2d00000000", // no month
		"07eafd19030d1e2d00000000", // end of daylight saving
		"07ea0bff030d1e2d00000000", // no day
		"07ea0bfe030d1e2d00000000", // last day of the month
		"07ea0b1903ff1e2d00000000", // no hour
		"07ea0b19030dff2d00000000", // no minute
		"07ea0b19030d1eff00000000", // no second
		"07ea0b1903181e2d00000000", // 24 o'clock
		"07ea0b19030d1e3c00000000", // second 60
		"07ea0b19030d1e2d64000000", // hundredth 100
		"07ea021d030d1e2d00000000", // 29 February 2026
		"07ea0019030d1e2d00000000", // month 0
		"07ea0b00030d1e2d00000000", // day 0
		"07ea0b19030d1e2d00037500", // deviation of more than 14 hours
		"000000000000000000000000",
	} {
		d, _, err := ParseDateTime(unhex(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if at, err := d.Time(DeviationToUTC); !errors.Is(err, ErrNoInstant) {
			t.Errorf("%s is %v (%v), want no instant", text, at, err)
		}
	}
	open := unhex(t, "07ea0b19ff0d1e2dff000000") // weekday and hundredths may be open
	d, _, _ := ParseDateTime(open)
	if at, err := d.Time(DeviationToUTC); err != nil || !at.Equal(time.Date(2026, 11, 25, 13, 30, 45, 0, time.UTC)) {
		t.Errorf("%v is %v, %v", d, at, err)
	}
}

func TestTruncatedDateTimeFails(t *testing.T) {
	for n := range DateTimeSize {
		if _, _, err := ParseDateTime(make([]byte, n)); err == nil {
			t.Errorf("%d octets accepted", n)
		}
	}
}

func TestDateTimeMovesOn(t *testing.T) {
	d, _, _ := ParseDateTime(unhex(t, "07e8021cff173b00ff800080")) // 2024-02-28 23:59
	next, ok := d.After(15 * time.Minute)
	if want := unhex(t, "07e8021dff000e00ff800080"); !ok || !bytes.Equal(next.Append(nil), want) {
		t.Errorf("%v moved on to %v", d, next)
	}
	if next, ok = (DateTime{Year: AnyYear}).After(time.Hour); ok {
		t.Errorf("an open date moved on to %v", next)
	}
	sunday := DateTimeOf(time.Date(2026, 11, 22, 23, 50, 0, 0, time.UTC), 0, 0)
	if next, _ = sunday.After(time.Hour); sunday.Weekday != 7 || next.Weekday != 1 {
		t.Errorf("weekday %d moved on to %d, want 7 and 1", sunday.Weekday, next.Weekday)
	}
}

// TestMovingOnWithinADay compares the short way with the calendar's.
func TestMovingOnWithinADay(t *testing.T) {
	short := 0
	for day := range 60 {
		for _, by := range []time.Duration{0, time.Second, quarter, time.Hour, 13*time.Hour + time.Second, 23 * time.Hour, 24 * time.Hour, quarter + time.Millisecond, -time.Hour} {
			d := DateTimeOf(time.Date(2024, 1, 15+day, 7*day%24, 13*day%60, 59, 0, time.UTC), 0, 0)
			local, err := d.local()
			if err != nil {
				t.Fatal(err)
			}
			want := dateTime(local.Add(by), d.Deviation, d.Status)
			if got, ok := d.After(by); !ok || got != want {
				t.Fatalf("%v and %v: %v %v, want %v", d, by, got, ok, want)
			}
			if _, ok := d.later(by); ok {
				short++
			}
		}
	}
	if short < 100 {
		t.Errorf("only %d went the short way", short)
	}
	for _, field := range []func(*DateTime){
		func(d *DateTime) { d.Hour = 24 }, func(d *DateTime) { d.Minute = Any }, func(d *DateTime) { d.Second = 60 },
		func(d *DateTime) { d.Month = 13 }, func(d *DateTime) { d.Day = 0 }, func(d *DateTime) { d.Hundredths = 100 },
	} {
		d := DateTime{Year: 2024, Month: 5, Day: 1}
		field(&d)
		if next, ok := d.After(time.Minute); ok {
			t.Errorf("%v moved on to %v", d, next)
		}
	}
}

// FuzzDateTime wants that an instant survives being read and written in either sign.
func FuzzDateTime(f *testing.F) {
	f.Add(unhex(f, "07ea0b19030d1e2d0cffc400"), true)
	f.Add(unhex(f, "07e8021cff173b00ff800080"), false)
	f.Fuzz(func(t *testing.T, b []byte, from bool) {
		d, n, err := ParseDateTime(b)
		if err != nil {
			return
		}
		if !bytes.Equal(d.Append(nil), b[:n]) {
			t.Fatalf("%x came back as %x", b[:n], d.Append(nil))
		}
		if strings.ContainsAny(d.String(), "\n\x00") {
			t.Fatalf("text %q", d.String())
		}
		sign := DeviationToUTC
		if from {
			sign = DeviationFromUTC
		}
		at, err := d.Time(sign)
		if err != nil {
			return
		}
		again := sign.DateTime(at, int(d.Deviation), d.Status)
		again.Weekday = d.Weekday
		if d.Hundredths == Any {
			again.Hundredths = Any
		}
		if again != d {
			t.Fatalf("%v came back as %v", d, again)
		}
	})
}
