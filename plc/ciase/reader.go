package ciase

import (
	"encoding/binary"
	"fmt"

	"busbar/plc"
)

// Error tells why octets are not the APDU that their first octet promises.
type Error struct {
	APDU   string // the APDU that was being read
	Offset int    // the octet it failed at, counted from the start of the APDU
	What   string
}

// Error names the APDU, the place and the fault.
func (e *Error) Error() string { return fmt.Sprintf("%s, octet %d: %s", e.APDU, e.Offset, e.What) }

// reader walks over the octets of one APDU. The first fault sticks: later reads
// return zero values, so that a parser checks once, at its end.
type reader struct {
	b         []byte
	off       int
	titleSize int
	err       error
}

// newReader starts behind the tag, which Parse has checked.
func newReader(b []byte, titleSize int) *reader {
	r := &reader{b: b, off: 1, titleSize: titleSize}
	if titleSize < 1 || titleSize > plc.MaxSystemTitle {
		r.fail("system titles of %d octets: want 1 to %d, or 0 to detect", titleSize, plc.MaxSystemTitle)
	}
	return r
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{APDU: Tag(r.b[0]).String(), Offset: r.off, What: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) left() int { return len(r.b) - r.off }

// take returns the next n octets without copying them.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.left() {
		r.fail("wants %d more octets, has %d", n, r.left())
		return nil
	}
	b := r.b[r.off : r.off+n]
	r.off += n
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// upTo8 reads an integer of one octet that the standard bounds.
func (r *reader) upTo8(what string, limit uint8) uint8 {
	v := r.u8()
	if v > limit {
		r.off--
		r.fail("%s %d: want at most %d", what, v, limit)
	}
	return v
}

// upTo16 reads an integer of two octets that the standard bounds.
func (r *reader) upTo16(what string, limit uint16) uint16 {
	b := r.take(2)
	if b == nil {
		return 0
	}
	v := binary.BigEndian.Uint16(b)
	if v > limit {
		r.off -= 2
		r.fail("%s %d: want at most %d", what, v, limit)
	}
	return v
}

// flag reads a boolean or the presence of an optional field.
func (r *reader) flag(what string) bool { return r.upTo8(what, 1) == 1 }

func (r *reader) address() plc.Address {
	return plc.Address(r.upTo16("MAC address", uint16(plc.MaxAddress)))
}

func (r *reader) title() plc.SystemTitle {
	b := r.take(r.titleSize)
	if b == nil {
		return plc.SystemTitle{}
	}
	return plc.MustSystemTitle(b) // take gave 1 to MaxSystemTitle octets
}

// count reads the number of elements of a list and checks it against the octets
// left, each element taking size of them, before anything is allocated.
func (r *reader) count(size int) int {
	n := int(r.u8())
	switch {
	case n == 0x81:
		n = int(r.u8())
	case n > 0x81 || n == 0x80:
		r.off--
		r.fail("count form %02Xh: want less than 80h, or 81h", n)
	}
	if r.err == nil && n > r.left()/size {
		r.fail("%d elements of %d octets, but only %d octets follow", n, size, r.left())
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *reader) titles() []plc.SystemTitle {
	n := r.count(max(1, r.titleSize))
	titles := make([]plc.SystemTitle, n)
	for i := range titles {
		titles[i] = r.title()
	}
	return titles
}

// appendCount appends the number of elements of a list.
func appendCount(dst []byte, n int) []byte {
	if n >= 0x80 {
		dst = append(dst, 0x81)
	}
	return append(dst, byte(n))
}

func countSize(n int) int {
	if n >= 0x80 {
		return 2
	}
	return 1
}

func appendAddress(dst []byte, a plc.Address) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(a))
}

func appendTitles(dst []byte, titles []plc.SystemTitle) []byte {
	dst = appendCount(dst, len(titles))
	for _, t := range titles {
		dst = t.Append(dst)
	}
	return dst
}

func titlesSize(titles []plc.SystemTitle) int {
	n := countSize(len(titles))
	for _, t := range titles {
		n += t.Size()
	}
	return n
}

func appendFlag(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}
