package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// GetRequest is a GET request of one of three kinds: normal (one Ref), with list
// (more than one, or List set) and next (Next set: the block before it arrived).
type GetRequest struct {
	Invoke Invoke
	Refs   []cosem.Ref
	List   bool   // with-list form, whatever the number of Refs
	Next   bool   // ask for the block after Block
	Block  uint32 // number of the last block received, when Next
}

// ParseGetRequest reads a GET request. Selections share memory with b.
func ParseGetRequest(b []byte) (GetRequest, int, error) {
	r := read(b, TagGetRequest)
	kind := r.u8()
	g := GetRequest{Invoke: Invoke(r.u8())}
	switch kind {
	case kindNormal:
		g.Refs = []cosem.Ref{r.selected()}
	case kindNext:
		g.Next, g.Block = true, r.u32()
	case kindList:
		g.List = true
		n := r.count(descriptorMinimum)
		g.Refs = make([]cosem.Ref, 0, n)
		for len(g.Refs) < n && r.err == nil {
			g.Refs = append(g.Refs, r.selected())
		}
	default:
		r.fail("kind %d: want 1 (normal), 2 (next) or 3 (with list)", kind)
	}
	n, err := r.end()
	if err != nil {
		return GetRequest{}, 0, err
	}
	return g, n, nil
}

func (g GetRequest) list() bool { return g.List || len(g.Refs) != 1 }

// Size is the number of octets Append writes.
func (g GetRequest) Size() int {
	if g.Next {
		return 7
	}
	n := 3
	if g.list() {
		n += axdr.LengthSize(len(g.Refs))
	}
	for _, ref := range g.Refs {
		n += selectedSize(ref)
	}
	return n
}

// Append appends the encoded request to dst.
func (g GetRequest) Append(dst []byte) []byte {
	switch {
	case g.Next:
		dst = append(dst, byte(TagGetRequest), kindNext, byte(g.Invoke))
		return binary.BigEndian.AppendUint32(dst, g.Block)
	case g.list():
		dst = append(dst, byte(TagGetRequest), kindList, byte(g.Invoke))
		dst = axdr.AppendLength(dst, len(g.Refs))
	default:
		dst = append(dst, byte(TagGetRequest), kindNormal, byte(g.Invoke))
	}
	for _, ref := range g.Refs {
		dst = appendSelected(dst, ref)
	}
	return dst
}
