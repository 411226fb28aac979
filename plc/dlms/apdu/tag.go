package apdu

import "fmt"

// Tag is the first octet of an APDU.
type Tag byte

// Tags of the APDU choice, unprotected.
const (
	TagInitiateRequest       Tag = 0x01
	TagInitiateResponse      Tag = 0x08
	TagConfirmedServiceError Tag = 0x0E
	TagDataNotification      Tag = 0x0F
	TagAARQ                  Tag = 0x60
	TagAARE                  Tag = 0x61
	TagRLRQ                  Tag = 0x62
	TagRLRE                  Tag = 0x63
	TagGetRequest            Tag = 0xC0
	TagSetRequest            Tag = 0xC1
	TagEventNotification     Tag = 0xC2
	TagActionRequest         Tag = 0xC3
	TagGetResponse           Tag = 0xC4
	TagSetResponse           Tag = 0xC5
	TagActionResponse        Tag = 0xC7
	TagExceptionResponse     Tag = 0xD8
)

// Tags of APDUs ciphered with a global key.
const (
	TagGloInitiateRequest       Tag = 0x21
	TagGloInitiateResponse      Tag = 0x28
	TagGloConfirmedServiceError Tag = 0x2E
	TagGloGetRequest            Tag = 0xC8
	TagGloSetRequest            Tag = 0xC9
	TagGloEventNotification     Tag = 0xCA
	TagGloActionRequest         Tag = 0xCB
	TagGloGetResponse           Tag = 0xCC
	TagGloSetResponse           Tag = 0xCD
	TagGloActionResponse        Tag = 0xCF
	TagGeneralGlo               Tag = 0xDB
)

// services names every tag and pairs it with its ciphered form.
var services = []struct {
	plain, glo Tag
	name       string
}{
	{TagInitiateRequest, TagGloInitiateRequest, "initiate request"},
	{TagInitiateResponse, TagGloInitiateResponse, "initiate response"},
	{TagConfirmedServiceError, TagGloConfirmedServiceError, "confirmed service error"},
	{TagGetRequest, TagGloGetRequest, "GET request"},
	{TagSetRequest, TagGloSetRequest, "SET request"},
	{TagEventNotification, TagGloEventNotification, "event notification"},
	{TagActionRequest, TagGloActionRequest, "ACTION request"},
	{TagGetResponse, TagGloGetResponse, "GET response"},
	{TagSetResponse, TagGloSetResponse, "SET response"},
	{TagActionResponse, TagGloActionResponse, "ACTION response"},
	{TagDataNotification, 0, "data notification"},
	{TagAARQ, 0, "AARQ"},
	{TagAARE, 0, "AARE"},
	{TagRLRQ, 0, "RLRQ"},
	{TagRLRE, 0, "RLRE"},
	{TagExceptionResponse, 0, "exception response"},
	{TagGeneralGlo, 0, "general-glo-ciphering"},
}

// Glo is the tag of t ciphered with a global key, and false when t has no such
// service-specific form.
func (t Tag) Glo() (Tag, bool) {
	for _, s := range services {
		if s.plain == t && s.glo != 0 {
			return s.glo, true
		}
	}
	return 0, false
}

// Plain is the tag inside a service-specific ciphered APDU, and false when t is not
// the tag of one.
func (t Tag) Plain() (Tag, bool) {
	for _, s := range services {
		if s.glo == t && s.glo != 0 {
			return s.plain, true
		}
	}
	return 0, false
}

// String names the APDU, ciphered ones with "glo-" in front.
func (t Tag) String() string {
	for _, s := range services {
		switch {
		case s.plain == t:
			return s.name
		case s.glo == t && s.glo != 0:
			return "glo-" + s.name
		}
	}
	return fmt.Sprintf("APDU %02Xh", byte(t))
}
