package cosem

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// DateTimeSize is the number of octets of a date-time.
const DateTimeSize = 12

// Wildcards and special values of a date-time (Blue Book 4.1.6.1).
const (
	Any         byte   = 0xFF   // month to hundredths: not specified
	AnyYear     uint16 = 0xFFFF // year: not specified
	NoDeviation int16  = -0x8000
)

// Bits of the clock status (Blue Book 4.1.6.1). StatusUnknown stands for "not specified".
const (
	StatusInvalid        byte = 0x01 // the time could not be recovered after a power failure
	StatusDoubtful       byte = 0x02 // the time was recovered, but may be wrong
	StatusOtherBase      byte = 0x04 // the clock runs on another time base than its own
	StatusInvalidStatus  byte = 0x08 // at least one of these bits is unreliable
	StatusDaylightSaving byte = 0x80 // daylight saving is active
	StatusUnknown        byte = 0xFF
)

// DateTime is a date-time as a meter sends it: local time, deviation and clock status
// (Blue Book 4.1.6.1). Every field may be a wildcard; Time tells whether it names one
// instant. Month and day also have special values for rules (daylight saving begins,
// last day of month), which name no instant.
type DateTime struct {
	Year       uint16
	Month      byte
	Day        byte
	Weekday    byte // 1 is Monday, 7 Sunday
	Hour       byte
	Minute     byte
	Second     byte
	Hundredths byte
	Deviation  int16 // minutes, daylight saving included; see DeviationSign for its sign
	Status     byte
}

// DeviationSign tells how meters write the deviation of local time. Meters of both
// kinds are in the field, so it is a matter of configuration, never of guessing.
type DeviationSign uint8

const (
	// DeviationToUTC is what the Blue Book says: UTC is local time plus deviation, so
	// Central European Time is -60.
	DeviationToUTC DeviationSign = iota
	// DeviationFromUTC is the other reading: local time is UTC plus deviation, so
	// Central European Time is +60.
	DeviationFromUTC
)

// String names the reading.
func (s DeviationSign) String() string {
	if s == DeviationFromUTC {
		return "from UTC"
	}
	return "to UTC"
}

// offset is what to add to UTC to get local time, for a deviation in minutes. A meter
// that names no deviation runs on UTC: nothing else would name an instant.
func (s DeviationSign) offset(deviation int) time.Duration {
	switch {
	case deviation == int(NoDeviation):
		return 0
	case s == DeviationFromUTC:
		return time.Duration(deviation) * time.Minute
	}
	return -time.Duration(deviation) * time.Minute
}

// DateTime is the date-time that names t for a meter that writes its deviation in this
// sign; deviation is in minutes as that meter writes it.
func (s DeviationSign) DateTime(t time.Time, deviation int, status byte) DateTime {
	return dateTime(t.UTC().Add(s.offset(deviation)), int16(deviation), status)
}

// DateTimeOf is DeviationToUTC.DateTime: the date-time that names t in local time, which
// is UTC minus the deviation in minutes. NoDeviation gives UTC.
func DateTimeOf(t time.Time, deviation int, status byte) DateTime {
	return DeviationToUTC.DateTime(t, deviation, status)
}

// dateTime takes the fields of a local time that is written as if it were UTC.
func dateTime(local time.Time, deviation int16, status byte) DateTime {
	year, month, day := local.Date()
	hour, minute, second := local.Clock()
	return DateTime{
		Year: uint16(year), Month: byte(month), Day: byte(day),
		Weekday: byte((local.Weekday()+6)%7) + 1,
		Hour:    byte(hour), Minute: byte(minute), Second: byte(second),
		Hundredths: byte(local.Nanosecond() / int(10*time.Millisecond)),
		Deviation:  deviation, Status: status,
	}
}

// ParseDateTime reads the twelve octets of a date-time, the content of an octet-string
// or of a date-time value. Every combination of octets is one.
func ParseDateTime(b []byte) (DateTime, int, error) {
	if len(b) < DateTimeSize {
		return DateTime{}, 0, fmt.Errorf("date-time of %d octets: want %d", len(b), DateTimeSize)
	}
	return dateTimeOctets((*[DateTimeSize]byte)(b)), DateTimeSize, nil
}

func dateTimeOctets(b *[DateTimeSize]byte) DateTime {
	return DateTime{
		Year: uint16(b[0])<<8 | uint16(b[1]), Month: b[2], Day: b[3], Weekday: b[4],
		Hour: b[5], Minute: b[6], Second: b[7], Hundredths: b[8],
		Deviation: int16(uint16(b[9])<<8 | uint16(b[10])), Status: b[11],
	}
}

// Size is DateTimeSize.
func (DateTime) Size() int { return DateTimeSize }

