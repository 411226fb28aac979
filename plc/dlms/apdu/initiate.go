package apdu

import (
	"encoding/binary"

	"busbar/plc/dlms/cipher"
)

// Version is the DLMS version that every meter of the last decades speaks.
const Version = 6

// vaaName is the virtual application association name of logical name referencing.
const vaaName = 0x0007

// InitiateRequest is the xDLMS half of an association request.
type InitiateRequest struct {
	DedicatedKey     cipher.Secret // nil when none is proposed
	NoResponse       bool          // response-allowed is false
	Version          uint8
	Conformance      Conformance
	MaxPDU           uint16 // longest APDU the client takes; 0 is no limit
	QualityOfService *int8
}

// ParseInitiateRequest reads an initiate request. The key shares memory with b.
func ParseInitiateRequest(b []byte) (InitiateRequest, int, error) {
	r := read(b, TagInitiateRequest)
	var i InitiateRequest
	if r.flag("presence of a dedicated key") {
		i.DedicatedKey = cipher.Secret(r.octets())
	}
	if r.flag("presence of response-allowed") {
		i.NoResponse = !r.boolean()
	}
	i.QualityOfService = r.quality()
	i.Version = r.u8()
	i.Conformance = r.conformance()
	i.MaxPDU = r.u16()
	n, err := r.end()
	if err != nil {
		return InitiateRequest{}, 0, err
	}
	return i, n, nil
}

func (r *reader) quality() *int8 {
	if !r.flag("presence of a quality of service") {
		return nil
	}
	q := int8(r.u8())
	return &q
}

func appendQuality(dst []byte, q *int8) []byte {
	if q == nil {
		return append(dst, absent)
	}
	return append(dst, present, byte(*q))
}

// Size is the number of octets Append writes.
func (i InitiateRequest) Size() int {
	n := 1 + 1 + 1 + 1 + 1 + conformanceSize + 2
	if i.DedicatedKey != nil {
		n += octetsSize(i.DedicatedKey)
	}
	if i.NoResponse {
		n++
	}
	if i.QualityOfService != nil {
		n++
	}
	return n
}

// Append appends the encoded request to dst.
func (i InitiateRequest) Append(dst []byte) []byte {
	dst = append(dst, byte(TagInitiateRequest))
	if i.DedicatedKey == nil {
		dst = append(dst, absent)
	} else {
		dst = appendOctets(append(dst, present), i.DedicatedKey)
	}
	if i.NoResponse {
		dst = append(dst, present, 0)
	} else {
		dst = append(dst, absent) // the default: a response is wanted
	}
	dst = appendQuality(dst, i.QualityOfService)
	dst = appendConformance(append(dst, i.Version), i.Conformance)
	return binary.BigEndian.AppendUint16(dst, i.MaxPDU)
}

// InitiateResponse is what the server grants.
type InitiateResponse struct {
	QualityOfService *int8
	Version          uint8
	Conformance      Conformance
	MaxPDU           uint16 // longest APDU the server takes; 0 is no limit
	VAAName          uint16 // 7 for logical names
}

// NewInitiateResponse grants conformance c and requests of up to maxPDU octets.
func NewInitiateResponse(c Conformance, maxPDU uint16) InitiateResponse {
	return InitiateResponse{Version: Version, Conformance: c, MaxPDU: maxPDU, VAAName: vaaName}
}

// ParseInitiateResponse reads an initiate response.
func ParseInitiateResponse(b []byte) (InitiateResponse, int, error) {
	r := read(b, TagInitiateResponse)
	i := InitiateResponse{
		QualityOfService: r.quality(), Version: r.u8(), Conformance: r.conformance(),
		MaxPDU: r.u16(), VAAName: r.u16(),
	}
	n, err := r.end()
	if err != nil {
		return InitiateResponse{}, 0, err
	}
	return i, n, nil
}

// Size is the number of octets Append writes.
func (i InitiateResponse) Size() int {
	n := 1 + 1 + 1 + conformanceSize + 2 + 2
	if i.QualityOfService != nil {
		n++
	}
	return n
}

// Append appends the encoded response to dst.
func (i InitiateResponse) Append(dst []byte) []byte {
	dst = appendQuality(append(dst, byte(TagInitiateResponse)), i.QualityOfService)
	dst = appendConformance(append(dst, i.Version), i.Conformance)
	dst = binary.BigEndian.AppendUint16(dst, i.MaxPDU)
	return binary.BigEndian.AppendUint16(dst, i.VAAName)
}
