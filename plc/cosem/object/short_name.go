package object

import (
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/cosem/class"
)

// ShortNameAssociation is the short name of the current association by short names
// (class 12), the one object whose name is known before anything was read (Blue Book
// 4.1.4). Its object list is 8 further on.
const ShortNameAssociation uint16 = 0xFA00

// ShortObject is one object of a meter that is addressed by short names: its base name
// is that of its first attribute (class 12 attribute 2).
type ShortObject struct {
	Base    uint16
	Class   cosem.Class
	Version uint8
	Object  cosem.OBIS
}

// ParseShortObjects reads the object list of an association by short names.
func ParseShortObjects(b []byte) ([]ShortObject, int, error) {
	return parse(b, func(r *reader) []ShortObject {
		return array(r, 18, unlimited, func(r *reader) ShortObject {
			r.structure(4)
			return ShortObject{
				Base: uint16(r.integer(axdr.Long)), Class: cosem.Class(r.u16()), Version: r.u8(), Object: r.name(),
			}
		})
	})
}

// AppendShortObjects appends an object list.
func AppendShortObjects(dst []byte, objects []ShortObject) []byte {
	return appendArray(dst, objects, func(dst []byte, o ShortObject) []byte {
		dst = axdr.AppendLong(axdr.AppendStructure(dst, 4), int16(o.Base))
		dst = axdr.AppendUnsigned(axdr.AppendLongU(dst, uint16(o.Class)), o.Version)
		return appendName(dst, o.Object)
	})
}

// Attribute is the short name of an attribute, to read or write it.
func (o ShortObject) Attribute(i int8) (uint16, error) {
	if i < 1 {
		return 0, fmt.Errorf("attribute %d of %d/%v: want 1 or more", i, o.Class, o.Object)
	}
	return o.at(class.AttributeAt(i))
}

// Method is the short name of a method: it is invoked by writing its parameter, or by
// reading with it when it returns something.
func (o ShortObject) Method(i int8) (uint16, error) {
	c, exact := class.Find(o.Class, o.Version)
	if c == nil || !exact {
		return 0, fmt.Errorf("method %d of %d/%v version %d: the places of its methods are not known", i, o.Class, o.Object, o.Version)
	}
	at, ok := c.MethodAt(i)
	if !ok {
		return 0, fmt.Errorf("method %d of %d/%v: not in the table of %s", i, o.Class, o.Object, c.Name)
	}
	return o.at(at)
}

func (o ShortObject) at(distance uint16) (uint16, error) {
	if distance > 0xFFFF-o.Base {
		return 0, fmt.Errorf("short name %04Xh of %d/%v has no room for %d more", o.Base, o.Class, o.Object, distance)
	}
	return o.Base + distance, nil
}

// ShortName is the short name of an attribute of one of the objects.
func ShortName(objects []ShortObject, ref cosem.Ref) (uint16, error) {
	for _, o := range objects {
		if o.Class == ref.Class && o.Object == ref.Object {
			return o.Attribute(ref.Attribute)
		}
	}
	return 0, fmt.Errorf("%v: the meter has no such object", ref)
}

// ShortRef finds what a short name means: the object with the highest base that is not
// above the name. It is false for a name that is no attribute that the table knows.
func ShortRef(objects []ShortObject, name uint16) (cosem.Ref, bool) {
	var owner *ShortObject
	for i := range objects {
		if o := &objects[i]; o.Base <= name && (owner == nil || o.Base > owner.Base) {
			owner = o
		}
	}
	if owner == nil || (name-owner.Base)%8 != 0 {
		return cosem.Ref{}, false
	}
	i := (name-owner.Base)/8 + 1
	c, _ := class.Find(owner.Class, owner.Version)
	if c == nil || i > uint16(len(c.Attributes)+1) {
		return cosem.Ref{}, false
	}
	return cosem.Ref{Class: owner.Class, Object: owner.Object, Attribute: int8(i)}, true
}
