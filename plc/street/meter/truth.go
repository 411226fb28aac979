package meter

import (
	"iter"
	"time"

	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

// Value is one thing a meter knows for certain: what a proof compares the readings of
// a station with.
type Value struct {
	Time    time.Time           // of the meter's clock, to the second
	Profile cosem.OBIS          // that it was captured in; zero for a register
	Object  cosem.CaptureObject // whose value it is
	Value   int64               // in Wh: scaler 0, unit 30
}

// Held yields the values of every load profile entry captured between two times of
// the meter's clock, both included, the oldest first. Entries that the profile was
// too small to keep until now are among them; what comes after now is foretold.
func (m *Meter) Held(from, to time.Time) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		first := m.past.since(floor(from.UnixMilli()+period-1, period))
		last := m.past.since(floor(to.UnixMilli(), period)+1) - 1
		p := &profile{m: m}
		for n := first; n <= last; n++ {
			p.load(n)
			at := time.UnixMilli(p.entry.clock).UTC()
			if !yield(Value{Time: at, Profile: nameProfile, Object: profileColumns[2], Value: int64(p.entry.imported)}) ||
				!yield(Value{Time: at, Profile: nameProfile, Object: profileColumns[3], Value: int64(p.entry.exported)}) {
				return
			}
		}
	}
}

// maxServed bounds the values of billing registers that a meter remembers to have told:
// a day of six registers every ten minutes. When it is full the oldest are forgotten.
const maxServed = 1024

// servedLog is a ring of the values told.
type servedLog struct {
	values []Value
	next   int
	total  uint64
}

func (l *servedLog) add(v Value) {
	l.total++
	if len(l.values) < maxServed {
		l.values = append(l.values, v)
		return
	}
	l.values[l.next] = v
	l.next = (l.next + 1) % maxServed
}

// Served yields the values of billing registers in answers the meter gave, the oldest
// first, under the time of its clock that it told last before. Not every answer arrives
// at the other end of the line. Beyond the last 1,024 values it has forgotten.
func (m *Meter) Served() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		l := &m.served
		for i := range l.values {
			if !yield(l.values[(l.next+i)%len(l.values)]) {
				return
			}
		}
	}
}

// ServedTotal is how many values were told since the meter was made, forgotten ones
// included.
func (m *Meter) ServedTotal() uint64 { return m.served.total }

// Counts are what its management client did to it: of a sound one, nothing was forged or
// replayed.
func (m *Meter) Counts() dlms.ServerCounts { return m.management.Counts() }

// told remembers the value of a register in an answer given at a real time.
func (m *Meter) told(real int64, register cosem.OBIS, value int64) {
	clock := m.clockRead
	if clock == 0 {
		clock = m.clock(real)
	}
	m.served.add(Value{
		Time:   time.UnixMilli(clock).UTC().Truncate(time.Second),
		Object: cosem.CaptureObject{Class: cosem.ClassRegister, Object: register, Attribute: 2},
		Value:  value,
	})
}
