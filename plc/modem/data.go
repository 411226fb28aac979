package modem

import (
	"fmt"

	"busbar/plc"
)

// Sizes of the payload of DataRequest and DataIndication.
const (
	DataHeaderSize = 5   // credits, addresses, pad
	MaxMSDU        = 242 // octets of the longest MSDU
)

// Data is the payload of DataRequest and DataIndication: one MAC frame without
// what the modem adds (sfsk.md 7.6).
type Data struct {
	Credits             plc.Credits
	Source, Destination plc.Address
	Pad                 byte   // octets that fill the last subframe; the modem ignores it in a request
	MSDU                []byte // 1 to MaxMSDU octets
}

// ParseData reads the payload of a whole frame. MSDU shares memory with b.
//
// The sources disagree whether an indication carries the padding (D2). MSDU and
// padding together are 36n-10 octets, so the length tells: padding is cut off only
// when what follows the header already has such a length.
func ParseData(b []byte, order plc.ByteOrder) (Data, int, error) {
	if len(b) <= DataHeaderSize {
		return Data{}, 0, short("MAC data", len(b), DataHeaderSize+1)
	}
	if len(b) > DataHeaderSize+MaxMSDU {
		return Data{}, 0, fmt.Errorf("MAC data of %d octets, at most %d fit", len(b), DataHeaderSize+MaxMSDU)
	}
	d := Data{Credits: plc.ParseCredits(b[0]), Pad: b[4], MSDU: b[DataHeaderSize:len(b):len(b)]}
	d.Source, d.Destination = addresses([3]byte(b[1:4]), order)
	if pad := int(d.Pad); pad < subframe && pad < len(d.MSDU) && len(d.MSDU)%subframe == lastSubframe {
		d.MSDU = d.MSDU[:len(d.MSDU)-pad]
	}
	return d, len(b), nil
}

// A MAC frame of n subframes has 36n octets, 10 of them not MSDU.
const (
	subframe     = 36
	lastSubframe = subframe - 10
)

// PadFor is the pad octet of an MSDU of n octets: what is missing to 36k-10.
func PadFor(n int) byte { return byte(((lastSubframe-n)%subframe + subframe) % subframe) }

// addresses splits the field of 24 bits: source in bits 23-12, destination in 11-0 (D3).
func addresses(b [3]byte, order plc.ByteOrder) (source, destination plc.Address) {
	if order == plc.LittleEndian {
		b[0], b[2] = b[2], b[0]
	}
	v := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	return plc.Address(v >> 12), plc.Address(v & 0xFFF)
}

// Size is the number of octets Append writes.
func (d Data) Size() int { return DataHeaderSize + len(d.MSDU) }

// Append appends the payload to dst. Addresses are masked to 12 bits.
func (d Data) Append(dst []byte, order plc.ByteOrder) []byte {
	v := uint32(d.Source&plc.MaxAddress)<<12 | uint32(d.Destination&plc.MaxAddress)
	field := [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
	if order == plc.LittleEndian {
		field[0], field[2] = field[2], field[0]
	}
	dst = append(dst, d.Credits.Byte(), field[0], field[1], field[2], d.Pad)
	return append(dst, d.MSDU...)
}
