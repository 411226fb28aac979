package street

import (
	"cmp"
	"slices"
)

// subslots is how many positions of a repeater call fit in one slot (sfsk.md 2.6).
const subslots = 21

// CallRepeaters begins the slots of a repeater call in the slot given, with the level
// in dBµV above which a server yields, and returns the slot in which the call is over.
// Those servers take part that received the CIASE RepeaterCall last; how many slots
// they need was told there.
func (m *Mains) CallRepeaters(slot int64, level float64) int64 {
	slot = max(slot, m.now)
	m.schedule(event{at: slot, kind: evCall, level: level})
	width := int64(1)
	for _, s := range m.all {
		if s.call != nil {
			width = max(width, (int64(s.call.MaxAddress)+subslots)/subslots+int64(s.call.SlotsForNew))
		}
	}
	return slot + width
}

// caller is a server in a repeater call.
type caller struct {
	*station
	position int64
	level    float64
}

// callRepeaters decides who repeats. In the order of positions, a server that heard
// nobody loud enough before its own turn calls and becomes a repeater; another
// becomes none. The initiator calls first.
func (m *Mains) callRepeaters(level float64) {
	callers := m.callers(level)
	slices.SortStableFunc(callers, func(a, b caller) int { return cmp.Compare(a.position, b.position) })
	sent := []int32{0}
	for i := 0; i < len(callers); {
		var now []int32 // two new servers may have drawn the same position
		at := callers[i].position
		for ; i < len(callers) && callers[i].position == at; i++ {
			c := callers[i]
			loud := m.links.loudest(c.index, sent)
			c.repeater = loud < c.level || loud <= m.noise(c.station)
			if c.repeater || c.mode == Always {
				now = append(now, int32(c.index))
			}
		}
		sent = append(sent, now...)
	}
	m.note(uint64(m.now), uint64(len(sent)))
}

func (m *Mains) callers(level float64) []caller {
	var callers []caller
	for _, s := range m.all {
		call := s.call
		s.call = nil
		if call == nil || s.off > 0 || s.mode == Never {
			continue
		}
		c := caller{station: s, position: int64(s.address), level: level}
		if call.HasThreshold {
			c.level = float64(call.Threshold)
		}
		switch {
		case s.new():
			if call.SlotsForNew == 0 {
				continue
			}
			c.position = int64(call.MaxAddress) + 1 + m.seed.below(subslots*int64(call.SlotsForNew), drawPosition, m.now, s.index)
		case s.address > call.MaxAddress:
			continue
		}
		callers = append(callers, c)
	}
	return callers
}
