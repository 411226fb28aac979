package apdu

import "encoding/binary"

// GeneralBlock is one APDU of a general block transfer: a piece of any other APDU,
// ciphered or not, and how far the sender has received the pieces of his peer.
type GeneralBlock struct {
	Last      bool // no piece of this APDU follows
	Streaming bool // the next piece follows at once; not set: the peer's turn
	Window    uint8
	Number    uint16 // of this block, from 1
	Ack       uint16 // highest block of the peer received without a gap, 0 for none
	Data      []byte // nil in a mere acknowledgment
}

// MaxWindow is the largest window, in blocks.
const MaxWindow = 63

// GeneralBlockHeader is what stands before the length of the piece.
const GeneralBlockHeader = 6

// ParseGeneralBlock reads a general-block-transfer APDU. Data shares memory with b.
func ParseGeneralBlock(b []byte) (GeneralBlock, int, error) {
	r := read(b, TagGeneralBlockTransfer)
	control := r.u8()
	g := GeneralBlock{
		Last: control&0x80 != 0, Streaming: control&0x40 != 0, Window: control & MaxWindow, Number: r.u16(), Ack: r.u16(),
	}
	if data := r.octets(); len(data) > 0 {
		g.Data = data
	}
	n, err := r.end()
	if err != nil {
		return GeneralBlock{}, 0, err
	}
	return g, n, nil
}

// Size is the number of octets Append writes.
func (g GeneralBlock) Size() int { return GeneralBlockHeader + octetsSize(g.Data) }

// Append appends the encoded block to dst.
func (g GeneralBlock) Append(dst []byte) []byte {
	control := g.Window & MaxWindow
	if g.Last {
		control |= 0x80
	}
	if g.Streaming {
		control |= 0x40
	}
	dst = append(dst, byte(TagGeneralBlockTransfer), control)
	dst = binary.BigEndian.AppendUint16(dst, g.Number)
	dst = binary.BigEndian.AppendUint16(dst, g.Ack)
	return appendOctets(dst, g.Data)
}
