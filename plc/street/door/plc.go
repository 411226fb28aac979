package door

import (
	"busbar/plc"
	"busbar/plc/llc"
	"busbar/plc/modem/foreign"
)

// plcSpeaker serves the host frames of foreign programs. On a door onto all meters, address
// n is meter n-1; who speaks to everyone is answered by the first meter, because the
// others would speak into its answer.
type plcSpeaker struct {
	*visit
	stream foreign.Stream
}

func (s *plcSpeaker) receive(b []byte) ([]byte, error) {
	s.stream.Feed(b)
	var out []byte
	for {
		f, ok := s.stream.Next()
		if !ok {
			return out, nil
		}
		l, _, err := llc.Parse(f.MSDU)
		if err != nil {
			continue // another link control, or rubbish: a meter is silent
		}
		meter, own := s.meter(f.Destination)
		answer := s.ask(meter, l.SSAP, l.DSAP, l.APDU)
		back := llc.LPDU{DSAP: l.SSAP, SSAP: l.DSAP, APDU: answer}
		if answer == nil || back.Size() > foreign.MaxMSDU {
			continue
		}
		out = foreign.Frame{
			Credits: plc.Credits{Initial: f.Credits.Initial, Current: f.Credits.Initial},
			Source:  own, Destination: f.Source, MSDU: back.Append(nil),
		}.Append(out)
	}
}

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
