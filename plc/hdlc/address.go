package hdlc

import "fmt"

// Address is one end of a link. A client has one octet: its access point. A server has
// the logical device in the upper part and, in the longer forms, the physical device in
// the lower (IEC 62056-46, 6.4.2).
type Address struct {
	Upper, Lower uint16
	Size         uint8 // octets: 1 (upper of 7 bits), 2 (7 and 7) or 4 (14 and 14); 0 is the shortest that fits
}

// Lower addresses with a meaning of their own, in the forms of 2 and 4 octets.
const (
	LowerCalling2 uint16 = 0x7E
	LowerAll2     uint16 = 0x7F // every device
	LowerCalling4 uint16 = 0x3FFE
	LowerAll4     uint16 = 0x3FFF
	MaxAddress4   uint16 = 0x3FFF
)

// Everyone reports whether the lower part means every physical device.
func (a Address) Everyone() bool {
	return a.Size == 2 && a.Lower == LowerAll2 || a.Size == 4 && a.Lower == LowerAll4
}

// size is Size, or the shortest that fits.
func (a Address) size() int {
	switch {
	case a.Size != 0:
		return int(a.Size)
	case a.Upper > 0x7F || a.Lower > 0x7F:
		return 4
	case a.Lower != 0:
		return 2
	}
	return 1
}

// String is the form that people write: upper, and lower behind a slash.
func (a Address) String() string {
	if a.size() == 1 {
		return fmt.Sprintf("%d", a.Upper)
	}
	return fmt.Sprintf("%d/%d", a.Upper, a.Lower)
}

// append appends the octets; each part is cut to its field.
func (a Address) append(dst []byte) []byte {
	const last = 1 // the low bit ends an address
	switch a.size() {
	case 1:
		return append(dst, byte(a.Upper)<<1|last)
	case 2:
		return append(dst, byte(a.Upper)<<1, byte(a.Lower)<<1|last)
	}
	return append(dst, byte(a.Upper>>7)<<1, byte(a.Upper)<<1, byte(a.Lower>>7)<<1, byte(a.Lower)<<1|last)
}

// parseAddress reads the address that b starts with; 0 octets when none ends in b.
func parseAddress(b []byte) (Address, int) {
	for i := range min(len(b), 4) {
		if b[i]&1 == 0 {
			continue
		}
		part := func(i int) uint16 { return uint16(b[i] >> 1) }
		switch i {
		case 0:
			return Address{Upper: part(0), Size: 1}, 1
		case 1:
			return Address{Upper: part(0), Lower: part(1), Size: 2}, 2
		case 3:
			return Address{Upper: part(0)<<7 | part(1), Lower: part(2)<<7 | part(3), Size: 4}, 4
		}
		return Address{}, 0
	}
	return Address{}, 0
}
