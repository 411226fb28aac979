package hdlc

import "fmt"

// Parameters are what both ends of a link agree on when it is set up: how much one frame
// carries and how many may go before an acknowledgement. Transmit and Receive are as the
// sender of the frame sees them (IEC 62056-46, 6.4.4.4.3).
type Parameters struct {
	InfoTransmit, InfoReceive     int // octets of information, 32 to MaxInfo
	WindowTransmit, WindowReceive int // frames, 1 to 7
}

// Bounds, and what holds when nothing is negotiated.
const (
	DefaultInfo   = 128
	DefaultWindow = 1
	MaxWindow     = 7
	minInfo       = 32
)

// DefaultParameters hold for an end that says nothing.
func DefaultParameters() Parameters {
	return Parameters{DefaultInfo, DefaultInfo, DefaultWindow, DefaultWindow}
}

// Octets of the information field of SNRM and UA.
const (
	formatIdentifier byte = 0x81
	groupParameters  byte = 0x80
	idInfoTransmit   byte = 0x05
	idInfoReceive    byte = 0x06
	idWindowTransmit byte = 0x07
	idWindowReceive  byte = 0x08
)

// ParseParameters reads the information field of SNRM or UA, which fills b. An empty one,
// and what is not named, gives the defaults; parameters of others are passed over. Values are
// taken in any number of octets up to four, for makers differ.
func ParseParameters(b []byte) (Parameters, int, error) {
	p := DefaultParameters()
	if len(b) == 0 {
		return p, 0, nil
	}
	if len(b) < 3 || b[0] != formatIdentifier || b[1] != groupParameters {
		return Parameters{}, 0, fmt.Errorf("negotiation at offset 0: want format 81h, group 80h and a length: %w", ErrNotFrame)
	}
	end := 3 + int(b[2])
	if end > len(b) {
		return Parameters{}, 0, fmt.Errorf("negotiation of %d octets at offset 2, %d follow: %w", b[2], len(b)-3, ErrNotFrame)
	}
	for at := 3; at < end; {
		if end-at < 2 || int(b[at+1]) > 4 || end-at-2 < int(b[at+1]) {
			return Parameters{}, 0, fmt.Errorf("negotiation parameter cut short at offset %d: %w", at, ErrNotFrame)
		}
		id, value := b[at], 0
		for _, o := range b[at+2 : at+2+int(b[at+1])] {
			value = min(value<<8|int(o), 1<<20) // beyond every bound is enough to know
		}
		p.set(id, value)
		at += 2 + int(b[at+1])
	}
	return p, len(b), nil
}

// set takes one parameter; a value out of bounds is taken as the bound.
func (p *Parameters) set(id byte, value int) {
	info := min(max(value, minInfo), MaxInfo)
	window := min(max(value, 1), MaxWindow)
	switch id {
	case idInfoTransmit:
		p.InfoTransmit = info
	case idInfoReceive:
		p.InfoReceive = info
	case idWindowTransmit:
		p.WindowTransmit = window
	case idWindowReceive:
		p.WindowReceive = window
	}
}

// Size is the number of octets Append writes.
func (p Parameters) Size() int { return 3 + infoSize(p.InfoTransmit) + infoSize(p.InfoReceive) + 2*6 }

func infoSize(v int) int {
	if v > 0xFF {
		return 4
	}
	return 3
}

// Append appends the information field to dst, every parameter named.
func (p Parameters) Append(dst []byte) []byte {
	dst = append(dst, formatIdentifier, groupParameters, byte(p.Size()-3))
	dst = appendInfo(dst, idInfoTransmit, p.InfoTransmit)
	dst = appendInfo(dst, idInfoReceive, p.InfoReceive)
	dst = append(dst, idWindowTransmit, 4, 0, 0, 0, byte(p.WindowTransmit))
	return append(dst, idWindowReceive, 4, 0, 0, 0, byte(p.WindowReceive))
}

func appendInfo(dst []byte, id byte, v int) []byte {
	if v > 0xFF {
		return append(dst, id, 2, byte(v>>8), byte(v))
	}
	return append(dst, id, 1, byte(v))
}

// agree is what both ends can do, as the one with parameters own sees it.
func (own Parameters) agree(peer Parameters) Parameters {
	return Parameters{
		InfoTransmit: min(own.InfoTransmit, peer.InfoReceive), InfoReceive: min(own.InfoReceive, peer.InfoTransmit),
		WindowTransmit: min(own.WindowTransmit, peer.WindowReceive), WindowReceive: min(own.WindowReceive, peer.WindowTransmit),
	}
}

// orDefault fills in what was left open and keeps the rest within bounds.
func (p Parameters) orDefault() Parameters {
	d := DefaultParameters()
	fill := func(v, instead int) int {
		if v == 0 {
			return instead
		}
		return v
	}
	var out Parameters
	out.set(idInfoTransmit, fill(p.InfoTransmit, d.InfoTransmit))
	out.set(idInfoReceive, fill(p.InfoReceive, d.InfoReceive))
	out.set(idWindowTransmit, fill(p.WindowTransmit, d.WindowTransmit))
	out.set(idWindowReceive, fill(p.WindowReceive, d.WindowReceive))
	return out
}

// String is the four numbers in words.
func (p Parameters) String() string {
	return fmt.Sprintf("frames of %d octets out and %d in, windows of %d out and %d in",
		p.InfoTransmit, p.InfoReceive, p.WindowTransmit, p.WindowReceive)
}
