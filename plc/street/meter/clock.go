package meter

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// clockObject is the clock (class 8). Its local time has no daylight saving.
func clockObject() object {
	return object{class: cosem.ClassClock, name: nameClock, public: true, attributes: []attribute{
		{index: 2, get: getTime, set: setTime},
		{index: 3, get: func(c *call, dst []byte) []byte { return axdr.AppendLong(dst, c.dateTime(0).Deviation) }},
		{index: 4, get: func(_ *call, dst []byte) []byte { return axdr.AppendUnsigned(dst, 0) }},
		{index: 5, get: noDaylightSaving},
		{index: 6, get: noDaylightSaving},
		{index: 7, get: func(_ *call, dst []byte) []byte { return axdr.AppendInteger(dst, 0) }},
		{index: 8, get: func(_ *call, dst []byte) []byte { return axdr.AppendBool(dst, false) }},
		{index: 9, get: func(_ *call, dst []byte) []byte { return axdr.AppendEnum(dst, 1) }}, // clock_base: internal crystal
	}}
}

func getTime(c *call, dst []byte) []byte {
	c.clockRead = c.clock(c.now)
	return appendDateTime(dst, c.dateTime(c.clockRead))
}

// setTime sets the clock, and the log says so.
func setTime(c *call, data []byte) cosem.AccessResult {
	v, n, err := cosem.ParseValue(data)
	if err != nil || n != len(data) || v.Tag != axdr.OctetString && v.Tag != axdr.DateTime {
		return cosem.TypeUnmatched
	}
	d, _, err := cosem.ParseDateTime(v.Octets)
	if err != nil {
		return cosem.TypeUnmatched
	}
	at, err := d.Time(c.cfg.Sign)
	if err != nil || at.Year() < 2000 || at.Year() > 2099 {
		return cosem.ScopeViolated
	}
	c.events.add(event{c.clock(c.now), eventClockOld})
	c.past.set(c.now, at.UnixMilli())
	c.events.add(event{c.clock(c.now), eventClockNew})
	return cosem.Success
}

// noDaylightSaving is a beginning or end that is not specified.
func noDaylightSaving(_ *call, dst []byte) []byte {
	return appendDateTime(dst, cosem.DateTime{
		Year: cosem.AnyYear, Month: cosem.Any, Day: cosem.Any, Weekday: cosem.Any,
		Hour: cosem.Any, Minute: cosem.Any, Second: cosem.Any, Hundredths: cosem.Any,
		Deviation: cosem.NoDeviation, Status: cosem.StatusUnknown,
	})
}
