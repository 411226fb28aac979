package capture

import (
	"encoding/binary"
	"fmt"
	"io"

	"busbar/plc"
	"busbar/plc/dissect"
	"busbar/plc/trace"
)

// Link types: the private ones of libpcap, USER0 to USER3.
const (
	linkLLC     uint16 = 147 // LPDU of IEC 61334-4-32
	linkHDLC    uint16 = 148 // HDLC frame with flags
	linkWrapper uint16 = 149 // wrapper frame
	linkAPDU    uint16 = 150 // bare APDU
)

// interfaces are those of a pcapng file, in its order.
var interfaces = []struct {
	link uint16
	name string
}{
	{linkLLC, "power line (LPDU)"}, {linkHDLC, "HDLC"}, {linkWrapper, "TCP wrapper"}, {linkAPDU, "APDU"},
}

// Format is a file format.
type Format uint8

// The formats.
const (
	PcapNG Format = iota + 1 // everything, with direction, credits and signal
	Pcap                     // the power line only
)

// Writer writes frames to a file that Wireshark opens.
type Writer struct {
	Written, Left int // frames written, and left out because the format has no place for them

	w      io.Writer
	format Format
	order  plc.ByteOrder
}

// NewWriter writes the head of the file.
func NewWriter(w io.Writer, format Format, order plc.ByteOrder) (*Writer, error) {
	p := &Writer{w: w, format: format, order: order}
	var head []byte
	switch format {
	case Pcap:
		const magicNano, major, minor, snap = 0xA1B23C4D, 2, 4, 0xFFFF
		head = binary.LittleEndian.AppendUint32(head, magicNano)
		head = binary.LittleEndian.AppendUint16(head, major)
		head = binary.LittleEndian.AppendUint16(head, minor)
		head = append(head, make([]byte, 8)...) // zone and accuracy: none
		head = binary.LittleEndian.AppendUint32(head, snap)
		head = binary.LittleEndian.AppendUint32(head, uint32(linkLLC))
	case PcapNG:
		head = sectionHeader()
		for _, i := range interfaces {
			head = append(head, interfaceBlock(i.link, i.name)...)
		}
	default:
		return nil, fmt.Errorf("capture format %d: want pcapng or pcap", format)
	}
	_, err := w.Write(head)
	return p, err
}

// Write writes one frame, or counts it as left out.
func (p *Writer) Write(f Frame) error {
	octets, link, ok := p.payload(f)
	if !ok || p.format == Pcap && link != linkLLC {
		p.Left++
		return nil
	}
	var b []byte
	if p.format == Pcap {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.At.Unix()))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.At.Nanosecond()))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(octets)))
		b = binary.LittleEndian.AppendUint32(b, uint32(original(f, octets)))
		b = append(b, octets...)
	} else {
		b = packetBlock(f, octets, link)
	}
	p.Written++
	_, err := p.w.Write(b)
	return err
}

// original is how long the payload was when the box cut it.
func original(f Frame, octets []byte) int {
	if len(octets) == len(f.Octets) && f.Whole > len(octets) && f.Kind != trace.Host && f.Kind != trace.HDLC {
		return f.Whole
	}
	return len(octets)
}

// payload is what is written of a frame.
func (p *Writer) payload(f Frame) ([]byte, uint16, bool) {
	switch f.Layer {
	case dissect.LayerHDLC:
		return f.Octets, linkHDLC, true
	case dissect.LayerWrapper:
		return f.Octets, linkWrapper, true
	case dissect.LayerAPDU:
		return f.Octets, linkAPDU, true
	}
	msdu, ok := f.MSDU(p.order)
	return msdu, linkLLC, ok
}

// Block types and options of pcapng.
const (
	blockSection   uint32 = 0x0A0D0D0A
	blockInterface uint32 = 1
	blockPacket    uint32 = 6
	byteOrderMagic uint32 = 0x1A2B3C4D

	optionComment    uint16 = 1
	optionName       uint16 = 2
	optionResolution uint16 = 9
	optionFlags      uint16 = 2
	inbound          uint32 = 1
	outbound         uint32 = 2
)

// block frames a body with type and length at both ends.
func block(kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	size := uint32(len(body) + 12)
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, size)
}

func option(dst []byte, code uint16, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, code)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	dst = append(dst, value...)
	for len(dst)%4 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

func sectionHeader() []byte {
	b := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1) // version 1.0
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, ^uint64(0)) // length of the section: not told
	return block(blockSection, b)
}

func interfaceBlock(link uint16, name string) []byte {
	const nanoseconds = 9
	b := binary.LittleEndian.AppendUint16(nil, link)
	b = append(b, make([]byte, 6)...) // reserved; no limit of the length
	b = option(b, optionName, []byte(name))
	b = option(b, optionResolution, []byte{nanoseconds})
	return block(blockInterface, append(b, 0, 0, 0, 0))
}

func packetBlock(f Frame, octets []byte, link uint16) []byte {
	var index uint32
	for i, one := range interfaces {
		if one.link == link {
			index = uint32(i)
		}
	}
	at := uint64(f.At.UnixNano())
	b := binary.LittleEndian.AppendUint32(nil, index)
	b = binary.LittleEndian.AppendUint32(b, uint32(at>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(octets)))
	b = binary.LittleEndian.AppendUint32(b, uint32(original(f, octets)))
	b = append(b, octets...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	direction := inbound
	if f.Sent {
		direction = outbound
	}
	b = option(b, optionFlags, binary.LittleEndian.AppendUint32(nil, direction))
	if link == linkLLC {
		b = option(b, optionComment, []byte(comment(f)))
	}
	return block(blockPacket, append(b, 0, 0, 0, 0))
}

// comment is what a MAC frame has beside its payload.
func comment(f Frame) string {
	s := fmt.Sprintf("%v to %v, credits %d of %d left, delta %d", f.Source, f.Destination, f.Credits.Current, f.Credits.Initial, f.Credits.Delta)
	if f.Signal.Measured() {
		s += fmt.Sprintf(", signal %d/%d, noise %d/%d", f.Signal.S0, f.Signal.S1, f.Signal.N0, f.Signal.N1)
	}
	return s
}
