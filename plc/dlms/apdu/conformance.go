package apdu

import "strings"

// Conformance is the set of services that a client proposes and a server grants: 24
// bits, bit 0 of the standard being the highest.
type Conformance uint32

// Bits of a conformance block. Read, Write, UnconfirmedWrite, InformationReportBit and
// ParameterizedAccess are those of short name referencing.
const (
	GeneralProtection    Conformance = 0x400000
	GeneralBlockTransfer Conformance = 0x200000
	Read                 Conformance = 0x100000
	Write                Conformance = 0x080000
	UnconfirmedWrite     Conformance = 0x040000
	Attribute0Set        Conformance = 0x008000
	PriorityManagement   Conformance = 0x004000
	Attribute0Get        Conformance = 0x002000
	BlockTransferGet     Conformance = 0x001000
	BlockTransferSet     Conformance = 0x000800
	BlockTransferAction  Conformance = 0x000400
	MultipleReferences   Conformance = 0x000200
	InformationReportBit Conformance = 0x000100
	DataNotificationBit  Conformance = 0x000080
	Access               Conformance = 0x000040
	ParameterizedAccess  Conformance = 0x000020
	Get                  Conformance = 0x000010
	Set                  Conformance = 0x000008
	SelectiveAccess      Conformance = 0x000004
	EventNotificationBit Conformance = 0x000002
	Action               Conformance = 0x000001
)

// conformanceNames lists all 24 bits from the highest, those of short name
// referencing and the reserved ones included, since meters set them.
var conformanceNames = [24]string{
	"reserved-zero", "general-protection", "general-block-transfer", "read", "write", "unconfirmed-write",
	"delta-value-encoding", "reserved-seven", "attribute0-with-set", "priority-management", "attribute0-with-get",
	"block-transfer-with-get", "block-transfer-with-set", "block-transfer-with-action", "multiple-references",
	"information-report", "data-notification", "access", "parameterized-access", "get", "set", "selective-access",
	"event-notification", "action",
}

// Has reports whether every bit of want is set.
func (c Conformance) Has(want Conformance) bool { return c&want == want }

// String lists the names of the bits that are set.
func (c Conformance) String() string {
	var names []string
	for i, name := range conformanceNames {
		if c&(1<<(23-i)) != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}

// conformanceSize is the BER tag 5F 1F, length 4, unused bits 0 and three octets.
const conformanceSize = 7

func (r *reader) conformance() Conformance {
	if b := r.take(4); b != nil && string(b) != "\x5F\x1F\x04\x00" {
		r.off -= 4
		r.fail("conformance starts with % X: want 5F 1F 04 00", b)
	}
	b := r.take(3)
	if b == nil {
		return 0
	}
	return Conformance(b[0])<<16 | Conformance(b[1])<<8 | Conformance(b[2])
}

func appendConformance(dst []byte, c Conformance) []byte {
	return append(dst, 0x5F, 0x1F, 0x04, 0x00, byte(c>>16), byte(c>>8), byte(c))
}
