package street

import (
	"fmt"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind uint8

// Kinds of faults.
const (
	Mute        FaultKind = iota + 1 // receives and repeats but never answers
	Garbage                          // answers with octets that mean nothing
	Babble                           // sends rubbish to the initiator at random times
	PowerLoss                        // has no power; forgets associations, keeps its address
	NoiseBurst                       // hears DB more noise
	StationDown                      // the station's own modem is off the mains; Servers and Feeder do not matter
)

// String names the kind.
func (k FaultKind) String() string {
	names := [...]string{"none", "mute", "garbage", "babble", "power loss", "noise burst", "station down"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("fault(%d)", uint8(k))
}

// Fault is something that goes wrong for a time. Two meters with one title are no
// Fault: give two servers the same title.
type Fault struct {
	Kind    FaultKind
	Servers []int     // which of Config.Servers; nil: all of Feeder
	Feeder  int       // 0 is the whole street
	From    time.Time // zero: at once
	To      time.Time // zero: for good
	DB      float64   // of NoiseBurst
}

func (f Fault) validate(servers int) error {
	if f.Kind < Mute || f.Kind > StationDown {
		return fmt.Errorf("unknown kind %d", f.Kind)
	}
	for _, i := range f.Servers {
		if i < 0 || i >= servers {
			return fmt.Errorf("%v: server %d: there are %d", f.Kind, i, servers)
		}
	}
	return nil
}

// Inject adds a fault to a running street.
func (m *Mains) Inject(f Fault) error {
	if err := f.validate(len(m.stations) - 1); err != nil {
		return err
	}
	from := m.now
	if !f.From.IsZero() {
		from = max(from, m.grid.Index(f.From))
	}
	m.schedule(event{at: from, kind: evFault, fault: &f})
	if !f.To.IsZero() {
		m.schedule(event{at: max(from, m.grid.Index(f.To)), kind: evRepair, fault: &f})
	}
	return nil
}

// afflict switches a fault on or off for those it concerns.
func (m *Mains) afflict(f *Fault, on bool) {
	if f.Kind == StationDown {
		m.stations[0].count(f, on)
		return
	}
	if f.Kind == NoiseBurst && f.Servers == nil && f.Feeder == 0 {
		m.stations[0].count(f, on)
	}
	if f.Servers != nil {
		for _, i := range f.Servers {
			m.afflictOne(m.stations[i+1], f, on)
		}
		return
	}
	for _, s := range m.stations[1:] {
		if f.Feeder == 0 || s.place.Feeder == f.Feeder {
			m.afflictOne(s, f, on)
		}
	}
}

func (m *Mains) afflictOne(s *station, f *Fault, on bool) {
	was := s.off > 0
	s.count(f, on)
	switch off := s.off > 0; {
	case off && !was:
		m.powerDown(s)
	case !off && was:
		m.search(s)
	}
	if f.Kind == Babble && on && s.babbling == 1 {
		m.schedule(event{at: m.now, kind: evBabble, station: s})
	}
}

// count keeps overlapping faults apart.
func (s *station) count(f *Fault, on bool) {
	d := 1
	if !on {
		d = -1
	}
	switch f.Kind {
	case Mute:
		s.mute += d
	case Garbage:
		s.garbage += d
	case Babble:
		s.babbling += d
	case PowerLoss, StationDown:
		s.off += d
	case NoiseBurst:
		s.burst += float64(d) * f.DB
		s.noiseUntil = 0
	}
}
