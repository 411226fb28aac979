package modem

import "busbar/plc"

// Sizes of the value of IdentStatistics.
const (
	StatisticsSize          = 30 // synchronized
	StatisticsSearchingSize = 36 // not synchronized: another layout, which no readable page shows
	signalSize              = 10
)

// Statistics is the value of IdentStatistics: how the last subframe was received.
type Statistics struct {
	Last plc.Signal
	Rest [StatisticsSize - signalSize]byte // older subframes: method, gain and ratios of five
}

// ParseStatistics reads the statistics of a synchronized modem. The longer value of one
// that is not synchronized is accepted and tells nothing: the zero Statistics.
func ParseStatistics(b []byte) (Statistics, int, error) {
	if len(b) < StatisticsSize {
		return Statistics{}, 0, short("statistics", len(b), StatisticsSize)
	}
	if len(b) == StatisticsSearchingSize {
		return Statistics{}, len(b), nil
	}
	s := Statistics{Last: parseSignal(b)}
	s.Last.Method, s.Last.Gain = b[8], b[9]&7
	copy(s.Rest[:], b[signalSize:])
	return s, StatisticsSize, nil
}

// Size is the number of octets Append writes.
func (s Statistics) Size() int { return StatisticsSize }

// Append appends the encoded statistics to dst.
func (s Statistics) Append(dst []byte) []byte {
	dst = append(appendSignal(dst, s.Last), s.Last.Method, s.Last.Gain)
	return append(dst, s.Rest[:]...)
}
