package axdr

import "fmt"

// Tag is the type octet in front of a COSEM data value (Blue Book 4.1.5).
type Tag byte

// Tags of COSEM data.
const (
	Null            Tag = 0
	Array           Tag = 1
	Structure       Tag = 2
	Boolean         Tag = 3
	BitString       Tag = 4
	DoubleLong      Tag = 5 // int32
	DoubleLongU     Tag = 6 // uint32
	OctetString     Tag = 9
	VisibleString   Tag = 10
	UTF8String      Tag = 12
	BCD             Tag = 13
	Integer         Tag = 15 // int8
	Long            Tag = 16 // int16
	Unsigned        Tag = 17 // uint8
	LongU           Tag = 18 // uint16
	CompactArray    Tag = 19
	Long64          Tag = 20
	Long64U         Tag = 21
	Enum            Tag = 22
	Float32         Tag = 23
	Float64         Tag = 24
	DateTime        Tag = 25
	Date            Tag = 26
	Time            Tag = 27
	DeltaInteger    Tag = 28
	DeltaLong       Tag = 29
	DeltaDoubleLong Tag = 30
	DeltaUnsigned   Tag = 31
	DeltaLongU      Tag = 32
	DeltaDoubleU    Tag = 33
	DontCare        Tag = 255
)

var tagNames = [...]string{
	Null:            "null-data",
	Array:           "array",
	Structure:       "structure",
	Boolean:         "boolean",
	BitString:       "bit-string",
	DoubleLong:      "double-long",
	DoubleLongU:     "double-long-unsigned",
	OctetString:     "octet-string",
	VisibleString:   "visible-string",
	UTF8String:      "utf8-string",
	BCD:             "bcd",
	Integer:         "integer",
	Long:            "long",
	Unsigned:        "unsigned",
	LongU:           "long-unsigned",
	CompactArray:    "compact-array",
	Long64:          "long64",
	Long64U:         "long64-unsigned",
	Enum:            "enum",
	Float32:         "float32",
	Float64:         "float64",
	DateTime:        "date-time",
	Date:            "date",
	Time:            "time",
	DeltaInteger:    "delta-integer",
	DeltaLong:       "delta-long",
	DeltaDoubleLong: "delta-double-long",
	DeltaUnsigned:   "delta-unsigned",
	DeltaLongU:      "delta-long-unsigned",
	DeltaDoubleU:    "delta-double-long-unsigned",
}

// String is the name of the type in the standard, or the tag when it has none.
func (t Tag) String() string {
	switch {
	case int(t) < len(tagNames) && tagNames[t] != "":
		return tagNames[t]
	case t == DontCare:
		return "don't-care"
	}
	return fmt.Sprintf("tag %02Xh", byte(t))
}
