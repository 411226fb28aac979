package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// AccessKind is what one item of an access request asks for.
type AccessKind uint8

// The kinds as they are numbered on the wire; selections make two more numbers of them.
const (
	AccessGet    AccessKind = 1
	AccessSet    AccessKind = 2
	AccessAction AccessKind = 3

	accessGetSelected = 4
	accessSetSelected = 5
)

// AccessItem is one GET, SET or ACTION of an access request.
type AccessItem struct {
	Kind AccessKind
	Ref  cosem.Ref
	Data []byte // one encoded value; null-data for a GET and a method without parameter
}

// AccessRequest asks for many GETs, SETs and ACTIONs at once.
type AccessRequest struct {
	LongInvoke uint32 // identity in the low 24 bits, flags above
	Time       []byte // COSEM date-time of 12 octets, nil when there is none
	Items      []AccessItem
}

// Bits of a long-invoke-id-and-priority.
const (
	LongConfirmed      uint32 = 0x40000000
	LongHighPriority   uint32 = 0x80000000
	LongSelfDescribing uint32 = 0x10000000
	LongBreakOnError   uint32 = 0x20000000
	LongIDMask         uint32 = 0x00FFFFFF
)

// time reads a date-time of 12 octets or none at all.
func (r *reader) time() []byte {
	switch t := r.octets(); len(t) {
	case 0:
	case dateTimeSize:
		return t
	default:
		r.fail("date-time of %d octets: want 0 or %d", len(t), dateTimeSize)
	}
	return nil
}

// ParseAccessRequest reads an access request. Its fields share memory with b.
func ParseAccessRequest(b []byte) (AccessRequest, int, error) {
	r := read(b, TagAccessRequest)
	a := AccessRequest{LongInvoke: r.u32(), Time: r.time()}
	a.Items = r.specifications()
	if n := r.count(1); r.err == nil && n != len(a.Items) {
		r.fail("list of %d values for %d objects", n, len(a.Items))
	}
	for i := range a.Items {
		a.Items[i].Data = r.data()
	}
	n, err := r.end()
	if err != nil {
		return AccessRequest{}, 0, err
	}
	return a, n, nil
}

func (r *reader) specifications() []AccessItem {
	n := r.count(1 + descriptorSize)
	items := make([]AccessItem, 0, n)
	for len(items) < n && r.err == nil {
		items = append(items, r.specification())
	}
	return items
}

func (r *reader) specification() AccessItem {
	kind := r.u8()
	item := AccessItem{Kind: AccessKind(kind), Ref: r.descriptor()}
	switch kind {
	case accessGetSelected, accessSetSelected:
		item.Kind = AccessKind(kind - accessGetSelected + byte(AccessGet))
		item.Ref.Select = &cosem.Selection{Selector: r.u8(), Parameters: r.data()}
	case byte(AccessGet), byte(AccessSet), byte(AccessAction):
	default:
		r.fail("access kind %d: want 1 to 5", kind)
	}
	return item
}

func specificationSize(item AccessItem) int {
	n := 1 + descriptorSize
	if item.Ref.Select != nil && item.Kind != AccessAction {
		n += 1 + len(item.Ref.Select.Parameters)
	}
	return n
}

func appendSpecification(dst []byte, item AccessItem) []byte {
	s := item.Ref.Select
	if s == nil || item.Kind == AccessAction {
		return appendDescriptor(append(dst, byte(item.Kind)), item.Ref)
	}
	dst = append(dst, byte(item.Kind)-byte(AccessGet)+accessGetSelected)
	return append(append(appendDescriptor(dst, item.Ref), s.Selector), s.Parameters...)
}

// nullData stands for the value of an item that has none.
var nullData = []byte{0}

func dataOrNull(b []byte) []byte {
	if b == nil {
		return nullData
	}
	return b
}

// Size is the number of octets Append writes.
func (a AccessRequest) Size() int {
	n := 1 + 4 + octetsSize(a.Time) + 2*axdr.LengthSize(len(a.Items))
	for _, item := range a.Items {
		n += specificationSize(item) + len(dataOrNull(item.Data))
	}
	return n
}

// Append appends the encoded request to dst.
func (a AccessRequest) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(TagAccessRequest)), a.LongInvoke)
	dst = axdr.AppendLength(appendOctets(dst, a.Time), len(a.Items))
	for _, item := range a.Items {
		dst = appendSpecification(dst, item)
	}
	dst = axdr.AppendLength(dst, len(a.Items))
	for _, item := range a.Items {
		dst = append(dst, dataOrNull(item.Data)...)
	}
	return dst
}

// Accessed is how one item of an access request went. The result of an ACTION is an
// action result.
type Accessed struct {
	Kind   AccessKind
	Result uint8
	Data   []byte // one encoded value, null-data when there is none
}

// AccessResponse answers an access request item by item.
type AccessResponse struct {
	LongInvoke uint32
	Time       []byte
	// Request repeats what was asked for, in a self-describing response; Data of its
	// items is not carried.
	Request []AccessItem
	Items   []Accessed
}

// ParseAccessResponse reads an access response. Its fields share memory with b.
func ParseAccessResponse(b []byte) (AccessResponse, int, error) {
	r := read(b, TagAccessResponse)
	a := AccessResponse{LongInvoke: r.u32(), Time: r.time()}
	if r.flag("presence of the request") {
		a.Request = r.specifications()
	}
	n := r.count(1)
	a.Items = make([]Accessed, n)
	for i := range a.Items {
		a.Items[i].Data = r.data()
	}
	if got := r.count(2); r.err == nil && got != n {
		r.fail("list of %d results for %d values", got, n)
	}
	for i := range a.Items {
		a.Items[i].Kind, a.Items[i].Result = AccessKind(r.u8()), r.u8()
		if k := a.Items[i].Kind; r.err == nil && (k < AccessGet || k > AccessAction) {
			r.fail("access kind %d: want 1 to 3", k)
		}
	}
	end, err := r.end()
	if err != nil {
		return AccessResponse{}, 0, err
	}
	return a, end, nil
}

// Size is the number of octets Append writes.
func (a AccessResponse) Size() int {
	n := 1 + 4 + octetsSize(a.Time) + 1 + 2*axdr.LengthSize(len(a.Items))
	if a.Request != nil {
		n += axdr.LengthSize(len(a.Request))
		for _, item := range a.Request {
			n += specificationSize(item)
		}
	}
	for _, item := range a.Items {
		n += len(dataOrNull(item.Data)) + 2
	}
	return n
}

// Append appends the encoded response to dst.
func (a AccessResponse) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(TagAccessResponse)), a.LongInvoke)
	dst = appendOctets(dst, a.Time)
	if a.Request == nil {
		dst = append(dst, absent)
	} else {
		dst = axdr.AppendLength(append(dst, present), len(a.Request))
		for _, item := range a.Request {
			dst = appendSpecification(dst, item)
		}
	}
	dst = axdr.AppendLength(dst, len(a.Items))
	for _, item := range a.Items {
		dst = append(dst, dataOrNull(item.Data)...)
	}
	dst = axdr.AppendLength(dst, len(a.Items))
	for _, item := range a.Items {
		dst = append(dst, byte(item.Kind), item.Result)
	}
	return dst
}
