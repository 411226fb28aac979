package object

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// ScriptExecute is the method of a script table (class 9) that runs a script.
const ScriptExecute int8 = 1

// Service is what an action of a script does.
type Service uint8

// Services of an action.
const (
	ServiceWrite  Service = 1 // write an attribute
	ServiceInvoke Service = 2 // invoke a method
)

// Action is one step of a script.
type Action struct {
	Service   Service
	Class     cosem.Class
	Object    cosem.OBIS
	Index     int8   // of the attribute or method
	Parameter []byte // encoded
}

// Script is what a meter does when its number is called.
type Script struct {
	ID      uint16
	Actions []Action
}

// maxScripts bounds a script table; real ones have some ten scripts.
const maxScripts = 256

// ParseScripts reads the scripts of a script table (class 9 attribute 2).
func ParseScripts(b []byte) ([]Script, int, error) {
	return parse(b, func(r *reader) []Script {
		return array(r, 7, maxScripts, func(r *reader) (s Script) {
			r.structure(2)
			s.ID = r.u16()
			s.Actions = array(r, 18, unlimited, readAction)
			return s
		})
	})
}

func readAction(r *reader) (a Action) {
	r.structure(5)
	a.Service = Service(r.enum())
	a.Class = cosem.Class(r.u16())
	a.Object = r.name()
	a.Index = r.i8()
	a.Parameter = r.raw()
	return a
}

// AppendScripts appends the scripts of a script table.
func AppendScripts(dst []byte, scripts []Script) []byte {
	return appendArray(dst, scripts, func(dst []byte, s Script) []byte {
		dst = axdr.AppendLongU(axdr.AppendStructure(dst, 2), s.ID)
		return appendArray(dst, s.Actions, func(dst []byte, a Action) []byte {
			dst = axdr.AppendEnum(axdr.AppendStructure(dst, 5), uint8(a.Service))
			dst = appendName(axdr.AppendLongU(dst, uint16(a.Class)), a.Object)
			return append(axdr.AppendInteger(dst, a.Index), a.Parameter...)
		})
	})
}

// AppendExecute appends the parameter of execute.
func AppendExecute(dst []byte, script uint16) []byte { return axdr.AppendLongU(dst, script) }

// ScriptRef names a script of a script table: an action item of a limiter, the executed
// script of a schedule. Without an object nothing is done.
type ScriptRef struct {
	Object cosem.OBIS
	Script uint16
}

func readScriptRef(r *reader) ScriptRef {
	r.structure(2)
	return ScriptRef{Object: r.name(), Script: r.u16()}
}

// ParseScriptRef reads a reference to a script (class 22 attribute 2).
func ParseScriptRef(b []byte) (ScriptRef, int, error) { return parse(b, readScriptRef) }

// Append appends the structure.
func (s ScriptRef) Append(dst []byte) []byte {
	return axdr.AppendLongU(appendName(axdr.AppendStructure(dst, 2), s.Object), s.Script)
}

// Moment is a time at which a single action schedule runs its script, possibly with
// wildcards.
type Moment struct {
	Time cosem.TimeOfDay
	Date cosem.Date
}

// ParseMoments reads the execution times of a single action schedule (class 22
// attribute 4).
func ParseMoments(b []byte) ([]Moment, int, error) {
	return parse(b, func(r *reader) []Moment {
		return array(r, 11, unlimited, func(r *reader) Moment {
			r.structure(2)
			return Moment{Time: r.timeOfDay(), Date: r.date()}
		})
	})
}

// AppendMoments appends the execution times of a single action schedule.
func AppendMoments(dst []byte, moments []Moment) []byte {
	return appendArray(dst, moments, func(dst []byte, m Moment) []byte {
		return appendDate(appendTimeOfDay(axdr.AppendStructure(dst, 2), m.Time), m.Date)
	})
}
