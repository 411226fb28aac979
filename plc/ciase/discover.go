package ciase

import (
	"encoding/binary"

	"busbar/plc"
)

// Bounds of a Discover.
const (
	MaxProbability = 100
	MaxSlots       = 32767
)

// Discover asks servers without an address, or with an alarm, to report. Each that
// is willing picks one of Slots report slots at random.
type Discover struct {
	Probability  uint8      // how likely a server reports at all, 0 to 100 %
	Slots        uint16     // allowed time slots, 0 to 32767
	ReportCredit plc.Credit // initial credit of the reports
	EqualCredit  bool       // reports take the credit that the Discover needed instead
}

func parseDiscover(r *reader) APDU {
	return Discover{
		Probability:  r.upTo8("response probability", MaxProbability),
		Slots:        r.upTo16("allowed time slots", MaxSlots),
		ReportCredit: plc.Credit(r.upTo8("initial credit of the report", uint8(plc.MaxCredit))),
		EqualCredit:  r.flag("ICEqualCredit"),
	}
}

// Tag is TagDiscover.
func (Discover) Tag() Tag { return TagDiscover }

// Size is the number of octets Append writes.
func (Discover) Size() int { return 6 }

// Append appends the encoded APDU to dst.
func (d Discover) Append(dst []byte) []byte {
	dst = append(dst, byte(TagDiscover), d.Probability)
	dst = binary.BigEndian.AppendUint16(dst, d.Slots)
	return appendFlag(append(dst, byte(d.ReportCredit)), d.EqualCredit)
}
