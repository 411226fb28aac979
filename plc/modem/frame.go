package modem

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Single octets of the host protocol (sfsk.md 7.2, 7.3).
const (
	STX           byte = 0x02 // begins a frame
	ACK           byte = 0x06 // answers a good frame
	NAK           byte = 0x15 // answers a frame with a wrong checksum
	StatusMark    byte = 0x3F // begins a status message
	StatusMarkAlt byte = 0x7F // the same, as one table prints it (D16)
)

// Sizes of a frame: STX, length, command, data, two octets of checksum. The length
// octet counts from the command to the end.
const (
	MaxData       = 247                     // octets of data in a frame
	FrameOverhead = 5                       // octets around the data
	MaxFrame      = MaxData + FrameOverhead // octets of the longest frame
	minLength     = 3                       // length octet of a frame without data
	maxLength     = MaxFrame - 2            // 250
)

// What ParseFrame says of octets that are no frame.
var (
	ErrNotFrame = errors.New("not the beginning of a frame")
	ErrChecksum = errors.New("wrong checksum")
)

// Frame is one command with its data.
type Frame struct {
	Command Command
	Data    []byte // at most MaxData octets
}

// ParseFrame reads a frame that begins at b[0]. Data shares memory with b.
//
// With ErrIncomplete the caller waits for more octets. With any other error n is the
// number of octets to skip before trying again: one for ErrNotFrame, the whole frame for
// ErrChecksum, which is the one to answer with NAK.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	if len(b) == 0 {
		return Frame{}, 0, fmt.Errorf("frame: %w", ErrIncomplete)
	}
	if b[0] != STX {
		return Frame{}, 1, fmt.Errorf("frame starts with %02Xh: %w", b[0], ErrNotFrame)
	}
	if len(b) < 2 {
		return Frame{}, 0, fmt.Errorf("frame: %w", ErrIncomplete)
	}
	length := int(b[1])
	if length < minLength || length > maxLength {
		return Frame{}, 1, fmt.Errorf("frame length %d, want %d to %d: %w", length, minLength, maxLength, ErrNotFrame)
	}
	n = 2 + length
	if len(b) < n {
		return Frame{}, 0, fmt.Errorf("frame: %w", ErrIncomplete)
	}
	f = Frame{Command: Command(b[2]), Data: b[3 : n-2 : n-2]}
	if got, want := binary.LittleEndian.Uint16(b[n-2:n]), checksum(b[1:n-2]); got != want {
		return Frame{}, n, fmt.Errorf("%v of %d octets: %w %04Xh, computed %04Xh", f.Command, n, ErrChecksum, got, want)
	}
	return f, n, nil
}

// checksum is the 16-bit sum of all octets from the length to the last of the data.
func checksum(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		sum += uint16(c)
	}
	return sum
}

// Size is the number of octets Append writes.
func (f Frame) Size() int { return FrameOverhead + len(f.Data) }

// Append appends the encoded frame to dst. It panics when Data is longer than
// MaxData: every payload of this package is bounded before it gets here.
func (f Frame) Append(dst []byte) []byte {
	if len(f.Data) > MaxData {
		panic(fmt.Sprintf("modem: frame with %d octets of data, at most %d fit", len(f.Data), MaxData))
	}
	start := len(dst)
	dst = append(dst, STX, byte(minLength+len(f.Data)), byte(f.Command))
	dst = append(dst, f.Data...)
	return binary.LittleEndian.AppendUint16(dst, checksum(dst[start+1:]))
}

// String names the command and shows the data.
func (f Frame) String() string { return fmt.Sprintf("%v [% X]", f.Command, f.Data) }
