package wrapper

import (
	"errors"
	"fmt"
)

// Stream cuts the octets of a connection into frames. It holds at most one frame that
// is not whole yet and what came behind it in the same Feed; it never reserves what a
// length promises. The zero value is ready.
type Stream struct {
	MaxAPDU int // longest APDU taken; 0 is everything the length can say

	held []byte
	err  error
}

// Feed adds octets that came.
func (s *Stream) Feed(b []byte) { s.held = append(s.held, b...) }

// Next is the next whole frame, and false when there is none yet. Its APDU is valid until
// the next Feed. After an error the connection must be closed: every further call returns it.
func (s *Stream) Next() (Frame, bool, error) {
	if s.err != nil {
		return Frame{}, false, s.err
	}
	f, n, err := Parse(s.held)
	if s.MaxAPDU > 0 && len(s.held) >= HeaderSize {
		if length := int(s.held[6])<<8 | int(s.held[7]); length > s.MaxAPDU {
			s.err = fmt.Errorf("APDU of %d octets announced, at most %d are taken: %w", length, s.MaxAPDU, ErrNotFrame)
			return Frame{}, false, s.err
		}
	}
	switch {
	case err == nil:
		s.held = s.held[n:]
		if len(s.held) == 0 {
			s.held = nil
		}
		return f, true, nil
	case errors.Is(err, ErrIncomplete):
		return Frame{}, false, nil
	}
	s.err = err
	return Frame{}, false, err
}
