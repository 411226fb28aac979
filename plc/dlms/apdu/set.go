package apdu

import (
	"encoding/binary"

	"busbar/plc/cosem"
)

// SetRequest is a SET request for one attribute, of one of three kinds: normal (Data),
// with first data block (Ref and Block) and with data block (Block and Next).
type SetRequest struct {
	Invoke Invoke
	Ref    cosem.Ref
	Data   []byte     // one encoded value; nil when it comes in blocks
	Block  *DataBlock // one piece of the encoded value; its Access is not used
	Next   bool       // a block after the first: Ref is known already
}

// Kinds of SET request, after normal and list which all services share.
const (
	kindFirstBlock = 2
	kindMoreBlock  = 3
)

// ParseSetRequest reads a SET request; the list forms are refused. Data shares memory
// with b.
func ParseSetRequest(b []byte) (SetRequest, int, error) {
	r := read(b, TagSetRequest)
	kind := r.u8()
	s := SetRequest{Invoke: Invoke(r.u8())}
	switch kind {
	case kindNormal:
		s.Ref, s.Data = r.selected(), r.data()
	case kindFirstBlock:
		s.Ref, s.Block = r.selected(), r.piece()
	case kindMoreBlock:
		s.Next, s.Block = true, r.piece()
	default:
		r.fail("kind %d: want 1 (normal), 2 (with first data block) or 3 (with data block)", kind)
	}
	n, err := r.end()
	if err != nil {
		return SetRequest{}, 0, err
	}
	return s, n, nil
}

// piece reads a data block as requests carry it: without the choice of a result.
func (r *reader) piece() *DataBlock {
	return &DataBlock{Last: r.boolean(), Number: r.u32(), Raw: r.octets()}
}

// normal reads the kind of a service of which only the normal form is spoken.
func (r *reader) normal() {
	if kind := r.u8(); r.err == nil && kind != kindNormal {
		r.off--
		r.fail("kind %d: only 1 (normal) is spoken here", kind)
	}
}

// Size is the number of octets Append writes.
func (s SetRequest) Size() int {
	switch {
	case s.Block == nil:
		return 3 + selectedSize(s.Ref) + len(s.Data)
	case s.Next:
		return 3 + 5 + octetsSize(s.Block.Raw)
	}
	return 3 + selectedSize(s.Ref) + 5 + octetsSize(s.Block.Raw)
}

// Append appends the encoded request to dst.
func (s SetRequest) Append(dst []byte) []byte {
	dst = append(dst, byte(TagSetRequest))
	switch {
	case s.Block == nil:
		dst = append(dst, kindNormal, byte(s.Invoke))
		return append(appendSelected(dst, s.Ref), s.Data...)
	case s.Next:
		dst = append(dst, kindMoreBlock, byte(s.Invoke))
	default:
		dst = appendSelected(append(dst, kindFirstBlock, byte(s.Invoke)), s.Ref)
	}
	dst = binary.BigEndian.AppendUint32(appendBool(dst, s.Block.Last), s.Block.Number)
	return appendOctets(dst, s.Block.Raw)
}

// SetKind is the kind of a SET response.
type SetKind uint8

// Kinds of SET response.
const (
	SetNormal    SetKind = 1
	SetBlock     SetKind = 2 // a block arrived, the next one may come
	SetLastBlock SetKind = 3 // the last block arrived, and how it went; or the transfer ended early
)

// SetResponse is a SET response. Its zero Kind is written as SetNormal.
type SetResponse struct {
	Invoke Invoke
	Kind   SetKind
	Access cosem.AccessResult // of SetNormal and SetLastBlock
	Block  uint32             // number of the block, of SetBlock and SetLastBlock
}

// ParseSetResponse reads a SET response; the list forms are refused.
func ParseSetResponse(b []byte) (SetResponse, int, error) {
	r := read(b, TagSetResponse)
	s := SetResponse{Kind: SetKind(r.u8()), Invoke: Invoke(r.u8())}
	switch s.Kind {
	case SetNormal:
		s.Access = cosem.AccessResult(r.u8())
	case SetBlock:
		s.Block = r.u32()
	case SetLastBlock:
		s.Access = cosem.AccessResult(r.u8())
		s.Block = r.u32()
	default:
		r.fail("kind %d: want 1 (normal), 2 (data block) or 3 (last data block)", s.Kind)
	}
	n, err := r.end()
	if err != nil {
		return SetResponse{}, 0, err
	}
	return s, n, nil
}

// Size is the number of octets Append writes.
func (s SetResponse) Size() int {
	switch s.Kind {
	case SetBlock:
		return 7
	case SetLastBlock:
		return 8
	}
	return 4
}

// Append appends the encoded response to dst.
func (s SetResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(TagSetResponse))
	switch s.Kind {
	case SetBlock:
		dst = append(dst, byte(SetBlock), byte(s.Invoke))
		return binary.BigEndian.AppendUint32(dst, s.Block)
	case SetLastBlock:
		dst = append(dst, byte(SetLastBlock), byte(s.Invoke), byte(s.Access))
		return binary.BigEndian.AppendUint32(dst, s.Block)
	}
	return append(dst, byte(SetNormal), byte(s.Invoke), byte(s.Access))
}
