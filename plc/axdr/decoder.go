package axdr

import "math"

// MaxDepth is how deep arrays and structures may lie in one another. Real meters
// need five or six levels; the limit keeps hostile input from eating the stack of
// those who walk a value recursively.
const MaxDepth = 16

// Element is one tag with its content. Its slices share memory with the input.
type Element struct {
	Tag Tag
	// Count is the number of elements that follow an array or structure, the number
	// of bits of a bit-string, and 0 for everything else.
	Count int
	// Octets is the content: of a number its octets, of a string its text. It is empty
	// for array and structure, whose elements follow. Of a compact-array it is all that
	// stands behind the tag: give it to ParseCompact.
	Octets []byte
}

// Decoder is a cursor over encoded COSEM data. Next descends into arrays and
// structures by itself: after one with Count n the next n values are its elements.
// Make one with NewDecoder. After an error it stays where the error was.
type Decoder struct {
	b     []byte
	off   int
	depth int
	rest  [MaxDepth]int // elements still to come, per open array or structure
}

// NewDecoder returns a decoder at the start of b. It never writes to b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Within makes d a decoder that stands at off, inside depth arrays and structures that
// somebody else reads: the limit of nesting and the places of errors count from the
// start of b.
func (d *Decoder) Within(b []byte, off, depth int) {
	d.b, d.off, d.depth = b, off, min(depth, MaxDepth)
	for i := range d.depth {
		d.rest[i] = math.MaxInt
	}
}

// Offset is the number of octets consumed.
func (d *Decoder) Offset() int { return d.off }

// Left is the number of octets not consumed.
func (d *Decoder) Left() int { return len(d.b) - d.off }

// Depth is the number of arrays and structures that still have elements to come.
func (d *Decoder) Depth() int {
	d.close()
	return d.depth
}

// close leaves the arrays and structures whose elements have all been read.
func (d *Decoder) close() {
	for d.depth > 0 && d.rest[d.depth-1] == 0 {
		d.depth--
	}
}

// Next reads one element.
func (d *Decoder) Next() (Element, error) {
	d.close()
	e, next := usual(d.b, d.off)
	if next == 0 {
		var err error
		if e, next, err = element(d.b, d.off); err != nil {
			return Element{}, err
		}
	}
	container := e.Tag == Array || e.Tag == Structure
	if container && d.depth == MaxDepth {
		return Element{}, fault(d.off, "arrays and structures nest deeper than %d", MaxDepth)
	}
	if d.depth > 0 {
		d.rest[d.depth-1]--
	}
	if container {
		d.rest[d.depth] = e.Count
		d.depth++
	}
	d.off = next
	return e, nil
}

// Skip passes over one whole value, elements included. The value is checked only as
// far as is needed to find its end.
func (d *Decoder) Skip() error {
	for pending := 1; pending > 0; pending-- {
		e, err := d.Next()
		if err != nil {
			return err
		}
		if e.Tag == Array || e.Tag == Structure {
			pending += e.Count - d.leaves(e.Count)
		}
	}
	return nil
}

// leaves passes over the elements that stand first in the array or structure of n whose
// head was just read, as long as they are of fixed size or short octet-strings, and
// returns how many. Next is for the others.
func (d *Decoder) leaves(n int) int {
	b, off := d.b, d.off
	passed := 0
	for ; passed < n && off+1 < len(b); passed++ {
		size := int(sizes[b[off]])
		if size == 0 && Tag(b[off]) == OctetString && b[off+1] < 0x80 {
			size = 1 + int(b[off+1])
		}
		if size == 0 || size >= len(b)-off {
			break
		}
		off += 1 + size
	}
	if passed > 0 {
		d.off = off
		d.rest[d.depth-1] -= passed
	}
	return passed
}

// Count is the number of elements of the next n values at all levels, those of
// compact-arrays included. It consumes nothing and checks everything: what it counted
// can be read. More than limit is a fault, so that nobody works or allocates for what
// a few octets promise.
func (d *Decoder) Count(n, limit int) (int, error) {
	c := *d
	count := 0
	for pending := n; pending > 0; pending-- {
		e, err := c.Next()
		if err != nil {
			return 0, err
		}
		count++
		switch e.Tag {
		case Array, Structure:
			passed := c.leaves(e.Count)
			count, pending = count+passed, pending+e.Count-passed
		case CompactArray:
			_, inner, err := parseCompact(e.Octets).Count(limit - count)
			if err != nil {
				return 0, shift(err, c.off-len(e.Octets))
			}
			count += inner
		}
		if count > limit {
			return 0, tooMany(c.off, limit)
		}
	}
	return count, nil
}

func tooMany(off, limit int) error { return fault(off, "more than %d elements in one value", limit) }

// Raw is Skip that returns the octets of the value, tag included.
func (d *Decoder) Raw() ([]byte, error) {
	start := d.off
	if err := d.Skip(); err != nil {
		return nil, err
	}
	return d.b[start:d.off:d.off], nil
}

// Array reads the head of an array and returns the number of its elements.
func (d *Decoder) Array() (int, error) {
	e, err := d.expect(Array)
	return e.Count, err
}

// Structure reads the head of a structure that must have n elements.
func (d *Decoder) Structure(n int) error {
	start := d.off
	e, err := d.expect(Structure)
	if err == nil && e.Count != n {
		return fault(start, "structure of %d elements: want %d", e.Count, n)
	}
	return err
}

// OctetString reads an octet-string.
func (d *Decoder) OctetString() ([]byte, error) {
	e, err := d.expect(OctetString)
	return e.Octets, err
}

// Integer reads a number of the given tag, one of the integer types or Enum. The
// bits of a long64-unsigned beyond the range of int64 are kept.
func (d *Decoder) Integer(tag Tag) (int64, error) {
	e, err := d.expect(tag)
	return e.Integer(), err
}

// expect reads one element that must have the tag; otherwise nothing is consumed.
func (d *Decoder) expect(tag Tag) (Element, error) {
	if d.off < len(d.b) && Tag(d.b[d.off]) != tag {
		return Element{}, fault(d.off, "%v: want %v", Tag(d.b[d.off]), tag)
	}
	return d.Next()
}
