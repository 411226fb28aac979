package modem

import (
	"fmt"

	"busbar/plc"
)

// StatusSize is the number of octets of a status message with its mark.
const StatusSize = 4

// Status is the three data octets of a status message, which the modem sends when
// the host pulls T_REQ (sfsk.md 7.3). What the octets mean depends on the mode.
type Status [3]byte

// Bits of the first octet.
const (
	statusBusy      = 1 << 0
	statusNotSet    = 1 << 1
	statusNotSync   = 1 << 2
	statusNew       = 1 << 3
	statusNotLocked = 1 << 4
)

// ParseStatus reads a status message that begins at b[0], with either mark (D16).
func ParseStatus(b []byte) (Status, int, error) {
	if len(b) > 0 && b[0] != StatusMark && b[0] != StatusMarkAlt {
		return Status{}, 1, fmt.Errorf("status message starts with %02Xh: %w", b[0], ErrNotFrame)
	}
	if len(b) < StatusSize {
		return Status{}, 0, short("status message", len(b), StatusSize)
	}
	return Status(b[1:StatusSize]), StatusSize, nil
}

// Size is the number of octets Append writes.
func (s Status) Size() int { return StatusSize }

// Append appends the status message to dst, mark included.
func (s Status) Append(dst []byte) []byte { return append(dst, StatusMark, s[0], s[1], s[2]) }

// Busy reports BufferBUSY: no request is taken now, try at the next slot.
func (s Status) Busy() bool { return s[0]&statusBusy != 0 }

// NotSet reports that the modem has no configuration, as after power-on or reset.
func (s Status) NotSet() bool { return s[0]&statusNotSet != 0 }

// NotSync reports that the modem is not synchronized; of an initiator's modem, that it sees no mains.
func (s Status) NotSync() bool { return s[0]&statusNotSync != 0 }

// New reports, of a server's modem, that it has no address.
func (s Status) New() bool { return s[0]&statusNew != 0 }

// NotLocked reports, of a server's modem, that it is not locked on an initiator.
func (s Status) NotLocked() bool { return s[0]&statusNotLocked != 0 }

// SlotNumber is TS_Nb, the slot counter, 0 to 7.
func (s Status) SlotNumber() uint8 { return s[1] >> 5 }

// AlarmEnabled reports ALARM_EN.
func (s Status) AlarmEnabled() bool { return s[1]&2 != 0 }

// PLLLock reports that the chip's clock follows the mains.
func (s Status) PLLLock() bool { return s[1]&1 != 0 }

// Phase is DEP, the phase relative to the initiator; of a server's or monitor's modem.
func (s Status) Phase() plc.Phase { return plc.Phase(s[2] >> 5) }

// MinDeltaCredit is MDC; of a server's modem.
func (s Status) MinDeltaCredit() plc.Credit { return plc.Credit(s[2] >> 2 & 7) }

// Repeater is REP; of a server's modem.
func (s Status) Repeater() uint8 { return s[2] & 3 }

// InvalidFrames is the counter of invalid frames; of an initiator's modem.
func (s Status) InvalidFrames() uint8 { return s[2] }

// Firmware is the firmware version; of a modem that is not set.
func (s Status) Firmware() uint8 { return s[2] }

// NotSetStatus is the status of a modem after reset.
func NotSetStatus(firmware uint8) Status { return Status{statusNotSet, 0, firmware} }

// InitiatorStatus is the status of a configured initiator's modem.
func InitiatorStatus(busy, notSync bool, slotNumber, invalidFrames uint8) Status {
	s := Status{0, slotNumber << 5, invalidFrames}
	if busy {
		s[0] |= statusBusy
	}
	if notSync {
		s[0] |= statusNotSync
	} else {
		s[1] |= 1
	}
	return s
}

// String lists what stops a request, or says ready.
func (s Status) String() string {
	switch {
	case s.NotSet():
		return fmt.Sprintf("not set, firmware %02Xh", s.Firmware())
	case s.NotSync() && s.Busy():
		return "not synchronized, busy"
	case s.NotSync():
		return "not synchronized"
	case s.Busy():
		return "busy"
	}
	return "ready"
}
