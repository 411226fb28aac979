package meter

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

// Access modes of an attribute in an object list (class 15 version 1).
const (
	accessRead  = 1
	accessWrite = 3 // read and write
)

// associationObject is the association that the client is in (class 15).
func associationObject() object {
	return object{class: cosem.ClassAssociationLN, version: 1, name: cosem.MustOBIS("0.0.40.0.0.255"), public: true, attributes: []attribute{
		{index: 2, get: objectList},
		{index: 3, get: partners},
		{index: 4, get: func(c *call, dst []byte) []byte { return c.name(dst, 1, contextID(c.mechanism())) }},
		{index: 6, get: func(c *call, dst []byte) []byte { return c.name(dst, 2, byte(c.mechanism())) }},
		{index: 8, get: func(_ *call, dst []byte) []byte { return axdr.AppendEnum(dst, 2) }}, // associated
	}}
}

// mechanism is that of the association the call came in.
func (c *call) mechanism() dlms.Mechanism {
	if c.view.client == clientPublic {
		return dlms.None
	}
	return c.cfg.Keys.Mechanism
}

// contextID is logical names, with ciphering or without.
func contextID(m dlms.Mechanism) byte {
	if m == dlms.HLSGMAC {
		return 3
	}
	return 1
}

// name is an object identifier of the DLMS association (2.16.756.5.8.group.id) as BER
// writes its content.
func (c *call) name(dst []byte, group, id byte) []byte {
	return axdr.AppendOctets(dst, []byte{0x60, 0x85, 0x74, 0x05, 0x08, group, id})
}

// partners are client and server access point.
func partners(c *call, dst []byte) []byte {
	dst = axdr.AppendInteger(axdr.AppendStructure(dst, 2), int8(c.view.client))
	return axdr.AppendLongU(dst, serverManagement)
}

// objectList is what the client may see of the meter.
func objectList(c *call, _ []byte) []byte {
	var seen []*object
	for i := range c.tree {
		if o := &c.tree[i]; c.view.sees(o) {
			seen = append(seen, o)
		}
	}
	dst := axdr.AppendArray(make([]byte, 0, 64*len(seen)), len(seen))
	for _, o := range seen {
		dst = axdr.AppendLongU(axdr.AppendStructure(dst, 4), uint16(o.class))
		dst = axdr.AppendUnsigned(dst, o.version)
		dst = axdr.AppendOctets(dst, o.name[:])
		dst = c.rights(dst, o)
	}
	return dst
}

// rights are the access rights to an object: its attributes with their modes, and no
// methods.
func (c *call) rights(dst []byte, o *object) []byte {
	dst = axdr.AppendArray(axdr.AppendStructure(dst, 2), 1+len(o.attributes))
	dst = right(dst, 1, accessRead)
	for _, a := range o.attributes {
		mode := uint8(accessRead)
		if a.set != nil && c.view.client == clientManagement {
			mode = accessWrite
		}
		dst = right(dst, a.index, mode)
	}
	return axdr.AppendArray(dst, 0)
}

func right(dst []byte, attribute int8, mode uint8) []byte {
	dst = axdr.AppendInteger(axdr.AppendStructure(dst, 3), attribute)
	return axdr.AppendNull(axdr.AppendEnum(dst, mode)) // no access selectors listed
}
