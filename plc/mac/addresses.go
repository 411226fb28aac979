package mac

import "busbar/plc"

// ParseAddresses splits the 24 bits of source and destination, in the order of the
// air: source first, most significant bit first.
func ParseAddresses(b [3]byte) (source, destination plc.Address) {
	return plc.Address(b[0])<<4 | plc.Address(b[1])>>4, plc.Address(b[1]&0x0F)<<8 | plc.Address(b[2])
}

// JoinAddresses is the inverse of ParseAddresses; each address is cut to 12 bits.
func JoinAddresses(source, destination plc.Address) [3]byte {
	return [3]byte{byte(source >> 4), byte(source<<4) | byte(destination>>8&0x0F), byte(destination)}
}
