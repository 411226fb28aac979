package load

import "math/rand/v2"

// Street is a number of base series and the seed that deals them out to homes.
type Street struct {
	bases []base
	seed  uint64
}

// Bases is the number of different series.
func (s *Street) Bases() int { return len(s.bases) }

// Limits of what is done to a series so that more homes than series do not look alike.
const (
	maxShiftWeeks      = 8
	minScale, maxScale = scaleOne * 6 / 10, scaleOne * 16 / 10
)

// Home is the home of meter i, from 0. The first homes are the series as they are. All
// others repeat them, shifted by up to eight whole weeks, so that weekdays and roughly
// the season stay right, and scaled by a factor from 0.6 to 1.6; both are drawn from
// the seed of the street and i alone.
func (s *Street) Home(i int) Home {
	h := Home{base: &s.bases[i%len(s.bases)], scale: scaleOne}
	if i < len(s.bases) {
		return h
	}
	r := rand.New(rand.NewPCG(s.seed, uint64(i)))
	h.shift = (yearWeeks - maxShiftWeeks + r.IntN(2*maxShiftWeeks+1)) % yearWeeks
	h.scale = uint64(minScale + r.IntN(maxScale-minScale+1))
	return h
}
