package cosem

import (
	"encoding/binary"
	"errors"

	"busbar/plc/axdr"
)

// Value is one COSEM data value as a tree (Blue Book 4.1.5, "Data"). Only the
// field that belongs to Tag is meaningful: Int for enum, boolean and every
// signed or unsigned integer that fits (long64-unsigned keeps its bits), Octets
// for octet-, visible-, utf8- and bit-string, date-time, date and time, and the
// raw bits of float32 and float64 in Int; Items for array, structure and
// unpacked compact-array, whose type description stays encoded in Octets.
type Value struct {
	Tag    axdr.Tag
	Int    int64
	Bits   int // length of a bit-string in bits
	Octets []byte
	Items  []Value
}

// maxItems bounds the tree of one value: some twenty times the largest object list
// seen on a line, and about a megabyte of memory whatever a meter sends.
const maxItems = 1 << 14

// ParseValue decodes the one value that b starts with and returns the octets it took.
// Strings share memory with b. A value with more than 16,384 elements is refused:
// profile buffers are for ScanProfile.
func ParseValue(b []byte) (Value, int, error) {
	d := axdr.NewDecoder(b)
	p := parser{budget: maxItems}
	v, err := p.value(d)
	if err != nil {
		return Value{}, 0, err
	}
	return v, d.Offset(), nil
}

// source is what both cursors of axdr have in common.
type source interface {
	Next() (axdr.Element, error)
}

var errTooMany = errors.New("a value of too many elements")

// parser builds trees; budget is the number of elements it may still make.
type parser struct{ budget int }

// value reads one value. Its recursion is bounded by axdr.MaxDepth.
func (p *parser) value(s source) (Value, error) {
	e, err := s.Next()
	if err != nil {
		return Value{}, err
	}
	v := leaf(e)
	switch e.Tag {
	case axdr.Array, axdr.Structure:
		v.Items, err = p.items(s, e.Count)
	case axdr.CompactArray:
		v, err = p.compact(e)
	}
	return v, err
}

// leaf is an element without the elements below it.
func leaf(e axdr.Element) Value {
	v := Value{Tag: e.Tag, Int: e.Integer()}
	switch e.Tag {
	case axdr.BitString:
		v.Bits, v.Octets = e.Count, e.Octets
	case axdr.OctetString, axdr.VisibleString, axdr.UTF8String, axdr.DateTime, axdr.Date, axdr.Time:
		v.Octets = e.Octets
	}
	return v
}

func (p *parser) items(s source, n int) ([]Value, error) {
	if n == 0 {
		return nil, nil
	}
	if err := p.take(n); err != nil {
		return nil, err
	}
	items := make([]Value, n)
	for i := range items {
		var err error
		if items[i], err = p.value(s); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (p *parser) take(n int) error {
	if n > p.budget {
		return errTooMany
	}
	p.budget -= n
	return nil
}

// compact unpacks a compact-array.
func (p *parser) compact(e axdr.Element) (Value, error) {
	c, err := axdr.ParseCompact(e.Octets)
	if err != nil {
		return Value{}, err
	}
	v := Value{Tag: axdr.CompactArray, Octets: c.Description}
	for d := axdr.NewCompactDecoder(c); d.More(); {
		if err := p.take(1); err != nil {
			return Value{}, err
		}
		item, err := p.value(d)
		if err != nil {
			return Value{}, err
		}
		v.Items = append(v.Items, item)
	}
	return v, nil
}

// Integer is the value as a number: of every integer type, enum and boolean (0 or 1).
// It is false for everything else, delta types included, which are no values by
// themselves. The bits of a long64-unsigned beyond the range of int64 are kept: look
// at Tag where that matters.
func (v Value) Integer() (int64, bool) {
	switch v.Tag {
	case axdr.Boolean, axdr.Enum, axdr.Integer, axdr.Unsigned, axdr.Long, axdr.LongU,
		axdr.DoubleLong, axdr.DoubleLongU, axdr.Long64, axdr.Long64U:
		return v.Int, true
	}
	return 0, false
}

// Append appends the encoding of v. What ParseValue accepts in the shortest lengths
// comes out unchanged.
func (v Value) Append(dst []byte) []byte {
	if v.Tag == axdr.CompactArray {
		var contents []byte
		for _, item := range v.Items {
			contents = item.appendContent(contents)
		}
		return axdr.AppendCompact(dst, v.Octets, contents)
	}
	dst = axdr.AppendElement(dst, v.element())
	for _, item := range v.Items {
		dst = item.Append(dst)
	}
	return dst
}

// appendContent appends v without tags, as an element of a compact-array.
func (v Value) appendContent(dst []byte) []byte {
	dst = axdr.AppendCompactElement(dst, v.element())
	for _, item := range v.Items {
		dst = item.appendContent(dst)
	}
	return dst
}

// element is v as axdr knows it.
func (v Value) element() axdr.Element {
	e := axdr.Element{Tag: v.Tag, Octets: v.Octets}
	switch v.Tag {
	case axdr.Array, axdr.Structure:
		e.Count, e.Octets = len(v.Items), nil
	case axdr.BitString:
		e.Count = v.Bits
	case axdr.Boolean, axdr.BCD, axdr.Enum, axdr.Integer, axdr.Unsigned, axdr.DeltaInteger, axdr.DeltaUnsigned:
		e.Octets = []byte{byte(v.Int)}
	case axdr.Long, axdr.LongU, axdr.DeltaLong, axdr.DeltaLongU:
		e.Octets = binary.BigEndian.AppendUint16(nil, uint16(v.Int))
	case axdr.DoubleLong, axdr.DoubleLongU, axdr.Float32, axdr.DeltaDoubleLong, axdr.DeltaDoubleU:
		e.Octets = binary.BigEndian.AppendUint32(nil, uint32(v.Int))
	case axdr.Long64, axdr.Long64U, axdr.Float64:
		e.Octets = binary.BigEndian.AppendUint64(nil, uint64(v.Int))
	}
	return e
}