// Append appends the twelve octets.
func (d DateTime) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, d.Year)
	dst = append(dst, d.Month, d.Day, d.Weekday, d.Hour, d.Minute, d.Second, d.Hundredths)
	dst = binary.BigEndian.AppendUint16(dst, uint16(d.Deviation))
	return append(dst, d.Status)
}

// ErrNoInstant is what every date-time wraps that does not name one instant.
var ErrNoInstant = errors.New("not one instant")

// maxDeviation are 14 hours, the largest offset of a zone on earth.
const maxDeviation = 14 * 60

// Time is the instant that d names, in UTC. Weekday is not looked at and open
// hundredths are 0; any other field that is open, special or out of range is an error
// that wraps ErrNoInstant. Without deviation local time is taken as UTC.
func (d DateTime) Time(sign DeviationSign) (time.Time, error) {
	local, err := d.local()
	if err != nil {
		return time.Time{}, err
	}
	if d.Deviation != NoDeviation && (d.Deviation < -maxDeviation || d.Deviation > maxDeviation) {
		return time.Time{}, fmt.Errorf("date-time %v: %w: deviation %d minutes", d, ErrNoInstant, d.Deviation)
	}
	return local.Add(-sign.offset(int(d.Deviation))), nil
}

// local are the fields as if they were UTC.
func (d DateTime) local() (time.Time, error) {
	hundredths := d.Hundredths
	if hundredths == Any {
		hundredths = 0
	}
	t := time.Date(int(d.Year), time.Month(d.Month), int(d.Day), int(d.Hour), int(d.Minute), int(d.Second),
		int(hundredths)*int(10*time.Millisecond), time.UTC)
	ok := d.Year != AnyYear && d.Hour < 24 && d.Minute < 60 && d.Second < 60 && hundredths < 100 &&
		t.Month() == time.Month(d.Month) && t.Day() == int(d.Day)
	if !ok {
		return time.Time{}, fmt.Errorf("date-time %v: %w", d, ErrNoInstant)
	}
	return t, nil
}

// After is d moved on by a duration, with deviation and status kept. It is false when
// d does not name one instant.
func (d DateTime) After(by time.Duration) (DateTime, bool) {
	if next, ok := d.later(by); ok {
		return next, true
	}
	local, err := d.local()
	if err != nil {
		return DateTime{}, false
	}
	next := dateTime(local.Add(by), d.Deviation, d.Status)
	if d.Hundredths == Any {
		next.Hundredths = Any
	}
	if d.Weekday == Any {
		next.Weekday = Any
	}
	return next, true
}

// later is After for whole seconds within a day that every month has, which needs no
// calendar.
func (d DateTime) later(by time.Duration) (DateTime, bool) {
	if by < 0 || by >= 24*time.Hour || by%time.Second != 0 || d.Year == AnyYear || d.Month < 1 || d.Month > 12 || d.Day < 1 || d.Day > 28 ||
		d.Hour > 23 || d.Minute > 59 || d.Second > 59 || d.Hundredths > 99 && d.Hundredths != Any {
		return d, false
	}
	second := int(by/time.Second) + 3600*int(d.Hour) + 60*int(d.Minute) + int(d.Second)
	d.Hour, d.Minute, d.Second = byte(second/3600), byte(second/60%60), byte(second%60)
	return d, second < 24*3600
}

// DaylightSaving reports whether the meter says that daylight saving is active. The
// deviation includes it already.
func (d DateTime) DaylightSaving() bool {
	return d.Status != StatusUnknown && d.Status&StatusDaylightSaving != 0
}

// plausible reports whether d can be believed to be a date-time and no other octets.
func (d DateTime) plausible() bool {
	_, err := d.local()
	return err == nil && d.Year >= 1970 && d.Year < 2200
}

// String is "2019-12-31 23:00:00.50 deviation -60 status 80"; open fields are
// asterisks, a field that says nothing is left out.
func (d DateTime) String() string {
	var b strings.Builder
	if d.Year == AnyYear {
		b.WriteString("*")
	} else {
		fmt.Fprintf(&b, "%04d", d.Year)
	}
	fmt.Fprintf(&b, "-%s-%s %s:%s:%s", two(d.Month), two(d.Day), two(d.Hour), two(d.Minute), two(d.Second))
	if d.Hundredths != 0 && d.Hundredths != Any {
		b.WriteString("." + two(d.Hundredths))
	}
	if d.Deviation != NoDeviation {
		fmt.Fprintf(&b, " deviation %d", d.Deviation)
	}
	if d.Status != 0 && d.Status != StatusUnknown {
		fmt.Fprintf(&b, " status %02X", d.Status)
	}
	return b.String()
}

func two(v byte) string {
	if v == Any {
		return "*"
	}
	return fmt.Sprintf("%02d", v)
}
