package street

import "time"

// Grid maps the time of the world on the slots of the mains. Slot 0 begins at Start;
// slot s occupies the time from At(s) to At(s+1).
type Grid struct {
	Start time.Time
	Slot  time.Duration // length of a slot, more than 0
}

// Index is the slot that t lies in. A boundary belongs to the slot that it begins.
func (g Grid) Index(t time.Time) int64 {
	d := t.Sub(g.Start)
	s := int64(d / g.Slot)
	if d < 0 && d%g.Slot != 0 {
		s--
	}
	return s
}

// At is when slot s begins.
func (g Grid) At(s int64) time.Time { return g.Start.Add(time.Duration(s) * g.Slot) }

// Slots is d in whole slots, rounded up.
func (g Grid) Slots(d time.Duration) int64 { return int64((d + g.Slot - 1) / g.Slot) }
