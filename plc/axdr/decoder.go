package axdr

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
	e, next, err := element(d.b, d.off)
	if err != nil {
		return Element{}, err
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
			pending += e.Count
		}
	}
	return nil
}

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
