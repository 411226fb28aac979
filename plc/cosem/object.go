package cosem

import (
	"fmt"
	"strconv"
	"strings"
)

// OBIS is a logical name: six value groups A to F (IEC 62056-6-1).
type OBIS [6]byte

// ParseOBIS reads "A-B:C.D.E.F", "A-B:C.D.E" (F is 255) or "A.B.C.D.E.F".
func ParseOBIS(s string) (OBIS, error) {
	var o OBIS
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' || r == ':' || r == '*' })
	if len(parts) == 5 {
		parts = append(parts, "255")
	}
	if len(parts) != 6 {
		return o, fmt.Errorf("OBIS %q: want six numbers, for example 1.0.1.8.0.255 or 1-0:1.8.0", s)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return OBIS{}, fmt.Errorf("OBIS %q: %q is not a number from 0 to 255", s, p)
		}
		o[i] = byte(n)
	}
	return o, nil
}

// MustOBIS is ParseOBIS for constants and tests; it panics on error.
func MustOBIS(s string) OBIS {
	o, err := ParseOBIS(s)
	if err != nil {
		panic(err)
	}
	return o
}

// String is the dotted form "1.0.1.8.0.255".
func (o OBIS) String() string {
	return fmt.Sprintf("%d.%d.%d.%d.%d.%d", o[0], o[1], o[2], o[3], o[4], o[5])
}

// IsZero reports whether every group is 0, which no object of ours has.
func (o OBIS) IsZero() bool { return o == OBIS{} }

// MarshalText implements encoding.TextMarshaler.
func (o OBIS) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *OBIS) UnmarshalText(b []byte) error {
	v, err := ParseOBIS(string(b))
	if err == nil {
		*o = v
	}
	return err
}

// Class is the identifier of an interface class (Blue Book 4).
type Class uint16

// Interface classes that a concentrator meets; plc/cosem/class has their attributes.
const (
	ClassData               Class = 1
	ClassRegister           Class = 3
	ClassExtendedRegister   Class = 4
	ClassDemandRegister     Class = 5
	ClassRegisterActivation Class = 6
	ClassProfileGeneric     Class = 7
	ClassClock              Class = 8
	ClassScriptTable        Class = 9
	ClassSchedule           Class = 10
	ClassSpecialDays        Class = 11
	ClassAssociationSN      Class = 12
	ClassAssociationLN      Class = 15
	ClassSAPAssignment      Class = 17
	ClassImageTransfer      Class = 18
	ClassActivityCalendar   Class = 20
	ClassRegisterMonitor    Class = 21
	ClassActionSchedule     Class = 22
	ClassPushSetup          Class = 40
	ClassSFSKPhyMAC         Class = 50
	ClassSFSKInitiator      Class = 51
	ClassSFSKTimeouts       Class = 52
	ClassSFSKCounters       Class = 53
	ClassLLC432             Class = 55
	ClassSFSKReporting      Class = 56
	ClassSecuritySetup      Class = 64
	ClassDisconnect         Class = 70
	ClassLimiter            Class = 71
	ClassMBusClient         Class = 72
)

// Ref names one attribute, or one method, of one object, with an optional selection.
type Ref struct {
	Class     Class
	Object    OBIS
	Attribute int8
	Select    *Selection // nil: the whole attribute
}

// String is "class/OBIS/attribute".
func (r Ref) String() string { return fmt.Sprintf("%d/%v/%d", r.Class, r.Object, r.Attribute) }

// Selection is a selective-access descriptor: Selector and its encoded parameters
// (A-XDR). Build it with ByRange or ByEntry.
type Selection struct {
	Selector   byte
	Parameters []byte
}

// AccessResult is a data-access-result (Green Book 9.5). Success is 0.
type AccessResult uint8

// Data-access-result values.
const (
	Success                 AccessResult = 0
	HardwareFault           AccessResult = 1
	TemporaryFailure        AccessResult = 2
	ReadWriteDenied         AccessResult = 3
	ObjectUndefined         AccessResult = 4
	ObjectClassInconsistent AccessResult = 9
	ObjectUnavailable       AccessResult = 11
	TypeUnmatched           AccessResult = 12
	ScopeViolated           AccessResult = 13
	DataBlockUnavailable    AccessResult = 14
	LongGetAborted          AccessResult = 15
	NoLongGet               AccessResult = 16
	LongSetAborted          AccessResult = 17
	NoLongSet               AccessResult = 18
	BlockNumberInvalid      AccessResult = 19
	OtherReason             AccessResult = 250
)

// String names the result.
func (r AccessResult) String() string {
	switch r {
	case Success:
		return "success"
	case HardwareFault:
		return "hardware fault"
	case TemporaryFailure:
		return "temporary failure"
	case ReadWriteDenied:
		return "read-write denied"
	case ObjectUndefined:
		return "object undefined"
	case ObjectClassInconsistent:
		return "object class inconsistent"
	case ObjectUnavailable:
		return "object unavailable"
	case TypeUnmatched:
		return "type unmatched"
	case ScopeViolated:
		return "scope of access violated"
	case DataBlockUnavailable:
		return "data block unavailable"
	case LongGetAborted:
		return "long get aborted"
	case NoLongGet:
		return "no long get in progress"
	case LongSetAborted:
		return "long set aborted"
	case NoLongSet:
		return "no long set in progress"
	case BlockNumberInvalid:
		return "data block number invalid"
	case OtherReason:
		return "other reason"
	}
	return fmt.Sprintf("data access result %d", uint8(r))
}

// Result is the answer to one Ref: encoded A-XDR data when Access is Success.
// Data stays encoded so that profile buffers can be streamed; ParseValue decodes it.
type Result struct {
	Access AccessResult
	Data   []byte
}
