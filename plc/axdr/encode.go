package axdr

import (
	"encoding/binary"
	"math"
)

// AppendLength appends an A-XDR length in its shortest form.
func AppendLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		return append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// LengthSize is the number of octets of the A-XDR length n.
func LengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	case n < 1<<24:
		return 4
	}
	return 5
}

// AppendNull appends null-data.
func AppendNull(dst []byte) []byte { return append(dst, byte(Null)) }

// AppendArray appends the head of an array of n elements, which the caller appends.
func AppendArray(dst []byte, n int) []byte { return AppendLength(append(dst, byte(Array)), n) }

// AppendStructure appends the head of a structure of n elements, which the caller appends.
func AppendStructure(dst []byte, n int) []byte {
	return AppendLength(append(dst, byte(Structure)), n)
}

// AppendOctets appends an octet-string.
func AppendOctets(dst, b []byte) []byte { return appendString(dst, OctetString, b) }

// AppendVisible appends a visible-string.
func AppendVisible(dst []byte, s string) []byte { return appendString(dst, VisibleString, s) }

// AppendUTF8 appends a utf8-string.
func AppendUTF8(dst []byte, s string) []byte { return appendString(dst, UTF8String, s) }

func appendString[T []byte | string](dst []byte, tag Tag, s T) []byte {
	return append(AppendLength(append(dst, byte(tag)), len(s)), s...)
}

// AppendBits appends a bit-string of n bits, the first in the most significant bit of
// the first octet. The octets must be the (n+7)/8 that n bits take.
func AppendBits(dst []byte, n int, octets []byte) []byte {
	return append(AppendLength(append(dst, byte(BitString)), n), octets...)
}

// AppendBool appends a boolean; true is 01h.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, byte(Boolean), 1)
	}
	return append(dst, byte(Boolean), 0)
}

// AppendEnum appends an enum.
func AppendEnum(dst []byte, v uint8) []byte { return append(dst, byte(Enum), v) }

// AppendInteger appends an integer of 8 bits.
func AppendInteger(dst []byte, v int8) []byte { return append(dst, byte(Integer), byte(v)) }

// AppendUnsigned appends an unsigned of 8 bits.
func AppendUnsigned(dst []byte, v uint8) []byte { return append(dst, byte(Unsigned), v) }

// AppendLong appends a long, 16 bits signed.
func AppendLong(dst []byte, v int16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, byte(Long)), uint16(v))
}

// AppendLongU appends a long-unsigned, 16 bits.
func AppendLongU(dst []byte, v uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, byte(LongU)), v)
}

// AppendDoubleLong appends a double-long, 32 bits signed.
func AppendDoubleLong(dst []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(DoubleLong)), uint32(v))
}

// AppendDoubleLongU appends a double-long-unsigned, 32 bits.
func AppendDoubleLongU(dst []byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(DoubleLongU)), v)
}

// AppendLong64 appends a long64, 64 bits signed.
func AppendLong64(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(Long64)), uint64(v))
}

// AppendLong64U appends a long64-unsigned, 64 bits.
func AppendLong64U(dst []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(Long64U)), v)
}

// AppendFloat32 appends a float32.
func AppendFloat32(dst []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(Float32)), math.Float32bits(v))
}

// AppendFloat64 appends a float64.
func AppendFloat64(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(Float64)), math.Float64bits(v))
}

// AppendElement appends an element as Decoder.Next returned it: of an array or
// structure its head, of everything else the whole value.
func AppendElement(dst []byte, e Element) []byte {
	return appendContent(append(dst, byte(e.Tag)), e)
}

// appendContent appends what follows the tag.
func appendContent(dst []byte, e Element) []byte {
	switch e.Tag {
	case Array, Structure:
		return AppendLength(dst, e.Count)
	case BitString:
		return append(AppendLength(dst, e.Count), e.Octets...)
	case OctetString, VisibleString, UTF8String:
		return append(AppendLength(dst, len(e.Octets)), e.Octets...)
	}
	return append(dst, e.Octets...)
}

// AppendCompact appends a compact-array. The caller answers for contents that fit the
// description; AppendCompactElement writes them.
func AppendCompact(dst, description, contents []byte) []byte {
	dst = append(append(dst, byte(CompactArray)), description...)
	return append(AppendLength(dst, len(contents)), contents...)
}

// AppendCompactElement appends the content of one element of a compact-array, without
// tag; arrays and structures leave no octets of their own.
func AppendCompactElement(dst []byte, e Element) []byte {
	if e.Tag == Array || e.Tag == Structure {
		return dst
	}
	return appendContent(dst, e)
}
