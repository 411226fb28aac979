package cosem

import (
	"encoding/binary"

	"busbar/plc/axdr"
)

// plainHead is the offset behind the head of an entry of so many columns, 0 when
// something else is there: head reads that.
func plainHead(b []byte, off, columns int) int {
	if len(b)-off < 2 || axdr.Tag(b[off]) != axdr.Structure || b[off+1] >= 0x80 || int(b[off+1]) != columns {
		return 0
	}
	return off + 2
}

// plain reads the cells from i on for as long as each is what cells nearly always are:
// a number or null-data, and in the clock column a date-time or null-data. It returns
// the first cell that is not, or that is cut short, and its offset: cell reads that one.
//
// A load profile is little else than such cells, so they are taken from the octets
// without an Element or a Value between, and a Value keeps what does not change from
// row to row: of a number only Int is written.
func (s *scan) plain(b []byte, i, off int) (next, at int) {
	for cells := s.cells; i < len(cells); i++ {
		if off >= len(b) {
			return i, off
		}
		tag, rest, n := axdr.Tag(b[off]), b[off+1:], int64(0)
		switch {
		case i == s.clock && tag == axdr.Null && s.rows > 0:
			s.advance()
			off++
			continue
		case i == s.clock:
			if tag != axdr.OctetString || !s.stampCell(rest) {
				return i, off
			}
			off += 2 + DateTimeSize
			continue
		case tag == axdr.DoubleLongU && len(rest) >= 4:
			n, off = int64(binary.BigEndian.Uint32(rest)), off+5
		case tag == axdr.Unsigned && len(rest) >= 1, tag == axdr.Enum && len(rest) >= 1:
			n, off = int64(rest[0]), off+2
		case tag == axdr.LongU && len(rest) >= 2:
			n, off = int64(binary.BigEndian.Uint16(rest)), off+3
		case tag == axdr.Null: // in the first row the cell is null-data already
			off++
			continue
		case tag == axdr.DoubleLong && len(rest) >= 4:
			n, off = int64(int32(binary.BigEndian.Uint32(rest))), off+5
		case tag == axdr.Long && len(rest) >= 2:
			n, off = int64(int16(binary.BigEndian.Uint16(rest))), off+3
		case (tag == axdr.Long64U || tag == axdr.Long64) && len(rest) >= 8:
			n, off = int64(binary.BigEndian.Uint64(rest)), off+9
		default:
			return i, off
		}
		cells[i].number(tag, n)
	}
	return i, off
}

// number makes a cell a number. One that was of the same type has nothing but Int to
// be changed.
func (v *Value) number(tag axdr.Tag, n int64) {
	if v.Tag != tag {
		*v = Value{Tag: tag}
	}
	v.Int = n
}

// stampCell takes the cell of the clock column, the length and content of an
// octet-string, when it is a date-time.
func (s *scan) stampCell(b []byte) bool {
	if len(b) <= DateTimeSize || b[0] != DateTimeSize {
		return false
	}
	s.time, s.hasTime = dateTimeOctets((*[DateTimeSize]byte)(b[1:])), true
	s.cells[s.clock].text(b[1 : 1+DateTimeSize : 1+DateTimeSize])
	return true
}

// text makes a cell an octet-string, like number.
func (v *Value) text(octets []byte) {
	if v.Tag != axdr.OctetString {
		*v = Value{Tag: axdr.OctetString}
	}
	v.Octets = octets
}
