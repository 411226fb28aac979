package object

import (
	"fmt"
	"time"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Methods of a clock (class 8).
const (
	ClockAdjustToQuarter         int8 = 1
	ClockAdjustToMeasuringPeriod int8 = 2
	ClockAdjustToMinute          int8 = 3
	ClockAdjustToPresetTime      int8 = 4
	ClockPresetAdjustingTime     int8 = 5
	ClockShiftTime               int8 = 6
)

// ParseTime reads an attribute that is a date-time: the time of a clock, a capture_time,
// an activation time.
func ParseTime(b []byte) (cosem.DateTime, int, error) { return parse(b, (*reader).dateTime) }

// AppendTime appends a date-time as an octet-string.
func AppendTime(dst []byte, t cosem.DateTime) []byte { return appendDateTime(dst, t) }

// maxShift is what shift_time can do in one step (Blue Book 4.5.1).
const maxShift = 900 * time.Second

// AppendShift appends the parameter of shift_time: whole seconds, 900 at most in either
// direction. Shifting does not tear a gap into a load profile where setting would.
func AppendShift(dst []byte, by time.Duration) ([]byte, error) {
	if by < -maxShift || by > maxShift {
		return nil, fmt.Errorf("shift a clock by %v: at most %v in one step; set the clock instead", by, maxShift)
	}
	return axdr.AppendLong(dst, int16(by/time.Second)), nil
}

// PresetTime is the parameter of preset_adjusting_time: a time that a clock takes when
// adjust_to_preset_time comes between From and To, so that the slowness of the line
// does not matter.
type PresetTime struct {
	Time     cosem.DateTime
	From, To cosem.DateTime
}

// ParsePresetTime reads a parameter of preset_adjusting_time.
func ParsePresetTime(b []byte) (PresetTime, int, error) {
	return parse(b, func(r *reader) (p PresetTime) {
		r.structure(3)
		return PresetTime{Time: r.dateTime(), From: r.dateTime(), To: r.dateTime()}
	})
}

// Append appends the structure.
func (p PresetTime) Append(dst []byte) []byte {
	dst = appendDateTime(axdr.AppendStructure(dst, 3), p.Time)
	return appendDateTime(appendDateTime(dst, p.From), p.To)
}
