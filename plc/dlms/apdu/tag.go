package apdu

import "fmt"

// Tag is the first octet of an APDU.
type Tag byte

// Tags of the APDU choice, unprotected.
const (
	TagInitiateRequest         Tag = 0x01
	TagReadRequest             Tag = 0x05
	TagWriteRequest            Tag = 0x06
	TagInitiateResponse        Tag = 0x08
	TagReadResponse            Tag = 0x0C
	TagWriteResponse           Tag = 0x0D
	TagConfirmedServiceError   Tag = 0x0E
	TagDataNotification        Tag = 0x0F
	TagUnconfirmedWriteRequest Tag = 0x16
	TagInformationReport       Tag = 0x18
	TagAARQ                    Tag = 0x60
	TagAARE                    Tag = 0x61
	TagRLRQ                    Tag = 0x62
	TagRLRE                    Tag = 0x63
	TagGetRequest              Tag = 0xC0
	TagSetRequest              Tag = 0xC1
	TagEventNotification       Tag = 0xC2
	TagActionRequest           Tag = 0xC3
	TagGetResponse             Tag = 0xC4
	TagSetResponse             Tag = 0xC5
	TagActionResponse          Tag = 0xC7
	TagExceptionResponse       Tag = 0xD8
	TagAccessRequest           Tag = 0xD9
	TagAccessResponse          Tag = 0xDA
)

// Tags of APDUs ciphered with a global key.
const (
	TagGloInitiateRequest         Tag = 0x21
	TagGloReadRequest             Tag = 0x25
	TagGloWriteRequest            Tag = 0x26
	TagGloInitiateResponse        Tag = 0x28
	TagGloReadResponse            Tag = 0x2C
	TagGloWriteResponse           Tag = 0x2D
	TagGloConfirmedServiceError   Tag = 0x2E
	TagGloUnconfirmedWriteRequest Tag = 0x36
	TagGloInformationReport       Tag = 0x38
	TagGloGetRequest              Tag = 0xC8
	TagGloSetRequest              Tag = 0xC9
	TagGloEventNotification       Tag = 0xCA
	TagGloActionRequest           Tag = 0xCB
	TagGloGetResponse             Tag = 0xCC
	TagGloSetResponse             Tag = 0xCD
	TagGloActionResponse          Tag = 0xCF
)

// Tags of APDUs ciphered with a dedicated key.
const (
	TagDedInitiateRequest         Tag = 0x41
	TagDedReadRequest             Tag = 0x45
	TagDedWriteRequest            Tag = 0x46
	TagDedInitiateResponse        Tag = 0x48
	TagDedReadResponse            Tag = 0x4C
	TagDedWriteResponse           Tag = 0x4D
	TagDedConfirmedServiceError   Tag = 0x4E
	TagDedUnconfirmedWriteRequest Tag = 0x56
	TagDedInformationReport       Tag = 0x58
	TagDedGetRequest              Tag = 0xD0
	TagDedSetRequest              Tag = 0xD1
	TagDedEventNotification       Tag = 0xD2
	TagDedActionRequest           Tag = 0xD3
	TagDedGetResponse             Tag = 0xD4
	TagDedSetResponse             Tag = 0xD5
	TagDedActionResponse          Tag = 0xD7
)

// Tags of envelopes that carry any service.
const (
	TagGeneralGlo           Tag = 0xDB
	TagGeneralDed           Tag = 0xDC
	TagGeneralCiphering     Tag = 0xDD
	TagGeneralSigning       Tag = 0xDF
	TagGeneralBlockTransfer Tag = 0xE0
)

