package apdu

import (
	"encoding/binary"
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// GetResponse is a GET response of one of three kinds: normal (one Result), with
// list (List set) and with data block (Block set).
type GetResponse struct {
	Invoke  Invoke
	Results []cosem.Result
	List    bool
	Block   *DataBlock
}

// DataBlock is one piece of a long answer. The pieces joined are one COSEM value,
// or a result list when the request was one (see ParseResults).
type DataBlock struct {
	Last   bool
	Number uint32
	Access cosem.AccessResult // not Success: the transfer ended without data
	Raw    []byte
}

// ParseGetResponse reads a GET response. Data shares memory with b.
func ParseGetResponse(b []byte) (GetResponse, int, error) {
	r := read(b, TagGetResponse)
	kind := r.u8()
	g := GetResponse{Invoke: Invoke(r.u8())}
	switch kind {
	case kindNormal:
		g.Results = []cosem.Result{r.result()}
	case kindBlock:
		g.Block = r.block()
	case kindList:
		g.List = true
		g.Results = r.results()
	default:
		r.fail("kind %d: want 1 (normal), 2 (with data block) or 3 (with list)", kind)
	}
	n, err := r.end()
	if err != nil {
		return GetResponse{}, 0, err
	}
	return g, n, nil
}

func (r *reader) block() *DataBlock {
	d := &DataBlock{Last: r.boolean(), Number: r.u32()}
	if r.flag("choice of raw data or access result") {
		d.Access = r.access()
	} else {
		d.Raw = r.octets()
	}
	return d
}

// results reads a counted list of results; the shortest takes two octets.
func (r *reader) results() []cosem.Result {
	n := r.count(2)
	out := make([]cosem.Result, 0, n)
	for len(out) < n && r.err == nil {
		out = append(out, r.result())
	}
	return out
}

// ParseResults reads the result list that the joined blocks of an answer to a
// request with list are. Data shares memory with b.
func ParseResults(b []byte) ([]cosem.Result, int, error) {
	r := &reader{apdu: "GET result list", b: b}
	out := r.results()
	n, err := r.end()
	if err != nil {
		return nil, 0, err
	}
	return out, n, nil
}

// AppendResults appends a counted result list to dst, as it stands in an answer with
// list and in the joined blocks of one.
func AppendResults(dst []byte, results []cosem.Result) []byte {
	dst = axdr.AppendLength(dst, len(results))
	for _, res := range results {
		dst = appendResult(dst, res)
	}
	return dst
}

// Size is the number of octets Append writes.
func (g GetResponse) Size() int {
	n := 3
	switch {
	case g.Block != nil && g.Block.Access != cosem.Success:
		return n + 7
	case g.Block != nil:
		return n + 6 + octetsSize(g.Block.Raw)
	case g.List || len(g.Results) != 1:
		n += axdr.LengthSize(len(g.Results))
	}
	for _, res := range g.Results {
		n += resultSize(res)
	}
	return n
}

// Append appends the encoded response to dst.
func (g GetResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(TagGetResponse))
	switch {
	case g.Block != nil:
		dst = append(dst, kindBlock, byte(g.Invoke))
		dst = appendBool(dst, g.Block.Last)
		dst = binary.BigEndian.AppendUint32(dst, g.Block.Number)
		if g.Block.Access != cosem.Success {
			return append(dst, choiceAccess, byte(g.Block.Access))
		}
		return appendOctets(append(dst, choiceData), g.Block.Raw)
	case g.List || len(g.Results) != 1:
		return AppendResults(append(dst, kindList, byte(g.Invoke)), g.Results)
	}
	return appendResult(append(dst, kindNormal, byte(g.Invoke)), g.Results[0])
}

// String tells kind and size, not the data.
func (g GetResponse) String() string {
	switch {
	case g.Block != nil:
		return fmt.Sprintf("GET response %d, block %d, last %t, %d octets", g.Invoke.ID(), g.Block.Number, g.Block.Last, len(g.Block.Raw))
	case g.List:
		return fmt.Sprintf("GET response %d, list of %d", g.Invoke.ID(), len(g.Results))
	case len(g.Results) == 1 && g.Results[0].Access != cosem.Success:
		return fmt.Sprintf("GET response %d, %v", g.Invoke.ID(), g.Results[0].Access)
	}
	return fmt.Sprintf("GET response %d", g.Invoke.ID())
}
