package apdu

import (
	"encoding/binary"
	"fmt"

	"busbar/plc/axdr"
)

// Error tells why octets are not the APDU that their first octet promises.
type Error struct {
	APDU   string // the APDU that was being read
	Offset int    // the octet it failed at, counted from the start of the APDU
	What   string
}

// Error names the APDU, the place and the fault; it quotes no octets of data.
func (e *Error) Error() string { return fmt.Sprintf("%s, octet %d: %s", e.APDU, e.Offset, e.What) }

// reader walks over the octets of one APDU. The first fault sticks: later reads
// return zero values, so that a parser checks once, at its end.
type reader struct {
	apdu string
	b    []byte
	off  int
	err  error
}

// read starts after the tag, which must be want.
func read(b []byte, want Tag) *reader {
	r := &reader{apdu: want.String(), b: b}
	if got := r.u8(); r.err == nil && Tag(got) != want {
		r.off = 0
		r.fail("tag %02Xh: want %02Xh", got, byte(want))
	}
	return r
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{APDU: r.apdu, Offset: r.off, What: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) left() int { return len(r.b) - r.off }

// take returns the next n octets without copying them.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > r.left() {
		r.fail("wants %d more octets, has %d", n, r.left())
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// flag reads an A-XDR boolean that stands for presence or a choice of two.
func (r *reader) flag(what string) bool {
	v := r.u8()
	if v > 1 {
		r.off--
		r.fail("%s is %02Xh: want 0 or 1", what, v)
	}
	return v == 1
}

// boolean reads an A-XDR boolean value: every octet but 0 is true.
func (r *reader) boolean() bool { return r.u8() != 0 }

// length reads an A-XDR length and checks it against the octets left, each element
// taking at least size of them, before anything is allocated for it.
func (r *reader) length(size int) int {
	first := r.u8()
	n := uint64(first) // an int has 31 bits and a sign on some machines
	if first >= 0x80 {
		k := int(first & 0x7F)
		if k == 0 || k > 4 {
			r.fail("length form %02Xh: want 81h to 84h", first)
			return 0
		}
		n = 0
		for _, o := range r.take(k) {
			n = n<<8 | uint64(o)
		}
	}
	if r.err != nil {
		return 0
	}
	if n > uint64(r.left()/size) {
		r.fail("length %d, but only %d octets follow", n, r.left())
		return 0
	}
	return int(n)
}

// MaxList is the most attributes or results taken in one list: more than meters take,
// and few enough that a list costs little more memory than its octets.
const MaxList = 64

// count reads the length of a list whose elements take at least size octets each.
func (r *reader) count(size int) int {
	n := r.length(size)
	if n > MaxList {
		r.fail("list of %d: want at most %d", n, MaxList)
		return 0
	}
	return n
}

func (r *reader) octets() []byte { return r.take(r.length(1)) }

// data returns one encoded COSEM value.
func (r *reader) data() []byte {
	if r.err != nil {
		return nil
	}
	n, err := DataSize(r.b[r.off:])
	if err != nil {
		r.fail("data: %v", err)
		return nil
	}
	return r.take(n)
}

// end returns the octets consumed and the first fault.
func (r *reader) end() (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.off, nil
}

// DataSize measures the one encoded COSEM value that b starts with.
func DataSize(b []byte) (int, error) {
	d := axdr.NewDecoder(b)
	if err := d.Skip(); err != nil {
		return 0, err
	}
	return d.Offset(), nil
}

func appendOctets(dst, b []byte) []byte { return append(axdr.AppendLength(dst, len(b)), b...) }

func octetsSize(b []byte) int { return axdr.LengthSize(len(b)) + len(b) }

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}
