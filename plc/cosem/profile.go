package cosem

import (
	"fmt"
	"time"

	"busbar/plc/axdr"
)

// Row is one entry of a profile with its omissions undone. Cells has one value per
// column and is valid during the call only.
type Row struct {
	HasTime bool     // the clock column holds a date-time, or follows from the row before
	Time    DateTime // meaningful when HasTime; it may still have open fields
	Cells   []Value
}

// ScanProfile walks over a profile's buffer (class 7 attribute 2: an array or a
// compact-array of structures, one cell per column), calls row for every entry and
// returns the octets the buffer took. It stops at the first fault and at the first
// error of row, which it returns as it is.
//
// A cell that is null-data repeats the row before; in the clock column the time moves
// on by the capture period. A delta cell is added to the row before. Where there is no
// row before, the cell stays what it is. ClockColumn is -1 when there is none.
func ScanProfile(buffer []byte, columns, clockColumn int, period time.Duration, row func(Row) error) (n int, err error) {
	if columns < 1 {
		return 0, fmt.Errorf("profile of %d columns", columns)
	}
	s := &scan{clock: clockColumn, period: period, cells: make([]Value, columns), row: row, parser: parser{budget: len(buffer)}}
	s.tagged = *axdr.NewDecoder(buffer)
	e, err := s.tagged.Next()
	if err != nil {
		return 0, err
	}
	switch e.Tag {
	case axdr.Array:
		for range e.Count {
			if err := s.entry(&s.tagged); err != nil {
				return 0, err
			}
		}
	case axdr.CompactArray:
		c, err := axdr.ParseCompact(e.Octets)
		if err != nil {
			return 0, err
		}
		for d := axdr.NewCompactDecoder(c); d.More(); {
			if err := s.entry(d); err != nil {
				return 0, err
			}
		}
	default:
		return 0, fmt.Errorf("buffer of a profile is %v: want array or compact-array", e.Tag)
	}
	return s.tagged.Offset(), nil
}

// scan is one pass over a buffer.
type scan struct {
	clock  int
	period time.Duration
	cells  []Value // of the last row
	rows   int
	row    func(Row) error
	tagged axdr.Decoder // here, so that it is not an allocation of its own
	// parser makes the cells that are arrays or structures. Its budget holds for the
	// whole buffer: a compact-array could otherwise promise elements that take no octets.
	parser parser

	time    DateTime
	hasTime bool
	stamp   [DateTimeSize]byte // the clock cell of a row that left it out
}

// entry reads one row. Where its cells change nothing, those of the row before stay.
func (s *scan) entry(src source) error {
	e, err := src.Next()
	if err != nil {
		return err
	}
	if e.Tag != axdr.Structure || e.Count != len(s.cells) {
		return fmt.Errorf("entry %d is %v of %d elements: want a structure of %d", s.rows+1, e.Tag, e.Count, len(s.cells))
	}
	for i := range s.cells {
		v, err := s.parser.value(src)
		if err != nil {
			return err
		}
		if i == s.clock {
			s.tick(v)
		} else {
			s.cells[i] = s.merge(s.cells[i], v)
		}
	}
	s.rows++
	return s.row(Row{HasTime: s.hasTime, Time: s.time, Cells: s.cells})
}

// tick takes the cell of the clock column.
func (s *scan) tick(v Value) {
	switch {
	case v.Tag == axdr.Null && s.rows > 0:
		s.advance()
		return
	case (v.Tag == axdr.OctetString || v.Tag == axdr.DateTime) && len(v.Octets) == DateTimeSize:
		s.time, _, _ = ParseDateTime(v.Octets)
		s.hasTime = true
	default:
		s.time, s.hasTime = DateTime{}, false
	}
	s.cells[s.clock] = v
}

// advance moves the time on by the capture period. Without a period, or after a time
// with open fields, the time of the row is not known.
func (s *scan) advance() {
	next, ok := DateTime{}, false
	if s.hasTime && s.period > 0 {
		next, ok = s.time.After(s.period)
	}
	s.time, s.hasTime = next, ok
	s.cells[s.clock] = Value{Tag: axdr.Null}
	if ok {
		s.cells[s.clock] = Value{Tag: axdr.OctetString, Octets: next.Append(s.stamp[:0])}
	}
}

// merge is the cell of a column that held last in the row before.
func (s *scan) merge(last, v Value) Value {
	if s.rows == 0 {
		return v
	}
	switch v.Tag {
	case axdr.Null:
		return last
	case axdr.DeltaInteger, axdr.DeltaLong, axdr.DeltaDoubleLong, axdr.DeltaUnsigned, axdr.DeltaLongU, axdr.DeltaDoubleU:
		if _, ok := last.Integer(); ok && last.Tag != axdr.Boolean && last.Tag != axdr.Enum {
			last.Int += v.Int
			return last
		}
	}
	return v
}
