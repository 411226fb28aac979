package ciase

import "fmt"

// Tag is the first octet of an APDU.
type Tag byte

// The tags (sfsk.md 4.3).
const (
	TagServiceError   Tag = 0x0E // also a tag of DLMS: told apart by the request that waits
	TagPingRequest    Tag = 0x19
	TagPingResponse   Tag = 0x1A
	TagRegister       Tag = 0x1C
	TagDiscover       Tag = 0x1D
	TagDiscoverReport Tag = 0x1E
	TagRepeaterCall   Tag = 0x1F
	TagClearAlarm     Tag = 0x39
)

var tagNames = map[Tag]string{
	TagServiceError: "ServiceError", TagPingRequest: "PingRequest", TagPingResponse: "PingResponse",
	TagRegister: "Register", TagDiscover: "Discover", TagDiscoverReport: "DiscoverReport",
	TagRepeaterCall: "RepeaterCall", TagClearAlarm: "ClearAlarm",
}

// String is the name of the APDU.
func (t Tag) String() string {
	if name, ok := tagNames[t]; ok {
		return name
	}
	return fmt.Sprintf("CIASE APDU %02Xh", byte(t))
}

// APDU is one of PingRequest, PingResponse, Register, Discover, DiscoverReport,
// RepeaterCall, ClearAlarm and ServiceError.
type APDU interface {
	Tag() Tag
	Size() int
	Append(dst []byte) []byte
}

// IsAPDU reports whether an APDU with this first octet is one of CIASE, whatever its
// access points. A ServiceError is not recognized that way: DLMS has the same tag.
func IsAPDU(first byte) bool {
	t := Tag(first)
	return t != TagServiceError && tagNames[t] != ""
}

// parsers are the readers of the APDUs with system titles of a known size.
var parsers = map[Tag]func(r *reader) APDU{
	TagServiceError:   parseServiceError,
	TagPingRequest:    parsePingRequest,
	TagPingResponse:   parsePingResponse,
	TagRegister:       parseRegister,
	TagDiscover:       parseDiscover,
	TagDiscoverReport: parseDiscoverReport,
	TagRepeaterCall:   parseRepeaterCall,
	TagClearAlarm:     parseClearAlarm,
}

// Parse reads the APDU that b starts with. All system titles of a segment have the
// same size, which nothing in an APDU tells: titleSize 0 takes the size with which the
// APDU fills b, the usual ones first.
func Parse(b []byte, titleSize int) (APDU, int, error) {
	if len(b) == 0 {
		return nil, 0, &Error{APDU: "CIASE APDU", What: "no octets"}
	}
	parse := parsers[Tag(b[0])]
	if parse == nil {
		return nil, 0, &Error{APDU: "CIASE APDU", What: fmt.Sprintf("tag %02Xh is not one of CIASE", b[0])}
	}
	if titleSize != 0 {
		return parseSized(b, titleSize, parse)
	}
	return detect(b, parse)
}

func parseSized(b []byte, titleSize int, parse func(*reader) APDU) (APDU, int, error) {
	r := newReader(b, titleSize)
	a := parse(r)
	if r.err != nil {
		return nil, 0, r.err
	}
	return a, r.off, nil
}

// titleSizes are tried in this order. The first three are those of the standard's
// profiles: COSEM, the 4-32 LLC of early meters, and IEC 61334-4-511's example.
var titleSizes = [...]int{8, 6, 10, 7, 9, 5, 4, 3, 2, 1}

// detect finds the title size with which the APDU fills b.
func detect(b []byte, parse func(*reader) APDU) (APDU, int, error) {
	var first error
	for _, size := range titleSizes {
		a, n, err := parseSized(b, size, parse)
		if err == nil && n == len(b) {
			return a, n, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = &Error{APDU: Tag(b[0]).String(), Offset: len(b), What: "no size of system titles fits its length"}
	}
	return nil, 0, first
}
