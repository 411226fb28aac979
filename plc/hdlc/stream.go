package hdlc

import (
	"bytes"
	"errors"
)

// Stream finds frames in the octets of a line. It holds at most one frame that is not
// whole yet and what came behind it in the same Feed. The zero value is ready.
type Stream struct {
	Rubbish int // octets passed over because they are no frame
	Damaged int // frames with a wrong check sequence
	held    []byte
}

// Feed adds octets that came.
func (s *Stream) Feed(b []byte) { s.held = append(s.held, b...) }

// Reset drops a frame that is not whole: after a silence its rest does not come.
func (s *Stream) Reset() {
	s.Rubbish += len(s.held)
	s.held = nil
}

// Next is the next whole frame, and false when there is none yet. Its Info is valid until
// the next Feed.
func (s *Stream) Next() (Frame, bool) {
	for len(s.held) > 0 {
		f, n, err := Parse(s.held)
		switch {
		case err == nil:
			s.held = s.held[n-1:] // the closing flag may open the next frame
			return f, true
		case errors.Is(err, ErrIncomplete):
			return Frame{}, false
		case errors.Is(err, ErrChecksum):
			s.Damaged++
		}
		s.hunt(n)
	}
	s.held = nil
	return Frame{}, false
}

// hunt passes over n octets and on to the next flag.
func (s *Stream) hunt(n int) {
	rest := s.held[n:]
	skip := bytes.IndexByte(rest, Flag)
	if skip < 0 {
		skip = len(rest)
	}
	s.Rubbish += skip
	s.held = rest[skip:]
}
