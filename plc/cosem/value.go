package cosem

import "busbar/plc/axdr"

// Value is one COSEM data value as a tree (Blue Book 4.1.5, "Data"). Only the
// field that belongs to Tag is meaningful: Int for enum, boolean and every
// signed or unsigned integer that fits (long64-unsigned keeps its bits), Octets
// for octet-, visible-, utf8- and bit-string, date-time, date and time, and the
// raw bits of float32 and float64 in Int; Items for array, structure and
// unpacked compact-array.
type Value struct {
	Tag    axdr.Tag
	Int    int64
	Bits   int // length of a bit-string in bits
	Octets []byte
	Items  []Value
}
