package modem

import (
	"encoding/binary"
	"fmt"

	"busbar/plc"
)

// Ident names an entry of the modem's database (sfsk.md 7.5).
type Ident uint16

// Idents of AMIS-49587. The comment tells the value, least significant octet first.
const (
	IdentInitiators       Ident = 0x0000 // FIMA, LIMA: 2+2 octets
	IdentAddresses        Ident = 0x0001 // local and initiator address: 2+2
	IdentSynchroConfirm   Ident = 0x0002 // s: 2
	IdentFrameNotOK       Ident = 0x0003 // s: 2
	IdentNotAddressed     Ident = 0x0004 // min: 2
	IdentGroups           Ident = 0x0005 // 5 addresses: 10
	IdentInvalidFrames    Ident = 0x0006 // 1; reading clears
	IdentMinDeltaCredit   Ident = 0x0007 // 1; reading sets it to 7
	IdentTransmitGain     Ident = 0x0008 // 1; odd N: attenuation (N-1)/2 steps of 3 dB (D18)
	IdentSynchro          Ident = 0x0009 // 1; 0 automatic, 2N+1 fixed bit N
	IdentReceiveGain      Ident = 0x000A // 1; 0 unlimited, odd N: (N-1)/2 steps of 6 dB
	IdentRepeater         Ident = 0x000B // 1; 0 repeater, 1 not (D17)
	IdentTones            Ident = 0x000C // steps of space and mark: 2+2
	IdentCounters         Ident = 0x000D // request: reset flag 1; confirm: Counters 24
	IdentAlarm            Ident = 0x000F // confirm: number of transmissions
	IdentStatistics       Ident = 0x0010 // Statistics 30, or 36 when not synchronized
	IdentSearchInitiator  Ident = 0x0011 // s: 2
	IdentConfiguration    Ident = 0x0012 // ReadConfig: Configuration
	IdentVersion          Ident = 0x0013 // software version: 1
	IdentMinReceiveGain   Ident = 0x0014 // 1
	IdentSearchSignalGain Ident = 0x0015 // 1
)

var identNames = map[Ident]string{
	IdentInitiators: "initiator addresses", IdentAddresses: "local and initiator address",
	IdentSynchroConfirm: "time-out synchro confirm", IdentFrameNotOK: "time-out frame not OK", IdentNotAddressed: "time-out not addressed",
	IdentGroups: "group addresses", IdentInvalidFrames: "invalid frame counter", IdentMinDeltaCredit: "minimum delta credit",
	IdentTransmitGain: "maximum transmitting gain", IdentSynchro: "synchro", IdentReceiveGain: "maximum receiving gain",
	IdentRepeater: "repeater", IdentTones: "tones", IdentCounters: "counters", IdentAlarm: "alarm", IdentStatistics: "statistics",
	IdentSearchInitiator: "time-out search initiator", IdentConfiguration: "configuration", IdentVersion: "software version",
	IdentMinReceiveGain: "minimum receiving gain", IdentSearchSignalGain: "search initiator gain",
}

// String names the entry.
func (i Ident) String() string {
	if s, ok := identNames[i]; ok {
		return s
	}
	return fmt.Sprintf("unknown ident %04Xh", uint16(i))
}

// Access is the data of AccessDBRequest (with a value: write, without: read) and of
// AccessDBConfirm.
type Access struct {
	Ident Ident
	Value []byte
}

// ParseAccess reads the data of a whole frame. Value shares memory with b.
func ParseAccess(b []byte) (Access, int, error) {
	if len(b) < 2 {
		return Access{}, 0, short("database ident", len(b), 2)
	}
	return Access{Ident: Ident(binary.LittleEndian.Uint16(b)), Value: b[2:len(b):len(b)]}, len(b), nil
}

// Size is the number of octets Append writes.
func (a Access) Size() int { return 2 + len(a.Value) }

// Append appends the encoded access to dst.
func (a Access) Append(dst []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(a.Ident)), a.Value...)
}

// Pair is a value of two words: initiator addresses, own addresses, tones.
type Pair [2]uint16

// ParsePair reads a pair.
func ParsePair(b []byte) (Pair, int, error) {
	if len(b) < 4 {
		return Pair{}, 0, short("pair of words", len(b), 4)
	}
	return Pair{binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])}, 4, nil
}

// Size is the number of octets Append writes.
func (p Pair) Size() int { return 4 }

// Append appends the encoded pair to dst.
func (p Pair) Append(dst []byte) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(dst, p[0]), p[1])
}

// Counters is the value of IdentCounters: what the modem saw since they were reset.
type Counters struct {
	CRCOK        uint32 // frames received well
	CRCNotOK     uint32 // frames received with a wrong check
	Repeated     uint32
	Transmitted  uint32
	PadCorrected uint32
	IndicatorBad uint32 // subframes with a wrong frame indicator (FI_NOK)
}

const countersSize = 24

// ParseCounters reads the counters.
func ParseCounters(b []byte) (Counters, int, error) {
	if len(b) < countersSize {
		return Counters{}, 0, short("counters", len(b), countersSize)
	}
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	return Counters{CRCOK: at(0), CRCNotOK: at(1), Repeated: at(2), Transmitted: at(3), PadCorrected: at(4), IndicatorBad: at(5)}, countersSize, nil
}

// Size is the number of octets Append writes.
func (c Counters) Size() int { return countersSize }

// Append appends the encoded counters to dst.
func (c Counters) Append(dst []byte) []byte {
	for _, v := range [...]uint32{c.CRCOK, c.CRCNotOK, c.Repeated, c.Transmitted, c.PadCorrected, c.IndicatorBad} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

// RepeaterCall is the data of RepeaterCallRequest: reception threshold in dBuV and our
// position, 0 for an initiator.
type RepeaterCall struct{ Level, Position uint16 }

// ParseRepeaterCall reads a repeater call.
func ParseRepeaterCall(b []byte) (RepeaterCall, int, error) {
	p, n, err := ParsePair(b)
	if err != nil {
		return RepeaterCall{}, 0, fmt.Errorf("repeater call: %w", err)
	}
	return RepeaterCall{Level: p[0], Position: p[1]}, n, nil
}

// Size is the number of octets Append writes.
func (r RepeaterCall) Size() int { return 4 }

// Append appends the encoded repeater call to dst.
func (r RepeaterCall) Append(dst []byte) []byte { return Pair{r.Level, r.Position}.Append(dst) }

// appendSignal and parseSignal code the ten octets S0, N0, S1, N1, and the two that
// tell how they were received differ per message.
func appendSignal(dst []byte, s plc.Signal) []byte {
	for _, v := range [...]uint16{s.S0, s.N0, s.S1, s.N1} {
		dst = binary.LittleEndian.AppendUint16(dst, v)
	}
	return dst
}

func parseSignal(b []byte) plc.Signal {
	at := func(i int) uint16 { return binary.LittleEndian.Uint16(b[2*i:]) }
	return plc.Signal{S0: at(0), N0: at(1), S1: at(2), N1: at(3)}
}
