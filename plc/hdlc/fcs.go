package hdlc

// fcsTable is FCS-16 of IEC 62056-46 annex A (ISO/IEC 3309), an octet at a time.
var fcsTable = func() (t [256]uint16) {
	const polynomial = 0x8408 // x^16 + x^12 + x^5 + 1, low bit first
	for i := range t {
		v := uint16(i)
		for range 8 {
			if v&1 != 0 {
				v = v>>1 ^ polynomial
			} else {
				v >>= 1
			}
		}
		t[i] = v
	}
	return t
}()

// FCS16 is the check sequence over b, which a frame carries low octet first.
func FCS16(b []byte) uint16 {
	v := uint16(0xFFFF)
	for _, o := range b {
		v = v>>8 ^ fcsTable[byte(v)^o]
	}
	return ^v
}

// checked reports whether the two octets behind b[:n] are its check sequence.
func checked(b []byte, n int) bool {
	v := FCS16(b[:n])
	return b[n] == byte(v) && b[n+1] == byte(v>>8)
}

func appendFCS(dst []byte, start int) []byte {
	v := FCS16(dst[start:])
	return append(dst, byte(v), byte(v>>8))
}
