package cosem

import (
	"encoding/binary"

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

// Integer is the value as a number: of every integer type, enum and boolean (0 or 1).
// It is false for everything else, delta types included, which are no values by
// themselves. The bits of a long64-unsigned beyond the range of int64 are kept: look
// at Tag where that matters.
func (v Value) Integer() (int64, bool) {
	if isNumber(v.Tag) {
		return v.Int, true
	}
	return 0, false
}

func isNumber(tag axdr.Tag) bool {
	switch tag {
	case axdr.Boolean, axdr.Enum, axdr.Integer, axdr.Unsigned, axdr.Long, axdr.LongU,
		axdr.DoubleLong, axdr.DoubleLongU, axdr.Long64, axdr.Long64U:
		return true
	}
	return false
}

// Append appends the encoding of v. What ParseValue accepts in the shortest lengths
// comes out unchanged.
func (v Value) Append(dst []byte) []byte {
	if v.Tag == axdr.CompactArray {
		var contents []byte
		for i := range v.Items {
			contents = v.Items[i].appendContent(contents)
		}
		return axdr.AppendCompact(dst, v.Octets, contents)
	}
	dst = append(dst, byte(v.Tag))
	if v.Tag == axdr.Array || v.Tag == axdr.Structure {
		dst = axdr.AppendLength(dst, len(v.Items))
		for i := range v.Items {
			dst = v.Items[i].Append(dst)
		}
		return dst
	}
	return v.appendContent(dst)
}

// appendContent appends v without tags, as an element of a compact-array.
func (v *Value) appendContent(dst []byte) []byte {
	switch v.Tag {
	case axdr.Array, axdr.Structure:
		for i := range v.Items {
			dst = v.Items[i].appendContent(dst)
		}
		return dst
	case axdr.Boolean, axdr.BCD, axdr.Enum, axdr.Integer, axdr.Unsigned, axdr.DeltaInteger, axdr.DeltaUnsigned:
		return append(dst, byte(v.Int))
	case axdr.Long, axdr.LongU, axdr.DeltaLong, axdr.DeltaLongU:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int))
	case axdr.DoubleLong, axdr.DoubleLongU, axdr.Float32, axdr.DeltaDoubleLong, axdr.DeltaDoubleU:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int))
	case axdr.Long64, axdr.Long64U, axdr.Float64:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int))
	}
	return axdr.AppendCompactElement(dst, axdr.Element{Tag: v.Tag, Count: v.Bits, Octets: v.Octets})
}
