package wrapper

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Numbers of the header (IEC 62056-47, wrapper protocol data unit).
const (
	Version    = 1
	HeaderSize = 8      // version, source, destination, length: 16 bits each
	MaxAPDU    = 0xFFFF // what the length can say
)

// Wrapper ports with a meaning of their own.
const (
	NoStation  uint16 = 0
	Management uint16 = 1    // client management process, or management logical device
	Public     uint16 = 0x10 // public client
	AllStation uint16 = 0x7F
)

// What Parse says of octets that are no frame.
var (
	ErrIncomplete = errors.New("more octets needed")
	ErrNotFrame   = errors.New("not a wrapper frame")
)

// Frame is one APDU with the ports it goes between.
type Frame struct {
	Source, Destination uint16 // wrapper ports
	APDU                []byte // at least one octet
}

// Parse reads the frame that b starts with. APDU shares memory with b. With
// ErrIncomplete the caller waits for more octets; after ErrNotFrame nothing in the
// stream can be trusted.
func Parse(b []byte) (Frame, int, error) {
	// The version is judged as soon as it is there, so that a foreign protocol is told at once.
	for i, want := range []byte{0, Version} {
		if i < len(b) && b[i] != want {
			return Frame{}, 0, fmt.Errorf("version octet %02Xh at offset %d, want %02Xh: %w", b[i], i, want, ErrNotFrame)
		}
	}
	if len(b) < HeaderSize {
		return Frame{}, 0, fmt.Errorf("wrapper header of %d octets, want %d: %w", len(b), HeaderSize, ErrIncomplete)
	}
	length := int(binary.BigEndian.Uint16(b[6:]))
	if length == 0 {
		return Frame{}, 0, fmt.Errorf("length 0 at offset 6: %w", ErrNotFrame)
	}
	n := HeaderSize + length
	if len(b) < n {
		return Frame{}, 0, fmt.Errorf("wrapper frame of %d octets, %d are there: %w", n, len(b), ErrIncomplete)
	}
	return Frame{
		Source: binary.BigEndian.Uint16(b[2:]), Destination: binary.BigEndian.Uint16(b[4:]), APDU: b[HeaderSize:n:n],
	}, n, nil
}

// Size is the number of octets Append writes.
func (f Frame) Size() int { return HeaderSize + len(f.APDU) }

// Append appends the encoded frame to dst. It panics when the APDU is longer than
// MaxAPDU: no association agrees on more.
func (f Frame) Append(dst []byte) []byte {
	if len(f.APDU) > MaxAPDU {
		panic(fmt.Sprintf("wrapper: APDU of %d octets, at most %d fit", len(f.APDU), MaxAPDU))
	}
	dst = binary.BigEndian.AppendUint16(dst, Version)
	dst = binary.BigEndian.AppendUint16(dst, f.Source)
	dst = binary.BigEndian.AppendUint16(dst, f.Destination)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(f.APDU)))
	return append(dst, f.APDU...)
}

// String tells the ports and the size.
func (f Frame) String() string {
	return fmt.Sprintf("wrapper %d to %d, APDU of %d octets", f.Source, f.Destination, len(f.APDU))
}
