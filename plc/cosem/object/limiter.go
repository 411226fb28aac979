package object

import (
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Monitored names the attribute that a limiter compares with its threshold (class 71
// attribute 2). Without a class nothing is monitored.
type Monitored struct {
	Class     cosem.Class
	Object    cosem.OBIS
	Attribute int8
}

// ParseMonitored reads the monitored value of a limiter.
func ParseMonitored(b []byte) (Monitored, int, error) {
	return parse(b, func(r *reader) Monitored {
		r.structure(3)
		return Monitored{Class: cosem.Class(r.u16()), Object: r.name(), Attribute: r.i8()}
	})
}

// Append appends the structure.
func (m Monitored) Append(dst []byte) []byte {
	dst = appendName(axdr.AppendLongU(axdr.AppendStructure(dst, 3), uint16(m.Class)), m.Object)
	return axdr.AppendInteger(dst, m.Attribute)
}

// Emergency is the emergency profile of a limiter (class 71 attribute 8): from its
// activation on, the emergency threshold holds for its duration, in all meters whose
// group list has its ID.
type Emergency struct {
	ID         uint16
	Activation cosem.DateTime
	Seconds    uint32 // duration
}

// ParseEmergency reads an emergency profile.
func ParseEmergency(b []byte) (Emergency, int, error) {
	return parse(b, func(r *reader) Emergency {
		r.structure(3)
		return Emergency{ID: r.u16(), Activation: r.dateTime(), Seconds: r.u32()}
	})
}

// Append appends the structure.
func (e Emergency) Append(dst []byte) []byte {
	dst = appendDateTime(axdr.AppendLongU(axdr.AppendStructure(dst, 3), e.ID), e.Activation)
	return axdr.AppendDoubleLongU(dst, e.Seconds)
}

// ParseGroups reads the emergency groups of a meter (class 71 attribute 9).
func ParseGroups(b []byte) ([]uint16, int, error) {
	return parse(b, func(r *reader) []uint16 { return array(r, 3, unlimited, (*reader).u16) })
}

// AppendGroups appends the emergency groups of a meter.
func AppendGroups(dst []byte, groups []uint16) []byte {
	return appendArray(dst, groups, axdr.AppendLongU)
}

// LimiterActions are the scripts that a limiter runs when the value has been over its
// threshold, or under it again, for long enough (class 71 attribute 11).
type LimiterActions struct{ Over, Under ScriptRef }

// ParseLimiterActions reads the actions of a limiter.
func ParseLimiterActions(b []byte) (LimiterActions, int, error) {
	return parse(b, func(r *reader) LimiterActions {
		r.structure(2)
		return LimiterActions{Over: readScriptRef(r), Under: readScriptRef(r)}
	})
}

// Append appends the structure.
func (a LimiterActions) Append(dst []byte) []byte {
	return a.Under.Append(a.Over.Append(axdr.AppendStructure(dst, 2)))
}

// AppendNumber appends a number as the type tag. A threshold must be written in the
// type of the monitored value; a number that does not fit the type is an error.
func AppendNumber(dst []byte, tag axdr.Tag, n int64) ([]byte, error) {
	v := cosem.Value{Tag: tag, Int: n}
	b := v.Append(dst)
	again, _, err := cosem.ParseValue(b[len(dst):])
	m, ok := again.Integer()
	if err != nil || !ok || tag == axdr.Boolean || m != n || tag == axdr.Long64U && n < 0 {
		return nil, fmt.Errorf("%d as %v: want a type of numbers that has room for it", n, tag)
	}
	return b, nil
}
