package apdu

import (
	"encoding/binary"
	"fmt"
)

// StateError says whether the service could have been allowed.
type StateError uint8

// State errors.
const (
	ServiceNotAllowed StateError = 1
	ServiceUnknown    StateError = 2
)

// String names the state error.
func (s StateError) String() string {
	switch s {
	case ServiceNotAllowed:
		return "service not allowed"
	case ServiceUnknown:
		return "service unknown"
	}
	return fmt.Sprintf("state error %d", uint8(s))
}

// ServiceError says what was wrong with the request.
type ServiceError uint8

// Service errors.
const (
	OperationNotPossible ServiceError = 1
	ServiceNotSupported  ServiceError = 2
	OtherReason          ServiceError = 3
	PDUTooLong           ServiceError = 4
	DecipheringError     ServiceError = 5
	InvocationCounter    ServiceError = 6
)

var serviceErrorNames = [...]string{
	1: "operation not possible", 2: "service not supported", 3: "other reason",
	4: "PDU too long", 5: "deciphering error", 6: "invocation counter error",
}

// String names the service error.
func (s ServiceError) String() string {
	if s >= 1 && int(s) < len(serviceErrorNames) {
		return serviceErrorNames[s]
	}
	return fmt.Sprintf("service error %d", uint8(s))
}

// ExceptionResponse refuses a whole request. It travels unprotected even in a
// ciphered association, so it proves nothing about its sender.
type ExceptionResponse struct {
	State   StateError
	Service ServiceError
	Counter uint32 // the counter expected next, when Service is InvocationCounter
}

// ParseExceptionResponse reads an exception response. An invocation counter error
// without its counter, as older meters send it, gives Counter 0.
func ParseExceptionResponse(b []byte) (ExceptionResponse, int, error) {
	r := read(b, TagExceptionResponse)
	e := ExceptionResponse{State: StateError(r.u8()), Service: ServiceError(r.u8())}
	if e.Service == InvocationCounter && r.err == nil && r.left() > 0 {
		e.Counter = r.u32()
	}
	n, err := r.end()
	if err != nil {
		return ExceptionResponse{}, 0, err
	}
	return e, n, nil
}

// Size is the number of octets Append writes.
func (e ExceptionResponse) Size() int {
	if e.Service == InvocationCounter {
		return 7
	}
	return 3
}

// Append appends the encoded response to dst.
func (e ExceptionResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(TagExceptionResponse), byte(e.State), byte(e.Service))
	if e.Service == InvocationCounter {
		return binary.BigEndian.AppendUint32(dst, e.Counter)
	}
	return dst
}

// String is the exception in words.
func (e ExceptionResponse) String() string { return e.State.String() + ", " + e.Service.String() }
