package dissect

import (
	"fmt"

	"busbar/plc/mac"
	"busbar/plc/modem"
)

// isHost reports whether b begins as something that modem and host say to each other.
func isHost(b []byte) bool {
	if len(b) == 1 {
		return b[0] == modem.ACK || b[0] == modem.NAK
	}
	if _, _, err := modem.ParseFrame(b); err == nil {
		return true
	}
	_, n, err := modem.ParseStatus(b)
	return err == nil && n == len(b)
}

// host dissects a frame or a single octet of the modem's host dialog.
func (d *dissector) host(b []byte) Node {
	n := Node{Name: "host", Size: len(b)}
	switch {
	case len(b) == 1 && b[0] == modem.ACK:
		n.Text = "ACK"
		return n
	case len(b) == 1 && b[0] == modem.NAK:
		n.Text = "NAK: the frame before had a wrong checksum"
		return n
	case len(b) > 0 && (b[0] == modem.StatusMark || b[0] == modem.StatusMarkAlt):
		s, size, err := modem.ParseStatus(b)
		if err != nil {
			n.fault(0, "%v", err)
			return n
		}
		n.Text = "status: " + s.String()
		n.rest(b, size)
		return n
	}
	f, size, err := modem.ParseFrame(b)
	if err != nil {
		n.fault(0, "%v", err)
		n.field("octets", 0, len(b), "%s", bulk(b))
		return n
	}
	n.Text = f.Command.String()
	d.payload(&n, f)
	n.rest(b, size)
	return n
}

// payload is the data of a frame, which begins behind STX, length and command.
func (d *dissector) payload(n *Node, f modem.Frame) {
	const at = 3
	var err error
	switch f.Command {
	case modem.DataIndication, modem.DataRequest, modem.DataBadCRC:
		var m modem.Data
		if m, _, err = modem.ParseData(f.Data, d.Order); err == nil {
			c := Node{
				Name: "MA_Data", Offset: at, Size: len(f.Data),
				Text: fmt.Sprintf("%v to %v, %s, %d subframes", m.Source, m.Destination, credits(m.Credits), mac.Subframes(len(m.MSDU))),
			}
			c.add(d.lpdu(m.MSDU, at+modem.DataHeaderSize))
			n.add(c)
		}
	case modem.DataConfirm:
		if len(f.Data) == 1 {
			n.field("transmission", at, 1, "%v", mac.Transmission(f.Data[0]))
			return
		}
		err = fmt.Errorf("confirm of %d octets, want 1", len(f.Data))
	case modem.SynchroIndication:
		var s modem.Synchro
		if s, _, err = modem.ParseSynchro(f.Data); err == nil {
			n.field("synchro", at, len(f.Data), "%v", s)
		}
	case modem.AccessDBRequest, modem.AccessDBConfirm:
		var a modem.Access
		if a, _, err = modem.ParseAccess(f.Data); err == nil {
			n.field("database", at, len(f.Data), "%v = % X", a.Ident, a.Value)
		}
	case modem.AccessDBError, modem.WriteConfigError:
		var e modem.ErrorCode
		if e, _, err = modem.ParseErrorCode(f.Data); err == nil {
			n.field("error", at, 1, "%v", e)
		}
	case modem.RepeaterCallRequest:
		var r modem.RepeaterCall
		if r, _, err = modem.ParseRepeaterCall(f.Data); err == nil {
			n.field("repeater call", at, len(f.Data), "level %d dBµV, position %d", r.Level, r.Position)
		}
	case modem.WriteConfigRequest, modem.WriteConfigConfirm:
		d.configuration(n, f.Data, at)
	default:
		if len(f.Data) > 0 {
			n.field("data", at, len(f.Data), "%s", bulk(f.Data))
		}
	}
	if err != nil {
		n.fault(at, "%v", err)
		n.field("data", at, len(f.Data), "%s", bulk(f.Data))
	}
}

func (d *dissector) configuration(n *Node, data []byte, at int) {
	c, _, err := modem.ParseConfiguration(data)
	if err != nil {
		n.fault(at, "%v", err)
		n.field("data", at, len(data), "%s", bulk(data))
		return
	}
	n.field("configuration", at, len(data), "mode %d, %d bit/s at %d Hz mains, %+v", c.Mode(), c.BitRate(), c.MainsHz(), c)
}
