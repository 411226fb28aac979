package dissect

import (
	"errors"
	"fmt"
	"strings"

	"busbar/plc/ciase"
	"busbar/plc/hdlc"
	"busbar/plc/llc"
	"busbar/plc/mac"
	"busbar/plc/modem/foreign"
	"busbar/plc/wrapper"
)

// Layer is what octets are: the outermost frame.
type Layer uint8

// The layers, outermost first.
const (
	LayerAny     Layer = iota // found out by trying
	LayerHost                 // host frame or status message of the modem chip
	LayerForeign              // host frame of foreign programs
	LayerMAC                  // long MAC frame, check sequence included
	LayerLLC                  // LPDU: the MSDU of a MAC frame
	LayerHDLC
	LayerWrapper
	LayerCIASE
	LayerAPDU
	LayerValue // one encoded COSEM value
)

var layerNames = [...]string{"any", "host", "foreign", "mac", "llc", "hdlc", "wrapper", "ciase", "apdu", "value"}

// String is the name that ParseLayer reads.
func (l Layer) String() string {
	if int(l) < len(layerNames) {
		return layerNames[l]
	}
	return fmt.Sprintf("layer(%d)", uint8(l))
}

// ParseLayer reads the name of a layer.
func ParseLayer(s string) (Layer, error) {
	for i, name := range layerNames {
		if strings.EqualFold(s, name) {
			return Layer(i), nil
		}
	}
	return 0, fmt.Errorf("layer %q: want one of %s", s, strings.Join(layerNames[:], ", "))
}

// Frame dissects the one frame that b is.
func Frame(l Layer, b []byte, o Options) Node {
	d := &dissector{Options: o}
	return d.frame(l, b)
}

func (d *dissector) frame(l Layer, b []byte) Node {
	if l == LayerAny {
		l = d.guess(b)
	}
	switch l {
	case LayerHost:
		return d.host(b)
	case LayerForeign:
		return d.foreign(b)
	case LayerMAC:
		return d.mac(b)
	case LayerLLC:
		return d.lpdu(b, 0)
	case LayerHDLC:
		return d.hdlc(b)
	case LayerWrapper:
		return d.wrapper(b)
	case LayerCIASE:
		return d.ciase(b, 0)
	case LayerValue:
		return value("value", b, 0)
	}
	return d.apdu(b, 0)
}

// guess finds the outermost layer: those with a check sequence prove themselves, the others
// are told by their first octets.
func (d *dissector) guess(b []byte) Layer {
	if len(b) == 0 {
		return LayerAPDU
	}
	if _, _, err := foreign.Parse(b); err == nil {
		return LayerForeign
	}
	if _, _, err := hdlc.Parse(b); err == nil || b[0] == hdlc.Flag {
		return LayerHDLC
	}
	if isHost(b) {
		return LayerHost
	}
	if _, n, err := mac.ParseFrame(b); err == nil && n == len(b) {
		return LayerMAC
	}
	if f, _, err := wrapper.Parse(b); err == nil && len(f.APDU) > 0 || errors.Is(err, wrapper.ErrIncomplete) && len(b) >= wrapper.HeaderSize {
		return LayerWrapper
	}
	if _, _, err := llc.Parse(b); err == nil {
		return LayerLLC
	}
	if ciase.IsAPDU(b[0]) {
		return LayerCIASE
	}
	return LayerAPDU
}

func (d *dissector) foreign(b []byte) Node {
	n := Node{Name: "foreign host frame", Size: len(b)}
	f, size, err := foreign.Parse(b)
	if err != nil {
		n.fault(0, "%v", err)
		n.field("octets", 0, len(b), "%s", bulk(b))
		return n
	}
	n.Text = fmt.Sprintf("%v to %v, %s", f.Source, f.Destination, credits(f.Credits))
	n.add(d.lpdu(f.MSDU, within(b, f.MSDU, 0)))
	n.rest(b, size)
	return n
}

// rest shows octets behind the frame.
func (n *Node) rest(b []byte, size int) {
	if size < len(b) {
		n.fault(size, "%d octets behind the frame: %s", len(b)-size, bulk(b[size:]))
	}
}

