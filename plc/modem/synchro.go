package modem

import (
	"encoding/binary"
	"fmt"

	"busbar/plc"
)

// SynchroEvent is the first octet of a synchro indication (sfsk.md 7.7).
type SynchroEvent byte

// Synchro events.
const (
	SynchroFound     SynchroEvent = 0x01
	SynchroConfirmed SynchroEvent = 0x02
	SynchroLost      SynchroEvent = 0x04
)

// LossCause is why synchronization was lost (sfsk.md 2.5).
type LossCause byte

// Causes of a loss.
const (
	LostNotAddressed   LossCause = 1
	LostFrameNotOK     LossCause = 2
	LostNotConfirmed   LossCause = 3
	LostWrongInitiator LossCause = 4
	LostByCommand      LossCause = 5
	LostSearching      LossCause = 6
)

var lossNames = [...]string{
	"no cause", "time-out not addressed", "time-out frame not OK", "time-out synchro confirmation",
	"addressed by a wrong initiator", "by command", "searching an initiator",
}

// String names the cause.
func (c LossCause) String() string {
	if int(c) < len(lossNames) {
		return lossNames[c]
	}
	return fmt.Sprintf("unknown cause %02Xh", byte(c))
}

// Synchro is the data of a synchro indication. Which fields mean something depends on
// Event.
type Synchro struct {
	Event SynchroEvent

	// SynchroFound: the signal, the ASK threshold or FSK factor, the phase of the bits.
	Signal plc.Signal
	Factor uint16
	Bit    uint8

	// SynchroLost.
	Cause LossCause

	// A and B are source and destination of the confirming frame (SynchroConfirmed) or of
	// the wrong one (LostWrongInitiator); the last initiator heard and the current choice
	// (LostSearching); local and initiator address (any other loss).
	A, B plc.Address
}

// Sizes of the three kinds.
const (
	foundSize     = 14
	confirmedSize = 6
	lostSize      = 6
)

// ParseSynchro reads the data of a synchro indication.
func ParseSynchro(b []byte) (Synchro, int, error) {
	if len(b) < 1 {
		return Synchro{}, 0, short("synchro indication", 0, 1)
	}
	s := Synchro{Event: SynchroEvent(b[0])}
	size := s.Size()
	if size == 0 {
		return Synchro{}, 0, fmt.Errorf("synchro indication: unknown event %02Xh", b[0])
	}
	if len(b) < size {
		return Synchro{}, 0, short("synchro indication", len(b), size)
	}
	if s.Event == SynchroFound {
		s.Signal = parseSignal(b[2:])
		s.Factor = binary.LittleEndian.Uint16(b[10:])
		s.Signal.Method, s.Signal.Gain, s.Bit = b[12], b[13]&7, b[13]>>4&7
		return s, size, nil
	}
	if s.Event == SynchroLost {
		s.Cause = LossCause(b[1])
	}
	s.A, s.B = plc.Address(binary.LittleEndian.Uint16(b[2:])), plc.Address(binary.LittleEndian.Uint16(b[4:]))
	return s, size, nil
}

// Size is the number of octets Append writes.
func (s Synchro) Size() int {
	switch s.Event {
	case SynchroFound:
		return foundSize
	case SynchroConfirmed:
		return confirmedSize
	case SynchroLost:
		return lostSize
	}
	return 0
}

// Append appends the encoded indication to dst; nothing when Event is unknown.
func (s Synchro) Append(dst []byte) []byte {
	switch s.Event {
	case SynchroFound:
		dst = appendSignal(append(dst, byte(s.Event), 0), s.Signal)
		dst = binary.LittleEndian.AppendUint16(dst, s.Factor)
		return append(dst, s.Signal.Method, s.Bit&7<<4|s.Signal.Gain&7)
	case SynchroConfirmed, SynchroLost:
		dst = append(dst, byte(s.Event), byte(s.Cause))
		return Pair{uint16(s.A), uint16(s.B)}.Append(dst)
	}
	return dst
}

// String says what happened.
func (s Synchro) String() string {
	switch s.Event {
	case SynchroFound:
		return fmt.Sprintf("synchronization found, bit %d", s.Bit)
	case SynchroConfirmed:
		return fmt.Sprintf("synchronization confirmed by a frame from %v to %v", s.A, s.B)
	case SynchroLost:
		return fmt.Sprintf("synchronization lost: %v", s.Cause)
	}
	return "unknown synchro event"
}
