package object

import (
	"fmt"
	"math"

	"busbar/plc/axdr"
)

// Methods of the S-FSK objects: reset_NEW_not_synchronized of class 51, whose parameter
// is the long-unsigned address of the initiator, and reset of class 53.
const (
	InitiatorResetNew int8 = 1
	CountersReset     int8 = 1
)

// ActiveInitiator is who a meter listens to (class 51 attribute 2).
type ActiveInitiator struct {
	Title   []byte // system title; empty when there is none
	Address uint16 // of 12 bits
	LSAP    uint8
}

// ParseActiveInitiator reads the active initiator.
func ParseActiveInitiator(b []byte) (ActiveInitiator, int, error) {
	return parse(b, func(r *reader) ActiveInitiator {
		r.structure(3)
		return ActiveInitiator{Title: r.octets(), Address: r.u16(), LSAP: r.u8()}
	})
}

// Append appends the structure.
func (a ActiveInitiator) Append(dst []byte) []byte {
	dst = axdr.AppendOctets(axdr.AppendStructure(dst, 3), a.Title)
	return axdr.AppendUnsigned(axdr.AppendLongU(dst, a.Address), a.LSAP)
}

// AddressCount counts something for an address: how often a meter synchronized on an
// initiator (class 53 attribute 2), or heard a broadcast of it (attribute 4).
type AddressCount struct {
	Address uint16
	Count   uint32
}

// ParseAddressCounts reads a list of counters by address.
func ParseAddressCounts(b []byte) ([]AddressCount, int, error) {
	return parse(b, func(r *reader) []AddressCount {
		return array(r, 10, unlimited, func(r *reader) AddressCount {
			r.structure(2)
			return AddressCount{Address: r.u16(), Count: r.u32()}
		})
	})
}

// AppendAddressCounts appends a list of counters by address.
func AppendAddressCounts(dst []byte, counts []AddressCount) []byte {
	return appendArray(dst, counts, func(dst []byte, c AddressCount) []byte {
		return axdr.AppendDoubleLongU(axdr.AppendLongU(axdr.AppendStructure(dst, 2), c.Address), c.Count)
	})
}

// Desynchronizations counts why a meter lost its initiator (class 53 attribute 3).
type Desynchronizations struct {
	PhysicalLayer, NotAddressed, CRC, WriteRequest, WrongInitiator uint32
}

// ParseDesynchronizations reads the desynchronization listing.
func ParseDesynchronizations(b []byte) (Desynchronizations, int, error) {
	return parse(b, func(r *reader) Desynchronizations {
		r.structure(5)
		return Desynchronizations{
			PhysicalLayer: r.u32(), NotAddressed: r.u32(), CRC: r.u32(), WriteRequest: r.u32(), WrongInitiator: r.u32(),
		}
	})
}

// Append appends the structure.
func (d Desynchronizations) Append(dst []byte) []byte {
	dst = axdr.AppendStructure(dst, 5)
	for _, n := range [...]uint32{d.PhysicalLayer, d.NotAddressed, d.CRC, d.WriteRequest, d.WrongInitiator} {
		dst = axdr.AppendDoubleLongU(dst, n)
	}
	return dst
}

// ParseGroupAddresses reads the group addresses of a meter (class 50 attribute 9).
func ParseGroupAddresses(b []byte) ([]uint16, int, error) { return ParseGroups(b) }

// Channel is a pair of tones in hertz (class 50 attribute 7). Some meters tell how well
// they hear it.
type Channel struct {
	Mark, Space  uint32
	HasQuality   bool
	SignalNoise  float32
	CreditWeight float32
}

// ParseChannels reads the frequencies of a meter in both forms that are on the line:
// one structure of mark and space, or an array of structures of space and mark, with or
// without two numbers about the quality (sfsk.md D7).
func ParseChannels(b []byte) ([]Channel, int, error) {
	return parse(b, func(r *reader) []Channel {
		if len(b) > 0 && axdr.Tag(b[0]) == axdr.Structure {
			r.structure(2)
			return []Channel{{Mark: r.u32(), Space: r.u32()}}
		}
		return array(r, 12, maxChannels, readChannel)
	})
}

// maxChannels bounds a list of channels; meters have eight at most.
const maxChannels = 64

func readChannel(r *reader) (c Channel) {
	switch n := r.next(axdr.Structure).Count; n {
	case 2, 4:
		c.Space, c.Mark = r.u32(), r.u32()
		if c.HasQuality = n == 4; c.HasQuality {
			c.SignalNoise, c.CreditWeight = r.float(), r.float()
		}
	default:
		r.fail("channel of %d elements: want 2 or 4", n)
	}
	return c
}

func (r *reader) float() float32 { return math.Float32frombits(uint32(r.integer(axdr.Float32))) }

// ReplyStatus is an answer that waits in a meter until it is asked for (class 55
// attribute 3).
type ReplyStatus struct {
	LSAP   uint8
	Length uint8 // octets
}

// ParseReplyStatus reads the reply status list.
func ParseReplyStatus(b []byte) ([]ReplyStatus, int, error) {
	return parse(b, func(r *reader) []ReplyStatus {
		return array(r, 6, unlimited, func(r *reader) ReplyStatus {
			r.structure(2)
			return ReplyStatus{LSAP: r.u8(), Length: r.u8()}
		})
	})
}

// AppendReplyStatus appends the reply status list.
func AppendReplyStatus(dst []byte, list []ReplyStatus) []byte {
	return appendArray(dst, list, func(dst []byte, s ReplyStatus) []byte {
		return axdr.AppendUnsigned(axdr.AppendUnsigned(axdr.AppendStructure(dst, 2), s.LSAP), s.Length)
	})
}

// minTitle is the shortest system title on the line (sfsk.md 4.2).
const minTitle = 6

// ParseReportingSystems reads the system titles that a meter heard reporting (class 56
// attribute 2).
func ParseReportingSystems(b []byte) ([][]byte, int, error) {
	return parse(b, func(r *reader) [][]byte {
		return array(r, 2+minTitle, unlimited, func(r *reader) []byte {
			title := r.octets()
			if r.err == nil && len(title) < minTitle {
				r.err = fmt.Errorf("system title of %d octets: want %d at least", len(title), minTitle)
			}
			return title
		})
	})
}

// AppendReportingSystems appends system titles.
func AppendReportingSystems(dst []byte, titles [][]byte) []byte {
	return appendArray(dst, titles, func(dst, t []byte) []byte { return axdr.AppendOctets(dst, t) })
}
