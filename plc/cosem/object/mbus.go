package object

import (
	"busbar/plc/axdr"
)

// Methods of an M-Bus client (class 72). Those without a word about it take the
// parameter of AppendNone.
const (
	MBusInstall          int8 = 1 // unsigned: primary address
	MBusDeinstall        int8 = 2
	MBusCapture          int8 = 3
	MBusResetAlarm       int8 = 4
	MBusSynchronizeClock int8 = 5
	MBusDataSend         int8 = 6 // MBusData list
	MBusSetKey           int8 = 7 // octet-string: key of the client
	MBusTransferKey      int8 = 8 // octet-string: key for the sub-meter, encrypted for it
)

// MBusBlock names what of a sub-meter is captured: data and value information block
// (class 72 attribute 3).
type MBusBlock struct {
	Data, Value []byte
}

// maxBlocks bounds a capture definition; real ones have some ten elements.
const maxBlocks = 128

// ParseMBusBlocks reads a capture definition.
func ParseMBusBlocks(b []byte) ([]MBusBlock, int, error) {
	return parse(b, func(r *reader) []MBusBlock {
		return array(r, 6, maxBlocks, func(r *reader) MBusBlock {
			r.structure(2)
			return MBusBlock{Data: r.octets(), Value: r.octets()}
		})
	})
}

// AppendMBusBlocks appends a capture definition.
func AppendMBusBlocks(dst []byte, blocks []MBusBlock) []byte {
	return appendArray(dst, blocks, func(dst []byte, m MBusBlock) []byte {
		return axdr.AppendOctets(axdr.AppendOctets(axdr.AppendStructure(dst, 2), m.Data), m.Value)
	})
}

// MBusData is one element of the parameter of data_send.
type MBusData struct {
	MBusBlock
	Content []byte // encoded
}

// ParseMBusData reads the parameter of data_send.
func ParseMBusData(b []byte) ([]MBusData, int, error) {
	return parse(b, func(r *reader) []MBusData {
		return array(r, 7, maxBlocks/2, func(r *reader) MBusData {
			r.structure(3)
			return MBusData{MBusBlock: MBusBlock{Data: r.octets(), Value: r.octets()}, Content: r.raw()}
		})
	})
}

// AppendMBusData appends the parameter of data_send.
func AppendMBusData(dst []byte, data []MBusData) []byte {
	return appendArray(dst, data, func(dst []byte, m MBusData) []byte {
		dst = axdr.AppendOctets(axdr.AppendOctets(axdr.AppendStructure(dst, 3), m.Data), m.Value)
		return append(dst, m.Content...)
	})
}

// MBusMaker is the maker of a sub-meter: three letters of five bits in manufacturer_id
// (class 72 attribute 7; EN 13757-3). It is false for a number that is no such letters.
func MBusMaker(id uint16) (string, bool) {
	letters := [3]byte{byte(id >> 10 & 31), byte(id >> 5 & 31), byte(id & 31)}
	for i, n := range letters {
		if n < 1 || n > 26 {
			return "", false
		}
		letters[i] = n + 'A' - 1
	}
	return string(letters[:]), id < 1<<15
}
