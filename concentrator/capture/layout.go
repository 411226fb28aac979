package capture

import (
	"fmt"
	"strings"
	"time"

	"busbar/concentrator"
	"busbar/plc/cosem"
)

// Units with a meaning of their own (Blue Book 4.3.2, "unit").
const (
	UnitUnknown = 0   // ours: scaler and unit could not be read, so no reading can be made
	UnitNone    = 255 // a plain number
)

// Role is what a column of a profile is good for.
type Role uint8

// Roles of columns.
const (
	RoleUnknown Role = iota // cannot become a reading
	RoleClock               // the time of the row
	RoleStatus              // the status of the row
	RoleValue               // a reading
)

// RoleOf tells what a captured attribute is good for. Clock is class 8 attribute 2,
// status an object 0-b:96.10.e of class Data, values the numbers of classes 1 and 3 to 5.
func RoleOf(ref cosem.Ref) Role {
	switch {
	case ref.Class == cosem.ClassClock && ref.Attribute == 2:
		return RoleClock
	case ref.Class == cosem.ClassData && ref.Attribute == 2:
		if ref.Object[0] == 0 && ref.Object[2] == 96 && ref.Object[3] == 10 {
			return RoleStatus
		}
		return RoleValue
	case (ref.Class == cosem.ClassRegister || ref.Class == cosem.ClassExtendedRegister) && ref.Attribute == 2,
		ref.Class == cosem.ClassDemandRegister && (ref.Attribute == 2 || ref.Attribute == 3):
		return RoleValue
	}
	return RoleUnknown
}

// ScalerRef names the attribute that tells scaler and unit of a value; false when its
// class has none, as class Data.
func ScalerRef(ref cosem.Ref) (cosem.Ref, bool) {
	s := cosem.Ref{Class: ref.Class, Object: ref.Object, Attribute: 3}
	switch ref.Class {
	case cosem.ClassRegister, cosem.ClassExtendedRegister:
		return s, ref.Attribute == 2
	case cosem.ClassDemandRegister:
		s.Attribute = 4
		return s, ref.Attribute == 2 || ref.Attribute == 3
	}
	return cosem.Ref{}, false
}

// maxColumns bounds a profile's width; real ones have fewer than 40.
const maxColumns = 128

