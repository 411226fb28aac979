package door

import (
	"errors"

	"busbar/plc"
	"busbar/plc/hdlc"
	"busbar/plc/llc"
	"busbar/plc/mac"
	"busbar/plc/modem/foreign"
)

// plcSpeaker serves what foreign programs send for an S-FSK modem: host frames with LPDUs, and
// whole MAC frames with HDLC inside (sfsk.md 3.2). On a door onto all meters, address n is
// meter n-1; who speaks to everyone is answered by the first meter, because the others
// would speak into its answer.
type plcSpeaker struct {
	*visit
	held  []byte
	links map[int]*hdlcSpeaker // by meter
}

// lineParameters let every HDLC frame fit one MAC frame, one at a time.
var lineParameters = hdlc.DefaultParameters()

func (s *plcSpeaker) receive(b []byte) ([]byte, error) {
	s.held = append(s.held, b...)
	var out []byte
	for len(s.held) > 0 {
		f, n, err := foreign.Parse(s.held)
		if err == nil {
			s.held = s.held[n:]
			out = s.hostFrame(out, f)
			continue
		}
		if errors.Is(err, foreign.ErrIncomplete) {
			return out, nil
		}
		m, n, err := mac.ParseFrame(s.held)
		switch {
		case err == nil:
			s.held = s.held[n:]
			if out, err = s.macFrame(out, m); err != nil {
				return out, err
			}
		case errors.Is(err, mac.ErrTruncated):
			return out, nil
		default:
			s.held = s.held[1:] // neither begins here
		}
	}
	s.held = nil
	return out, nil
}

// hostFrame appends the answer to an LPDU. What is none is rubbish, to which a meter is silent.
func (s *plcSpeaker) hostFrame(out []byte, f foreign.Frame) []byte {
	meter, own := s.meter(f.Destination)
	back := s.lpdu(meter, f.MSDU)
	if back == nil || len(back) > foreign.MaxMSDU {
		return out
	}
	return foreign.Frame{Credits: echo(f.Credits), Source: own, Destination: f.Source, MSDU: back}.Append(out)
}

// lpdu is the answer to an LPDU, nil when there is none.
func (s *plcSpeaker) lpdu(meter int, msdu []byte) []byte {
	l, _, err := llc.Parse(msdu)
	if err != nil {
		return nil
	}
	answer := s.ask(meter, l.SSAP, l.DSAP, l.APDU)
	if answer == nil {
		return nil
	}
	return llc.LPDU{DSAP: l.SSAP, SSAP: l.DSAP, APDU: answer}.Append(nil)
}

// macFrame appends the answer to a MAC frame, which carries an LPDU or an HDLC frame.
func (s *plcSpeaker) macFrame(out []byte, f mac.Frame) ([]byte, error) {
	meter, own := s.meter(f.Destination)
	var back []byte
	if f.MSDU[0] != hdlc.Flag {
		back = s.lpdu(meter, f.MSDU)
	} else if inside, _, err := hdlc.Parse(f.MSDU); err == nil && meter >= 0 && meter < len(s.doors.cfg.Meters) {
		link := s.links[meter]
		if link == nil {
			link = newHDLCSpeaker(s.visit, meter, lineParameters)
			s.links[meter] = link
		}
		if back, err = link.frame(inside); err != nil {
			return out, err
		}
	}
	if len(back) == 0 || len(back) > mac.MaxMSDU {
		return out, nil
	}
	return mac.Frame{Credits: echo(f.Credits), Source: own, Destination: f.Source, MSDU: back}.Append(out), nil
}

// echo are the credits of an answer: those that the request started with.
func echo(c plc.Credits) plc.Credits { return plc.Credits{Initial: c.Initial, Current: c.Initial} }

// meter is the one that an address means, and its own address.
func (s *plcSpeaker) meter(a plc.Address) (int, plc.Address) {
	n := s.which
	if n == All {
		n = int(a) - 1
	}
	if a == plc.AllPhysical || a == plc.New {
		n = max(s.which, 0)
		a = plc.Address(n + 1)
	}
	return n, a
}
