package apdu

// Invoke is the invoke-id-and-priority octet: an identity of 4 bits that an answer
// repeats, the service class (bit 6: confirmed) and the priority (bit 7: high).
type Invoke byte

// Bits of an Invoke.
const (
	Confirmed    Invoke = 0x40
	HighPriority Invoke = 0x80
	idMask       Invoke = 0x0F
)

// ID is the identity, 0 to 15.
func (i Invoke) ID() uint8 { return uint8(i & idMask) }

// Confirmed reports whether the sender waits for an answer.
func (i Invoke) Confirmed() bool { return i&Confirmed != 0 }

// Next is the Invoke of the following request: the same class and priority, the
// identity one higher, 1 after 15.
func (i Invoke) Next() Invoke {
	id := i.ID() + 1
	if id > uint8(idMask) {
		id = 1
	}
	return i&^idMask | Invoke(id)
}