// Columns reads the capture objects of a profile (class 7 attribute 3). Units are
// unknown where a scaler must still be read, and none where there is no scaler.
func Columns(data []byte) ([]concentrator.Column, error) {
	objects, n, err := cosem.ParseCaptureObjects(data)
	if err != nil {
		return nil, fmt.Errorf("capture objects: %w", err)
	}
	if n != len(data) {
		return nil, fmt.Errorf("capture objects: %d octets after the value", len(data)-n)
	}
	if len(objects) > maxColumns {
		return nil, fmt.Errorf("capture objects: %d columns, want at most %d", len(objects), maxColumns)
	}
	columns := make([]concentrator.Column, 0, len(objects))
	for _, o := range objects {
		c := concentrator.Column{Ref: cosem.Ref{Class: o.Class, Object: o.Object, Attribute: o.Attribute}, Unit: UnitNone}
		if o.Index != 0 {
			c.Ref.Class, c.Unit = 0, UnitUnknown // an element of an array or structure: not the attribute, so no role fits
		}
		if _, ok := ScalerRef(c.Ref); ok {
			c.Unit = UnitUnknown
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// Scaler reads a scaler_unit. It reports false when the meter did not give one that
// can be believed.
func Scaler(r cosem.Result) (scaler int8, unit uint8, ok bool) {
	if r.Access != cosem.Success {
		return 0, UnitUnknown, false
	}
	s, n, err := cosem.ParseScalerUnit(r.Data)
	if err != nil || n != len(r.Data) || s.Unit == UnitUnknown {
		return 0, UnitUnknown, false
	}
	return s.Scaler, s.Unit, true
}

// maxPeriod is a year: more is no capture period.
const maxPeriod = 366 * 24 * time.Hour

// Period reads a capture period (class 7 attribute 4, seconds). Zero means that the
// profile captures at events.
func Period(r cosem.Result) (time.Duration, bool) {
	n, ok := number(r)
	if !ok || n < 0 || n > int64(maxPeriod/time.Second) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// NotAddressed reads the time after which a meter that nobody addresses forgets its
// address (class 52 attribute 4, minutes); 0 when it does not tell.
func NotAddressed(r cosem.Result) time.Duration {
	n, ok := number(r)
	if !ok || n < 0 || n > 0xFFFF {
		return 0
	}
	return time.Duration(n) * time.Minute
}

// MaxFrame reads the longest LPDU that a meter takes and sends (class 55 attribute 2, 26 to
// 242 octets); 0 when it does not tell.
func MaxFrame(r cosem.Result) int {
	n, ok := number(r)
	if !ok || n < 26 || n > 242 {
		return 0
	}
	return int(n)
}

// RowSize is about what one row of a profile takes, in octets: more than any row of
// integers and one date-time does.
func RowSize(columns []concentrator.Column) int { return 4 + 16*len(columns) }

// Differs tells how what a meter captures differs from what it captured before, for an
// event; empty when it does not.
func Differs(was, now []concentrator.Column) string {
	if len(was) != len(now) {
		return fmt.Sprintf("its load profile had %d columns and has %d now", len(was), len(now))
	}
	for i, c := range now {
		old := was[i]
		switch {
		case c.Ref != old.Ref:
			return fmt.Sprintf("column %d of its load profile was %v and is %v now", i+1, old.Ref, c.Ref)
		case c.Scaler != old.Scaler || c.Unit != old.Unit:
			return fmt.Sprintf("column %d of its load profile, %v, was in %s and is in %s now", i+1, c.Ref, measure(old.Scaler, old.Unit), measure(c.Scaler, c.Unit))
		}
	}
	return ""
}

// DiffersRegister is Differs for the scaler and unit of one register.
func DiffersRegister(was, now concentrator.RegisterInfo) string {
	if was.Scaler == now.Scaler && was.Unit == now.Unit {
		return ""
	}
	return fmt.Sprintf("register %v was in %s and is in %s now", now.Ref, measure(was.Scaler, was.Unit), measure(now.Scaler, now.Unit))
}

func measure(scaler int8, unit uint8) string {
	return strings.TrimSpace(fmt.Sprintf("10^%d %s", scaler, UnitName(unit)))
}

// maxName bounds a meter's name.
const maxName = 64

// Name reads a COSEM logical device name: its letters and digits when all are
// printable, otherwise hexadecimal. Empty when there is none.
func Name(r cosem.Result) string {
	if r.Access != cosem.Success {
		return ""
	}
	v, _, err := cosem.ParseValue(r.Data)
	if err != nil || len(v.Octets) == 0 {
		return ""
	}
	octets := v.Octets[:min(len(v.Octets), maxName)]
	for _, b := range octets {
		if b <= ' ' || b > '~' {
			return fmt.Sprintf("%X", octets[:min(len(octets), maxName/2)])
		}
	}
	return string(octets)
}

// Unusable names the columns that cannot become readings, for an event; empty when
// every column is understood.
func Unusable(columns []concentrator.Column) string {
	var names []string
	clock := false
	for _, c := range columns {
		role := RoleOf(c.Ref)
		clock = clock || role == RoleClock
		if role == RoleUnknown || role == RoleValue && c.Unit == UnitUnknown {
			names = append(names, c.Ref.String())
		}
	}
	switch {
	case !clock && len(columns) > 0:
		return "the load profile has no clock column, so none of its rows can be dated"
	case len(names) == 0:
		return ""
	}
	return "columns of the load profile that cannot become readings: " + strings.Join(names, ", ")
}

// clockColumn is the index of the first clock column, -1 when there is none.
func clockColumn(columns []concentrator.Column) int {
	for i, c := range columns {
		if RoleOf(c.Ref) == RoleClock {
			return i
		}
	}
	return -1
}
