package acse

import (
	"busbar/plc/dlms/cipher"
)

// Tags of an AARQ and its fields (context specific; the number is the low five bits).
const (
	tagAARQ           = 0x60
	tagContext        = 0xA1
	tagCallingTitle   = 0xA6
	tagRequirements   = 0x8A
	tagMechanism      = 0x8B
	tagAuthentication = 0xAC
	tagUserInfo       = 0xBE

	tagOctets = 0x04
	tagName   = 0x06
	tagString = 0x80 // charstring, the first choice of an authentication value
)

// authenticationUnit is the bit string that announces authentication: one bit, set.
var authenticationUnit = []byte{0x07, 0x80}

// AARQ asks for an association.
type AARQ struct {
	Context        Context
	CallingTitle   []byte // system title of the client; nil when not sent
	Mechanism      Mechanism
	Authentication cipher.Secret // password or challenge; nil when not sent
	UserInfo       []byte        // initiate request, plain or ciphered
}

// ParseAARQ reads an AARQ. A field of no use to COSEM is passed over, a field that
// comes twice is refused. Fields share memory with b.
func ParseAARQ(b []byte) (AARQ, int, error) {
	c, n, err := open("AARQ", b, tagAARQ)
	if err != nil {
		return AARQ{}, 0, err
	}
	var a AARQ
	err = c.each(func(e element) error {
		var err error
		switch e.tag {
		case tagContext:
			a.Context, err = c.context(e)
		case tagCallingTitle:
			a.CallingTitle, err = c.only(e, tagOctets)
		case tagMechanism:
			a.Mechanism, err = c.mechanism(e)
		case tagAuthentication:
			a.Authentication, err = c.only(e, tagString)
		case tagUserInfo:
			a.UserInfo, err = c.only(e, tagOctets)
		}
		return err
	})
	if err != nil {
		return AARQ{}, 0, err
	}
	return a, n, nil
}

// each calls fn for every field, and refuses one that comes twice.
func (c *cursor) each(fn func(element) error) error {
	var seen [256]bool
	for len(c.b) > 0 {
		at := c.base
		e, err := c.next()
		if err != nil {
			return err
		}
		if seen[e.tag] {
			return &Error{APDU: c.apdu, Offset: at, What: "a field comes twice"}
		}
		seen[e.tag] = true
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

// context reads an application context name; one that is not COSEM's is OtherContext.
func (c *cursor) context(e element) (Context, error) {
	name, err := c.only(e, tagName)
	if err != nil {
		return OtherContext, err
	}
	arc, ok := lastArc(name, contextName)
	if !ok {
		return OtherContext, nil
	}
	return Context(arc), nil
}

func (c *cursor) mechanism(e element) (Mechanism, error) {
	arc, ok := lastArc(e.body, mechanismName)
	if !ok {
		return 0, c.within(e).fail("authentication mechanism name is not COSEM's")
	}
	return Mechanism(arc), nil
}

func (a AARQ) fields() int {
	n := nestedSize(nameSize)
	if a.CallingTitle != nil {
		n += nestedSize(len(a.CallingTitle))
	}
	if a.Mechanism != NoSecurity {
		n += size(len(authenticationUnit)) + size(nameSize)
	}
	if a.Authentication != nil {
		n += nestedSize(len(a.Authentication))
	}
	if a.UserInfo != nil {
		n += nestedSize(len(a.UserInfo))
	}
	return n
}

// Size is the number of octets Append writes.
func (a AARQ) Size() int { return size(a.fields()) }

// Append appends the encoded AARQ to dst.
func (a AARQ) Append(dst []byte) []byte {
	dst = appendLength(append(dst, tagAARQ), a.fields())
	dst = appendNested(dst, tagContext, tagName, append([]byte(contextName), byte(a.Context)))
	if a.CallingTitle != nil {
		dst = appendNested(dst, tagCallingTitle, tagOctets, a.CallingTitle)
	}
	if a.Mechanism != NoSecurity {
		dst = appendElement(dst, tagRequirements, authenticationUnit)
		dst = appendElement(dst, tagMechanism, append([]byte(mechanismName), byte(a.Mechanism)))
	}
	if a.Authentication != nil {
		dst = appendNested(dst, tagAuthentication, tagString, a.Authentication)
	}
	if a.UserInfo != nil {
		dst = appendNested(dst, tagUserInfo, tagOctets, a.UserInfo)
	}
	return dst
}
