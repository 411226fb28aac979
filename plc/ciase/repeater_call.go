package ciase

import "busbar/plc"

// DefaultThreshold is the reception threshold of a RepeaterCall that names none, in dBµV.
const DefaultThreshold = 104

// RepeaterCall announces the slots in which servers choose their repeaters
// (sfsk.md 2.6).
type RepeaterCall struct {
	MaxAddress   plc.Address // highest address that takes part
	SlotsForNew  uint8       // slots behind it for servers without an address
	Threshold    uint8       // signal that makes a server yield, dBµV, meaningful when HasThreshold
	HasThreshold bool
}

func parseRepeaterCall(r *reader) APDU {
	c := RepeaterCall{MaxAddress: r.address(), SlotsForNew: r.u8()}
	if c.HasThreshold = r.flag("presence of the reception threshold"); c.HasThreshold {
		c.Threshold = r.u8()
	}
	return c
}

// Tag is TagRepeaterCall.
func (RepeaterCall) Tag() Tag { return TagRepeaterCall }

// Size is the number of octets Append writes.
func (c RepeaterCall) Size() int {
	if c.HasThreshold {
		return 6
	}
	return 5
}

// Append appends the encoded APDU to dst.
func (c RepeaterCall) Append(dst []byte) []byte {
	dst = append(appendAddress(append(dst, byte(TagRepeaterCall)), c.MaxAddress), c.SlotsForNew)
	dst = appendFlag(dst, c.HasThreshold)
	if c.HasThreshold {
		dst = append(dst, c.Threshold)
	}
	return dst
}
