package dissect

import (
	"busbar/plc/dlms/apdu"
	"busbar/plc/hdlc"
)

// Conversation dissects the frames between two ends in their order. It learns the system
// titles from the association, so that ciphered APDUs can be opened, and shows values that
// came in pieces once their last piece is there.
type Conversation struct {
	Options

	list     bool             // the last GET request asked for a list
	blocks   joining          // of a GET response
	segments [2]joining       // HDLC: of commands and responses
	counters map[string]count // invocation counters, by sender
}

// Bounds of what a conversation keeps.
const (
	maxJoined  = 4 << 20 // octets of a value joined from pieces
	maxSenders = 16      // whose counters are watched
)

// joining collects pieces.
type joining struct {
	octets []byte
	next   uint32 // number of the piece awaited; 0 when none was begun
}

// count is the highest invocation counter of one direction.
type count struct {
	last uint32
	some bool
}

// add takes a piece; false when it is not the one awaited.
func (j *joining) add(number uint32, b []byte) bool {
	if number == 1 {
		*j = joining{next: 1}
	}
	if number != j.next || len(j.octets)+len(b) > maxJoined {
		if number+1 != j.next { // not a repeat of the last one
			*j = joining{}
		}
		return false
	}
	j.octets = append(j.octets, b...)
	j.next++
	return true
}

// Frame dissects the next frame.
func (c *Conversation) Frame(l Layer, b []byte) Node {
	d := &dissector{Options: c.Options, talk: c}
	n := d.frame(l, b)
	c.Client, c.Meter = d.Client, d.Meter
	return n
}

// joinBlock shows the whole value behind the last block of a GET.
func (d *dissector) joinBlock(n *Node, k *apdu.DataBlock) {
	if d.talk == nil || !d.talk.blocks.add(k.Number, k.Raw) || !k.Last {
		return
	}
	whole := d.talk.blocks.octets
	d.talk.blocks = joining{}
	c := Node{Name: "joined", Text: "all blocks, offsets in the whole"}
	if results, size, err := apdu.ParseResults(whole); d.talk.list && err == nil && size == len(whole) {
		for _, r := range results {
			d.result(&c, r, whole, 0)
		}
	} else {
		c.add(value("data", whole, 0))
	}
	n.add(c)
}

// joinSegment shows the whole APDU behind the last segment of an HDLC link.
func (d *dissector) joinSegment(n *Node, f hdlc.Frame, first bool) {
	if d.talk == nil {
		return
	}
	side := 0
	if f.Source.Size == 1 && f.Destination.Size == 1 && f.Source.Upper < f.Destination.Upper || f.Source.Size > f.Destination.Size {
		side = 1
	}
	j := &d.talk.segments[side]
	number := j.next
	if first {
		number = 1
	}
	if number == 0 || !j.add(number, f.Info) || f.Segmented {
		return
	}
	const header = 3
	whole := j.octets
	*j = joining{}
	if len(whole) > header {
		c := d.apdu(whole[header:], 0)
		c.Name = "joined"
		n.add(c)
	}
}

// count compares an invocation counter with those before it.
func (d *dissector) count(n *Node, counter uint32, who string, at int) {
	if d.talk == nil || who == "" {
		return
	}
	if d.talk.counters == nil {
		d.talk.counters = map[string]count{}
	}
	c := d.talk.counters[who]
	if c.some && counter <= c.last {
		n.fault(at, "invocation counter %d does not rise above %d: a repeat, a recording, or a counter that was lost", counter, c.last)
		return
	}
	if len(d.talk.counters) < maxSenders {
		d.talk.counters[who] = count{last: counter, some: true}
	}
}
