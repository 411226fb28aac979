package capture

import (
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Source says whose values these are and when the station received them.
type Source struct {
	Meter    plc.SystemTitle
	Received time.Time
	Trusted  bool // the station's own clock could be believed then
	Sign     cosem.DeviationSign
}

// Result is what came of one answer.
type Result struct {
	Readings []concentrator.Reading
	Events   []concentrator.Event
}

func (s Source) event(code concentrator.EventCode, format string, args ...any) concentrator.Event {
	return concentrator.Event{Time: s.Received, Meter: s.Meter, Code: code, Text: fmt.Sprintf(format, args...)}
}

// reading has everything but channel, value and unit.
func (s Source) reading(at time.Time, status uint8) concentrator.Reading {
	r := concentrator.Reading{
		Meter: s.Meter, Time: at.UTC().Truncate(time.Second), ClockStatus: status,
		Received: s.Received.UTC(), Quality: clockQuality(status),
	}
	if implausible(at, s.Received) {
		r.Quality |= concentrator.TimeImplausible
	}
	if !s.Trusted {
		r.Quality |= concentrator.StationClock
	}
	return r
}

// Bits of a clock status (Blue Book 4.1.6.1): invalid value, doubtful value, invalid
// status. 0xFF stands for "not specified".
const (
	statusDoubt        = 0x01 | 0x02 | 0x08
	statusNotSpecified = 0xFF
)

func clockQuality(status uint8) concentrator.Quality {
	if status != statusNotSpecified && status&statusDoubt != 0 {
		return concentrator.ClockInvalid
	}
	return 0
}

// Clock is a meter's clock as read.
type Clock struct {
	Time      time.Time
	Status    uint8
	Deviation int // minutes as the meter sends them, for date-times sent to it
	Valid     bool
}

// ReadClock reads attribute 2 of a Clock object. A clock that was refused, or whose
// fields do not name one instant, is not valid.
func (s Source) ReadClock(r cosem.Result) Clock {
	if r.Access != cosem.Success {
		return Clock{}
	}
	v, n, err := cosem.ParseValue(r.Data)
	if err != nil || n != len(r.Data) || v.Tag != axdr.OctetString && v.Tag != axdr.DateTime {
		return Clock{}
	}
	d, _, err := cosem.ParseDateTime(v.Octets)
	if err != nil {
		return Clock{}
	}
	at, err := d.Time(s.Sign)
	if err != nil {
		return Clock{}
	}
	return Clock{Time: at, Status: d.Status, Deviation: int(d.Deviation), Valid: true}
}

// Registers turns the values of billing registers into readings at the clock that was
// read in the same list. Registers that the meter does not have (any more) are named
// in missing. Without a valid clock the station's time is taken and said so.
func (s Source) Registers(clock Clock, infos []concentrator.RegisterInfo, results []cosem.Result) (res Result, missing []cosem.Ref) {
	template := s.reading(s.Received, statusNotSpecified)
	if clock.Valid {
		template = s.reading(clock.Time, clock.Status)
	} else {
		template.Quality |= concentrator.NoMeterTime
	}
	for i, info := range infos {
		if i >= len(results) {
			break
		}
		switch results[i].Access {
		case cosem.Success:
		case cosem.ObjectUndefined, cosem.ObjectUnavailable, cosem.ObjectClassInconsistent:
			missing = append(missing, info.Ref)
			continue
		default:
			res.Events = append(res.Events, s.event(concentrator.EventUnknownColumn, "register %v: %v", info.Ref, results[i].Access))
			continue
		}
		r := template
		r.Channel = concentrator.Channel{Class: info.Ref.Class, Object: info.Ref.Object, Attribute: info.Ref.Attribute}
		r.Scaler, r.Unit = info.Scaler, info.Unit
		ok := false
		if v, n, err := cosem.ParseValue(results[i].Data); err == nil && n == len(results[i].Data) {
			r.Value, ok = integer(v)
		}
		if !ok {
			res.Events = append(res.Events, s.event(concentrator.EventUnknownColumn, "register %v: its value is no integer", info.Ref))
			continue
		}
		res.Readings = append(res.Readings, r)
	}
	return res, missing
}

// integer is the value as an integer; unsigned values beyond the range of a reading
// are refused.
func integer(v cosem.Value) (int64, bool) {
	if v.Tag == axdr.Long64U && v.Int < 0 || v.Tag == axdr.Boolean {
		return 0, false
	}
	return v.Integer()
}
