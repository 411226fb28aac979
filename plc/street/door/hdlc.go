package door

import (
	"errors"

	"busbar/plc/hdlc"
)

// The physical device of meter n in an HDLC address is firstDevice + n: lower numbers are
// reserved (IEC 62056-46, 6.4.2.3).
const (
	firstDevice = 16
	maxLinks    = 16 // of one connection
)

// meterParameters are what a meter offers; most clients ask for less.
var meterParameters = hdlc.Parameters{InfoTransmit: 1024, InfoReceive: 1024, WindowTransmit: 7, WindowReceive: 7}

var errLinks = errors.New("more HDLC links than one connection may have")

// hdlcSpeaker serves IEC 62056-46. An address without lower part, or one that means
// every device, is that of the first meter.
type hdlcSpeaker struct {
	*visit
	which  int // meter, or All
	offer  hdlc.Parameters
	stream hdlc.Stream
	links  map[ends]*hdlc.Secondary
}

func newHDLCSpeaker(v *visit, which int, offer hdlc.Parameters) *hdlcSpeaker {
	return &hdlcSpeaker{visit: v, which: which, offer: offer, links: map[ends]*hdlc.Secondary{}}
}

// ends are the two addresses of a link as its client writes them.
type ends struct{ server, client hdlc.Address }

func (s *hdlcSpeaker) receive(b []byte) ([]byte, error) {
	s.stream.Feed(b)
	var out []byte
	for {
		f, ok := s.stream.Next()
		if !ok {
			return out, nil
		}
		answer, err := s.frame(f)
		if out = append(out, answer...); err != nil {
			return out, err
		}
	}
}

func (s *hdlcSpeaker) frame(f hdlc.Frame) ([]byte, error) {
	meter, ok := s.meter(f.Destination)
	if !ok || f.Source.Size != 1 || f.Destination.Upper > 0xFF {
		return nil, nil // for others, or from none that could be a client
	}
	link := s.links[ends{f.Destination, f.Source}]
	if link == nil {
		if len(s.links) == maxLinks {
			return nil, errLinks
		}
		link = hdlc.NewSecondary(hdlc.SecondaryConfig{Server: f.Destination, Client: f.Source, Offer: s.offer})
		s.links[ends{f.Destination, f.Source}] = link
	}
	client := byte(f.Source.Upper)
	e := link.Receive(f)
	if e.Connected || e.Disconnected {
		s.release(opened{meter, client})
	}
	if e.APDU == nil {
		return e.Down, nil
	}
	return append(e.Down, link.Answer(s.ask(meter, client, byte(f.Destination.Upper), e.APDU))...), nil
}

// meter is the one that an address means; false for that of another device.
func (s *hdlcSpeaker) meter(a hdlc.Address) (int, bool) {
	switch {
	case s.which != All:
		return s.which, true // the only one on this line
	case a.Size == 1 || a.Everyone() || a.Lower == 0:
		return 0, true
	}
	n := int(a.Lower) - firstDevice
	return n, n >= 0 && n < len(s.doors.cfg.Meters)
}
