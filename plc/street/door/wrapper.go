package door

import (
	"busbar/plc/wrapper"
)

// wrapperSpeaker serves IEC 62056-47. On a door onto all meters the destination port n is
// logical device 1 of meter n; on a door of one meter it is the logical device.
type wrapperSpeaker struct {
	*visit
	stream wrapper.Stream
}

func (s *wrapperSpeaker) receive(b []byte) ([]byte, error) {
	s.stream.Feed(b)
	var out []byte
	for {
		f, ok, err := s.stream.Next()
		if !ok || err != nil {
			return out, err
		}
		if f.Source > 0xFF {
			continue // no client has such an access point
		}
		meter, server := s.which, f.Destination
		if meter == All {
			meter, server = int(f.Destination)-1, wrapper.Management
		}
		if server > 0xFF {
			continue
		}
		answer := s.ask(meter, byte(f.Source), byte(server), f.APDU)
		if answer != nil && len(answer) <= wrapper.MaxAPDU {
			out = wrapper.Frame{Source: f.Destination, Destination: f.Source, APDU: answer}.Append(out)
		}
	}
}
