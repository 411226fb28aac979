package object

import (
	"fmt"

	"busbar/plc/axdr"
)

// Methods of a security setup (class 64), version 1; version 0 has the first two.
const (
	SecurityActivate                   int8 = 1 // parameter: enum of version 0, bits of version 1
	SecurityKeyTransfer                int8 = 2 // KeyData list of wrapped keys
	SecurityKeyAgreement               int8 = 3 // KeyData list of ephemeral keys with signatures
	SecurityGenerateKeyPair            int8 = 4 // enum: a CertificateType
	SecurityGenerateCertificateRequest int8 = 5 // enum: a CertificateType
	SecurityImportCertificate          int8 = 6 // octet-string
	SecurityExportCertificate          int8 = 7 // CertificateID
	SecurityRemoveCertificate          int8 = 8 // CertificateID
)

// Policy is a security policy of version 1: what APDUs must have (class 64 attribute 2).
// Version 0 is an enum of its own: 0 nothing, 1 authenticated, 2 encrypted, 3 both.
type Policy uint8

// Bits of a policy.
const (
	PolicyAuthenticatedRequest  Policy = 0x04
	PolicyEncryptedRequest      Policy = 0x08
	PolicySignedRequest         Policy = 0x10
	PolicyAuthenticatedResponse Policy = 0x20
	PolicyEncryptedResponse     Policy = 0x40
	PolicySignedResponse        Policy = 0x80
)

// PolicyOfVersion0 is what a policy of version 0 says in the words of version 1; false
// for a number that it does not have.
func PolicyOfVersion0(n uint8) (Policy, bool) {
	const authenticated = PolicyAuthenticatedRequest | PolicyAuthenticatedResponse
	const encrypted = PolicyEncryptedRequest | PolicyEncryptedResponse
	all := [...]Policy{0, authenticated, encrypted, authenticated | encrypted}
	if int(n) >= len(all) {
		return 0, false
	}
	return all[n], true
}

// AppendSecurityActivate appends the parameter of security_activate. A meter never goes
// back to less.
func AppendSecurityActivate(dst []byte, policy Policy) []byte {
	return axdr.AppendEnum(dst, uint8(policy))
}

// KeyID says which key is meant (Green Book 9.2.2.4).
type KeyID uint8

// Keys of an association.
const (
	KeyUnicast        KeyID = 0 // global unicast encryption key
	KeyBroadcast      KeyID = 1 // global broadcast encryption key
	KeyAuthentication KeyID = 2
	KeyMaster         KeyID = 3 // key encryption key
)

// String names the key.
func (k KeyID) String() string {
	switch k {
	case KeyUnicast:
		return "global unicast encryption key"
	case KeyBroadcast:
		return "global broadcast encryption key"
	case KeyAuthentication:
		return "authentication key"
	case KeyMaster:
		return "master key"
	}
	return fmt.Sprintf("key %d", uint8(k))
}

// KeyData is an element of the parameters of key_transfer, where Data is the new key
// wrapped under the master key (RFC 3394), and of key_agreement, where it is an ephemeral
// public key with its signature.
type KeyData struct {
	ID   KeyID
	Data []byte
}

// String tells which key it is and never its octets.
func (k KeyData) String() string { return fmt.Sprintf("%v, %d octets", k.ID, len(k.Data)) }

// maxKeys bounds a list of keys; there are four kinds.
const maxKeys = 128

// ParseKeys reads the parameter of key_transfer or key_agreement.
func ParseKeys(b []byte) ([]KeyData, int, error) {
	return parse(b, func(r *reader) []KeyData {
		return array(r, 6, maxKeys, func(r *reader) KeyData {
			r.structure(2)
			return KeyData{ID: KeyID(r.enum()), Data: r.octets()}
		})
	})
}

// AppendKeys appends the parameter of key_transfer or key_agreement.
func AppendKeys(dst []byte, keys []KeyData) []byte {
	return appendArray(dst, keys, func(dst []byte, k KeyData) []byte {
		return axdr.AppendOctets(axdr.AppendEnum(axdr.AppendStructure(dst, 2), uint8(k.ID)), k.Data)
	})
}