func (d *dissector) mac(b []byte) Node {
	n := Node{Name: "MAC frame", Size: len(b)}
	f, size, err := mac.ParseFrame(b)
	if err != nil {
		n.fault(0, "%v", err)
		n.field("octets", 0, len(b), "%s", bulk(b))
		return n
	}
	n.Text = fmt.Sprintf("%v to %v, %s, %d subframes", f.Source, f.Destination, credits(f.Credits), mac.Subframes(len(f.MSDU)))
	n.add(d.lpdu(f.MSDU, within(b, f.MSDU, 0)))
	n.rest(b, size)
	return n
}

// lpdu dissects what a MAC frame carries: an LPDU, or an HDLC frame where a segment uses that.
func (d *dissector) lpdu(b []byte, base int) Node {
	if len(b) > 0 && b[0] == hdlc.Flag {
		n := d.hdlc(b)
		n.shift(base)
		return n
	}
	n := Node{Name: "LPDU", Offset: base, Size: len(b)}
	l, _, err := llc.Parse(b)
	if err != nil {
		n.fault(base, "%v", err)
		n.field("octets", base, len(b), "%s", bulk(b))
		return n
	}
	n.Text = fmt.Sprintf("%d to %d", l.SSAP, l.DSAP)
	at := base + llc.HeaderSize
	if ciase.IsAPDU(l.APDU[0]) {
		n.add(d.ciase(l.APDU, at))
	} else {
		n.add(d.apdu(l.APDU, at))
	}
	return n
}

// shift moves a tree that was dissected by itself to where it stands.
func (n *Node) shift(base int) {
	n.Offset += base
	for i := range n.Nodes {
		n.Nodes[i].shift(base)
	}
}

func (d *dissector) hdlc(b []byte) Node {
	n := Node{Name: "HDLC", Size: len(b)}
	f, size, err := hdlc.Parse(b)
	if err != nil {
		n.fault(0, "%v", err)
		n.field("octets", 0, len(b), "%s", bulk(b))
		return n
	}
	n.Text = f.String()
	at := within(b, f.Info, 0)
	switch f.Control.Kind() {
	case hdlc.SNRM, hdlc.UA:
		if len(f.Info) == 0 {
			break
		}
		if p, _, err := hdlc.ParseParameters(f.Info); err != nil {
			n.fault(at, "%v", err)
		} else {
			n.field("negotiation", at, len(f.Info), "%v", p)
		}
	case hdlc.I, hdlc.UI:
		d.information(&n, f, at)
	default:
		if len(f.Info) > 0 {
			n.field("information", at, len(f.Info), "%s", bulk(f.Info))
		}
	}
	n.rest(b, size)
	return n
}

// information is an APDU behind its LLC header, or a piece of one.
func (d *dissector) information(n *Node, f hdlc.Frame, at int) {
	const header = 3
	info := f.Info
	if len(info) > header && info[0] == 0xE6 && info[1]|1 == 0xE7 && info[2] == 0 {
		direction := "command"
		if info[1]&1 != 0 {
			direction = "response"
		}
		n.field("LLC header", at, header, "%s", direction)
		if !f.Segmented {
			n.add(d.apdu(info[header:], at+header))
			return
		}
		n.field("piece", at+header, len(info)-header, "%s", bulk(info[header:]))
		d.joinSegment(n, f, true)
		return
	}
	if len(info) > 0 {
		n.field("piece", at, len(info), "%s", bulk(info))
		d.joinSegment(n, f, false)
	}
}

func (d *dissector) wrapper(b []byte) Node {
	n := Node{Name: "wrapper", Size: len(b)}
	f, size, err := wrapper.Parse(b)
	if err != nil {
		n.fault(0, "%v", err)
		n.field("octets", 0, len(b), "%s", bulk(b))
		return n
	}
	n.Text = fmt.Sprintf("port %d to port %d", f.Source, f.Destination)
	n.add(d.apdu(f.APDU, wrapper.HeaderSize))
	n.rest(b, size)
	return n
}
