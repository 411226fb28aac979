package dissect

import (
	"encoding/binary"
	"fmt"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
)

func (d *dissector) aarq(n *Node, b []byte, base int) (int, error) {
	a, size, err := acse.ParseAARQ(b)
	if err != nil {
		return 0, err
	}
	n.field("context", base, 0, "%v", a.Context)
	if len(a.CallingTitle) > 0 {
		n.field("title of the client", within(b, a.CallingTitle, base), len(a.CallingTitle), "%X", a.CallingTitle)
		if t, err := plc.NewSystemTitle(a.CallingTitle); err == nil {
			d.Client = t
		}
	}
	n.field("mechanism", base, 0, "%v", a.Mechanism)
	d.authentication(n, a.Mechanism, a.Authentication, within(b, a.Authentication, base))
	d.userInfo(n, a.UserInfo, within(b, a.UserInfo, base))
	return size, nil
}

// authentication shows a challenge, never a password.
func (d *dissector) authentication(n *Node, m acse.Mechanism, value []byte, at int) {
	switch {
	case len(value) == 0:
	case m == acse.LowLevel || m == acse.NoSecurity:
		n.field("password", at, len(value), "of %d octets (hidden)", len(value))
	default:
		n.field("challenge", at, len(value), "%X", value)
	}
}

func (d *dissector) userInfo(n *Node, b []byte, at int) {
	if len(b) > 0 {
		n.add(d.apdu(b, at))
	}
}

func (d *dissector) aare(n *Node, b []byte, base int) (int, error) {
	a, size, err := acse.ParseAARE(b)
	if err != nil {
		return 0, err
	}
	n.field("context", base, 0, "%v", a.Context)
	n.field("result", base, 0, "%v: %v", a.Result, a.Diagnostic)
	if len(a.RespondingTitle) > 0 {
		n.field("title of the meter", within(b, a.RespondingTitle, base), len(a.RespondingTitle), "%X", a.RespondingTitle)
		if t, err := plc.NewSystemTitle(a.RespondingTitle); err == nil {
			d.Meter = t
		}
	}
	if a.Mechanism != acse.NoSecurity {
		n.field("mechanism", base, 0, "%v", a.Mechanism)
	}
	d.authentication(n, a.Mechanism, a.Authentication, within(b, a.Authentication, base))
	d.userInfo(n, a.UserInfo, within(b, a.UserInfo, base))
	return size, nil
}

func (d *dissector) rlrq(n *Node, b []byte, base int) (int, error) {
	r, size, err := acse.ParseRLRQ(b)
	if err == nil {
		n.field("reason", base, 0, "%d", r.Reason)
		d.userInfo(n, r.UserInfo, within(b, r.UserInfo, base))
	}
	return size, err
}

func (d *dissector) rlre(n *Node, b []byte, base int) (int, error) {
	r, size, err := acse.ParseRLRE(b)
	if err != nil {
		return 0, err
	}
	n.field("reason", base, 0, "%d", r.Reason)
	if r.Loose {
		n.fault(base+1, "lengths contradict each other; tolerated")
	}
	d.userInfo(n, r.UserInfo, within(b, r.UserInfo, base))
	return size, nil
}

func (d *dissector) initiateRequest(n *Node, b []byte, base int) (int, error) {
	i, size, err := apdu.ParseInitiateRequest(b)
	if err != nil {
		return 0, err
	}
	if i.DedicatedKey != nil {
		n.field("dedicated key", base+2, len(i.DedicatedKey), "(hidden)")
	}
	n.field("DLMS version", base, 0, "%d", i.Version)
	n.field("conformance", base, 0, "%v", i.Conformance)
	n.field("longest APDU the client takes", base, 2, "%s", limit(i.MaxPDU))
	return size, nil
}

func (d *dissector) initiateResponse(n *Node, b []byte, base int) (int, error) {
	i, size, err := apdu.ParseInitiateResponse(b)
	if err != nil {
		return 0, err
	}
	n.field("DLMS version", base, 0, "%d", i.Version)
	n.field("conformance", base, 0, "%v", i.Conformance)
	n.field("longest APDU the meter takes", base, 2, "%s", limit(i.MaxPDU))
	return size, nil
}

func limit(n uint16) string {
	if n == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%d octets", n)
}

// tagBlockTransfer is general block transfer, which this package takes apart itself: a
// piece has no meaning before the others are there.
const tagBlockTransfer apdu.Tag = 0xE0

func (d *dissector) blockTransfer(n *Node, b []byte, base int) (int, error) {
	const header = 6
	if len(b) < header+1 {
		return 0, fmt.Errorf("general block transfer of %d octets: want at least %d", len(b), header+1)
	}
	control := b[1]
	n.Text += fmt.Sprintf(", block %d", binary.BigEndian.Uint16(b[2:]))
	if control&0x80 != 0 {
		n.Text += ", the last"
	}
	n.field("control", base+1, 1, "window %d%s", control&0x3F, map[bool]string{true: ", streaming"}[control&0x40 != 0])
	n.field("block acknowledged", base+4, 2, "%d", binary.BigEndian.Uint16(b[4:]))
	// The length of the piece is that of an octet-string.
	e, err := axdr.NewDecoder(append([]byte{byte(axdr.OctetString)}, b[header:]...)).Next()
	if err != nil {
		n.wrong(base+header-1, err)
		return len(b), nil
	}
	at := header + axdr.LengthSize(len(e.Octets))
	size := at + len(e.Octets)
	if size > len(b) {
		size = len(b) // a length in a longer form than needed
	}
	n.field("piece", base+at, len(e.Octets), "%s", bulk(e.Octets))
	if binary.BigEndian.Uint16(b[2:]) == 1 && control&0x80 != 0 && len(e.Octets) > 0 {
		n.add(d.apdu(e.Octets, base+at))
	}
	return size, nil
}