// services names every tag and pairs it with its ciphered forms.
var services = []struct {
	plain, glo, ded Tag
	name            string
}{
	{TagInitiateRequest, TagGloInitiateRequest, TagDedInitiateRequest, "initiate request"},
	{TagInitiateResponse, TagGloInitiateResponse, TagDedInitiateResponse, "initiate response"},
	{TagReadRequest, TagGloReadRequest, TagDedReadRequest, "read request"},
	{TagWriteRequest, TagGloWriteRequest, TagDedWriteRequest, "write request"},
	{TagReadResponse, TagGloReadResponse, TagDedReadResponse, "read response"},
	{TagWriteResponse, TagGloWriteResponse, TagDedWriteResponse, "write response"},
	{TagConfirmedServiceError, TagGloConfirmedServiceError, TagDedConfirmedServiceError, "confirmed service error"},
	{TagUnconfirmedWriteRequest, TagGloUnconfirmedWriteRequest, TagDedUnconfirmedWriteRequest, "unconfirmed write request"},
	{TagInformationReport, TagGloInformationReport, TagDedInformationReport, "information report"},
	{TagGetRequest, TagGloGetRequest, TagDedGetRequest, "GET request"},
	{TagSetRequest, TagGloSetRequest, TagDedSetRequest, "SET request"},
	{TagEventNotification, TagGloEventNotification, TagDedEventNotification, "event notification"},
	{TagActionRequest, TagGloActionRequest, TagDedActionRequest, "ACTION request"},
	{TagGetResponse, TagGloGetResponse, TagDedGetResponse, "GET response"},
	{TagSetResponse, TagGloSetResponse, TagDedSetResponse, "SET response"},
	{TagActionResponse, TagGloActionResponse, TagDedActionResponse, "ACTION response"},
	{TagDataNotification, 0, 0, "data notification"},
	{TagAARQ, 0, 0, "AARQ"},
	{TagAARE, 0, 0, "AARE"},
	{TagRLRQ, 0, 0, "RLRQ"},
	{TagRLRE, 0, 0, "RLRE"},
	{TagExceptionResponse, 0, 0, "exception response"},
	{TagAccessRequest, 0, 0, "access request"},
	{TagAccessResponse, 0, 0, "access response"},
	{TagGeneralGlo, 0, 0, "general-glo-ciphering"},
	{TagGeneralDed, 0, 0, "general-ded-ciphering"},
	{TagGeneralCiphering, 0, 0, "general-ciphering"},
	{TagGeneralSigning, 0, 0, "general-signing"},
	{TagGeneralBlockTransfer, 0, 0, "general-block-transfer"},
}

// byTag finds the row of a tag in services, and 0 for tags that are none.
var byTag = func() (rows [256]uint8) {
	for i, s := range services {
		for _, t := range []Tag{s.plain, s.glo, s.ded} {
			if t != 0 {
				rows[t] = uint8(i) + 1
			}
		}
	}
	return rows
}()

// Glo is the tag of t ciphered with a global key, and false when t has no such
// service-specific form.
func (t Tag) Glo() (Tag, bool) {
	if row := byTag[t]; row != 0 && services[row-1].plain == t && services[row-1].glo != 0 {
		return services[row-1].glo, true
	}
	return 0, false
}

// Ded is the tag of t ciphered with a dedicated key, and false when t has no such
// service-specific form.
func (t Tag) Ded() (Tag, bool) {
	if row := byTag[t]; row != 0 && services[row-1].plain == t && services[row-1].ded != 0 {
		return services[row-1].ded, true
	}
	return 0, false
}

// Plain is the tag inside a service-specific ciphered APDU, and false when t is not
// the tag of one.
func (t Tag) Plain() (Tag, bool) {
	if row := byTag[t]; row != 0 && services[row-1].plain != t {
		return services[row-1].plain, true
	}
	return 0, false
}

// Dedicated reports whether t is ciphered with a dedicated key.
func (t Tag) Dedicated() bool {
	row := byTag[t]
	return t == TagGeneralDed || row != 0 && services[row-1].ded == t
}

// String names the APDU, service-specific ciphered ones with "glo-" or "ded-" in front.
func (t Tag) String() string {
	row := byTag[t]
	if row == 0 {
		return fmt.Sprintf("APDU %02Xh", byte(t))
	}
	switch s := services[row-1]; t {
	case s.glo:
		return "glo-" + s.name
	case s.ded:
		return "ded-" + s.name
	default:
		return s.name
	}
}

// TagOf is the tag of an APDU, 0 when it has no octets.
func TagOf(b []byte) Tag {
	if len(b) == 0 {
		return 0
	}
	return Tag(b[0])
}

// Protected reports whether t is that of an APDU that is ciphered as a whole.
func (t Tag) Protected() bool {
	_, ok := t.Plain()
	return ok || t == TagGeneralGlo || t == TagGeneralDed || t == TagGeneralCiphering
}
