package llc

import "fmt"

// HeaderSize is the number of octets before the APDU.
const HeaderSize = 3

// control is the only control octet spoken: unnumbered information, DL_Data.
const control = 0x90

// LPDU is one DL_Data frame. The destination comes first in both directions
// (sfsk.md 3.1, D5).
type LPDU struct {
	DSAP, SSAP byte   // destination and source access point
	APDU       []byte // at least one octet
}

// Parse reads the LPDU that fills b. Its APDU has no length of its own: it ends where
// the MSDU ends, and shares memory with b.
func Parse(b []byte) (LPDU, int, error) {
	if len(b) <= HeaderSize {
		return LPDU{}, 0, fmt.Errorf("LPDU of %d octets: want a header of %d and an APDU", len(b), HeaderSize)
	}
	if b[0] != control {
		return LPDU{}, 0, fmt.Errorf("LPDU with control octet %02Xh: only %02Xh (DL_Data) is spoken here", b[0], control)
	}
	return LPDU{DSAP: b[1], SSAP: b[2], APDU: b[HeaderSize:len(b):len(b)]}, len(b), nil
}

// Size is the number of octets Append writes.
func (l LPDU) Size() int { return HeaderSize + len(l.APDU) }

// Append appends the encoded LPDU to dst.
func (l LPDU) Append(dst []byte) []byte {
	return append(append(dst, control, l.DSAP, l.SSAP), l.APDU...)
}
