package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// ActionResponse is an ACTION response of one of four kinds: normal (Result, and Return
// when the method gave anything back), with block (Block), with list (List) and next
// block (NextBlock set: a block of the request arrived, the next one may come).
type ActionResponse struct {
	Invoke Invoke
	Result ActionResult
	Return *cosem.Result

	List      []Acted
	Block     *DataBlock // its Access is not used
	NextBlock bool
	Number    uint32 // of the block that arrived, when NextBlock
}

// Acted is how one method of a list went.
type Acted struct {
	Result ActionResult
	Return *cosem.Result // nil when it gave nothing back
}

// ActionResult is an action-result. Its values and words are those of a
// data-access-result wherever both exist, but 15 and 16 concern an action.
type ActionResult uint8

// Action results that have no like among the data-access-results.
const (
	LongActionAborted ActionResult = 15
	NoLongAction      ActionResult = 16
)

// String names the result.
func (a ActionResult) String() string {
	switch a {
	case LongActionAborted:
		return "long action aborted"
	case NoLongAction:
		return "no long action in progress"
	}
	return cosem.AccessResult(a).String()
}

// Kinds of ACTION response, after normal and list which all services share.
const (
	actedBlock = 2
	actedList  = 3
	actedNext  = 4
)

// ParseActionResponse reads an ACTION response. Data shares memory with b.
func ParseActionResponse(b []byte) (ActionResponse, int, error) {
	r := read(b, TagActionResponse)
	kind := r.u8()
	a := ActionResponse{Invoke: Invoke(r.u8())}
	switch kind {
	case kindNormal:
		one := r.acted()
		a.Result, a.Return = one.Result, one.Return
	case actedBlock:
		a.Block = r.piece()
	case actedList:
		a.List = r.actedList()
	case actedNext:
		a.NextBlock, a.Number = true, r.u32()
	default:
		r.fail("kind %d: want 1 (normal), 2 (with block), 3 (with list) or 4 (next block)", kind)
	}
	n, err := r.end()
	if err != nil {
		return ActionResponse{}, 0, err
	}
	return a, n, nil
}

func (r *reader) acted() Acted {
	a := Acted{Result: ActionResult(r.u8())}
	if r.flag("presence of return parameters") {
		a.Return = r.returned()
	}
	return a
}

// actedList reads a counted list of results; the shortest takes two octets.
func (r *reader) actedList() []Acted {
	n := r.count(2)
	list := make([]Acted, 0, n)
	for len(list) < n && r.err == nil {
		list = append(list, r.acted())
	}
	return list
}

// ParseActed reads the list that the joined blocks of an answer to an ACTION with list
// are. Data shares memory with b.
func ParseActed(b []byte) ([]Acted, int, error) {
	r := &reader{apdu: "ACTION result list", b: b}
	list := r.actedList()
	n, err := r.end()
	if err != nil {
		return nil, 0, err
	}
	return list, n, nil
}

// returned reads what a method gave back. Some meters write "success" here where they
// have no data: that a method was done must not be doubted for it.
func (r *reader) returned() *cosem.Result {
	if r.flag("choice of data or access result") {
		return &cosem.Result{Access: cosem.AccessResult(r.u8())}
	}
	return &cosem.Result{Data: r.data()}
}

func (a Acted) size() int {
	if a.Return == nil {
		return 2
	}
	return 2 + resultSize(*a.Return)
}

func (a Acted) append(dst []byte) []byte {
	dst = append(dst, byte(a.Result))
	if a.Return == nil {
		return append(dst, absent)
	}
	return appendResult(append(dst, present), *a.Return)
}

// AppendActed appends a counted list of results to dst, as it stands in an answer with
// list and in the joined blocks of one.
func AppendActed(dst []byte, list []Acted) []byte {
	dst = axdr.AppendLength(dst, len(list))
	for _, a := range list {
		dst = a.append(dst)
	}
	return dst
}

func (a ActionResponse) kind() byte {
	switch {
	case a.NextBlock:
		return actedNext
	case a.Block != nil:
		return actedBlock
	case a.List != nil:
		return actedList
	}
	return kindNormal
}

// Size is the number of octets Append writes.
func (a ActionResponse) Size() int {
	switch a.kind() {
	case actedNext:
		return 3 + 4
	case actedBlock:
		return 3 + pieceSize(a.Block)
	case actedList:
		n := 3 + axdr.LengthSize(len(a.List))
		for _, one := range a.List {
			n += one.size()
		}
		return n
	}
	return 3 + Acted{a.Result, a.Return}.size()
}

// Append appends the encoded response to dst.
func (a ActionResponse) Append(dst []byte) []byte {
	kind := a.kind()
	dst = append(dst, byte(TagActionResponse), kind, byte(a.Invoke))
	switch kind {
	case actedNext:
		return binary.BigEndian.AppendUint32(dst, a.Number)
	case actedBlock:
		return appendPiece(dst, a.Block)
	case actedList:
		return AppendActed(dst, a.List)
	}
	return Acted{a.Result, a.Return}.append(dst)
}
