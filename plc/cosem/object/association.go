package object

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Methods of an association by logical names (class 15).
const (
	AssociationReplyToHLS   int8 = 1
	AssociationChangeSecret int8 = 2
	AssociationAddObject    int8 = 3
	AssociationRemoveObject int8 = 4
	AssociationAddUser      int8 = 5
	AssociationRemoveUser   int8 = 6
)

// Listed is one object of an association's object list (class 15 attribute 2), with what
// this association may do with it.
type Listed struct {
	Class      cosem.Class
	Version    uint8
	Object     cosem.OBIS
	Attributes []AttributeAccess
	Methods    []MethodAccess
}

// AttributeAccess says what may be done with an attribute. The meaning of Mode depends
// on the version of the association: an enum up to 2, bits from 3 on.
type AttributeAccess struct {
	Attribute int8
	Mode      uint8
	Selectors uint32 // bit n: selective access by selector n
}

// MethodAccess says whether a method may be invoked.
type MethodAccess struct {
	Method int8
	Mode   uint8
}

// bitsFrom is the version of class 15 from which on access modes are bits.
const bitsFrom = 3

// Readable reports whether the attribute may be read, for an association of the given
// version. Some modes want protected APDUs.
func (a AttributeAccess) Readable(version uint8) bool {
	if version >= bitsFrom {
		return a.Mode&1 != 0
	}
	return a.Mode == 1 || a.Mode == 3 || a.Mode == 4 || a.Mode == 6
}

// Writable reports whether the attribute may be written.
func (a AttributeAccess) Writable(version uint8) bool {
	if version >= bitsFrom {
		return a.Mode&2 != 0
	}
	return a.Mode == 2 || a.Mode == 3 || a.Mode == 5 || a.Mode == 6
}

// Selects reports whether the attribute may be read with a selector.
func (a AttributeAccess) Selects(selector uint8) bool {
	return selector < 32 && a.Selectors>>selector&1 != 0
}

// Allowed reports whether the method may be invoked.
func (m MethodAccess) Allowed(version uint8) bool {
	if version >= bitsFrom {
		return m.Mode&1 != 0
	}
	return m.Mode != 0
}

// ParseObjects reads an object list.
func ParseObjects(b []byte) ([]Listed, int, error) {
	return parse(b, func(r *reader) []Listed { return array(r, 21, unlimited, readListed) })
}

// ParseObject reads one element of an object list, the parameter of add_object and
// remove_object.
func ParseObject(b []byte) (Listed, int, error) { return parse(b, readListed) }

func readListed(r *reader) (o Listed) {
	r.structure(4)
	o.Class, o.Version, o.Object = cosem.Class(r.u16()), r.u8(), r.name()
	r.structure(2)
	o.Attributes = array(r, 7, unlimited, readAttributeAccess)
	o.Methods = array(r, 6, unlimited, func(r *reader) MethodAccess {
		r.structure(2)
		return MethodAccess{Method: r.i8(), Mode: uint8(r.next(axdr.Enum, axdr.Boolean).Integer())}
	})
	return o
}

func readAttributeAccess(r *reader) (a AttributeAccess) {
	r.structure(3)
	a.Attribute, a.Mode = r.i8(), r.enum()
	for range r.next(axdr.Null, axdr.Array).Count {
		if r.err != nil {
			break
		}
		selector := r.i8()
		if selector < 0 || selector > 31 {
			r.fail("selector %d of attribute %d: want 0 to 31", selector, a.Attribute)
		}
		a.Selectors |= 1 << (selector & 31)
	}
	return a
}

// AppendObjects appends an object list.
func AppendObjects(dst []byte, objects []Listed) []byte {
	return appendArray(dst, objects, func(dst []byte, o Listed) []byte { return o.Append(dst) })
}

// Append appends one element of an object list.
func (o Listed) Append(dst []byte) []byte {
	dst = axdr.AppendLongU(axdr.AppendStructure(dst, 4), uint16(o.Class))
	dst = appendName(axdr.AppendUnsigned(dst, o.Version), o.Object)
	dst = appendArray(axdr.AppendStructure(dst, 2), o.Attributes, func(dst []byte, a AttributeAccess) []byte {
		dst = axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(dst, 3), a.Attribute), a.Mode)
		return appendSelectors(dst, a)
	})
	return appendArray(dst, o.Methods, func(dst []byte, m MethodAccess) []byte {
		return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(dst, 2), m.Method), m.Mode)
	})
}

func appendSelectors(dst []byte, a AttributeAccess) []byte {
	var selectors []int8
	for n := range uint8(32) {
		if a.Selects(n) {
			selectors = append(selectors, int8(n))
		}
	}
	if selectors == nil {
		return axdr.AppendNull(dst)
	}
	return appendArray(dst, selectors, axdr.AppendInteger)
}
