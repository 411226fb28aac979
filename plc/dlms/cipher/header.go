package cipher

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Control is the security control octet: suite in bits 3-0, authentication in
// bit 4, encryption in bit 5, the broadcast key in bit 6, compression in bit 7.
type Control byte

// The protections with the unicast key, and the mark of the broadcast key.
const (
	None                   Control = 0x00
	Authenticated          Control = 0x10
	Encrypted              Control = 0x20
	AuthenticatedEncrypted Control = 0x30
	Broadcast              Control = 0x40

	compressed Control = 0x80
	suiteMask  Control = 0x0F
)

// Suite is the number of the security suite.
func (c Control) Suite() uint8 { return uint8(c & suiteMask) }

// Protection is c without suite, key and compression.
func (c Control) Protection() Control { return c & AuthenticatedEncrypted }

// Covers reports whether c gives every protection that want asks for.
func (c Control) Covers(want Control) bool {
	return c.Protection()&want == want.Protection()
}

// String names the protection.
func (c Control) String() string {
	switch c &^ suiteMask {
	case None:
		return "none"
	case Authenticated:
		return "authenticated"
	case Encrypted:
		return "encrypted"
	case AuthenticatedEncrypted:
		return "authenticated and encrypted"
	}
	return fmt.Sprintf("security control %02Xh", byte(c))
}

// TagSize and HeaderSize are the octets that protection adds: the tag behind an
// authenticated text, control and counter before every text.
const (
	TagSize    = 12
	HeaderSize = 5
)

// Overhead is the number of octets that protection c adds to a text.
func (c Control) Overhead() int {
	if c&Authenticated != 0 {
		return HeaderSize + TagSize
	}
	return HeaderSize
}

// Errors of opening. None tells which octet was wrong: a forger learns nothing.
var (
	ErrTruncated = errors.New("protected APDU too short for its security header and tag")
	ErrControl   = errors.New("security control not supported: want the suite agreed, uncompressed")
	ErrTag       = errors.New("authentication tag is wrong: other key, other system title, or altered on the way")
	ErrTitle     = errors.New("ciphering needs system titles of 8 octets; give the meter's 8-octet title or use an association without ciphering")
)

// Protected is a protected text taken apart, not yet verified.
type Protected struct {
	Control Control
	Counter uint32
	Text    []byte // ciphered, or clear when only authenticated; shares memory with the input
	Tag     []byte // 12 octets, nil when not authenticated
}

// Parse takes apart what stands in a ciphered APDU: security control, invocation
// counter, text, tag. It consumes all of b.
func Parse(b []byte) (Protected, int, error) {
	if len(b) < HeaderSize {
		return Protected{}, 0, ErrTruncated
	}
	p := Protected{Control: Control(b[0]), Counter: binary.BigEndian.Uint32(b[1:])}
	if p.Control&compressed != 0 || p.Control.Suite() > MaxSuite || p.Control.Protection() == None {
		return Protected{}, 0, fmt.Errorf("%w, got %02Xh", ErrControl, b[0])
	}
	p.Text = b[HeaderSize:]
	if p.Control&Authenticated != 0 {
		n := len(p.Text) - TagSize
		if n < 0 {
			return Protected{}, 0, ErrTruncated
		}
		p.Text, p.Tag = p.Text[:n:n], p.Text[n:]
	}
	return p, len(b), nil
}

// Size is the number of octets Append writes.
func (p Protected) Size() int { return HeaderSize + len(p.Text) + len(p.Tag) }

// Append appends the encoded form to dst.
func (p Protected) Append(dst []byte) []byte {
	dst = appendHeader(dst, p.Control, p.Counter)
	dst = append(dst, p.Text...)
	return append(dst, p.Tag...)
}

func appendHeader(dst []byte, c Control, counter uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(c)), counter)
}