// CertificateEntity says whose a certificate is.
type CertificateEntity uint8

// Owners of certificates.
const (
	EntityServer    CertificateEntity = 0
	EntityClient    CertificateEntity = 1
	EntityAuthority CertificateEntity = 2
	EntityOther     CertificateEntity = 3
)

// CertificateType says what a certificate or key pair is for.
type CertificateType uint8

// Uses of certificates.
const (
	CertificateSignature CertificateType = 0
	CertificateAgreement CertificateType = 1
	CertificateTLS       CertificateType = 2
	CertificateOther     CertificateType = 3
)

// Certificate describes a certificate that a meter holds (class 64 attribute 6).
type Certificate struct {
	Entity      CertificateEntity
	Type        CertificateType
	Serial      []byte
	Issuer      []byte
	Subject     []byte
	SubjectName []byte // subject_alt_name
}

// maxCertificates bounds the certificates of a meter.
const maxCertificates = 64

// ParseCertificates reads the certificates of a security setup.
func ParseCertificates(b []byte) ([]Certificate, int, error) {
	return parse(b, func(r *reader) []Certificate {
		return array(r, 14, maxCertificates, func(r *reader) Certificate {
			r.structure(6)
			return Certificate{
				Entity: CertificateEntity(r.enum()), Type: CertificateType(r.enum()),
				Serial: r.octets(), Issuer: r.octets(), Subject: r.octets(), SubjectName: r.octets(),
			}
		})
	})
}

// AppendCertificates appends the certificates of a security setup.
func AppendCertificates(dst []byte, certificates []Certificate) []byte {
	return appendArray(dst, certificates, func(dst []byte, c Certificate) []byte {
		dst = axdr.AppendEnum(axdr.AppendEnum(axdr.AppendStructure(dst, 6), uint8(c.Entity)), uint8(c.Type))
		dst = axdr.AppendOctets(axdr.AppendOctets(dst, c.Serial), c.Issuer)
		return axdr.AppendOctets(axdr.AppendOctets(dst, c.Subject), c.SubjectName)
	})
}

// CertificateID names a certificate, for export and remove: by its owner and use, or,
// where Serial is not empty, by serial number and issuer.
type CertificateID struct {
	Entity CertificateEntity
	Type   CertificateType
	Title  []byte // system title of the owner

	Serial, Issuer []byte
}

// Ways to name a certificate.
const (
	byEntity uint8 = 0
	bySerial uint8 = 1
)

// ParseCertificateID reads a certificate identification.
func ParseCertificateID(b []byte) (CertificateID, int, error) {
	return parse(b, func(r *reader) (c CertificateID) {
		r.structure(2)
		switch way := r.enum(); way {
		case byEntity:
			r.structure(3)
			c.Entity, c.Type, c.Title = CertificateEntity(r.enum()), CertificateType(r.enum()), r.octets()
		case bySerial:
			r.structure(2)
			c.Serial, c.Issuer = r.octets(), r.octets()
			if len(c.Serial) == 0 {
				r.fail("certificate without serial number")
			}
		default:
			r.fail("certificate identification of type %d: want 0 (entity) or 1 (serial)", way)
		}
		return c
	})
}

// Append appends the structure.
func (c CertificateID) Append(dst []byte) []byte {
	dst = axdr.AppendStructure(dst, 2)
	if len(c.Serial) > 0 {
		dst = axdr.AppendStructure(axdr.AppendEnum(dst, bySerial), 2)
		return axdr.AppendOctets(axdr.AppendOctets(dst, c.Serial), c.Issuer)
	}
	dst = axdr.AppendStructure(axdr.AppendEnum(dst, byEntity), 3)
	dst = axdr.AppendEnum(axdr.AppendEnum(dst, uint8(c.Entity)), uint8(c.Type))
	return axdr.AppendOctets(dst, c.Title)
}
