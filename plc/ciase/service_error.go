package ciase

import "fmt"

// ServiceError is a ConfirmedServiceError that answers a CIASE request. The numbers
// of CIASE services in it are not public, so they are kept as they came.
type ServiceError struct{ Service, Class, Code uint8 }

func parseServiceError(r *reader) APDU {
	return ServiceError{Service: r.u8(), Class: r.u8(), Code: r.u8()}
}

// String is the three numbers in words.
func (e ServiceError) String() string {
	return fmt.Sprintf("service error: service %d, class %d, code %d", e.Service, e.Class, e.Code)
}

// Tag is TagServiceError.
func (ServiceError) Tag() Tag { return TagServiceError }

// Size is the number of octets Append writes.
func (ServiceError) Size() int { return 4 }

// Append appends the encoded APDU to dst.
func (e ServiceError) Append(dst []byte) []byte {
	return append(dst, byte(TagServiceError), e.Service, e.Class, e.Code)
}
