package cosem

import (
	"fmt"

	"busbar/plc/axdr"
)

// Selectors of attribute 2 of a profile (Blue Book 4.3.6).
const (
	SelectRange byte = 1
	SelectEntry byte = 2
)

// Range selects the entries of a profile whose Clock lies between From and To, both
// included, and of them the columns in Columns; all when that is empty.
type Range struct {
	Clock    CaptureObject // restricting_object: the column that From and To are about
	From, To DateTime
	Columns  []CaptureObject
}

// Entries selects the entries of a profile by number, the oldest being 1, and the
// columns by number, the leftmost being 1. Both ends are included; a To of 0 is the
// highest there is.
type Entries struct {
	From, To                uint32
	FirstColumn, LastColumn uint16
}

// ByRange selects by time. No columns means all.
func ByRange(clock CaptureObject, from, to DateTime, columns []CaptureObject) *Selection {
	r := Range{Clock: clock, From: from, To: to, Columns: columns}
	return &Selection{Selector: SelectRange, Parameters: r.Append(make([]byte, 0, r.Size()))}
}

// ByEntry selects by entry number. A last column of 0 means all.
func ByEntry(from, to uint32, firstColumn, lastColumn uint16) *Selection {
	e := Entries{From: from, To: to, FirstColumn: firstColumn, LastColumn: lastColumn}
	return &Selection{Selector: SelectEntry, Parameters: e.Append(make([]byte, 0, e.Size()))}
}

// Append appends a range_descriptor.
func (r Range) Append(dst []byte) []byte {
	dst = r.Clock.Append(axdr.AppendStructure(dst, 4))
	var at [DateTimeSize]byte
	dst = axdr.AppendOctets(dst, r.From.Append(at[:0]))
	dst = axdr.AppendOctets(dst, r.To.Append(at[:0]))
	return AppendCaptureObjects(dst, r.Columns)
}

// Size is the number of octets that Append appends.
func (r Range) Size() int {
	return 2 + captureObjectSize + 2*(2+DateTimeSize) + 1 + axdr.LengthSize(len(r.Columns)) + len(r.Columns)*captureObjectSize
}

// Append appends an entry_descriptor.
func (e Entries) Append(dst []byte) []byte {
	dst = axdr.AppendDoubleLongU(axdr.AppendStructure(dst, 4), e.From)
	dst = axdr.AppendDoubleLongU(dst, e.To)
	return axdr.AppendLongU(axdr.AppendLongU(dst, e.FirstColumn), e.LastColumn)
}

// Size is the number of octets that Append appends.
func (Entries) Size() int { return 2 + 2*5 + 2*3 }

// Query is a Selection taken apart: exactly one of its fields is set.
type Query struct {
	Range   *Range
	Entries *Entries
}

// ParseSelection takes a selection of a profile's buffer apart. Parameters must hold
// one descriptor and nothing behind it.
func ParseSelection(s Selection) (Query, error) {
	var q Query
	n, err := 0, error(nil)
	switch s.Selector {
	case SelectRange:
		var r Range
		r, n, err = ParseRange(s.Parameters)
		q.Range = &r
	case SelectEntry:
		var e Entries
		e, n, err = ParseEntries(s.Parameters)
		q.Entries = &e
	default:
		return Query{}, fmt.Errorf("selector %d: want 1 (range) or 2 (entry)", s.Selector)
	}
	if err == nil && n != len(s.Parameters) {
		err = fmt.Errorf("selector %d: %d octets behind its parameters", s.Selector, len(s.Parameters)-n)
	}
	if err != nil {
		return Query{}, err
	}
	return q, nil
}

// ParseRange reads a range_descriptor whose ends are date-times.
func ParseRange(b []byte) (Range, int, error) {
	d := axdr.NewDecoder(b)
	r, err := rangeDescriptor(d)
	if err != nil {
		return Range{}, 0, err
	}
	return r, d.Offset(), nil
}

func rangeDescriptor(d *axdr.Decoder) (r Range, err error) {
	if err = d.Structure(4); err != nil {
		return r, err
	}
	if r.Clock, err = captureObject(d); err != nil {
		return r, err
	}
	if r.From, err = dateTimeValue(d); err != nil {
		return r, err
	}
	if r.To, err = dateTimeValue(d); err != nil {
		return r, err
	}
	r.Columns, err = captureObjects(d)
	return r, err
}

// dateTimeValue reads a date-time as octet-string or as its own type.
func dateTimeValue(d *axdr.Decoder) (DateTime, error) {
	e, err := d.Next()
	if err != nil {
		return DateTime{}, err
	}
	if e.Tag != axdr.OctetString && e.Tag != axdr.DateTime || len(e.Octets) != DateTimeSize {
		return DateTime{}, fmt.Errorf("%v of %d octets: want a date-time", e.Tag, len(e.Octets))
	}
	t, _, err := ParseDateTime(e.Octets)
	return t, err
}

// ParseEntries reads an entry_descriptor.
func ParseEntries(b []byte) (Entries, int, error) {
	d := axdr.NewDecoder(b)
	if err := d.Structure(4); err != nil {
		return Entries{}, 0, err
	}
	var n [4]int64
	for i, tag := range [4]axdr.Tag{axdr.DoubleLongU, axdr.DoubleLongU, axdr.LongU, axdr.LongU} {
		var err error
		if n[i], err = d.Integer(tag); err != nil {
			return Entries{}, 0, err
		}
	}
	return Entries{From: uint32(n[0]), To: uint32(n[1]), FirstColumn: uint16(n[2]), LastColumn: uint16(n[3])}, d.Offset(), nil
}
