package street

import (
	"math"
	"math/rand/v2"

	"busbar/plc"
)

// Figures of the modems.
const (
	transmitLevel = 122.0 // dBµV on the mains
	halfSNR       = 6.0   // dB at which half of the subframes arrive
	steepness     = 0.8   // dB; the curve is a logistic one
	tableStart    = 0.0   // dB; below it nothing arrives
	tableStep     = 0.1   // dB
	tableSize     = 160   // entries; above it only impulses destroy
)

// links knows how loud each station is at each other and how well that is received.
type links struct {
	stations int
	level    []float32 // dBµV at receiver r of sender t: level[r*stations+t]
	success  [tableSize]float64
}

// newLinks computes every pair once. loss, when not nil, replaces cables and places:
// the attenuation in dB from one station to another, 0 being the initiator.
func newLinks(s seed, places []Place, loss func(from, to int) float64) *links {
	n := len(places)
	l := &links{stations: n, level: make([]float32, n*n)}
	coupling := make([]float64, n)
	for i := range coupling {
		g := s.source(drawCoupling, 0, i)
		coupling[i] = math.Abs(rand.New(&g).NormFloat64()) * lossCoupling
	}
	for r := range n {
		for t := range n {
			var db float64
			switch {
			case r == t:
			case loss != nil:
				db = loss(t, r)
			default:
				g := s.source(drawPath, int64(min(r, t)), max(r, t))
				db = attenuation(places[r], places[t]) + coupling[r] + coupling[t] + rand.New(&g).NormFloat64()*lossPath
				db = max(db, lossLeast)
			}
			l.level[r*n+t] = float32(transmitLevel - db)
		}
	}
	for i := range l.success {
		snr := tableStart + (float64(i)+0.5)*tableStep
		l.success[i] = 1 / (1 + math.Exp(-(snr-halfSNR)/steepness))
	}
	return l
}

// at is the level of sender t at receiver r in dBµV.
func (l *links) at(r, t int) float64 { return float64(l.level[r*l.stations+t]) }

// chance is the probability that a subframe arrives with this distance from noise.
func (l *links) chance(snr float64) float64 {
	i := int((snr - tableStart) / tableStep)
	switch {
	case snr < tableStart:
		return 0
	case i >= tableSize:
		return 1
	}
	return l.success[i]
}

// loudest is the highest level at r among the senders in dBµV.
func (l *links) loudest(r int, senders []int32) float64 {
	row := l.level[r*l.stations : (r+1)*l.stations]
	var top float32
	for _, t := range senders {
		top = max(top, row[t])
	}
	return float64(top)
}

// sure is the remaining doubt at which more contributions no longer matter.
const sure = 1e-5

// arrives is the probability that a subframe sent by all senders at once arrives at
// r: each contribution that is strong enough suffices.
func (l *links) arrives(r int, senders []int32, noise float64) float64 {
	row := l.level[r*l.stations : (r+1)*l.stations]
	miss := 1.0
	for _, t := range senders {
		snr := float64(row[t]) - noise
		if snr < tableStart {
			continue
		}
		if miss *= 1 - l.chance(snr); miss < sure {
			return 1
		}
	}
	return 1 - miss
}

// signal is what a modem measures of a level over noise: amplitudes in its raw
// units, where 26 dBµV is taken as 1, with the two tones a little apart.
func signal(level, noise float64, tilt float64) plc.Signal {
	raw := func(db float64) uint16 {
		return uint16(min(max(math.Round(math.Pow(10, (db-26)/20)), 1), math.MaxUint16))
	}
	gain := min(max(math.Round((transmitLevel-level)/6), 0), 7)
	method := uint8(3) // FSK
	switch {
	case tilt > 4:
		method = 2 // ASK on the mark tone
	case tilt < -4:
		method = 1 // ASK on the space tone
	}
	return plc.Signal{
		S0: raw(level - tilt/2), N0: raw(noise), S1: raw(level + tilt/2), N1: raw(noise),
		Method: method, Gain: uint8(gain),
	}
}
