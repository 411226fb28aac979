package cosem

import (
	"fmt"
	"time"

	"busbar/plc/axdr"
)

// Row is one entry of a profile with its omissions undone. Cells has one value per
// column. It is valid during the call only, and so is every value in it: the next entry
// is written over this one. Who keeps a value copies it, its Octets and Items included.
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
	s.tagged.Within(buffer, 0, 0)
	e, err := s.tagged.Next()
	if err != nil {
		return 0, err
	}
	switch e.Tag {
	case axdr.Array:
		return s.array(buffer, s.tagged.Offset(), e.Count)
	case axdr.CompactArray:
		if err := s.compact(e.Octets); err != nil {
			return 0, err
		}
		return s.tagged.Offset(), nil
	}
	return 0, fmt.Errorf("buffer of a profile is %v: want array or compact-array", e.Tag)
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

// array reads n entries with tags and returns the offset behind them.
func (s *scan) array(b []byte, off, n int) (int, error) {
	for range n {
		at := plainHead(b, off, len(s.cells))
		if at == 0 {
			s.tagged.Within(b, off, 1)
			if err := s.head(&s.tagged); err != nil {
				return 0, err
			}
			at = s.tagged.Offset()
		}
		cell, next := s.plain(b, 0, at)
		for cell < len(s.cells) {
			s.tagged.Within(b, next, 2)
			if err := s.cell(&s.tagged, cell); err != nil {
				return 0, err
			}
			cell, next = s.plain(b, cell+1, s.tagged.Offset())
		}
		off = next
		if err := s.deliver(); err != nil {
			return 0, err
		}
	}
	return off, nil
}

// compact reads the entries of a compact-array.
func (s *scan) compact(b []byte) error {
	c, err := axdr.ParseCompact(b)
	if err != nil {
		return err
	}
	for d := axdr.NewCompactDecoder(c); d.More(); {
		if err := s.head(d); err != nil {
			return err
		}
		for i := range s.cells {
			if err := s.cell(d, i); err != nil {
				return err
			}
		}
		if err := s.deliver(); err != nil {
			return err
		}
	}
	return nil
}

// head reads the head of an entry.
func (s *scan) head(src source) error {
	e, err := src.Next()
	if err != nil {
		return err
	}
	if e.Tag != axdr.Structure || e.Count != len(s.cells) {
		return fmt.Errorf("entry %d is %v of %d elements: want a structure of %d", s.rows+1, e.Tag, e.Count, len(s.cells))
	}
	return nil
}

// cell reads one cell of any type. What changes nothing leaves that of the row before.
func (s *scan) cell(src source, i int) error {
	e, err := src.Next()
	if err != nil {
		return err
	}
	if i != s.clock && isNumber(e.Tag) {
		s.cells[i].number(e.Tag, e.Integer())
		return nil
	}
	v, err := s.parser.tree(src, e)
	switch {
	case err != nil:
		return err
	case i == s.clock:
		s.tick(v)
	case s.rows == 0 || !s.merge(&s.cells[i], v):
		s.cells[i] = v
	}
	return nil
}

// deliver hands over the row that was read.
func (s *scan) deliver() error {
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
	if ok {
		s.cells[s.clock].text(next.Append(s.stamp[:0]))
	} else {
		s.cells[s.clock] = Value{Tag: axdr.Null}
	}
}

// merge takes a cell that says how it differs from that of the row before. It is false
// for one that stands for itself.
func (s *scan) merge(cell *Value, v Value) bool {
	switch v.Tag {
	case axdr.Null:
		return true
	case axdr.DeltaInteger, axdr.DeltaLong, axdr.DeltaDoubleLong, axdr.DeltaUnsigned, axdr.DeltaLongU, axdr.DeltaDoubleU:
		if _, ok := cell.Integer(); ok && cell.Tag != axdr.Boolean && cell.Tag != axdr.Enum {
			cell.Int += v.Int
			return true
		}
	}
	return false
}
