package plc

import (
	"errors"
	"fmt"
	"time"
)

// ByteOrder tells how the 24 bits of source and destination address lie in a host frame (sfsk.md D3).
type ByteOrder uint8

// Byte orders of the address field.
const (
	BigEndian ByteOrder = iota
	LittleEndian
)

// Profile gathers every fact of the line that the sources mark as likely or as a
// guess, so that a segment that differs is a matter of configuration. Start from
// [DefaultProfile]. The section numbers are those of sfsk.md.
type Profile struct {
	BitRate                int     // raw bits per second at 50 Hz: 300, 600, 1200, 2400 (1.1)
	MainsHz                int     // 50 or 60
	Speed                  float64 // shortens every slot by this factor; 1 on a real line
	FrequencyS, FrequencyM int     // tones in Hz (1.4)

	Initiator     Address // our own address (D13)
	FIMA, LIMA    Address // first and last initiator address (2.3)
	AllConfigured Address // every registered server (2.3)
	AddressOrder  ByteOrder

	TitleSize int // octets of a system title; 0 detects it from the first report (4.2, D12)

	GapSlots          int     // turn-around of a server beyond the slots its frames take (1.5)
	MaxFrame          int     // longest MSDU, LLC header included: 26 to 242 (class 55, section 5)
	RegisterFrame     int     // longest MSDU of a Register: MaxFrame of its servers is not known yet (class 55); 0: MaxFrame
	RegisterSlots     int     // report slots kept free behind a Register, for servers that answer it; 0: none (D14)
	ResponseCreditMax Credit  // the largest initial credit a server may answer with (2.4)
	DiscoverSlotExtra int     // slots added to every report slot of 1+credit slots (4.6)
	ReportDestination Address // where a server sends its DiscoverReport (D6)

	CIASEClientSAP byte // source of CIASE requests (3.1, 4.4)
	CIASEServerSAP byte // destination of CIASE requests
	ReportSAP      byte // destination of a DiscoverReport

	NotAddressed time.Duration // time-out not addressed of the servers (2.5); keep-alive comes at a third of it
}

// DefaultProfile is a 50 Hz line at 2,400 bit/s with the values most sources agree on.
func DefaultProfile() Profile {
	return Profile{
		BitRate: 2400, MainsHz: 50, Speed: 1,
		FrequencyS: 63300, FrequencyM: 74000,
		Initiator: 0xC00, FIMA: 0xC00, LIMA: 0xDFF,
		AllConfigured: 0xFFC, AddressOrder: BigEndian,
		TitleSize: 8,
		GapSlots:  2, MaxFrame: 242, RegisterFrame: 134, RegisterSlots: 1,
		ResponseCreditMax: MaxCredit,
		ReportDestination: AllPhysical,
		CIASEClientSAP:    0x01, CIASEServerSAP: 0x00, ReportSAP: 0xFD,
		NotAddressed: 6 * time.Hour,
	}
}

// Slot is the time of one subframe of 360 bits on the mains (1.1).
func (p Profile) Slot() time.Duration {
	speed := p.Speed
	if speed <= 0 {
		speed = 1
	}
	bits := float64(p.BitRate) * float64(p.MainsHz) / 50
	return time.Duration(360 / bits / speed * float64(time.Second))
}

// Slots is n slots as a duration.
func (p Profile) Slots(n int) time.Duration { return time.Duration(n) * p.Slot() }

// Validate returns every fault of the profile at once.
func (p Profile) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch p.BitRate {
	case 300, 600, 1200, 2400:
	default:
		bad("bit rate %d: want 300, 600, 1200 or 2400", p.BitRate)
	}
	if p.MainsHz != 50 && p.MainsHz != 60 {
		bad("mains frequency %d Hz: want 50 or 60", p.MainsHz)
	}
	if !(p.Speed > 0 && p.Speed <= 10000) { // so that NaN is refused too
		bad("speed %g: want more than 0 and at most 10000", p.Speed)
	}
	if p.FIMA < 2 || p.LIMA < p.FIMA || p.LIMA > 0xFFB {
		bad("initiator addresses %v to %v: want 002 <= first <= last <= FFB", p.FIMA, p.LIMA)
	}
	if p.Initiator < p.FIMA || p.Initiator > p.LIMA {
		bad("initiator address %v: want %v to %v", p.Initiator, p.FIMA, p.LIMA)
	}
	if p.TitleSize < 0 || p.TitleSize > MaxSystemTitle {
		bad("system title of %d octets: want 0 (detect) to %d", p.TitleSize, MaxSystemTitle)
	}
	if p.MaxFrame < 26 || p.MaxFrame > 242 {
		bad("longest frame %d octets: want 26 to 242", p.MaxFrame)
	}
	if p.RegisterFrame != 0 && (p.RegisterFrame < 26 || p.RegisterFrame > 242) {
		bad("longest frame of a Register %d octets: want 26 to 242, or 0", p.RegisterFrame)
	}
	if p.GapSlots < 0 || p.GapSlots > 100 {
		bad("gap of %d slots: want 0 to 100", p.GapSlots)
	}
	if p.RegisterSlots < 0 || p.RegisterSlots > 100 {
		bad("%d report slots behind a Register: want 0 to 100", p.RegisterSlots)
	}
	if p.NotAddressed <= 0 {
		bad("time-out not addressed %v: want more than 0", p.NotAddressed)
	}
	return errors.Join(errs...)
}
