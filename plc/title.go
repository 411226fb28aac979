package plc

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MaxSystemTitle is the longest system title a segment may use, in octets.
// Known sizes are 6 (IEC 61334-4-32 LLC), 8 (COSEM) and 10.
const MaxSystemTitle = 10

// SystemTitle is the permanent identity of a station on the line: three letters
// of its maker and a number (COSEM: 8 octets). It is comparable and can be a map
// key. Its zero value means "no title".
//
// A temporary [Address] is never an identity.
type SystemTitle struct {
	size   uint8
	octets [MaxSystemTitle]byte
}

// NewSystemTitle returns the title made of b, 1 to MaxSystemTitle octets.
func NewSystemTitle(b []byte) (SystemTitle, error) {
	var t SystemTitle
	if len(b) == 0 || len(b) > MaxSystemTitle {
		return t, fmt.Errorf("system title of %d octets: want 1 to %d", len(b), MaxSystemTitle)
	}
	t.size = uint8(copy(t.octets[:], b))
	return t, nil
}

// MustSystemTitle is NewSystemTitle for constants and tests; it panics on error.
func MustSystemTitle(b []byte) SystemTitle {
	t, err := NewSystemTitle(b)
	if err != nil {
		panic(err)
	}
	return t
}

// ParseSystemTitle reads the form that String writes: hexadecimal digits,
// upper or lower case, e.g. "4D4D4D0000BC614E".
func ParseSystemTitle(s string) (SystemTitle, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return SystemTitle{}, fmt.Errorf("system title %q: want hexadecimal digits, for example 4D4D4D0000BC614E", s)
	}
	return NewSystemTitle(b)
}

// IsZero reports whether t is no title at all.
func (t SystemTitle) IsZero() bool { return t.size == 0 }

// Size is the number of octets.
func (t SystemTitle) Size() int { return int(t.size) }

// Bytes returns a copy of the octets.
func (t SystemTitle) Bytes() []byte { return t.Append(nil) }

// Append appends the octets to dst.
func (t SystemTitle) Append(dst []byte) []byte { return append(dst, t.octets[:t.size]...) }

// String is the title in upper-case hexadecimal.
func (t SystemTitle) String() string { return strings.ToUpper(hex.EncodeToString(t.octets[:t.size])) }

// Compare orders titles by their octets, shorter first.
func (t SystemTitle) Compare(u SystemTitle) int {
	return strings.Compare(string(t.octets[:t.size]), string(u.octets[:u.size]))
}

// MarshalText implements encoding.TextMarshaler.
func (t SystemTitle) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. An empty text is no title.
func (t *SystemTitle) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = SystemTitle{}
		return nil
	}
	v, err := ParseSystemTitle(string(b))
	if err != nil {
		return err
	}
	*t = v
	return nil
}
