package ciase

import (
	"fmt"

	"busbar/plc"
)

// Clearing is the form of a ClearAlarm: which alarms of which servers.
type Clearing uint8

// The four forms (sfsk.md 4.3).
const (
	AlarmOfAll     Clearing = iota // one alarm of all servers
	AlarmsOfAll                    // some alarms of all servers
	AlarmsOfSome                   // the same alarms of each of some servers
	AlarmOfEachOne                 // one alarm of each of some servers
)

// ClearAlarm takes back alarms. Titles is empty in the two forms for all servers; in
// the form AlarmOfEachOne the alarm of Titles[i] is Alarms[i].
type ClearAlarm struct {
	Form   Clearing
	Titles []plc.SystemTitle
	Alarms []uint8
}

func parseClearAlarm(r *reader) APDU {
	c := ClearAlarm{Form: Clearing(r.upTo8("form", uint8(AlarmOfEachOne)))}
	switch c.Form {
	case AlarmOfAll:
		c.Alarms = []uint8{r.u8()}
	case AlarmsOfAll:
		c.Alarms = r.alarms()
	case AlarmsOfSome:
		c.Titles, c.Alarms = r.titles(), r.alarms()
	case AlarmOfEachOne:
		n := r.count(r.titleSize + 1)
		c.Titles, c.Alarms = make([]plc.SystemTitle, n), make([]uint8, n)
		for i := range n {
			c.Titles[i], c.Alarms[i] = r.title(), r.u8()
		}
	}
	return c
}

func (r *reader) alarms() []uint8 {
	return append([]uint8{}, r.take(r.count(1))...)
}

// Validate tells whether titles and alarms fit the form.
func (c ClearAlarm) Validate() error {
	titles, alarms := len(c.Titles), len(c.Alarms)
	var ok bool
	switch c.Form {
	case AlarmOfAll:
		ok = titles == 0 && alarms == 1
	case AlarmsOfAll:
		ok = titles == 0 && alarms <= 0xFF
	case AlarmsOfSome:
		ok = titles <= 0xFF && alarms <= 0xFF
	case AlarmOfEachOne:
		ok = titles == alarms && titles <= 0xFF
	}
	if !ok {
		return fmt.Errorf("ClearAlarm of form %d with %d titles and %d alarms: they do not fit together", c.Form, titles, alarms)
	}
	return nil
}

// Tag is TagClearAlarm.
func (ClearAlarm) Tag() Tag { return TagClearAlarm }

// Size is the number of octets Append writes.
func (c ClearAlarm) Size() int {
	switch c.Form {
	case AlarmOfAll:
		return 3
	case AlarmsOfAll:
		return 2 + countSize(len(c.Alarms)) + len(c.Alarms)
	case AlarmsOfSome:
		return 2 + titlesSize(c.Titles) + countSize(len(c.Alarms)) + len(c.Alarms)
	}
	return 2 + titlesSize(c.Titles) + len(c.Alarms)
}

// Append appends the encoded APDU to dst. It panics when Validate fails.
func (c ClearAlarm) Append(dst []byte) []byte {
	if err := c.Validate(); err != nil {
		panic(err)
	}
	dst = append(dst, byte(TagClearAlarm), byte(c.Form))
	switch c.Form {
	case AlarmOfAll:
		return append(dst, c.Alarms[0])
	case AlarmsOfAll:
		return append(appendCount(dst, len(c.Alarms)), c.Alarms...)
	case AlarmsOfSome:
		return append(appendCount(appendTitles(dst, c.Titles), len(c.Alarms)), c.Alarms...)
	}
	dst = appendCount(dst, len(c.Titles))
	for i, t := range c.Titles {
		dst = append(t.Append(dst), c.Alarms[i])
	}
	return dst
}
