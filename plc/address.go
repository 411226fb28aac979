package plc

import "fmt"

// Address is a temporary 12-bit MAC address (sfsk.md 2.3). A server has the
// address New until an initiator registers it.
type Address uint16

// Addresses that every segment shares.
const (
	NoBody      Address = 0x000 // nobody
	New         Address = 0xFFE // every server that is not registered
	AllPhysical Address = 0xFFF // everyone
	MaxAddress  Address = 0xFFF
)

// Valid reports whether a fits in 12 bits.
func (a Address) Valid() bool { return a <= MaxAddress }

// String is the address as three hexadecimal digits, as the field writes it.
func (a Address) String() string { return fmt.Sprintf("%03X", uint16(a)) }

// Credit is a number of allowed repetitions, 0 to MaxCredit (sfsk.md 2.4).
type Credit uint8

// MaxCredit is the largest initial or current credit; MaxDelta the largest delta.
const (
	MaxCredit Credit = 7
	MaxDelta  Credit = 3
)

// Credits are the three counters in the credit octet of a MAC frame: initial,
// current and delta credit, in bits 7-5, 4-2 and 1-0 (sfsk.md 2.1).
type Credits struct {
	Initial, Current, Delta Credit
}

// ParseCredits splits a credit octet. Every octet is valid.
func ParseCredits(b byte) Credits {
	return Credits{Initial: Credit(b >> 5), Current: Credit(b >> 2 & 7), Delta: Credit(b & 3)}
}

// Byte joins the counters; each is masked to its field.
func (c Credits) Byte() byte {
	return byte(c.Initial&7)<<5 | byte(c.Current&7)<<2 | byte(c.Delta&3)
}

// Used is the number of repetitions the frame needed to get here: initial minus
// current credit, never below 0.
func (c Credits) Used() Credit {
	if c.Current > c.Initial {
		return 0
	}
	return c.Initial - c.Current
}
