package dissect

import (
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Bounds of the tree of one value, so that a profile of a year stays readable.
const (
	maxValueNodes = 2000
	inline        = 60 // a value whose text is no longer stands on one line
)

// Value is one encoded COSEM value.
func Value(b []byte) Node { return value("value", b, 0) }

// value reads the value that fills b, which begins at base.
func value(name string, b []byte, base int) Node {
	d := axdr.NewDecoder(b)
	v := valuer{d: d, base: base, budget: maxValueNodes}
	n, ok := v.node(name)
	if ok && d.Left() > 0 {
		n.fault(base+d.Offset(), "%d octets behind the value: % .32X", d.Left(), b[d.Offset():])
	}
	n.Size = d.Offset()
	return n
}

// valuer walks over one value; its recursion is bounded by axdr.MaxDepth.
type valuer struct {
	d            *axdr.Decoder
	base, budget int
}

// node reads the next value; false after a fault, behind which nothing can be read.
func (v *valuer) node(name string) (Node, bool) {
	at := v.d.Offset()
	n := Node{Name: name, Offset: v.base + at}
	e, err := v.d.Next()
	if err != nil {
		n.wrong(v.base, err)
		return n, false
	}
	v.budget--
	if e.Tag != axdr.Array && e.Tag != axdr.Structure {
		n.Size = v.d.Offset() - at
		n.Text = e.Tag.String() + " " + leaf(e)
		return n, true
	}
	n.Text = fmt.Sprintf("%v of %d", e.Tag, e.Count)
	for i := range e.Count {
		if v.budget <= 0 {
			return v.skip(n, e.Count-i)
		}
		c, ok := v.node("")
		n.add(c)
		if !ok {
			return n, false
		}
	}
	n.Size = v.d.Offset() - at
	return flat(n), true
}

// skip passes over the elements for which there is no room.
func (v *valuer) skip(n Node, rest int) (Node, bool) {
	for range rest {
		if err := v.d.Skip(); err != nil {
			n.wrong(v.base, err)
			return n, false
		}
	}
	n.field("", v.base+v.d.Offset(), 0, "... %d more elements", rest)
	return n, true
}

// flat puts short elements into the line of what holds them.
func flat(n Node) Node {
	text := n.Text + " ("
	for i, c := range n.Nodes {
		if len(c.Nodes) > 0 || c.Fault || len(text)+len(c.Text) > inline {
			return n
		}
		if i > 0 {
			text += ", "
		}
		text += c.Text
	}
	n.Text, n.Nodes = text+")", nil
	return n
}

// leaf is the content of an element in words.
func leaf(e axdr.Element) string {
	if e.Tag == axdr.CompactArray {
		v, _, err := cosem.ParseValue(append([]byte{byte(e.Tag)}, e.Octets...))
		if err != nil {
			return bulk(e.Octets)
		}
		s := v.String()
		if len(s) > 40*inline {
			s = s[:40*inline] + "..."
		}
		return s
	}
	v := cosem.Value{Tag: e.Tag, Int: e.Integer(), Bits: e.Count, Octets: e.Octets}
	if e.Tag == axdr.Null || e.Tag == axdr.DontCare {
		return ""
	}
	return v.String()
}
