package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// SetRequest is a SET request of one of five kinds: normal (Ref and Data), with list
// (Refs and Values), with first data block (Ref and Block), with list and first data
// block (Refs and Block), and with a further data block (Block and Next).
type SetRequest struct {
	Invoke Invoke
	Ref    cosem.Ref
	Data   []byte // one encoded value; nil when it comes in blocks
	Refs   []cosem.Ref
	Values [][]byte   // one encoded value for each of Refs; nil when they come in blocks
	Block  *DataBlock // one piece of the encoded value or of the list of them; its Access is not used
	Next   bool       // a block after the first: the attributes are known already
}

// Kinds of SET request, after normal.
const (
	kindFirstBlock     = 2
	kindMoreBlock      = 3
	kindSetList        = 4
	kindListFirstBlock = 5
)

// ParseSetRequest reads a SET request. Values share memory with b.
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
	case kindSetList:
		s.Refs = r.selectedList()
		s.Values = r.values(len(s.Refs))
	case kindListFirstBlock:
		s.Refs, s.Block = r.selectedList(), r.piece()
	default:
		r.fail("kind %d: want 1 to 5", kind)
	}
	n, err := r.end()
	if err != nil {
		return SetRequest{}, 0, err
	}
	return s, n, nil
}

// selectedList reads a counted list of attributes with their selections.
func (r *reader) selectedList() []cosem.Ref {
	n := r.count(descriptorMinimum)
	refs := make([]cosem.Ref, 0, n)
	for len(refs) < n && r.err == nil {
		refs = append(refs, r.selected())
	}
	return refs
}

func selectedListSize(refs []cosem.Ref) int {
	n := axdr.LengthSize(len(refs))
	for _, ref := range refs {
		n += selectedSize(ref)
	}
	return n
}

func appendSelectedList(dst []byte, refs []cosem.Ref) []byte {
	dst = axdr.AppendLength(dst, len(refs))
	for _, ref := range refs {
		dst = appendSelected(dst, ref)
	}
	return dst
}

// piece reads a data block as requests carry it: without the choice of a result.
func (r *reader) piece() *DataBlock {
	return &DataBlock{Last: r.boolean(), Number: r.u32(), Raw: r.octets()}
}

func pieceSize(d *DataBlock) int { return 5 + octetsSize(d.Raw) }

func appendPiece(dst []byte, d *DataBlock) []byte {
	dst = binary.BigEndian.AppendUint32(appendBool(dst, d.Last), d.Number)
	return appendOctets(dst, d.Raw)
}

func (s SetRequest) kind() byte {
	switch {
	case s.Block != nil && s.Next:
		return kindMoreBlock
	case s.Block != nil && s.Refs != nil:
		return kindListFirstBlock
	case s.Block != nil:
		return kindFirstBlock
	case s.Refs != nil:
		return kindSetList
	}
	return kindNormal
}

// Size is the number of octets Append writes.
func (s SetRequest) Size() int {
	switch s.kind() {
	case kindMoreBlock:
		return 3 + pieceSize(s.Block)
	case kindListFirstBlock:
		return 3 + selectedListSize(s.Refs) + pieceSize(s.Block)
	case kindFirstBlock:
		return 3 + selectedSize(s.Ref) + pieceSize(s.Block)
	case kindSetList:
		return 3 + selectedListSize(s.Refs) + ValuesSize(s.Values)
	}
	return 3 + selectedSize(s.Ref) + len(s.Data)
}

// Append appends the encoded request to dst.
func (s SetRequest) Append(dst []byte) []byte {
	kind := s.kind()
	dst = append(dst, byte(TagSetRequest), kind, byte(s.Invoke))
	switch kind {
	case kindMoreBlock:
		return appendPiece(dst, s.Block)
	case kindListFirstBlock:
		return appendPiece(appendSelectedList(dst, s.Refs), s.Block)
	case kindFirstBlock:
		return appendPiece(appendSelected(dst, s.Ref), s.Block)
	case kindSetList:
		return AppendValues(appendSelectedList(dst, s.Refs), s.Values)
	}
	return append(appendSelected(dst, s.Ref), s.Data...)
}

// SetKind is the kind of a SET response.
type SetKind uint8

// Kinds of SET response.
const (
	SetNormal        SetKind = 1
	SetBlock         SetKind = 2 // a block arrived, the next one may come
	SetLastBlock     SetKind = 3 // the last block arrived, and how it went; or the transfer ended early
	SetLastBlockList SetKind = 4 // the last block of a list arrived, and how each went
	SetList          SetKind = 5 // how each of a list went
)

// SetResponse is a SET response. Its zero Kind is written as SetNormal.
type SetResponse struct {
	Invoke Invoke
	Kind   SetKind
	Access cosem.AccessResult   // of SetNormal and SetLastBlock
	List   []cosem.AccessResult // of SetList and SetLastBlockList
	Block  uint32               // number of the block, of SetBlock, SetLastBlock and SetLastBlockList
}

// ParseSetResponse reads a SET response.
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
	case SetLastBlockList:
		s.List = r.accessList()
		s.Block = r.u32()
	case SetList:
		s.List = r.accessList()
	default:
		r.fail("kind %d: want 1 to 5", s.Kind)
	}
	n, err := r.end()
	if err != nil {
		return SetResponse{}, 0, err
	}
	return s, n, nil
}

func (r *reader) accessList() []cosem.AccessResult {
	list := make([]cosem.AccessResult, r.count(1))
	for i := range list {
		list[i] = cosem.AccessResult(r.u8())
	}
	return list
}

func appendAccessList(dst []byte, list []cosem.AccessResult) []byte {
	dst = axdr.AppendLength(dst, len(list))
	for _, a := range list {
		dst = append(dst, byte(a))
	}
	return dst
}

// Size is the number of octets Append writes.
func (s SetResponse) Size() int {
	switch s.Kind {
	case SetBlock:
		return 7
	case SetLastBlock:
		return 8
	case SetLastBlockList:
		return 7 + axdr.LengthSize(len(s.List)) + len(s.List)
	case SetList:
		return 3 + axdr.LengthSize(len(s.List)) + len(s.List)
	}
	return 4
}

// Append appends the encoded response to dst.
func (s SetResponse) Append(dst []byte) []byte {
	kind := max(s.Kind, SetNormal)
	dst = append(dst, byte(TagSetResponse), byte(kind), byte(s.Invoke))
	switch kind {
	case SetBlock:
		return binary.BigEndian.AppendUint32(dst, s.Block)
	case SetLastBlock:
		return binary.BigEndian.AppendUint32(append(dst, byte(s.Access)), s.Block)
	case SetLastBlockList:
		return binary.BigEndian.AppendUint32(appendAccessList(dst, s.List), s.Block)
	case SetList:
		return appendAccessList(dst, s.List)
	}
	return append(dst, byte(s.Access))
}
