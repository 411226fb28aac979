package cellular

import (
	"fmt"
	"strconv"
)

// PINState is what AT+CPIN? says.
type PINState string

// States of the SIM that we act on; every other one stops us.
const (
	PINReady    PINState = "READY"
	PINRequired PINState = "SIM PIN"
	PUKRequired PINState = "SIM PUK"
)

// ParsePINState reads "+CPIN: READY" (TS 27.007 clause 8.3).
func ParsePINState(line string) (PINState, error) {
	f, ok := fields(line, "+CPIN:")
	if !ok || f[0] == "" {
		return "", fmt.Errorf("SIM state %q cannot be read", line)
	}
	return PINState(f[0]), nil
}

// ParsePINTries reads the remaining tries of the SIM PIN from "+CPINR: SIM PIN,3,3"
// (TS 27.007 clause 8.65).
func ParsePINTries(line string) (int, error) {
	f, ok := fields(line, "+CPINR:")
	if !ok || len(f) < 2 || f[0] != "SIM PIN" {
		return 0, fmt.Errorf("remaining PIN tries %q cannot be read", line)
	}
	return strconv.Atoi(f[1])
}

// Registration is the network's word on us (TS 27.007 clauses 7.2, 10.1.20, 10.1.22).
type Registration uint8

// Registration states.
const (
	NotSearching Registration = iota
	Home
	Searching
	Denied
	UnknownRegistration
	Roaming
)

// Registered reports whether data can be asked for.
func (r Registration) Registered() bool { return r == Home || r == Roaming }

var registrationNames = [...]string{"not searching", "registered at home", "searching", "denied", "unknown", "registered, roaming"}

// String is the state in words.
func (r Registration) String() string {
	if int(r) < len(registrationNames) {
		return registrationNames[r]
	}
	return fmt.Sprintf("registration state %d", uint8(r))
}

// ParseRegistration reads "+CREG: 0,1", "+CGREG: 2,5,…" or "+CEREG: 0,1".
func ParseRegistration(line string) (Registration, error) {
	for _, prefix := range []string{"+CREG:", "+CGREG:", "+CEREG:"} {
		f, ok := fields(line, prefix)
		if !ok {
			continue
		}
		if len(f) < 2 {
			break
		}
		n, err := strconv.ParseUint(f[1], 10, 8)
		if err != nil {
			break
		}
		return Registration(n), nil
	}
	return 0, fmt.Errorf("registration %q cannot be read", line)
}

// Operator is what AT+COPS? says: a printable name and the access technology.
type Operator struct {
	Name       string
	Technology string // "GSM", "UMTS", "LTE", …; empty when not told
}

var technologies = map[string]string{
	"0": "GSM", "1": "GSM", "2": "UMTS", "3": "EDGE", "4": "HSDPA", "5": "HSUPA", "6": "HSPA", "7": "LTE",
	"8": "EC-GSM-IoT", "9": "NB-IoT", "10": "LTE-5GCN", "11": "NR", "12": "NG-RAN", "13": "E-UTRA-NR",
}

// ParseOperator reads `+COPS: 0,0,"Name",7` (TS 27.007 clause 7.3).
func ParseOperator(line string) (Operator, error) {
	f, ok := fields(line, "+COPS:")
	if !ok {
		return Operator{}, fmt.Errorf("operator %q cannot be read", line)
	}
	var o Operator
	if len(f) >= 3 {
		o.Name = f[2]
	}
	if len(f) >= 4 {
		o.Technology = technologies[f[3]]
	}
	return o, nil
}

// ParseSignal reads "+CSQ: 17,99" as received signal strength in dBm, and false
// when the modem does not know (TS 27.007 clause 8.5).
func ParseSignal(line string) (dBm int, known bool, err error) {
	f, ok := fields(line, "+CSQ:")
	if !ok {
		return 0, false, fmt.Errorf("signal %q cannot be read", line)
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n < 0 || n > 31 && n != 99 {
		return 0, false, fmt.Errorf("signal %q: want 0 to 31, or 99", line)
	}
	if n == 99 {
		return 0, false, nil
	}
	return -113 + 2*n, true, nil
}
