package mac

import "math/bits"

// generator is the check polynomial without its x^24 (sfsk.md 2.2).
const generator = 0x5D6DCB

// remainders[i] is i times x^24 modulo the generator.
var remainders = func() (table [256]uint32) {
	for i := range table {
		r := uint32(i) << 16
		for range 8 {
			r <<= 1
			if r&(1<<24) != 0 {
				r ^= 1<<24 | generator
			}
		}
		table[i] = r
	}
	return table
}()

// FCS is the frame check sequence over b as the number that its three octets make
// when read most significant first. The register starts at 0, the message is not
// multiplied by x^24 as usual, and the coefficient of x^0 is sent first.
func FCS(b []byte) uint32 {
	var r uint32
	for _, octet := range b {
		r = (r<<8&0xFFFFFF | uint32(octet)) ^ remainders[r>>16]
	}
	return bits.Reverse32(r) >> 8
}
