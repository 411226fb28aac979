package hdlc

import "fmt"

// Control is the control octet: the kind of frame, the poll or final bit, and in some
// kinds sequence numbers of three bits (IEC 62056-46, 6.4.3).
type Control byte

// Kind is a command or response without its bits and numbers.
type Kind uint8

// The kinds of frame.
const (
	Unknown Kind = iota
	I            // information, numbered
	RR           // receive ready: acknowledges
	RNR          // receive not ready
	SNRM         // set normal response mode: connect
	DISC         // disconnect
	UA           // unnumbered acknowledge
	DM           // disconnected mode
	FRMR         // frame reject
	UI           // unnumbered information
)

var kindNames = [...]string{"unknown", "I", "RR", "RNR", "SNRM", "DISC", "UA", "DM", "FRMR", "UI"}

// String is the kind as the standard writes it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

const pollBit Control = 0x10

// unnumbered are the kinds without sequence numbers, poll bit cleared.
var unnumbered = map[Control]Kind{0x83: SNRM, 0x43: DISC, 0x63: UA, 0x0F: DM, 0x87: FRMR, 0x03: UI}

// Kind is what the frame does.
func (c Control) Kind() Kind {
	switch {
	case c&1 == 0:
		return I
	case c&0x0F == 0x01:
		return RR
	case c&0x0F == 0x05:
		return RNR
	}
	return unnumbered[c&^pollBit]
}

// Poll is the poll bit of a command, the final bit of a response.
func (c Control) Poll() bool { return c&pollBit != 0 }

// Sent is N(S), the number of an I frame.
func (c Control) Sent() uint8 { return uint8(c>>1) & 7 }

// Awaited is N(R), the number of the I frame awaited next: all before it arrived.
func (c Control) Awaited() uint8 { return uint8(c >> 5) }

// String is the kind with its numbers.
func (c Control) String() string {
	s := c.Kind().String()
	switch c.Kind() {
	case I:
		s += fmt.Sprintf(" %d, awaits %d", c.Sent(), c.Awaited())
	case RR, RNR:
		s += fmt.Sprintf(", awaits %d", c.Awaited())
	case Unknown:
		s = fmt.Sprintf("control %02Xh", byte(c))
	}
	if c.Poll() {
		s += ", poll/final"
	}
	return s
}

func poll(on bool) Control {
	if on {
		return pollBit
	}
	return 0
}

func information(sent, awaited uint8, final bool) Control {
	return Control(awaited&7)<<5 | Control(sent&7)<<1 | poll(final)
}

func ready(awaited uint8) Control { return Control(awaited&7)<<5 | 0x01 | pollBit }

// The unnumbered frames of a link, each with its poll or final bit.
const (
	controlSNRM Control = 0x93
	controlDISC Control = 0x53
	controlUA   Control = 0x73
	controlDM   Control = 0x1F
)
