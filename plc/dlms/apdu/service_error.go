package apdu

import "fmt"

// ConfirmedServiceError is the older way to refuse a service, above all an initiate
// request. Service 1 is initiate; Group says what kind of error Value is.
type ConfirmedServiceError struct {
	Service, Group, Value byte
}

// Services and groups of a ConfirmedServiceError that an association meets.
const (
	ErrorOfInitiate byte = 1
	GroupInitiate   byte = 6
)

// Values of GroupInitiate.
const (
	InitiateOther byte = iota
	DLMSVersionTooLow
	IncompatibleConformance
	PDUSizeTooShort
	RefusedByHandler
)

var initiateErrors = [...]string{
	"other", "DLMS version too low", "incompatible conformance", "PDU size too short", "refused by the VDE handler",
}

var errorGroups = map[byte]string{
	0: "application reference", 1: "hardware resource", 2: "VDE state", 3: "service", 4: "definition",
	5: "access", 6: "initiate", 7: "load data set", 9: "task", 10: "other",
}

// ParseConfirmedServiceError reads a confirmed service error.
func ParseConfirmedServiceError(b []byte) (ConfirmedServiceError, int, error) {
	r := read(b, TagConfirmedServiceError)
	e := ConfirmedServiceError{Service: r.u8(), Group: r.u8(), Value: r.u8()}
	n, err := r.end()
	if err != nil {
		return ConfirmedServiceError{}, 0, err
	}
	return e, n, nil
}

// Size is the number of octets Append writes.
func (e ConfirmedServiceError) Size() int { return 4 }

// Append appends the encoded error to dst.
func (e ConfirmedServiceError) Append(dst []byte) []byte {
	return append(dst, byte(TagConfirmedServiceError), e.Service, e.Group, e.Value)
}

// String is the error in words.
func (e ConfirmedServiceError) String() string {
	if e.Group == GroupInitiate && int(e.Value) < len(initiateErrors) {
		return "initiate error: " + initiateErrors[e.Value]
	}
	group, ok := errorGroups[e.Group]
	if !ok {
		group = fmt.Sprintf("group %d", e.Group)
	}
	return fmt.Sprintf("%s error %d", group, e.Value)
}
