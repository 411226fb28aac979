package acse

import "fmt"

// Error tells why octets are not the association APDU that their tag promises.
type Error struct {
	APDU   string
	Offset int // the octet it failed at, counted from the start of the APDU
	What   string
}

// Error names the APDU, the place and the fault; it quotes no octets of data.
func (e *Error) Error() string { return fmt.Sprintf("%s, octet %d: %s", e.APDU, e.Offset, e.What) }

// maxLengthOctets bounds the long form of a BER length.
const maxLengthOctets = 4

// element is one BER tag-length-value with a tag of one octet.
type element struct {
	tag   byte
	start int // offset of the first content octet in the APDU
	body  []byte
}

// cursor walks over the elements in b, which starts at offset base of the APDU.
type cursor struct {
	apdu string
	b    []byte
	base int
}

func (c *cursor) fail(format string, args ...any) error {
	return &Error{APDU: c.apdu, Offset: c.base, What: fmt.Sprintf(format, args...)}
}

// next reads one element. Lengths need not be in their shortest form, as some
// meters write 81 05; the indefinite form is refused.
func (c *cursor) next() (element, error) {
	if len(c.b) < 2 {
		return element{}, c.fail("ends in the middle of a field")
	}
	tag, n, head := c.b[0], uint64(c.b[1]), 2 // an int has 31 bits and a sign on some machines
	if tag&0x1F == 0x1F {
		return element{}, c.fail("tag %02Xh of more than one octet", tag)
	}
	if n >= 0x80 {
		k := int(n & 0x7F)
		if k == 0 || k > maxLengthOctets {
			return element{}, c.fail("length form %02Xh: want a definite length of at most %d octets", n, maxLengthOctets)
		}
		if len(c.b) < head+k {
			return element{}, c.fail("ends in the middle of a length")
		}
		n = 0
		for _, o := range c.b[head : head+k] {
			n = n<<8 | uint64(o)
		}
		head += k
	}
	if n > uint64(len(c.b)-head) {
		return element{}, c.fail("field %02Xh of %d octets, but only %d follow", tag, n, len(c.b)-head)
	}
	end := head + int(n)
	e := element{tag: tag, start: c.base + head, body: c.b[head:end:end]}
	c.b = c.b[end:]
	c.base += end
	return e, nil
}

// within is a cursor over the content of e.
func (c *cursor) within(e element) *cursor { return &cursor{apdu: c.apdu, b: e.body, base: e.start} }

// only reads the one element, with the given tag, that e must consist of.
func (c *cursor) only(e element, tag byte) ([]byte, error) {
	in := c.within(e)
	inner, err := in.next()
	if err != nil {
		return nil, err
	}
	if inner.tag != tag {
		return nil, c.within(e).fail("tag %02Xh: want %02Xh", inner.tag, tag)
	}
	if len(in.b) > 0 {
		return nil, in.fail("%d octets too many", len(in.b))
	}
	return inner.body, nil
}

// number reads the content of a BER INTEGER of at most two octets.
func (c *cursor) number(e element, body []byte) (int, error) {
	switch len(body) {
	case 1:
		return int(body[0]), nil
	case 2:
		return int(body[0])<<8 | int(body[1]), nil
	}
	return 0, c.within(e).fail("integer of %d octets: want 1 or 2", len(body))
}

// open checks the tag of the whole APDU and returns a cursor over its fields and
// the octets the APDU takes.
func open(apdu string, b []byte, tag byte) (*cursor, int, error) {
	c := &cursor{apdu: apdu, b: b}
	if len(b) > 0 && b[0] != tag {
		return nil, 0, c.fail("tag %02Xh: want %02Xh", b[0], tag)
	}
	e, err := c.next()
	if err != nil {
		return nil, 0, err
	}
	return c.within(e), c.base, nil
}

// appendLength appends a BER length in its shortest form.
func appendLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
}

func lengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	}
	return 4
}

// size is the size of an element with n octets of content.
func size(n int) int { return 1 + lengthSize(n) + n }

func appendElement(dst []byte, tag byte, body []byte) []byte {
	return append(appendLength(append(dst, tag), len(body)), body...)
}

// appendNested appends body in the inner tag, wrapped in the outer tag.
func appendNested(dst []byte, outer, inner byte, body []byte) []byte {
	dst = appendLength(append(dst, outer), size(len(body)))
	return appendElement(dst, inner, body)
}

func nestedSize(n int) int { return size(size(n)) }
