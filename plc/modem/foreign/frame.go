package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"

	"busbar/plc"
	"busbar/plc/hdlc"
)

// Octets and sizes of a frame: STX, length, command, credits, addresses, number of pad octets;
// MSDU, padding, check sequence. The length counts what stands before the padding.
const (
	stx        byte = 0x02
	data       byte = 0x50
	headerSize      = 8
	checkSize       = 2
	subframe        = 36
	MaxMSDU         = 0xFF - headerSize
)

// What Parse says of octets that are no frame.
var (
	ErrIncomplete = errors.New("more octets needed")
	ErrNotFrame   = errors.New("not a foreign host frame")
	ErrChecksum   = errors.New("wrong check sequence")
)

// Frame is one MAC frame without what a modem adds.
type Frame struct {
	Credits             plc.Credits
	Source, Destination plc.Address
	MSDU                []byte // an LPDU
}

// Parse reads the frame that b starts with. MSDU shares memory with b. With ErrIncomplete
// the caller waits for more octets; with any other error it tries one octet further on.
func Parse(b []byte) (Frame, int, error) {
	switch {
	case len(b) > 0 && b[0] != stx:
		return Frame{}, 0, fmt.Errorf("octet %02Xh at offset 0, want %02Xh: %w", b[0], stx, ErrNotFrame)
	case len(b) > 1 && b[1] <= headerSize:
		return Frame{}, 0, fmt.Errorf("length %d at offset 1, want more than %d: %w", b[1], headerSize, ErrNotFrame)
	case len(b) > 2 && b[2] != data:
		return Frame{}, 0, fmt.Errorf("command %02Xh at offset 2, want %02Xh: %w", b[2], data, ErrNotFrame)
	}
	if len(b) < headerSize {
		return Frame{}, 0, fmt.Errorf("foreign host frame: %w", ErrIncomplete)
	}
	length, pad := int(b[1]), int(b[7])
	if pad >= subframe {
		return Frame{}, 0, fmt.Errorf("%d pad octets at offset 7, want less than %d: %w", pad, subframe, ErrNotFrame)
	}
	end := length + pad
	n := end + checkSize
	if len(b) < n {
		return Frame{}, 0, fmt.Errorf("foreign host frame of %d octets: %w", n, ErrIncomplete)
	}
	if got, want := binary.LittleEndian.Uint16(b[end:]), hdlc.FCS16(b[:end]); got != want {
		return Frame{}, 0, fmt.Errorf("%w %04Xh, computed %04Xh", ErrChecksum, got, want)
	}
	address := uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
	return Frame{
		Credits: plc.ParseCredits(b[3]), Source: plc.Address(address >> 12), Destination: plc.Address(address & 0xFFF),
		MSDU: b[headerSize:length:length],
	}, n, nil
}

// pad is the number of octets that fill the last subframe.
func (f Frame) pad() int { return (subframe - (headerSize+len(f.MSDU))%subframe) % subframe }

// Size is the number of octets Append writes.
func (f Frame) Size() int { return headerSize + len(f.MSDU) + f.pad() + checkSize }

// Append appends the encoded frame to dst, padded with zeros. It panics when the MSDU is
// empty or longer than MaxMSDU. Addresses are masked to 12 bits.
func (f Frame) Append(dst []byte) []byte {
	if len(f.MSDU) == 0 || len(f.MSDU) > MaxMSDU {
		panic(fmt.Sprintf("foreign: MSDU of %d octets, want 1 to %d", len(f.MSDU), MaxMSDU))
	}
	start := len(dst)
	address := uint32(f.Source&plc.MaxAddress)<<12 | uint32(f.Destination&plc.MaxAddress)
	dst = append(dst, stx, byte(headerSize+len(f.MSDU)), data, f.Credits.Byte(),
		byte(address>>16), byte(address>>8), byte(address), byte(f.pad()))
	dst = append(dst, f.MSDU...)
	dst = append(dst, make([]byte, f.pad())...)
	return binary.LittleEndian.AppendUint16(dst, hdlc.FCS16(dst[start:]))
}

// Stream finds frames in the octets of a connection. It holds at most one frame that is not
// whole yet and what came behind it in the same Feed. The zero value is ready.
type Stream struct {
	Rubbish int // octets passed over because they begin no frame
	held    []byte
}

// Feed adds octets that came.
func (s *Stream) Feed(b []byte) { s.held = append(s.held, b...) }

// Next is the next whole frame, and false when there is none yet. Its MSDU is valid until
// the next Feed.
func (s *Stream) Next() (Frame, bool) {
	for len(s.held) > 0 {
		f, n, err := Parse(s.held)
		switch {
		case err == nil:
			s.held = s.held[n:]
			return f, true
		case errors.Is(err, ErrIncomplete):
			return Frame{}, false
		}
		s.Rubbish++
		s.held = s.held[1:]
	}
	s.held = nil
	return Frame{}, false
}
