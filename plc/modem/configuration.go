package modem

import (
	"encoding/binary"
	"fmt"
	"math"

	"busbar/plc"
)

// Sizes of a configuration: the sources disagree whether it ends with two or
// three octets that no readable page explains (D1).
const (
	ConfigurationSize      = 36
	ShortConfigurationSize = 35
	knownConfigurationSize = 33
)

// Mode is what a modem is configured to be: bits 5-3 of R_CONF.
type Mode uint8

// Modes.
const (
	ModeInitiator Mode = 1 // master
	ModeServer    Mode = 2 // slave
	ModeMonitor   Mode = 3
)

// Configuration is the data of WriteConfigRequest and of the echo of ReadConfig (sfsk.md 7.5).
type Configuration struct {
	FIMA, LIMA     plc.Address    // first and last initiator address
	Local          plc.Address    // our own
	Initiator      plc.Address    // active initiator, 0 for an initiator
	SynchroConfirm uint16         // time-out synchronization confirmation, s; 0 for an initiator
	FrameNotOK     uint16         // time-out frame not OK, s (D10)
	NotAddressed   uint16         // time-out not addressed, min; 0 for an initiator
	Groups         [5]plc.Address // group addresses
	StepS, StepM   uint16         // tones as steps of the synthesizer, see Step
	ZeroCross      byte           // R_ZC_ADJUST, depends on the board
	Transmit       byte           // number of alarms, attenuation (bits 3-1, 3 dB), fixed level (bit 0)
	Radio          byte           // R_CONF: mode, bit rate and mains frequency, see RConf
	Search         byte           // search method, filter, synchro bit; bit 0 is 1
	Receive        byte           // gain limits, 6 dB steps
	Tail           [3]byte        // not explained anywhere: kept as the modem gave it
	Short          bool           // the form of 35 octets; Tail[2] does not exist
}

// ParseConfiguration reads a configuration of 35 or 36 octets: all of b.
func ParseConfiguration(b []byte) (Configuration, int, error) {
	if len(b) != ConfigurationSize && len(b) != ShortConfigurationSize {
		return Configuration{}, 0, fmt.Errorf("configuration of %d octets: want %d or %d", len(b), ConfigurationSize, ShortConfigurationSize)
	}
	word := func(at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
	c := Configuration{
		FIMA: plc.Address(word(0)), LIMA: plc.Address(word(2)), Local: plc.Address(word(4)), Initiator: plc.Address(word(6)),
		SynchroConfirm: word(8), FrameNotOK: word(10), NotAddressed: word(12),
		StepS: word(24), StepM: word(26),
		ZeroCross: b[28], Transmit: b[29], Radio: b[30], Search: b[31], Receive: b[32],
		Short: len(b) == ShortConfigurationSize,
	}
	for i := range c.Groups {
		c.Groups[i] = plc.Address(word(14 + 2*i))
	}
	copy(c.Tail[:], b[knownConfigurationSize:])
	return c, len(b), nil
}

// Size is the number of octets Append writes.
func (c Configuration) Size() int {
	if c.Short {
		return ShortConfigurationSize
	}
	return ConfigurationSize
}

// Append appends the encoded configuration to dst.
func (c Configuration) Append(dst []byte) []byte {
	word := binary.LittleEndian.AppendUint16
	for _, a := range [...]plc.Address{c.FIMA, c.LIMA, c.Local, c.Initiator} {
		dst = word(dst, uint16(a))
	}
	dst = word(word(word(dst, c.SynchroConfirm), c.FrameNotOK), c.NotAddressed)
	for _, a := range c.Groups {
		dst = word(dst, uint16(a))
	}
	dst = word(word(dst, c.StepS), c.StepM)
	dst = append(dst, c.ZeroCross, c.Transmit, c.Radio, c.Search, c.Receive)
	return append(dst, c.Tail[:c.Size()-knownConfigurationSize]...)
}

// Mode is the mode in Radio; values other than the three constants are reserved.
func (c Configuration) Mode() Mode { return Mode(c.Radio >> 3 & 7) }

// BitRate is the raw rate in Radio at 50 Hz.
func (c Configuration) BitRate() int { return 300 << (c.Radio >> 1 & 3) }

// MainsHz is the mains frequency in Radio: 50 or 60.
func (c Configuration) MainsHz() int { return 50 + 10*int(c.Radio&1) }

// RConf is the octet R_CONF. bitRate is the raw rate at 50 Hz: 300, 600, 1200 or
// 2400; how 4800 is coded is not known (sfsk.md 7.8).
func RConf(mode Mode, bitRate, mainsHz int) (byte, error) {
	b := byte(mode&7) << 3
	switch bitRate {
	case 300:
	case 600:
		b |= 1 << 1
	case 1200:
		b |= 2 << 1
	case 2400:
		b |= 3 << 1
	default:
		return 0, fmt.Errorf("bit rate %d: the modem takes 300, 600, 1200 or 2400", bitRate)
	}
	switch mainsHz {
	case 50:
	case 60:
		b |= 1
	default:
		return 0, fmt.Errorf("mains frequency %d Hz: the modem takes 50 or 60", mainsHz)
	}
	return b, nil
}

// The synthesizer counts 2^18 steps at 3 MHz (sfsk.md 1.4).
const (
	synthesizerSteps = 1 << 18
	synthesizerHz    = 3e6
)

// Step is the synthesizer's step for a tone in Hz, as StepS and StepM hold it.
func Step(hz int) uint16 {
	return uint16(min(max(math.Round(synthesizerSteps*float64(hz)/synthesizerHz), 0), math.MaxUint16))
}

// Hertz is the tone that a step makes, rounded to whole Hz.
func Hertz(step uint16) int { return int(math.Round(float64(step) * synthesizerHz / synthesizerSteps)) }

// RadioPin is the bit of Radio that chooses what the TX_DATA/PRE_SLOT pin shows; it
// belongs to the board.
const RadioPin byte = 0x80

// AutomaticSearch is the value of Search that leaves everything to the modem: the
// search favors FSK, no filter, automatic synchro bit.
const AutomaticSearch byte = 0x01
