package class

import (
	"fmt"
	"strings"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Attribute is one attribute of a class.
type Attribute struct {
	Name string
	Type axdr.Tag // axdr.DontCare where the standard leaves a choice
	// Values are the names of the values of an enum from 0 on; empty for other types.
	Values []string
}

// Interface is one version of an interface class.
type Interface struct {
	Class   cosem.Class
	Version uint8
	Name    string
	// Attributes from the second on: the first is always logical_name.
	Attributes []Attribute
	Methods    []string // from the first on
	// MethodsAt is the distance of the first method's short name from that of the
	// object; 0 when the table does not know it.
	MethodsAt uint16
}

// logicalName is attribute 1 of every class.
var logicalName = Attribute{Name: "logical_name", Type: axdr.OctetString}

// Attribute describes attribute i, 1 being the first.
func (c Interface) Attribute(i int8) (Attribute, bool) {
	switch n := int(i); {
	case n == 1:
		return logicalName, true
	case n >= 2 && n <= len(c.Attributes)+1:
		return c.Attributes[n-2], true
	}
	return Attribute{}, false
}

// Method is the name of method i, 1 being the first.
func (c Interface) Method(i int8) (string, bool) {
	if n := int(i); n >= 1 && n <= len(c.Methods) {
		return c.Methods[n-1], true
	}
	return "", false
}

// Value is the name of a value of the attribute, for enums.
func (a Attribute) Value(n int64) (string, bool) {
	if n < 0 || n >= int64(len(a.Values)) || a.Values[n] == "" {
		return "", false
	}
	return a.Values[n], true
}

// Fits reports whether a value of the tag can be that of the attribute. Null-data fits
// nothing but a choice; a date-time may stand for an octet-string and the other way round.
func (a Attribute) Fits(tag axdr.Tag) bool {
	switch a.Type {
	case axdr.DontCare, tag:
		return true
	case axdr.OctetString:
		return tag == axdr.DateTime || tag == axdr.Date || tag == axdr.Time
	case axdr.Array:
		return tag == axdr.CompactArray
	}
	return false
}

// Find returns the description of a class. Where the table does not have the version it
// returns the nearest older one, or the oldest, and exact is false: its first attributes
// mean the same. It is nil for a class that the table does not have.
func Find(id cosem.Class, version uint8) (c *Interface, exact bool) {
	for i := range table {
		t := &table[i]
		switch {
		case t.Class != id:
		case t.Version == version:
			return t, true
		case c == nil, t.Version < version: // versions of a class stand in rising order
			c = t
		}
	}
	return c, false
}

// Name is the name of a class, or "class 123".
func Name(id cosem.Class) string {
	if c, _ := Find(id, 0); c != nil {
		return c.Name
	}
	return fmt.Sprintf("class %d", uint16(id))
}

// AttributeName is "Clock.time" for a reference, with numbers for what the table does
// not have.
func AttributeName(ref cosem.Ref, version uint8) string {
	name := fmt.Sprintf("attribute %d", ref.Attribute)
	if c, _ := Find(ref.Class, version); c != nil {
		if a, ok := c.Attribute(ref.Attribute); ok {
			name = a.Name
		}
	}
	return compact(ref.Class) + "." + name
}

// MethodName is AttributeName for a method.
func MethodName(ref cosem.Ref, version uint8) string {
	name := fmt.Sprintf("method %d", ref.Attribute)
	if c, _ := Find(ref.Class, version); c != nil {
		if m, ok := c.Method(ref.Attribute); ok {
			name = m
		}
	}
	return compact(ref.Class) + "." + name
}

func compact(id cosem.Class) string { return strings.ReplaceAll(Name(id), " ", "") }

// AttributeAt is the distance of the short name of attribute i from that of its object
// (Blue Book 4.1.4): the attributes lie eight apart.
func AttributeAt(i int8) uint16 { return 8 * uint16(max(i, 1)-1) }

// MethodAt is the distance of the short name of method i from that of its object; false
// where the table does not know it.
func (c Interface) MethodAt(i int8) (uint16, bool) {
	if _, ok := c.Method(i); !ok || c.MethodsAt == 0 {
		return 0, false
	}
	return c.MethodsAt + AttributeAt(i), true
}
