package acse

import "busbar/plc/dlms/cipher"

// Tags of an AARE and its fields.
const (
	tagAARE              = 0x61
	tagResult            = 0xA2
	tagDiagnostic        = 0xA3
	tagRespondingTitle   = 0xA4
	tagRespRequirements  = 0x88
	tagRespMechanism     = 0x89
	tagRespAuthenticated = 0xAA

	tagInteger  = 0x02
	tagUser     = 0xA1
	tagProvider = 0xA2
)

// AARE answers an AARQ.
type AARE struct {
	Context         Context
	Result          Result
	Diagnostic      Diagnostic
	RespondingTitle []byte // system title of the meter; nil when not sent
	Mechanism       Mechanism
	Authentication  cipher.Secret // challenge of the meter; nil when not sent
	UserInfo        []byte        // initiate response or service error, plain or ciphered
}

// ParseAARE reads an AARE. A field of no use to COSEM is passed over, a field that
// comes twice is refused, result and diagnostic must be there. Fields share memory
// with b.
func ParseAARE(b []byte) (AARE, int, error) {
	c, n, err := open("AARE", b, tagAARE)
	if err != nil {
		return AARE{}, 0, err
	}
	var a AARE
	var hasResult, hasDiagnostic bool
	err = c.each(func(e element) error {
		var err error
		switch e.tag {
		case tagContext:
			a.Context, err = c.context(e)
		case tagResult:
			hasResult = true
			a.Result, err = c.result(e)
		case tagDiagnostic:
			hasDiagnostic = true
			a.Diagnostic, err = c.diagnostic(e)
		case tagRespondingTitle:
			a.RespondingTitle, err = c.only(e, tagOctets)
		case tagRespMechanism:
			a.Mechanism, err = c.mechanism(e)
		case tagRespAuthenticated:
			a.Authentication, err = c.only(e, tagString)
		case tagUserInfo:
			a.UserInfo, err = c.only(e, tagOctets)
		}
		return err
	})
	if err == nil && !(hasResult && hasDiagnostic) {
		err = c.fail("result or diagnostic is missing")
	}
	if err != nil {
		return AARE{}, 0, err
	}
	return a, n, nil
}

func (c *cursor) result(e element) (Result, error) {
	body, err := c.only(e, tagInteger)
	if err != nil {
		return 0, err
	}
	v, err := c.number(e, body)
	if err == nil && v > int(RejectedTransient) {
		err = c.within(e).fail("result %d: want 0, 1 or 2", v)
	}
	return Result(v), err
}

func (c *cursor) diagnostic(e element) (Diagnostic, error) {
	in := c.within(e)
	choice, err := in.next()
	if err != nil {
		return Diagnostic{}, err
	}
	if choice.tag != tagUser && choice.tag != tagProvider || len(in.b) > 0 {
		return Diagnostic{}, c.within(e).fail("source of the diagnostic is neither user nor provider")
	}
	body, err := c.only(choice, tagInteger)
	if err != nil {
		return Diagnostic{}, err
	}
	v, err := c.number(choice, body)
	if err == nil && v > 0xFF {
		err = c.within(choice).fail("diagnostic %d: want at most 255", v)
	}
	return Diagnostic{Provider: choice.tag == tagProvider, Code: uint8(v)}, err
}

func (a AARE) fields() int {
	n := nestedSize(nameSize) + nestedSize(1) + size(nestedSize(1))
	if a.RespondingTitle != nil {
		n += nestedSize(len(a.RespondingTitle))
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
func (a AARE) Size() int { return size(a.fields()) }

// Append appends the encoded AARE to dst.
func (a AARE) Append(dst []byte) []byte {
	dst = appendLength(append(dst, tagAARE), a.fields())
	dst = appendNested(dst, tagContext, tagName, append([]byte(contextName), byte(a.Context)))
	dst = appendNested(dst, tagResult, tagInteger, []byte{byte(a.Result)})
	source := byte(tagUser)
	if a.Diagnostic.Provider {
		source = tagProvider
	}
	dst = appendLength(append(dst, tagDiagnostic), nestedSize(1))
	dst = appendNested(dst, source, tagInteger, []byte{a.Diagnostic.Code})
	if a.RespondingTitle != nil {
		dst = appendNested(dst, tagRespondingTitle, tagOctets, a.RespondingTitle)
	}
	if a.Mechanism != NoSecurity {
		dst = appendElement(dst, tagRespRequirements, authenticationUnit)
		dst = appendElement(dst, tagRespMechanism, append([]byte(mechanismName), byte(a.Mechanism)))
	}
	if a.Authentication != nil {
		dst = appendNested(dst, tagRespAuthenticated, tagString, a.Authentication)
	}
	if a.UserInfo != nil {
		dst = appendNested(dst, tagUserInfo, tagOctets, a.UserInfo)
	}
	return dst
}
