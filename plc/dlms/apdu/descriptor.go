package apdu

import (
	"encoding/binary"

	"busbar/plc/cosem"
)

// descriptorSize is class, logical name and attribute or method.
const descriptorSize = 9

// Presence and choice octets of A-XDR, as they stand in the services below.
const (
	absent, present   = 0, 1
	choiceData        = 0
	choiceAccess      = 1
	kindNormal        = 1
	kindNext          = 2
	kindBlock         = 2
	kindList          = 3
	descriptorMinimum = descriptorSize + 1 // with the octet that says "no selection"
)

// descriptor reads a cosem-attribute- or cosem-method-descriptor.
func (r *reader) descriptor() cosem.Ref {
	ref := cosem.Ref{Class: cosem.Class(r.u16())}
	copy(ref.Object[:], r.take(len(ref.Object)))
	ref.Attribute = int8(r.u8())
	return ref
}

// selected reads an attribute descriptor and its optional selective access.
func (r *reader) selected() cosem.Ref {
	ref := r.descriptor()
	if r.flag("access selection") {
		ref.Select = &cosem.Selection{Selector: r.u8(), Parameters: r.data()}
	}
	return ref
}

func appendDescriptor(dst []byte, ref cosem.Ref) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(ref.Class))
	dst = append(dst, ref.Object[:]...)
	return append(dst, byte(ref.Attribute))
}

func appendSelected(dst []byte, ref cosem.Ref) []byte {
	dst = appendDescriptor(dst, ref)
	if ref.Select == nil {
		return append(dst, absent)
	}
	dst = append(dst, present, ref.Select.Selector)
	return append(dst, ref.Select.Parameters...)
}

func selectedSize(ref cosem.Ref) int {
	n := descriptorMinimum
	if ref.Select != nil {
		n += 1 + len(ref.Select.Parameters)
	}
	return n
}

// result reads a get-data-result: data, or why there is none.
func (r *reader) result() cosem.Result {
	if r.flag("choice of data or access result") {
		return cosem.Result{Access: r.access()}
	}
	return cosem.Result{Data: r.data()}
}

// access reads a data-access-result that must not be success.
func (r *reader) access() cosem.AccessResult {
	a := cosem.AccessResult(r.u8())
	if a == cosem.Success {
		r.fail("access result is success where data should stand")
	}
	return a
}

func appendResult(dst []byte, res cosem.Result) []byte {
	if res.Data == nil || res.Access != cosem.Success {
		return append(dst, choiceAccess, byte(res.Access))
	}
	return append(append(dst, choiceData), res.Data...)
}

func resultSize(res cosem.Result) int {
	if res.Data == nil || res.Access != cosem.Success {
		return 2
	}
	return 1 + len(res.Data)
}
