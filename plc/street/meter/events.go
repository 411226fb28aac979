package meter

import (
	"cmp"
	"slices"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Codes of the standard event log, as IDIS meters have them.
const (
	eventPowerDown byte = 1
	eventPowerUp   byte = 2
	eventClockOld  byte = 4 // clock set: the time before
	eventClockNew  byte = 5 // clock set: the time after
)

// maxEvents bounds the event log; the oldest go first.
const maxEvents = 64

type event struct {
	clock int64 // of the meter
	code  byte
}

// eventLog is the standard event log: outages follow from the configuration, clock
// settings are remembered.
type eventLog struct {
	outages []Outage
	set     []event
}

// add remembers an event.
func (l *eventLog) add(e event) {
	l.set = append(l.set, e)
	if len(l.set) > maxEvents {
		l.set = slices.Delete(l.set, 0, len(l.set)-maxEvents)
	}
}

// events is the event log as it is at one moment.
type events struct {
	m   *Meter
	all []event
	at  int
}

var eventColumns = []cosem.CaptureObject{
	clockColumn,
	{Class: cosem.ClassData, Object: nameEvent, Attribute: 2},
}

func (m *Meter) eventTable(now int64) *events {
	t := &events{m: m, all: slices.Clone(m.events.set)}
	for _, o := range m.events.outages {
		if at := o.From.UnixMilli(); at <= now {
			t.all = append(t.all, event{m.past.clock(m.past.at(at-1), at), eventPowerDown})
		}
		if at := o.To.UnixMilli(); at <= now {
			t.all = append(t.all, event{m.clock(at), eventPowerUp})
		}
	}
	slices.SortStableFunc(t.all, func(a, b event) int { return cmp.Compare(a.clock, b.clock) })
	t.all = t.all[max(0, len(t.all)-maxEvents):]
	return t
}

func (t *events) columns() []cosem.CaptureObject { return eventColumns }

func (t *events) inUse() int { return len(t.all) }

func (t *events) within(from, to int64) (first, last int) {
	for first = 1; first <= len(t.all) && t.all[first-1].clock < from; first++ {
	}
	for last = len(t.all); last > 0 && t.all[last-1].clock > to; last-- {
	}
	return first, last
}

func (t *events) enter(i int) { t.at = i - 1 }

func (t *events) cell(dst []byte, column int) []byte {
	if column == 0 {
		return appendDateTime(dst, t.m.dateTime(t.all[t.at].clock))
	}
	return axdr.AppendUnsigned(dst, t.all[t.at].code)
}

func (t *events) follows() bool { return false }
