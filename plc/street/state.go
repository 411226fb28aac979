package street

import (
	"math"

	"busbar/plc"
	"busbar/plc/street/meter"
)

// fill tells the meter what its modem knows (classes 50 to 53 and 56).
func (m *Mains) fill(s *station) {
	l := s.state
	if l == nil {
		return
	}
	p, t := &m.cfg.Profile, &m.cfg.Timeouts
	l.Phase, l.Address, l.Synchronized = s.place.Phase(), s.address, s.synced
	l.Initiator, l.InitiatorTitle, l.InitiatorSAP = s.locked, s.initiator, p.CIASEClientSAP
	l.RepeaterMode, l.Repeating = modeEnum[s.mode], s.repeats()
	l.MinDelta = s.minDelta
	l.FrequencyS, l.FrequencyM = uint32(p.FrequencyS), uint32(p.FrequencyM)
	l.Speed = uint8(math.Log2(float64(p.BitRate) / 300))
	l.SearchInitiator, l.SynchroConfirm = t.SearchInitiator, t.SynchroConfirm
	l.NotAddressed, l.FrameNotOK = t.NotAddressed, t.FrameNotOK
	l.Synchronizations = append(l.Synchronizations[:0], meter.Count{Address: p.Initiator, N: s.found})
	l.Broadcasts = append(l.Broadcasts[:0], meter.Count{Address: p.Initiator, N: s.broadcasts})
	l.Lost, l.Repetitions, l.Transmissions = s.lost, s.repeated, s.sent
	l.Good, l.Bad = s.good, s.bad
	l.Heard = append(l.Heard[:0], s.heardTitles...)
}

// modeEnum are the values of class 50 attribute 10.
var modeEnum = [...]uint8{Dynamic: 2, Never: 0, Always: 1}

// Standing is what the modem of one server would tell.
type Standing struct {
	Title     plc.SystemTitle
	Address   plc.Address // plc.New when not registered
	Place     Place
	Synced    bool
	Powered   bool
	Repeater  bool
	Level     float64 // of the server at the station without repeaters, dBµV
	Distance  float64 // above the noise there now, dB
	Addressed int64   // slot of the last frame for it
}

// Survey looks at every server, in the order of Config.Servers, and changes nothing.
func (m *Mains) Survey() []Standing {
	out := make([]Standing, len(m.all))
	for i, s := range m.all {
		level := m.links.at(0, s.index)
		out[i] = Standing{
			Title: s.title, Address: s.address, Place: s.place, Synced: s.synced, Powered: s.off == 0,
			Repeater: s.repeats(), Level: level, Distance: level - m.noise(m.stations[0]), Addressed: s.addressed,
		}
		notAddressed, frameNotOK := m.overdue(s)
		if notAddressed {
			out[i].Address = plc.New
		}
		if notAddressed || frameNotOK {
			out[i].Synced, out[i].Repeater = false, false
		}
	}
	return out
}
