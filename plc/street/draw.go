package street

import "math/rand/v2"

// purpose keeps draws for different ends apart.
type purpose uint64

const (
	drawReception purpose = iota + 1
	drawImpulse
	drawReport
	drawReportSlot
	drawPosition
	drawAppliance
	drawBurst
	drawGarbage
	drawBabble
	drawLayout
	drawCoupling
	drawPath
)

// seed is the one source of chance on a street. Each draw depends only on what it
// is for, never on how many draws came before: leaving out what nobody asks for
// changes nothing else.
type seed uint64

// source is a generator for the draws of one purpose at one slot (or other count) and station.
func (s seed) source(p purpose, at int64, station int) rand.PCG {
	var g rand.PCG
	g.Seed(mix(uint64(s)^uint64(p)*0x9E3779B97F4A7C15), mix(uint64(at)<<20^uint64(station)))
	return g
}

// unit is one draw from 0 to below 1.
func (s seed) unit(p purpose, at int64, station int) float64 {
	g := s.source(p, at, station)
	return float64(g.Uint64()>>11) / (1 << 53)
}

// below is one draw from 0 to n-1.
func (s seed) below(n int64, p purpose, at int64, station int) int64 {
	return min(n-1, int64(s.unit(p, at, station)*float64(n)))
}

// mix spreads the bits of v (the finalizer of SplitMix64).
func mix(v uint64) uint64 {
	v ^= v >> 30
	v *= 0xBF58476D1CE4E5B9
	v ^= v >> 27
	v *= 0x94D049BB133111EB
	return v ^ v>>31
}
