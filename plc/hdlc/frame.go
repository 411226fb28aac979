package hdlc

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Flag begins and ends a frame. Octets of the same value inside a frame are not changed:
// the length tells where it ends.
const Flag byte = 0x7E

// Sizes in octets (IEC 62056-46, 6.4.1). The length in the format field counts everything
// between the flags.
const (
	MaxLength = 0x7FF
	minLength = 7 // format, two addresses of one octet, control, check sequence
	MaxInfo   = MaxLength - 2 - 4 - 1 - 1 - 2 - 2
)

// What Parse says of octets that are no frame.
var (
	ErrIncomplete = errors.New("more octets needed")
	ErrNotFrame   = errors.New("not an HDLC frame")
	ErrChecksum   = errors.New("wrong check sequence")
)

// Frame is one HDLC frame of format type 3.
type Frame struct {
	Destination, Source Address
	Control             Control
	Segmented           bool   // more of the same APDU follows
	Info                []byte // nil when the frame carries nothing
}

// Parse reads the frame that b starts with, flags included; flags that fill the time
// before it are passed over. Info shares memory with b.
//
// With ErrIncomplete the caller waits for more octets. With any other error n is the
// number of octets to skip before the next flag is looked for.
func Parse(b []byte) (f Frame, n int, err error) {
	if len(b) > 0 && b[0] != Flag {
		return Frame{}, 1, fmt.Errorf("octet %02Xh where a flag should be: %w", b[0], ErrNotFrame)
	}
	start := 0
	for start < len(b) && b[start] == Flag {
		start++
	}
	body := b[start:]
	if len(body) < 2 {
		if len(body) == 1 && body[0]&0xF0 != formatType {
			return Frame{}, start, fmt.Errorf("format octet %02Xh: %w", body[0], ErrNotFrame)
		}
		return Frame{}, 0, fmt.Errorf("HDLC frame: %w", ErrIncomplete)
	}
	format := binary.BigEndian.Uint16(body)
	length := int(format & MaxLength)
	if body[0]&0xF0 != formatType || length < minLength {
		return Frame{}, start, fmt.Errorf("format field %04Xh: want type 3 and a length of at least %d: %w", format, minLength, ErrNotFrame)
	}
	if len(body) <= length {
		return Frame{}, 0, fmt.Errorf("HDLC frame of %d octets: %w", length, ErrIncomplete)
	}
	if body[length] != Flag {
		return Frame{}, start, fmt.Errorf("octet %02Xh where the closing flag should be, at offset %d: %w", body[length], start+length, ErrNotFrame)
	}
	f, err = parseBody(body[:length:length])
	if err != nil {
		return Frame{}, start, err
	}
	return f, start + length + 1, nil
}

const (
	formatType byte = 0xA0
	segmentBit byte = 0x08
)

// parseBody reads what stands between the flags.
func parseBody(b []byte) (Frame, error) {
	end := len(b) - 2
	if !checked(b, end) {
		return Frame{}, fmt.Errorf("frame of %d octets: %w", len(b), ErrChecksum)
	}
	f := Frame{Segmented: b[0]&segmentBit != 0}
	at, n := 2, 0
	for _, a := range []*Address{&f.Destination, &f.Source} {
		if *a, n = parseAddress(b[at:end]); n == 0 {
			return Frame{}, fmt.Errorf("address at offset %d has not 1, 2 or 4 octets: %w", at, ErrNotFrame)
		}
		at += n
	}
	if at >= end {
		return Frame{}, fmt.Errorf("no control octet: %w", ErrNotFrame)
	}
	f.Control = Control(b[at])
	at++
	switch {
	case at == end:
		return f, nil
	case at+2 > end-1: // a header check sequence stands before information only
		return Frame{}, fmt.Errorf("%d octets behind the control octet: %w", end-at, ErrNotFrame)
	case !checked(b, at):
		return Frame{}, fmt.Errorf("header: %w", ErrChecksum)
	}
	f.Info = b[at+2 : end : end]
	return f, nil
}

// length is what the format field says.
func (f Frame) length() int {
	n := 2 + f.Destination.size() + f.Source.size() + 1 + 2
	if len(f.Info) > 0 {
		n += 2 + len(f.Info)
	}
	return n
}

// Size is the number of octets Append writes.
func (f Frame) Size() int { return f.length() + 2 }

// Append appends the encoded frame with both flags to dst. It panics when Info is longer
// than MaxInfo: links negotiate less.
func (f Frame) Append(dst []byte) []byte {
	length := f.length()
	if length > MaxLength {
		panic(fmt.Sprintf("hdlc: information of %d octets, at most %d fit", len(f.Info), MaxInfo))
	}
	dst = append(dst, Flag)
	start := len(dst)
	format := formatType | byte(length>>8)
	if f.Segmented {
		format |= segmentBit
	}
	dst = append(dst, format, byte(length))
	dst = f.Source.append(f.Destination.append(dst))
	dst = append(dst, byte(f.Control))
	if len(f.Info) > 0 {
		dst = append(appendFCS(dst, start), f.Info...)
	}
	return append(appendFCS(dst, start), Flag)
}

// String tells the ends, the control octet and the size.
func (f Frame) String() string {
	s := fmt.Sprintf("%v to %v: %v", f.Source, f.Destination, f.Control)
	if len(f.Info) > 0 {
		s += fmt.Sprintf(", %d octets", len(f.Info))
	}
	if f.Segmented {
		s += ", more follow"
	}
	return s
}
