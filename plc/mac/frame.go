package mac

import (
	"errors"
	"fmt"

	"busbar/plc"
)

// What ParseFrame says of octets that are not a frame, apart from fields that the
// standard does not allow.
var (
	ErrTruncated = errors.New("MAC frame is cut short")
	ErrFCS       = errors.New("MAC frame check sequence does not match")
)

// Frame is a long MAC frame (sfsk.md 2.1). The physical layer cuts it into pieces of
// 36 octets, one for each subframe.
type Frame struct {
	Credits             plc.Credits
	Source, Destination plc.Address
	MSDU                []byte // 1 to MaxMSDU octets
}

// ParseFrame reads the frame that b starts with. The MSDU shares memory with b. The
// value of the pad octets does not matter, the check sequence covers them.
func ParseFrame(b []byte) (Frame, int, error) {
	if len(b) < headerSize {
		return Frame{}, 0, fmt.Errorf("%w: %d octets, a header has %d", ErrTruncated, len(b), headerSize)
	}
	subframes, err := parseMark(b[0], b[1])
	if err != nil {
		return Frame{}, 0, fmt.Errorf("MAC frame: %w", err)
	}
	size := subframes * subframeSize
	if len(b) < size {
		return Frame{}, 0, fmt.Errorf("%w: %d octets of %d", ErrTruncated, len(b), size)
	}
	b = b[:size]
	end := size - fcsSize
	if FCS(b[2:end]) != uint32(b[end])<<16|uint32(b[end+1])<<8|uint32(b[end+2]) {
		return Frame{}, 0, ErrFCS
	}
	pad := int(b[6])
	if pad > maxPad || headerSize+pad >= end {
		return Frame{}, 0, fmt.Errorf("MAC frame of %d subframes with %d pad octets: nothing is left for the MSDU", subframes, pad)
	}
	f := Frame{Credits: plc.ParseCredits(b[2]), MSDU: b[headerSize : end-pad : end-pad]}
	f.Source, f.Destination = ParseAddresses([3]byte(b[3:6]))
	return f, size, nil
}

// Size is the number of octets Append writes.
func (f Frame) Size() int { return Subframes(len(f.MSDU)) * subframeSize }

// Append appends the encoded frame to dst. It panics when the MSDU is empty or longer
// than MaxMSDU, because no frame can carry that.
func (f Frame) Append(dst []byte) []byte {
	if len(f.MSDU) == 0 || len(f.MSDU) > MaxMSDU {
		panic(fmt.Sprintf("MAC frame with an MSDU of %d octets: want 1 to %d", len(f.MSDU), MaxMSDU))
	}
	n := Subframes(len(f.MSDU))
	pad := n*subframeSize - overhead - len(f.MSDU)
	m, a := mark(n), JoinAddresses(f.Source, f.Destination)
	dst = append(dst, m[:]...)
	covered := len(dst)
	dst = append(dst, f.Credits.Byte(), a[0], a[1], a[2], byte(pad))
	dst = append(dst, f.MSDU...)
	dst = append(dst, make([]byte, pad)...)
	fcs := FCS(dst[covered:])
	return append(dst, byte(fcs>>16), byte(fcs>>8), byte(fcs))
}
