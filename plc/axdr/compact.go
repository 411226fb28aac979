package axdr

// Compact is a compact-array: one description of the type of every element, then the
// contents of the elements without tags (Blue Book 4.1.5).
type Compact struct {
	Description []byte // the type description, encoded
	Contents    []byte // the elements, one behind the other

	size int // octets of description, length and contents
	at   int // where Contents begins, for the place of an error
}

// ParseCompact reads what stands behind the tag of a compact-array.
func ParseCompact(b []byte) (Compact, error) {
	end, least, err := description(b, 0, 0)
	if err != nil {
		return Compact{}, err
	}
	n, at, err := length(b, end)
	if err != nil {
		return Compact{}, err
	}
	if end > maxDescription {
		return Compact{}, fault(0, "a type description of %d octets: at most %d are read", end, maxDescription)
	}
	if n > len(b)-at {
		return Compact{}, fault(end, "contents of %d octets, but only %d follow", n, len(b)-at)
	}
	if least == 0 && n > 0 {
		return Compact{}, fault(0, "elements without content in a compact-array of %d octets", n)
	}
	return Compact{Description: b[:end:end], Contents: b[at : at+n : at+n], size: at + n, at: at}, nil
}

// parseCompact is ParseCompact of what was parsed before.
func parseCompact(b []byte) Compact {
	c, _ := ParseCompact(b)
	return c
}

// Count is the number of elements of the array, and that of all elements with those
// inside them. It checks everything, like Decoder.Count, and stops at the limit.
func (c Compact) Count(limit int) (elements, all int, err error) {
	for d := NewCompactDecoder(c); d.More(); elements++ {
		n, err := d.count(1, limit-all)
		if err != nil {
			return 0, 0, err
		}
		all += n
	}
	return elements, all, nil
}

// Size is the number of octets that ParseCompact took.
func (c Compact) Size() int { return c.size }

// maxDescription bounds a type description, in octets. Real ones have some twenty; an
// element costs as much work as its description is long, so the limit keeps hostile
// contents from costing the square of their length.
const maxDescription = 1 << 10

// enough stands for "more octets than any input": sums of least sizes stop there.
const enough = 1 << 30

// description reads one type description and returns the offset behind it and the
// least number of octets that one value of the type takes.
func description(b []byte, off, depth int) (end, least int, err error) {
	if off >= len(b) {
		return off, 0, fault(off, "data ends where a type description should stand")
	}
	tag := Tag(b[off])
	if tag != Array && tag != Structure {
		return leaf(tag, off)
	}
	if depth == MaxDepth {
		return off, 0, fault(off, "a type description nests deeper than %d", MaxDepth)
	}
	if tag == Structure {
		return structure(b, off, depth)
	}
	count, at, err := elements(b, off+1)
	if err != nil {
		return off, 0, err
	}
	end, least, err = description(b, at, depth+1)
	if err != nil {
		return off, 0, err
	}
	if least == 0 && count > 0 {
		return off, 0, fault(off, "an array of elements without content in a type description")
	}
	return end, min(least*count, enough), nil
}

// structure reads the description of a structure.
func structure(b []byte, off, depth int) (end, least int, err error) {
	n, at, err := length(b, off+1)
	if err != nil {
		return off, 0, err
	}
	if n > len(b)-at {
		return off, 0, fault(off, "a type description of %d elements, but only %d octets follow", n, len(b)-at)
	}
	for range n {
		var one int
		if at, one, err = description(b, at, depth+1); err != nil {
			return off, 0, err
		}
		least = min(least+one, enough)
	}
	return at, least, nil
}

// leaf is the description of everything that is neither array nor structure.
func leaf(tag Tag, off int) (end, least int, err error) {
	switch tag {
	case Null, DontCare:
		return off + 1, 0, nil
	case OctetString, VisibleString, UTF8String, BitString:
		return off + 1, 1, nil // their length
	}
	if n := fixedSize(tag); n > 0 {
		return off + 1, n, nil
	}
	return off, 0, fault(off, "tag %02Xh cannot stand in a type description", byte(tag))
}

// elements is the count in the description of an array: two octets, no A-XDR length.
func elements(b []byte, off int) (n, next int, err error) {
	if len(b)-off < 2 {
		return 0, off, fault(off, "data ends where the count of a type description should stand")
	}
	return int(b[off])<<8 | int(b[off+1]), off + 2, nil
}

// CompactDecoder is a cursor over the elements of a compact-array. It gives the same
// elements that a Decoder gives for the same values written with tags.
type CompactDecoder struct {
	c     Compact
	off   int // in Contents
	depth int
	open  [MaxDepth]level
}

// level is one array or structure that is being read.
type level struct {
	rest int  // elements still to come
	next int  // where the description of the next one is
	end  int  // where the description of the last one read ends
	same bool // an array: every element has the same description
}

// NewCompactDecoder returns a decoder at the first element of c.
func NewCompactDecoder(c Compact) *CompactDecoder { return &CompactDecoder{c: c} }

// More reports whether another element of the array itself, or a part of the one that
// was begun, follows.
func (d *CompactDecoder) More() bool {
	d.close()
	return d.depth > 0 || d.off < len(d.c.Contents)
}

// close leaves the arrays and structures whose elements have all been read.
func (d *CompactDecoder) close() {
	for d.depth > 0 && d.open[d.depth-1].rest == 0 {
		d.depth--
		d.step(d.open[d.depth].end)
	}
}

// step notes that the open level has read an element whose description ends at end.
func (d *CompactDecoder) step(end int) {
	if d.depth == 0 {
		return
	}
	l := &d.open[d.depth-1]
	l.rest--
	l.end = end
	if !l.same {
		l.next = end
	}
}

// Next reads one element; it descends like Decoder.Next.
func (d *CompactDecoder) Next() (Element, error) {
	d.close()
	at := 0
	if d.depth > 0 {
		at = d.open[d.depth-1].next
	}
	tag := Tag(d.c.Description[at])
	if tag == Array || tag == Structure {
		return d.descend(tag, at)
	}
	e, next, err := content(d.c.Contents, d.off, tag)
	if err != nil {
		return Element{}, shift(err, d.c.at)
	}
	d.off = next
	d.step(at + 1)
	return e, nil
}

// Count is Decoder.Count for the elements of a compact-array.
func (d *CompactDecoder) Count(n, limit int) (int, error) {
	c := *d
	return c.count(n, limit)
}

// count is Count that consumes what it counts.
func (d *CompactDecoder) count(n, limit int) (int, error) {
	count := 0
	for pending := n; pending > 0; pending-- {
		e, err := d.Next()
		if err != nil {
			return 0, err
		}
		if e.Tag == Array || e.Tag == Structure {
			pending += e.Count
		}
		if count++; count > limit {
			return 0, tooMany(d.c.at+d.off, limit)
		}
	}
	return count, nil
}

func (d *CompactDecoder) descend(tag Tag, at int) (Element, error) {
	l := level{same: tag == Array}
	var err error
	if l.same {
		l.rest, l.next, err = elements(d.c.Description, at+1)
		if err == nil && l.rest == 0 { // no element will tell where its description ends
			l.end, _, err = description(d.c.Description, l.next, 0)
		}
	} else {
		l.rest, l.next, err = length(d.c.Description, at+1)
		l.end = l.next
	}
	if err != nil {
		return Element{}, err
	}
	d.open[d.depth] = l
	d.depth++
	return Element{Tag: tag, Count: l.rest}, nil
}
