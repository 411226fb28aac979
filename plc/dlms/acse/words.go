package acse

import "fmt"

// Context is the application context: how objects are named and whether APDUs are
// ciphered. It is the last arc of the name 2.16.756.5.8.1.x.
type Context uint8

// Application contexts.
const (
	OtherContext        Context = 0 // a name that is not COSEM's
	LogicalNames        Context = 1
	ShortNames          Context = 2
	LogicalNamesCipher  Context = 3
	ShortNamesCiphering Context = 4
)

// String names the context.
func (c Context) String() string {
	switch c {
	case LogicalNames:
		return "logical names"
	case ShortNames:
		return "short names"
	case LogicalNamesCipher:
		return "logical names with ciphering"
	case ShortNamesCiphering:
		return "short names with ciphering"
	}
	return fmt.Sprintf("unknown application context %d", uint8(c))
}

// Mechanism is the authentication mechanism, the last arc of the name
// 2.16.756.5.8.2.x.
type Mechanism uint8

// Authentication mechanisms.
const (
	NoSecurity   Mechanism = 0
	LowLevel     Mechanism = 1
	HighLevel    Mechanism = 2 // by agreement of client and meter
	HighMD5      Mechanism = 3
	HighSHA1     Mechanism = 4
	HighGMAC     Mechanism = 5
	HighSHA256   Mechanism = 6
	HighECDSA    Mechanism = 7
	maxMechanism           = HighECDSA
)

var mechanismNames = [...]string{
	"no security", "LLS", "HLS", "HLS-MD5", "HLS-SHA1", "HLS-GMAC", "HLS-SHA256", "HLS-ECDSA",
}

// String names the mechanism.
func (m Mechanism) String() string {
	if m <= maxMechanism {
		return mechanismNames[m]
	}
	return fmt.Sprintf("unknown mechanism %d", uint8(m))
}

// Association result of an AARE.
const (
	Accepted          Result = 0
	RejectedPermanent Result = 1
	RejectedTransient Result = 2
)

// Result is the association result of an AARE.
type Result uint8

// String names the result.
func (r Result) String() string {
	switch r {
	case Accepted:
		return "accepted"
	case RejectedPermanent:
		return "rejected for good"
	case RejectedTransient:
		return "rejected for now"
	}
	return fmt.Sprintf("result %d", uint8(r))
}

// Diagnostic is the reason in an AARE, as the service user (the meter's
// application) or, with Provider set, the service provider gives it.
type Diagnostic struct {
	Provider bool
	Code     uint8
}

// Diagnostics of the service user.
var (
	NoDiagnostic            = Diagnostic{Code: 0}
	NoReason                = Diagnostic{Code: 1}
	ContextNotSupported     = Diagnostic{Code: 2}
	CallingTitleUnknown     = Diagnostic{Code: 3}
	MechanismNotRecognized  = Diagnostic{Code: 11}
	MechanismRequired       = Diagnostic{Code: 12}
	AuthenticationFailure   = Diagnostic{Code: 13}
	AuthenticationRequired  = Diagnostic{Code: 14}
	NoCommonProviderVersion = Diagnostic{Provider: true, Code: 2}
)

var userDiagnostics = map[uint8]string{
	0: "no diagnostic", 1: "no reason given", 2: "application context name not supported",
	3: "calling AP title not recognized", 4: "calling AP invocation identifier not recognized",
	5: "calling AE qualifier not recognized", 6: "calling AE invocation identifier not recognized",
	7: "called AP title not recognized", 8: "called AP invocation identifier not recognized",
	9: "called AE qualifier not recognized", 10: "called AE invocation identifier not recognized",
	11: "authentication mechanism name not recognized", 12: "authentication mechanism name required",
	13: "authentication failure", 14: "authentication required",
}

var providerDiagnostics = map[uint8]string{0: "no diagnostic", 1: "no reason given", 2: "no common ACSE version"}

// String is the diagnostic in words.
func (d Diagnostic) String() string {
	names := userDiagnostics
	if d.Provider {
		names = providerDiagnostics
	}
	if s, ok := names[d.Code]; ok {
		return s
	}
	return fmt.Sprintf("diagnostic %d", d.Code)
}

// Names of COSEM: joint-iso-ccitt(2) country(16) 756 identified-organization(5)
// DLMS-UA(8), then 1 for contexts and 2 for mechanisms, then the value.
const (
	contextName   = "\x60\x85\x74\x05\x08\x01"
	mechanismName = "\x60\x85\x74\x05\x08\x02"
	nameSize      = len(contextName) + 1
)

func lastArc(name []byte, prefix string) (uint8, bool) {
	if len(name) != len(prefix)+1 || string(name[:len(prefix)]) != prefix {
		return 0, false
	}
	return name[len(prefix)], true
}
