package dissect

import (
	"errors"
	"fmt"
	"strings"

	"busbar/plc/axdr"
	"busbar/plc/ciase"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
)

// Node is one part of a frame: a layer, a field, or a fault.
type Node struct {
	Name   string `json:"name"`
	Text   string `json:"text,omitempty"`
	Offset int    `json:"offset"`          // of its first octet in what was dissected; inside a deciphered text, in that text
	Size   int    `json:"size"`            // octets; 0 when they are not known apart
	Fault  bool   `json:"fault,omitempty"` // something is wrong, and Text says what
	Nodes  []Node `json:"nodes,omitempty"`
}

// add appends a child.
func (n *Node) add(c Node) { n.Nodes = append(n.Nodes, c) }

// field appends a child that is only words.
func (n *Node) field(name string, offset, size int, format string, args ...any) {
	n.add(Node{Name: name, Text: fmt.Sprintf(format, args...), Offset: offset, Size: size})
}

// fault appends what went wrong at an offset.
func (n *Node) fault(offset int, format string, args ...any) {
	n.add(Node{Name: "fault", Text: fmt.Sprintf(format, args...), Offset: offset, Fault: true})
}

// wrong appends an error of a codec. base is where the octets of that codec begin.
func (n *Node) wrong(base int, err error) {
	var a *apdu.Error
	var c *acse.Error
	var x *axdr.Error
	var s *ciase.Error
	switch {
	case errors.As(err, &a):
		n.fault(base+a.Offset, "%s", a.What)
	case errors.As(err, &c):
		n.fault(base+c.Offset, "%s", c.What)
	case errors.As(err, &s):
		n.fault(base+s.Offset, "%s", s.What)
	case errors.As(err, &x):
		n.fault(base+x.Offset, "%s", x.What)
	default:
		n.fault(base, "%v", err)
	}
}

// Faulty reports whether the node or anything below it is a fault.
func (n Node) Faulty() bool {
	if n.Fault {
		return true
	}
	for _, c := range n.Nodes {
		if c.Faulty() {
			return true
		}
	}
	return false
}

// Summary is the frame on one line: the texts of its layers, outermost first.
func (n Node) Summary() string {
	var parts []string
	for {
		parts = append(parts, n.line())
		next := -1
		for i, c := range n.Nodes {
			if len(c.Nodes) > 0 || c.Fault {
				next = i
			}
		}
		if next < 0 || len(parts) == 8 {
			return strings.Join(parts, " | ")
		}
		n = n.Nodes[next]
	}
}

// String is the tree, one line for each node, deeper ones further to the right.
func (n Node) String() string {
	var b strings.Builder
	n.write(&b, 0)
	return b.String()
}

func (n Node) write(b *strings.Builder, depth int) {
	fmt.Fprintf(b, "%4d  %s%s\n", n.Offset, strings.Repeat("  ", depth), n.line())
	for _, c := range n.Nodes {
		c.write(b, depth+1)
	}
}

func (n Node) line() string {
	switch {
	case n.Fault:
		return fmt.Sprintf("! at octet %d: %s", n.Offset, n.Text)
	case n.Text == "":
		return n.Name
	case n.Name == "":
		return n.Text
	}
	return n.Name + ": " + n.Text
}

// bulk shows octets that have no meaning here, the first of them only when there are many.
func bulk(b []byte) string {
	const shown = 48
	if len(b) > shown {
		return fmt.Sprintf("% X ... (%d octets)", b[:shown], len(b))
	}
	return fmt.Sprintf("% X", b)
}
