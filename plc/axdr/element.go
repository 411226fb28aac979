package axdr

import (
	"encoding/binary"
	"math"
)

// sizes are the octets of content of the types that need no length, 0 for all other
// tags. It has an entry for every octet, so that looking one up needs no check.
var sizes = [256]uint8{
	Boolean: 1, Integer: 1, Unsigned: 1, Enum: 1, BCD: 1, DeltaInteger: 1, DeltaUnsigned: 1,
	Long: 2, LongU: 2, DeltaLong: 2, DeltaLongU: 2,
	DoubleLong: 4, DoubleLongU: 4, Float32: 4, DeltaDoubleLong: 4, DeltaDoubleU: 4, Time: 4,
	Date: 5, Long64: 8, Long64U: 8, Float64: 8, DateTime: 12,
}

// fixedSize is the content size of a type without length, 0 for all others.
func fixedSize(t Tag) int { return int(sizes[t]) }

// usual reads the elements that nearly all of a meter's answer consists of: types of
// fixed size, octet-strings and structures with a short length. It returns the offset
// behind, or 0 for everything else and for every fault, which element is to explain.
func usual(b []byte, off int) (e Element, next int) {
	if off+1 >= len(b) {
		return e, 0
	}
	tag, first := Tag(b[off]), int(b[off+1])
	if n := fixedSize(tag); n > 0 {
		if off, next = off+1, off+1+n; next <= len(b) {
			return Element{Tag: tag, Octets: b[off:next:next]}, next
		}
		return e, 0
	}
	left := len(b) - off - 2
	if first >= 0x80 || first > left {
		return e, 0
	}
	switch off += 2; tag {
	case OctetString:
		return Element{Tag: tag, Octets: b[off : off+first : off+first]}, off + first
	case Structure:
		return Element{Tag: tag, Count: first}, off
	}
	return e, 0
}

// element reads the element at off and returns the offset behind it: behind the head
// of an array or structure, behind all of everything else.
func element(b []byte, off int) (Element, int, error) {
	if off >= len(b) {
		return Element{}, off, fault(off, "data ends where a value should begin")
	}
	return content(b, off+1, Tag(b[off]))
}

// content reads what follows the tag; elements of a compact-array have no tag.
func content(b []byte, off int, tag Tag) (Element, int, error) {
	e := Element{Tag: tag}
	if n := fixedSize(tag); n > 0 {
		if n > len(b)-off {
			return Element{}, off, fault(off, "%v wants %d octets, has %d", tag, n, len(b)-off)
		}
		e.Octets = b[off : off+n : off+n]
		return e, off + n, nil
	}
	switch tag {
	case Null, DontCare:
		return e, off, nil
	case OctetString, VisibleString, UTF8String:
		n, at, err := length(b, off)
		if err != nil {
			return Element{}, off, err
		}
		if n > len(b)-at {
			return Element{}, off, fault(off, "%v of %d octets, but only %d follow", tag, n, len(b)-at)
		}
		e.Octets = b[at : at+n : at+n]
		return e, at + n, nil
	case BitString:
		return bits(b, off)
	case Array, Structure:
		n, at, err := length(b, off)
		if err != nil {
			return Element{}, off, err
		}
		if n > len(b)-at { // every element takes one octet at least
			return Element{}, off, fault(off, "%v of %d elements, but only %d octets follow", tag, n, len(b)-at)
		}
		e.Count = n
		return e, at, nil
	case CompactArray:
		c, err := ParseCompact(b[off:])
		if err != nil {
			return Element{}, off, shift(err, off)
		}
		n := c.size
		e.Octets = b[off : off+n : off+n]
		return e, off + n, nil
	}
	return Element{}, off, fault(max(0, off-1), "tag %02Xh is no type of COSEM data", byte(tag))
}

func bits(b []byte, off int) (Element, int, error) {
	n, at, err := length(b, off)
	if err != nil {
		return Element{}, off, err
	}
	octets := n/8 + min(1, n%8)
	if octets > len(b)-at {
		return Element{}, off, fault(off, "bit-string of %d bits, but only %d octets follow", n, len(b)-at)
	}
	return Element{Tag: BitString, Count: n, Octets: b[at : at+octets : at+octets]}, at + octets, nil
}

// length reads an A-XDR length and returns the offset behind it.
func length(b []byte, off int) (n, next int, err error) {
	if off >= len(b) {
		return 0, off, fault(off, "data ends where a length should stand")
	}
	first := b[off]
	if first < 0x80 {
		return int(first), off + 1, nil
	}
	k := int(first & 0x7F)
	if k == 0 || k > 4 {
		return 0, off, fault(off, "length form %02Xh: want 81h to 84h", first)
	}
	if k > len(b)-off-1 {
		return 0, off, fault(off, "length of %d octets, but only %d follow", k, len(b)-off-1)
	}
	u := uint32(0)
	for _, o := range b[off+1 : off+1+k] {
		u = u<<8 | uint32(o)
	}
	if u > math.MaxInt32 { // more than any slice here; keeps int arithmetic safe on 32 bits
		return 0, off, fault(off, "length %d is beyond all sense", u)
	}
	return int(u), off + 1 + k, nil
}

// shift moves the place of an error found in a part that begins at off.
func shift(err error, off int) error {
	if e, ok := err.(*Error); ok {
		return &Error{Offset: e.Offset + off, What: e.What}
	}
	return err
}

// Integer is the content as a number: of booleans 0 or 1, of enum and all integer
// types their value, of float32 and float64 their bits, 0 for everything else. The
// bits of a long64-unsigned beyond the range of int64 are kept.
func (e Element) Integer() int64 {
	if len(e.Octets) != fixedSize(e.Tag) {
		return 0
	}
	switch e.Tag {
	case Boolean:
		if e.Octets[0] != 0 {
			return 1
		}
		return 0
	case Integer, DeltaInteger:
		return int64(int8(e.Octets[0]))
	case Unsigned, Enum, BCD, DeltaUnsigned:
		return int64(e.Octets[0])
	case Long, DeltaLong:
		return int64(int16(binary.BigEndian.Uint16(e.Octets)))
	case LongU, DeltaLongU:
		return int64(binary.BigEndian.Uint16(e.Octets))
	case DoubleLong, DeltaDoubleLong:
		return int64(int32(binary.BigEndian.Uint32(e.Octets)))
	case DoubleLongU, DeltaDoubleU, Float32:
		return int64(binary.BigEndian.Uint32(e.Octets))
	case Long64, Long64U, Float64:
		return int64(binary.BigEndian.Uint64(e.Octets))
	}
	return 0
}
