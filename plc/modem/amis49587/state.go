package amis49587

import (
	"fmt"
	"time"
)

// Phase is what the driver is about.
type Phase uint8

// Phases.
const (
	Closed      Phase = iota // no port: not opened yet, lost, or waiting to open it again
	Configuring              // port open, modem being reset and configured
	NoMains                  // configured, but the modem sees no mains
	Ready                    // frames can be sent
)

var phaseNames = [...]string{"closed", "configuring", "no mains", "ready"}

// String names the phase.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// State is the driver at one moment, for the status page.
type State struct {
	Port   string
	Phase  Phase
	Since  time.Time
	Detail string // what is wrong or, of a ready modem, doubtful, where, and what to do; empty when all is well

	Firmware      uint8 // software version of the chip (ident 0013), 0 when not known
	Configuration int   // octets of the chip's configuration (D1), 0 when not known
	Polled        bool  // the modem answers T_REQ; false: frames go without it
	Counters      Counters
}

// Ready reports whether frames can be sent.
func (s State) Ready() bool { return s.Phase == Ready }

// Counters count since the driver was made. Those of rubbish are no errors: a line
// has some.
type Counters struct {
	FramesIn, FramesOut uint64 // good frames from the modem; frames it acknowledged
	Indications         uint64 // MAC frames received
	Dropped             uint64 // of these, dropped because nobody read them in time
	Undecodable         uint64 // frames whose data made no sense
	BadCRC              uint64 // MAC frames the modem itself received with a wrong check
	WrongOrder          uint64 // indications that would be for us with the other order of address octets (D3)

	BadChecksum uint64 // frames from the modem answered with NAK
	Garbage     uint64 // octets between frames that are no part of the dialog
	Broken      uint64 // frames that stopped in the middle
	Interrupted uint64 // polls given up because a frame of the modem came first

	NoStatus   uint64 // polls without status in time
	LateStatus uint64 // statuses that came too late to be used
	NoACK      uint64 // frames the modem did not answer
	Refused    uint64 // frames the modem answered with NAK
	Unpolled   uint64 // frames sent without poll because nobody answers one
	Busy       uint64 // polls answered "busy"
	Retries    uint64 // requests given again at a later slot
	NoConfirm  uint64 // requests whose confirm did not come
	Unexpected uint64 // confirms nobody waited for

	Restarts uint64 // the modem lost its configuration by itself
	Lost     uint64 // lives of the port that ended
}
