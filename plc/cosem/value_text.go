package cosem

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"busbar/plc/axdr"
)

// String is the value on one line for people: {structure}, [array], numbers, texts in
// quotes, date-times and logical names where an octet-string can only be one, and
// hexadecimal digits for other octets.
func (v Value) String() string {
	var b strings.Builder
	v.write(&b)
	return b.String()
}

func (v Value) write(b *strings.Builder) {
	switch v.Tag {
	case axdr.Structure:
		v.writeItems(b, "{", "}")
	case axdr.Array, axdr.CompactArray:
		v.writeItems(b, "[", "]")
	case axdr.OctetString:
		b.WriteString(octetsText(v.Octets))
	case axdr.VisibleString, axdr.UTF8String:
		b.WriteString(strconv.Quote(string(v.Octets)))
	case axdr.BitString:
		v.writeBits(b)
	case axdr.Float32:
		b.WriteString(strconv.FormatFloat(float64(math.Float32frombits(uint32(v.Int))), 'g', -1, 32))
	case axdr.Float64:
		b.WriteString(strconv.FormatFloat(math.Float64frombits(uint64(v.Int)), 'g', -1, 64))
	default:
		b.WriteString(v.scalar())
	}
}

// scalar is the text of the types that are one short word.
func (v Value) scalar() string {
	switch v.Tag {
	case axdr.Null:
		return "null"
	case axdr.DontCare:
		return "don't care"
	case axdr.Boolean:
		return strconv.FormatBool(v.Int != 0)
	case axdr.Long64U:
		return strconv.FormatUint(uint64(v.Int), 10)
	case axdr.BCD:
		return fmt.Sprintf("bcd %02X", byte(v.Int))
	case axdr.DateTime:
		if d, _, err := ParseDateTime(v.Octets); err == nil {
			return d.String()
		}
	case axdr.Date, axdr.Time:
		return fmt.Sprintf("%v %X", v.Tag, v.Octets)
	case axdr.DeltaInteger, axdr.DeltaLong, axdr.DeltaDoubleLong, axdr.DeltaUnsigned, axdr.DeltaLongU, axdr.DeltaDoubleU:
		return fmt.Sprintf("%+d", v.Int)
	}
	if n, ok := v.Integer(); ok {
		return strconv.FormatInt(n, 10)
	}
	return v.Tag.String()
}

func (v Value) writeItems(b *strings.Builder, left, right string) {
	b.WriteString(left)
	for i, item := range v.Items {
		if i > 0 {
			b.WriteString(", ")
		}
		item.write(b)
	}
	b.WriteString(right)
}

func (v Value) writeBits(b *strings.Builder) {
	b.WriteByte('b')
	for i := range min(v.Bits, 8*len(v.Octets)) {
		b.WriteByte('0' + v.Octets[i/8]>>(7-i%8)&1)
	}
}

// octetsText writes an octet-string for people. Every logical name of an object that a
// meter has ends in 255, and no text does.
func octetsText(o []byte) string {
	switch {
	case len(o) == 0:
		return `""`
	case printable(o):
		return strconv.Quote(string(o))
	case len(o) == len(OBIS{}) && o[5] == 255:
		return OBIS(o).String()
	case len(o) == DateTimeSize:
		if d, _, err := ParseDateTime(o); err == nil && d.plausible() {
			return d.String()
		}
	}
	return fmt.Sprintf("%X", o)
}

func printable(o []byte) bool {
	for _, b := range o {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
