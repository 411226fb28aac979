package capture

import (
	"errors"

	"busbar/plc"
	"busbar/plc/dissect"
	"busbar/plc/hdlc"
	"busbar/plc/mac"
	"busbar/plc/modem"
	"busbar/plc/modem/foreign"
	"busbar/plc/trace"
)

// Frame is one whole frame of a capture.
type Frame struct {
	trace.Record // Octets are those of the whole frame
	Layer        dissect.Layer
}

// layers are what the octets of a record are.
var layers = map[trace.Kind]dissect.Layer{
	trace.Host: dissect.LayerHost, trace.MSDU: dissect.LayerLLC, trace.MAC: dissect.LayerMAC, trace.HDLC: dissect.LayerHDLC,
	trace.Wrapper: dissect.LayerWrapper, trace.APDU: dissect.LayerAPDU, trace.Foreign: dissect.LayerForeign,
}

// Splitter joins and cuts the octets of serial lines, which a record holds as they came,
// into frames. Everything else is a frame already. The zero value is ready.
type Splitter struct {
	Order   plc.ByteOrder // of addresses in host frames
	Rubbish int           // octets that begin no frame

	host [2][]byte // by direction
	hdlc [2]hdlc.Stream
}

// Add takes the next record and returns the frames that are whole with it.
func (s *Splitter) Add(r trace.Record) []Frame {
	side := 0
	if r.Sent {
		side = 1
	}
	switch r.Kind {
	case trace.Host:
		return s.addHost(r, side)
	case trace.HDLC:
		return s.addHDLC(r, side)
	}
	f := Frame{Record: r, Layer: layers[r.Kind]}
	if m, ok := addressed(f.Layer, f.Octets, s.Order); ok {
		f.Source, f.Destination, f.Credits = m.Source, m.Destination, m.Credits
	}
	return []Frame{f}
}

func (s *Splitter) addHDLC(r trace.Record, side int) []Frame {
	var out []Frame
	stream := &s.hdlc[side]
	before := stream.Rubbish
	stream.Feed(r.Octets)
	for f, ok := stream.Next(); ok; f, ok = stream.Next() {
		one := r
		one.Octets = f.Append(nil)
		out = append(out, Frame{Record: one, Layer: dissect.LayerHDLC})
	}
	s.Rubbish += stream.Rubbish - before
	return out
}

func (s *Splitter) addHost(r trace.Record, side int) []Frame {
	held := append(s.host[side], r.Octets...)
	var out []Frame
	for len(held) > 0 {
		n := hostSize(held)
		if n == 0 {
			break // the rest comes in another record
		}
		if n < 0 {
			s.Rubbish++
			held = held[1:]
			continue
		}
		one := r
		one.Octets = append([]byte(nil), held[:n]...)
		held = held[n:]
		f := Frame{Record: one, Layer: dissect.LayerHost}
		if m, ok := addressed(f.Layer, f.Octets, s.Order); ok {
			f.Source, f.Destination, f.Credits = m.Source, m.Destination, m.Credits
		}
		out = append(out, f)
	}
	s.host[side] = append([]byte(nil), held...)
	return out
}

// hostSize is the size of what b begins with: 0 when more must come, -1 when it is nothing.
func hostSize(b []byte) int {
	switch b[0] {
	case modem.ACK, modem.NAK:
		return 1
	case modem.StatusMark, modem.StatusMarkAlt:
		if len(b) < modem.StatusSize {
			return 0
		}
		return modem.StatusSize
	}
	_, n, err := modem.ParseFrame(b)
	switch {
	case err == nil, errors.Is(err, modem.ErrChecksum):
		return n // one with a wrong sum is worth seeing
	case errors.Is(err, modem.ErrIncomplete):
		return 0
	}
	return -1
}

// addressed finds the MAC frame that a frame carries.
func addressed(l dissect.Layer, b []byte, order plc.ByteOrder) (mac.Frame, bool) {
	switch l {
	case dissect.LayerMAC:
		f, _, err := mac.ParseFrame(b)
		return f, err == nil
	case dissect.LayerForeign:
		f, _, err := foreign.Parse(b)
		return mac.Frame{Credits: f.Credits, Source: f.Source, Destination: f.Destination, MSDU: f.MSDU}, err == nil
	case dissect.LayerHost:
		f, _, err := modem.ParseFrame(b)
		if err != nil || f.Command != modem.DataRequest && f.Command != modem.DataIndication && f.Command != modem.DataBadCRC {
			return mac.Frame{}, false
		}
		m, _, err := modem.ParseData(f.Data, order)
		return mac.Frame{Credits: m.Credits, Source: m.Source, Destination: m.Destination, MSDU: m.MSDU}, err == nil
	}
	return mac.Frame{}, false
}

// MSDU is what the frame carries on the line, and false when it carries nothing there.
func (f Frame) MSDU(order plc.ByteOrder) ([]byte, bool) {
	if f.Layer == dissect.LayerLLC {
		return f.Octets, true
	}
	m, ok := addressed(f.Layer, f.Octets, order)
	return m.MSDU, ok
}
