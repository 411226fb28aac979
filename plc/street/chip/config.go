package chip

import (
	"time"

	"busbar/plc"
	"busbar/plc/modem"
)

// Config chooses among what the sources dispute. The zero value is the chip of the
// data sheet with addresses in air order and a configuration of 36 octets.
type Config struct {
	AddressOrder plc.ByteOrder // of the 24 address bits in host frames (D3)
	ShortConfig  bool          // the configuration has 35 octets (D1); either length is accepted
	StrictConfig bool          // only the chip's own length is accepted
	Padding      bool          // indications carry the pad octets (D2)
	StrictPoll   bool          // frames without T_REQ and status before are ignored
	AltStatus    bool          // status messages begin with 7Fh (D16)
	Firmware     uint8         // version, told when not set and by ident 0013
	Timers       Timers        // zero fields take those of the data sheet, on a line faster than life FastTimers
}

// Timers are the chip's times (sfsk.md 7.2).
type Timers struct {
	Answer time.Duration // tSR: status to the host's STX
	ACK    time.Duration // tACK: end of a frame to the host's ACK; none counts as one
	Turn   time.Duration // tWBC: end of a reception to the next transmission
	Gap    time.Duration // tIC: longest gap between two octets of a frame
}

// DataSheetTimers are those of the data sheet.
func DataSheetTimers() Timers {
	return Timers{
		Answer: 200 * time.Millisecond, ACK: 40 * time.Millisecond,
		Turn: 5 * time.Millisecond, Gap: 10 * time.Millisecond,
	}
}

// FastTimers suit a host behind a pseudo-terminal on a busy machine whose slots are shorter
// than in life by the factor speed: pauses shrink with the slots, patience grows.
func FastTimers(speed float64) Timers {
	t := DataSheetTimers()
	t.Turn = time.Duration(float64(t.Turn) / max(1, speed))
	t.Gap = 250 * time.Millisecond
	return t
}

func (t Timers) or(def Timers) Timers {
	for _, f := range [...]struct{ have, def *time.Duration }{
		{&t.Answer, &def.Answer}, {&t.ACK, &def.ACK}, {&t.Turn, &def.Turn}, {&t.Gap, &def.Gap},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	return t
}

// resetConfiguration is what ReadConfig tells after reset. Its last octets and the
// zero-crossing adjustment are a board's own: a host has to leave them as they are.
func resetConfiguration(short bool) modem.Configuration {
	return modem.Configuration{
		FIMA: 0xC00, LIMA: 0xDFF, Local: plc.New,
		StepS: modem.Step(63300), StepM: modem.Step(74000),
		ZeroCross: 0x1C, Search: modem.AutomaticSearch, Tail: [3]byte{0x80, 0x1E, 0x00}, Short: short,
	}
}

// Faults are switched on from outside. Numbers count down with each use.
type Faults struct {
	NAK         int    // so many good frames of the host are answered with NAK
	LoseACK     int    // so many good frames of the host are obeyed but not acknowledged
	LateStatus  int    // so many status messages come lateStatus after T_REQ
	BadChecksum int    // so many frames to the host have a wrong checksum, their repetitions not
	ShortLength int    // so many frames to the host have a length octet one too small
	Junk        []byte // sent once, right before the next frame to the host
	NotSync     bool
	Silent      bool // dead: nothing in, nothing out
}

// lateStatus is longer than any host waits for a status.
const lateStatus = 400 * time.Millisecond

// used counts n down and reports whether it was on.
func used(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

// Counters tell what happened between chip and host.
type Counters struct {
	Frames     uint64 // good frames from the host
	Unpolled   uint64 // of these, without T_REQ and status before
	Ignored    uint64 // of these, ignored for that
	Polls      uint64 // status messages sent
	BadFrames  uint64 // frames from the host with a wrong checksum
	Broken     uint64 // frames from the host that stopped in the middle
	Garbage    uint64 // octets from the host that are no beginning of anything
	Sent       uint64 // frames to the host
	Repeated   uint64 // of these, again after NAK
	GivenUp    uint64 // frames to the host dropped after the second NAK
	NoACK      uint64 // frames to the host without ACK or NAK, which count as acknowledged
	Overflow   uint64 // frames to the host dropped because too many waited
	Refused    uint64 // requests answered with an error or a negative confirm
	Resets     uint64
	PowerFails uint64
}
