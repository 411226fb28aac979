package class

import "busbar/plc/axdr"

// Short words for the table.
const (
	any       = axdr.DontCare
	array     = axdr.Array
	structure = axdr.Structure
	octets    = axdr.OctetString
	visible   = axdr.VisibleString
	bits      = axdr.BitString
	boolean   = axdr.Boolean
	enum      = axdr.Enum
	integer   = axdr.Integer
	unsigned  = axdr.Unsigned
	long      = axdr.Long
	longU     = axdr.LongU
	doubleU   = axdr.DoubleLongU
)

// table is ordered by class, then by version.
var table = append(append(append(append([]Interface(nil), measurement...), schedules...), management...), line...)
