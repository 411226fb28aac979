package object

import (
	"fmt"

	"busbar/plc/cosem"
)

// Event is one entry of an event log, a profile that captures when something happens.
type Event struct {
	HasTime bool
	Time    cosem.DateTime // meaningful when HasTime
	Code    uint32
}

// ScanEvents walks over the buffer of an event log with the given columns, of which
// clock and code say what stands where, and calls event for every entry. It returns the
// octets the buffer took.
func ScanEvents(buffer []byte, columns, clock, code int, event func(Event) error) (int, error) {
	if code < 0 || code >= columns {
		return 0, fmt.Errorf("event code in column %d of %d", code+1, columns)
	}
	entry := 0
	return cosem.ScanProfile(buffer, columns, clock, 0, func(r cosem.Row) error {
		entry++
		n, ok := r.Cells[code].Integer()
		if !ok || n < 0 || n > 1<<32-1 {
			return fmt.Errorf("entry %d: %v is no event code", entry, r.Cells[code])
		}
		return event(Event{HasTime: r.HasTime, Time: r.Time, Code: uint32(n)})
	})
}

// EventColumns finds clock and event code among the columns of an event log: the first
// clock, and the first attribute 2 of an object 0-b:96.11.e. It is false when either is
// missing.
func EventColumns(columns []cosem.CaptureObject) (clock, code int, ok bool) {
	clock, code = -1, -1
	for i, c := range columns {
		switch {
		case clock < 0 && c.Class == cosem.ClassClock && c.Attribute == 2:
			clock = i
		case code < 0 && c.Attribute == 2 && c.Object[0] == 0 && c.Object[2] == 96 && c.Object[3] == 11:
			code = i
		}
	}
	return clock, code, clock >= 0 && code >= 0
}

// EventLogName names the event logs 0-b:99.98.e as the interoperable meters have them.
func EventLogName(log cosem.OBIS) (string, bool) {
	names := [...]string{
		"standard event log", "fraud detection log", "disconnector control log", "M-Bus event log",
		"power quality log", "communication log",
	}
	if log[0] != 0 || log[2] != 99 || log[3] != 98 || int(log[4]) >= len(names) {
		return "", false
	}
	return names[log[4]], true
}

// EventName names the event codes that interoperable meters share, where the code alone
// says what happened.
func EventName(code uint32) (string, bool) {
	name, ok := eventNames[code]
	return name, ok
}

var eventNames = map[uint32]string{
	1: "power down", 2: "power up", 3: "daylight saving time enabled or disabled", 4: "clock adjusted (old time)",
	5: "clock adjusted (new time)", 6: "clock invalid", 7: "replace battery", 8: "battery voltage low",
	9: "tariff calendar activated", 10: "error register cleared", 11: "alarm register cleared",
	12: "program memory error", 13: "RAM error", 14: "non-volatile memory error", 15: "watchdog error",
	16: "measurement system error", 17: "firmware ready for activation", 18: "firmware activated",
	40: "terminal cover removed", 41: "terminal cover closed", 42: "strong DC field detected", 43: "no strong DC field any more",
	44: "meter cover removed", 45: "meter cover closed", 46: "association authentication failure",
	59: "disconnector ready for manual reconnection", 60: "manual disconnection", 61: "manual connection",
	62: "remote disconnection", 63: "remote connection", 64: "local disconnection",
	65: "limiter threshold exceeded", 66: "limiter threshold ok", 67: "limiter threshold changed",
	68: "disconnect or reconnect failure", 69: "local reconnection", 255: "event log cleared",
}
