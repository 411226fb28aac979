package cosem

import (
	"encoding/binary"
	"fmt"
)

// Sizes of a date and of a time of day in octets.
const (
	DateSize      = 5
	TimeOfDaySize = 4
)

// Date is a day that may have wildcards, so that it names every Sunday or every first
// of May as well (Blue Book 4.1.6.1).
type Date struct {
	Year    uint16
	Month   byte
	Day     byte
	Weekday byte // 1 is Monday, 7 Sunday
}

// ParseDate reads the five octets of a date. Every combination of octets is one.
func ParseDate(b []byte) (Date, int, error) {
	if len(b) < DateSize {
		return Date{}, 0, fmt.Errorf("date of %d octets: want %d", len(b), DateSize)
	}
	return Date{Year: binary.BigEndian.Uint16(b), Month: b[2], Day: b[3], Weekday: b[4]}, DateSize, nil
}

// Size is DateSize.
func (Date) Size() int { return DateSize }

// Append appends the five octets.
func (d Date) Append(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, d.Year), d.Month, d.Day, d.Weekday)
}

// String is "2024-05-01"; open fields are asterisks, a weekday is named when the day is
// open.
func (d Date) String() string {
	year := "*"
	if d.Year != AnyYear {
		year = fmt.Sprintf("%04d", d.Year)
	}
	s := fmt.Sprintf("%s-%s-%s", year, two(d.Month), two(d.Day))
	if d.Day == Any && d.Weekday != Any {
		s += fmt.Sprintf(" weekday %d", d.Weekday)
	}
	return s
}

// TimeOfDay is a time of day that may have wildcards (Blue Book 4.1.6.1).
type TimeOfDay struct {
	Hour, Minute, Second, Hundredths byte
}

// ParseTimeOfDay reads the four octets of a time. Every combination of octets is one.
func ParseTimeOfDay(b []byte) (TimeOfDay, int, error) {
	if len(b) < TimeOfDaySize {
		return TimeOfDay{}, 0, fmt.Errorf("time of %d octets: want %d", len(b), TimeOfDaySize)
	}
	return TimeOfDay{b[0], b[1], b[2], b[3]}, TimeOfDaySize, nil
}

// Size is TimeOfDaySize.
func (TimeOfDay) Size() int { return TimeOfDaySize }

// Append appends the four octets.
func (t TimeOfDay) Append(dst []byte) []byte {
	return append(dst, t.Hour, t.Minute, t.Second, t.Hundredths)
}

// String is "23:15:00"; open fields are asterisks, hundredths are left out.
func (t TimeOfDay) String() string {
	return two(t.Hour) + ":" + two(t.Minute) + ":" + two(t.Second)
}
