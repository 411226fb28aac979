package object

import (
	"bytes"
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// CalendarActivate is the method of an activity calendar (class 20) that makes the
// passive calendar the active one at once.
const CalendarActivate int8 = 1

// Calendar is one half of an activity calendar, the active or the passive: attributes 2
// to 5 or 6 to 9. A new tariff is written into the passive half, read back, and
// activated by its time.
type Calendar struct {
	Name    []byte
	Seasons []Season
	Weeks   []Week
	Days    []Day
}

// Season says from when on which week repeats.
type Season struct {
	Name  []byte
	Start cosem.DateTime // the year is a wildcard as a rule
	Week  []byte         // name of a week
}

// Week says which day profile each day has, Monday first.
type Week struct {
	Name []byte
	Days [7]uint8
}

// Day is a day profile.
type Day struct {
	ID       uint8
	Switches []Switch
}

// Switch runs a script at a time of day.
type Switch struct {
	At     cosem.TimeOfDay
	Script ScriptRef
}

// maxDays bounds a table of day profiles, whose numbers have eight bits.
const maxDays = 256

// ParseSeasons reads a season profile (class 20 attributes 3 and 7).
func ParseSeasons(b []byte) ([]Season, int, error) {
	return parse(b, func(r *reader) []Season {
		return array(r, 19, unlimited, func(r *reader) Season {
			r.structure(3)
			return Season{Name: r.octets(), Start: r.dateTime(), Week: r.octets()}
		})
	})
}

// AppendSeasons appends a season profile.
func AppendSeasons(dst []byte, seasons []Season) []byte {
	return appendArray(dst, seasons, func(dst []byte, s Season) []byte {
		dst = axdr.AppendOctets(axdr.AppendStructure(dst, 3), s.Name)
		return axdr.AppendOctets(appendDateTime(dst, s.Start), s.Week)
	})
}

// ParseWeeks reads a week profile table (class 20 attributes 4 and 8).
func ParseWeeks(b []byte) ([]Week, int, error) {
	return parse(b, func(r *reader) []Week {
		return array(r, 18, unlimited, func(r *reader) (w Week) {
			r.structure(1 + len(w.Days))
			w.Name = r.octets()
			for i := range w.Days {
				w.Days[i] = r.u8()
			}
			return w
		})
	})
}

// AppendWeeks appends a week profile table.
func AppendWeeks(dst []byte, weeks []Week) []byte {
	return appendArray(dst, weeks, func(dst []byte, w Week) []byte {
		dst = axdr.AppendOctets(axdr.AppendStructure(dst, 1+len(w.Days)), w.Name)
		for _, day := range w.Days {
			dst = axdr.AppendUnsigned(dst, day)
		}
		return dst
	})
}

// ParseDays reads a day profile table (class 20 attributes 5 and 9).
func ParseDays(b []byte) ([]Day, int, error) {
	return parse(b, func(r *reader) []Day {
		return array(r, 6, maxDays, func(r *reader) (d Day) {
			r.structure(2)
			d.ID = r.u8()
			d.Switches = array(r, 18, unlimited, func(r *reader) Switch {
				r.structure(3)
				return Switch{At: r.timeOfDay(), Script: ScriptRef{Object: r.name(), Script: r.u16()}}
			})
			return d
		})
	})
}

// AppendDays appends a day profile table.
func AppendDays(dst []byte, days []Day) []byte {
	return appendArray(dst, days, func(dst []byte, d Day) []byte {
		dst = axdr.AppendUnsigned(axdr.AppendStructure(dst, 2), d.ID)
		return appendArray(dst, d.Switches, func(dst []byte, s Switch) []byte {
			dst = appendTimeOfDay(axdr.AppendStructure(dst, 3), s.At)
			return axdr.AppendLongU(appendName(dst, s.Script.Object), s.Script.Script)
		})
	})
}

// Check says what in a calendar points nowhere or is there twice: a meter may take it
// all the same and bill by no tariff at all.
func (c Calendar) Check() error {
	days := map[uint8]bool{}
	for _, d := range c.Days {
		if days[d.ID] {
			return fmt.Errorf("day profile %d is there twice", d.ID)
		}
		days[d.ID] = true
	}
	for i, w := range c.Weeks {
		for _, day := range w.Days {
			if !days[day] {
				return fmt.Errorf("week %q names day profile %d, which is not in the calendar", w.Name, day)
			}
		}
		for _, other := range c.Weeks[:i] {
			if bytes.Equal(other.Name, w.Name) {
				return fmt.Errorf("week %q is there twice", w.Name)
			}
		}
	}
	for _, s := range c.Seasons {
		found := false
		for _, w := range c.Weeks {
			found = found || bytes.Equal(w.Name, s.Week)
		}
		if !found {
			return fmt.Errorf("season %q names week %q, which is not in the calendar", s.Name, s.Week)
		}
	}
	return nil
}

// Methods of a special days table (class 11).
const (
	SpecialDaysInsert int8 = 1
	SpecialDaysDelete int8 = 2
)

// SpecialDay says which day profile a day has that is not as its week says.
type SpecialDay struct {
	Index uint16
	Date  cosem.Date
	Day   uint8 // number of a day profile
}

func readSpecialDay(r *reader) SpecialDay {
	r.structure(3)
	return SpecialDay{Index: r.u16(), Date: r.date(), Day: r.u8()}
}

// ParseSpecialDays reads the entries of a special days table (class 11 attribute 2).
func ParseSpecialDays(b []byte) ([]SpecialDay, int, error) {
	return parse(b, func(r *reader) []SpecialDay { return array(r, 13, unlimited, readSpecialDay) })
}

// ParseSpecialDay reads one entry, the parameter of insert.
func ParseSpecialDay(b []byte) (SpecialDay, int, error) { return parse(b, readSpecialDay) }

// AppendSpecialDays appends the entries of a special days table.
func AppendSpecialDays(dst []byte, days []SpecialDay) []byte {
	return appendArray(dst, days, func(dst []byte, d SpecialDay) []byte { return d.Append(dst) })
}

// Append appends one entry, the parameter of insert. That of delete is its index, a
// long-unsigned.
func (d SpecialDay) Append(dst []byte) []byte {
	dst = appendDate(axdr.AppendLongU(axdr.AppendStructure(dst, 3), d.Index), d.Date)
	return axdr.AppendUnsigned(dst, d.Day)
}
