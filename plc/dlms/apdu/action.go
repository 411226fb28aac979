package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// ActionRequest is an ACTION request of one of six kinds: normal (Ref, and Data when the
// method has a parameter), with list (Refs and Values), next block (NextBlock set),
// with first block (Ref and Block), with list and first block (Refs and Block), and
// with a further block (Block and Next). Ref.Attribute is the method.
type ActionRequest struct {
	Invoke Invoke
	Ref    cosem.Ref
	Data   []byte // encoded parameter, nil when there is none
	Refs   []cosem.Ref
	Values [][]byte // one encoded parameter for each of Refs, null-data for none

	Block     *DataBlock // one piece of the encoded parameter or of the list of them; its Access is not used
	Next      bool       // a block after the first: the methods are known already
	NextBlock bool       // ask for the block of the answer after Number
	Number    uint32     // of the last block received, when NextBlock
}

// Kinds of ACTION request, after normal.
const (
	actionNext           = 2
	actionList           = 3
	actionFirstBlock     = 4
	actionListFirstBlock = 5
	actionBlock          = 6
)

// ParseActionRequest reads an ACTION request. Values share memory with b.
func ParseActionRequest(b []byte) (ActionRequest, int, error) {
	r := read(b, TagActionRequest)
	kind := r.u8()
	a := ActionRequest{Invoke: Invoke(r.u8())}
	switch kind {
	case kindNormal:
		a.Ref = r.descriptor()
		if r.flag("presence of a parameter") {
			a.Data = r.data()
		}
	case actionNext:
		a.NextBlock, a.Number = true, r.u32()
	case actionList:
		a.Refs = r.methods()
		a.Values = r.values(len(a.Refs))
	case actionFirstBlock:
		a.Ref, a.Block = r.descriptor(), r.piece()
	case actionListFirstBlock:
		a.Refs, a.Block = r.methods(), r.piece()
	case actionBlock:
		a.Next, a.Block = true, r.piece()
	default:
		r.fail("kind %d: want 1 to 6", kind)
	}
	n, err := r.end()
	if err != nil {
		return ActionRequest{}, 0, err
	}
	return a, n, nil
}

func (r *reader) methods() []cosem.Ref {
	n := r.count(descriptorSize)
	refs := make([]cosem.Ref, 0, n)
	for len(refs) < n && r.err == nil {
		refs = append(refs, r.descriptor())
	}
	return refs
}

// values reads a counted list of n encoded values.
func (r *reader) values(n int) [][]byte {
	if got := r.count(1); r.err == nil && got != n {
		r.fail("list of %d values for %d objects", got, n)
	}
	values := make([][]byte, 0, n)
	for len(values) < n && r.err == nil {
		values = append(values, r.data())
	}
	return values
}

// ParseValues reads the counted list of encoded values that the joined blocks of a
// request with list are. Values share memory with b.
func ParseValues(b []byte) ([][]byte, int, error) {
	r := &reader{apdu: "list of values", b: b}
	n := r.count(1)
	values := make([][]byte, 0, n)
	for len(values) < n && r.err == nil {
		values = append(values, r.data())
	}
	end, err := r.end()
	if err != nil {
		return nil, 0, err
	}
	return values, end, nil
}

// AppendValues appends a counted list of encoded values to dst, as it stands in a
// request with list and in the joined blocks of one.
func AppendValues(dst []byte, values [][]byte) []byte {
	dst = axdr.AppendLength(dst, len(values))
	for _, v := range values {
		dst = append(dst, v...)
	}
	return dst
}

// ValuesSize is the number of octets AppendValues writes.
func ValuesSize(values [][]byte) int {
	n := axdr.LengthSize(len(values))
	for _, v := range values {
		n += len(v)
	}
	return n
}

func (a ActionRequest) kind() byte {
	switch {
	case a.NextBlock:
		return actionNext
	case a.Block != nil && a.Next:
		return actionBlock
	case a.Block != nil && a.Refs != nil:
		return actionListFirstBlock
	case a.Block != nil:
		return actionFirstBlock
	case a.Refs != nil:
		return actionList
	}
	return kindNormal
}

func methodsSize(refs []cosem.Ref) int { return axdr.LengthSize(len(refs)) + descriptorSize*len(refs) }

func appendMethods(dst []byte, refs []cosem.Ref) []byte {
	dst = axdr.AppendLength(dst, len(refs))
	for _, ref := range refs {
		dst = appendDescriptor(dst, ref)
	}
	return dst
}

// Size is the number of octets Append writes.
func (a ActionRequest) Size() int {
	switch a.kind() {
	case actionNext:
		return 3 + 4
	case actionBlock:
		return 3 + pieceSize(a.Block)
	case actionListFirstBlock:
		return 3 + methodsSize(a.Refs) + pieceSize(a.Block)
	case actionFirstBlock:
		return 3 + descriptorSize + pieceSize(a.Block)
	case actionList:
		return 3 + methodsSize(a.Refs) + ValuesSize(a.Values)
	}
	return 3 + descriptorSize + 1 + len(a.Data)
}

// Append appends the encoded request to dst.
func (a ActionRequest) Append(dst []byte) []byte {
	kind := a.kind()
	dst = append(dst, byte(TagActionRequest), kind, byte(a.Invoke))
	switch kind {
	case actionNext:
		return binary.BigEndian.AppendUint32(dst, a.Number)
	case actionBlock:
		return appendPiece(dst, a.Block)
	case actionListFirstBlock:
		return appendPiece(appendMethods(dst, a.Refs), a.Block)
	case actionFirstBlock:
		return appendPiece(appendDescriptor(dst, a.Ref), a.Block)
	case actionList:
		return AppendValues(appendMethods(dst, a.Refs), a.Values)
	}
	dst = appendDescriptor(dst, a.Ref)
	if a.Data == nil {
		return append(dst, absent)
	}
	return append(append(dst, present), a.Data...)
}
