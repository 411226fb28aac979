package reader

import (
	"errors"
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Object is one row of an object list: an object that the association may see.
type Object struct {
	Class      cosem.Class
	Version    uint8
	Name       cosem.OBIS
	Attributes []Attribute
}

// Attribute is an attribute with its access mode (class 15, access_rights).
type Attribute struct {
	Index int8
	Mode  uint8
}

// Readable reports whether the mode lets the attribute be read: modes 1, 3, 4 and 6 of
// versions 0 to 2 of the association, bit 0 of the modes of version 3.
func (a Attribute) Readable() bool {
	if a.Mode <= 6 {
		return a.Mode&1 != 0 && a.Mode != 5 || a.Mode == 4 || a.Mode == 6
	}
	return a.Mode&1 != 0
}

// objectList is attribute 2 of the current association.
var objectList = cosem.Ref{Class: cosem.ClassAssociationLN, Object: cosem.MustOBIS("0.0.40.0.0.255"), Attribute: 2}

// Objects reads the object list of the association.
func (s *Session) Objects() ([]Object, error) {
	r, err := s.Get(objectList)
	if err != nil {
		return nil, fmt.Errorf("object list: %w", err)
	}
	if r.Access != cosem.Success {
		return nil, fmt.Errorf("object list: the meter answers %v", r.Access)
	}
	objects, err := ParseObjects(r.Data)
	if err != nil {
		return nil, fmt.Errorf("object list: %w", err)
	}
	return objects, nil
}

// maxObjects bounds an object list; the largest known has some two thousand.
const maxObjects = 1 << 14

// ParseObjects reads an object list. An element that is not as the class wants it ends it.
func ParseObjects(b []byte) ([]Object, error) {
	d := axdr.NewDecoder(b)
	list, err := d.Next()
	if err != nil {
		return nil, err
	}
	if list.Tag != axdr.Array || list.Count > maxObjects {
		return nil, fmt.Errorf("%v of %d elements: want an array of at most %d objects", list.Tag, list.Count, maxObjects)
	}
	var objects []Object
	at := d.Offset()
	for i := range list.Count {
		// Each row is parsed by itself, so that no list is too long for one tree.
		row, n, err := cosem.ParseValue(b[at:])
		if err != nil {
			return nil, fmt.Errorf("object %d at octet %d: %w", i, at, err)
		}
		o, err := object(row)
		if err != nil {
			return nil, fmt.Errorf("object %d at octet %d: %w", i, at, err)
		}
		objects = append(objects, o)
		at += n
	}
	return objects, nil
}

var errObject = errors.New("want {class, version, logical name, {attributes, methods}}")

func object(row cosem.Value) (Object, error) {
	if len(row.Items) != 4 || len(row.Items[2].Octets) != len(cosem.OBIS{}) || len(row.Items[3].Items) != 2 {
		return Object{}, errObject
	}
	class, ok1 := row.Items[0].Integer()
	version, ok2 := row.Items[1].Integer()
	if !ok1 || !ok2 || class < 0 || class > 0xFFFF || version < 0 || version > 0xFF {
		return Object{}, errObject
	}
	o := Object{Class: cosem.Class(class), Version: uint8(version), Name: cosem.OBIS(row.Items[2].Octets)}
	for _, a := range row.Items[3].Items[0].Items {
		if len(a.Items) < 2 {
			return Object{}, errObject
		}
		index, ok1 := a.Items[0].Integer()
		mode, ok2 := a.Items[1].Integer()
		if !ok1 || !ok2 {
			return Object{}, errObject
		}
		o.Attributes = append(o.Attributes, Attribute{Index: int8(index), Mode: uint8(mode)})
	}
	return o, nil
}
