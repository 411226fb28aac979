package dlms

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// shield protects what one end sends and opens what the other sent. Both ends use
// it; it holds no counter.
type shield struct {
	suite      *cipher.Suite
	protection cipher.Control
	own, peer  plc.SystemTitle
}

// opened is a verified text.
type opened struct {
	plain   []byte
	counter uint32
	general bool // came as general-glo-ciphering
}

// seal protects a plain APDU with a service-specific or the general envelope.
func (s *shield) seal(plain []byte, counter uint32, general bool) ([]byte, error) {
	text, err := s.suite.Protect(make([]byte, 0, len(plain)+s.protection.Overhead()), s.protection, s.own, counter, plain)
	if err != nil {
		return nil, err
	}
	if general {
		g := apdu.GeneralGlo{Title: s.own.Bytes(), Text: text}
		return g.Append(make([]byte, 0, g.Size())), nil
	}
	tag, ok := apdu.Tag(plain[0]).Glo()
	if !ok {
		return nil, fmt.Errorf("%v has no ciphered form", apdu.Tag(plain[0]))
	}
	c := apdu.Ciphered{Tag: tag, Text: text}
	return c.Append(make([]byte, 0, c.Size())), nil
}

// sealedSize is the size of a plain APDU of n octets once sealed.
func (s *shield) sealedSize(n int, general bool) int {
	if s == nil {
		return n
	}
	n += s.protection.Overhead()
	return s.envelope(general) + axdr.LengthSize(n) + n
}

// envelope is what stands before the length of a sealed text: the tag, and in the
// general form our title.
func (s *shield) envelope(general bool) int {
	if general {
		return 1 + 1 + s.own.Size()
	}
	return 1
}

// room is the size of the longest plain APDU that has at most limit octets once sealed.
func (s *shield) room(limit int, general bool) int {
	if s == nil {
		return limit
	}
	return fit(limit-s.envelope(general)) - s.protection.Overhead()
}

// fit is the largest n that takes at most limit octets together with its length.
func fit(limit int) int {
	n := limit - 1
	for n > 0 && n+axdr.LengthSize(n) > limit {
		n--
	}
	return n
}

// open verifies b and returns what is inside. Its errors wrap ErrForged or ErrGarbled.
func (s *shield) open(b []byte) (opened, error) {
	text, want, general, err := s.unwrap(b)
	if err != nil {
		return opened{}, err
	}
	p, _, err := cipher.Parse(text)
	if err != nil {
		return opened{}, undecodable(err)
	}
	if !p.Control.Covers(s.protection) {
		return opened{}, forged("%v where %v was asked for", p.Control, s.protection)
	}
	plain, err := s.suite.Unprotect(s.peer, p)
	if err != nil {
		return opened{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if len(plain) == 0 || !general && apdu.Tag(plain[0]) != want {
		return opened{}, garbled("what is inside a %v is another service", apdu.Tag(b[0]))
	}
	return opened{plain: plain, counter: p.Counter, general: general}, nil
}

// unwrap takes the protected text out of its envelope.
func (s *shield) unwrap(b []byte) (text []byte, want apdu.Tag, general bool, err error) {
	if len(b) > 0 && apdu.Tag(b[0]) == apdu.TagGeneralGlo {
		g, n, err := apdu.ParseGeneralGlo(b)
		if err := whole(b, n, err); err != nil {
			return nil, 0, false, err
		}
		if len(g.Title) > 0 && string(g.Title) != string(s.peer.Bytes()) {
			return nil, 0, false, forged("it names another system title")
		}
		return g.Text, 0, true, nil
	}
	c, n, err := apdu.ParseCiphered(b)
	if err := whole(b, n, err); err != nil {
		return nil, 0, false, err
	}
	want, _ = c.Tag.Plain()
	return c.Text, want, false, nil
}

// whole turns the result of a parser into an error unless it consumed all of b.
func whole(b []byte, n int, err error) error {
	if err != nil {
		return undecodable(err)
	}
	if n != len(b) {
		return garbled("%d octets behind the APDU", len(b)-n)
	}
	return nil
}
