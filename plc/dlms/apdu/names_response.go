package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// ReadKind is what one item of a read response is.
type ReadKind uint8

// The kinds, as they are numbered on the wire.
const (
	ReadData   ReadKind = 0 // Data
	ReadError  ReadKind = 1 // Access
	ReadPiece  ReadKind = 2 // Block: a piece of a long answer
	ReadNumber ReadKind = 3 // Block.Number: a piece of the request arrived
)

// ReadItem is how one variable of a read request went.
type ReadItem struct {
	Kind   ReadKind
	Data   []byte
	Access cosem.AccessResult
	Block  *ShortBlock
}

// ReadResponse answers a read request item by item.
type ReadResponse struct{ Items []ReadItem }

// ParseReadResponse reads a read response. Data shares memory with b.
func ParseReadResponse(b []byte) (ReadResponse, int, error) {
	r := read(b, TagReadResponse)
	n := r.count(2)
	p := ReadResponse{Items: make([]ReadItem, 0, n)}
	for len(p.Items) < n && r.err == nil {
		item := ReadItem{Kind: ReadKind(r.u8())}
		switch item.Kind {
		case ReadData:
			item.Data = r.data()
		case ReadError:
			item.Access = r.access()
		case ReadPiece:
			item.Block = r.shortBlock()
		case ReadNumber:
			item.Block = &ShortBlock{Number: r.u16()}
		default:
			r.fail("item of kind %d: want 0 to 3", item.Kind)
		}
		p.Items = append(p.Items, item)
	}
	end, err := r.end()
	if err != nil {
		return ReadResponse{}, 0, err
	}
	return p, end, nil
}

// Size is the number of octets Append writes.
func (p ReadResponse) Size() int {
	n := 1 + axdr.LengthSize(len(p.Items))
	for _, item := range p.Items {
		switch item.Kind {
		case ReadData:
			n += 1 + len(item.Data)
		case ReadError:
			n += 2
		case ReadPiece:
			n += 1 + item.Block.size()
		default:
			n += 3
		}
	}
	return n
}

// Append appends the encoded response to dst.
func (p ReadResponse) Append(dst []byte) []byte {
	dst = axdr.AppendLength(append(dst, byte(TagReadResponse)), len(p.Items))
	for _, item := range p.Items {
		dst = append(dst, byte(item.Kind))
		switch item.Kind {
		case ReadData:
			dst = append(dst, item.Data...)
		case ReadError:
			dst = append(dst, byte(item.Access))
		case ReadPiece:
			dst = item.Block.append(dst)
		default:
			dst = binary.BigEndian.AppendUint16(dst, item.Block.Number)
		}
	}
	return dst
}

// WriteKind is what one item of a write response is.
type WriteKind uint8

// The kinds, as they are numbered on the wire.
const (
	WriteDone   WriteKind = 0
	WriteError  WriteKind = 1 // Access
	WriteNumber WriteKind = 2 // Number: a piece of the request arrived
)

// WriteItem is how one variable of a write request went.
type WriteItem struct {
	Kind   WriteKind
	Access cosem.AccessResult
	Number uint16
}

// WriteResponse answers a write request item by item.
type WriteResponse struct{ Items []WriteItem }

// ParseWriteResponse reads a write response.
func ParseWriteResponse(b []byte) (WriteResponse, int, error) {
	r := read(b, TagWriteResponse)
	n := r.count(1)
	p := WriteResponse{Items: make([]WriteItem, 0, n)}
	for len(p.Items) < n && r.err == nil {
		item := WriteItem{Kind: WriteKind(r.u8())}
		switch item.Kind {
		case WriteDone:
		case WriteError:
			item.Access = r.access()
		case WriteNumber:
			item.Number = r.u16()
		default:
			r.fail("item of kind %d: want 0 to 2", item.Kind)
		}
		p.Items = append(p.Items, item)
	}
	end, err := r.end()
	if err != nil {
		return WriteResponse{}, 0, err
	}
	return p, end, nil
}

// Size is the number of octets Append writes.
func (p WriteResponse) Size() int {
	n := 1 + axdr.LengthSize(len(p.Items))
	for _, item := range p.Items {
		n += 1 + int(item.Kind)
	}
	return n
}

// Append appends the encoded response to dst.
func (p WriteResponse) Append(dst []byte) []byte {
	dst = axdr.AppendLength(append(dst, byte(TagWriteResponse)), len(p.Items))
	for _, item := range p.Items {
		dst = append(dst, byte(item.Kind))
		switch item.Kind {
		case WriteError:
			dst = append(dst, byte(item.Access))
		case WriteNumber:
			dst = binary.BigEndian.AppendUint16(dst, item.Number)
		}
	}
	return dst
}
