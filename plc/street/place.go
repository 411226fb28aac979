package street

import (
	"math"
	"math/rand/v2"

	"busbar/plc"
)

// Place is where a station is connected. The transformer station itself is the zero Place.
type Place struct {
	Feeder int     // counted from 1; 0 is the busbar of the station
	Branch int     // counted from 1; 0 is the trunk of the feeder
	Along  float64 // meters of trunk from the station to where the branch or house leaves
	Off    float64 // meters along the branch
	Spur   float64 // meters of service cable to the house
	Line   int     // phase conductor: 0, 1, 2 for L1, L2, L3
}

// Phase is the place's phase as class 50 attribute 3 tells it; the station hangs on L1.
func (p Place) Phase() plc.Phase {
	return [...]plc.Phase{plc.PhaseSame, plc.Phase120, plc.PhaseMinus120}[p.Line%3]
}

// Figures of the cables. They are chosen so that a feeder of 300 m is heard from end
// to end and one of 600 m needs repeaters; they are no facts of a standard.
const (
	lossPerMeter  = 0.115 // dB
	lossJunction  = 3.0   // dB from trunk into a branch
	lossBusbar    = 7.0   // dB from one feeder into another
	lossPhase     = 8.0   // dB of coupling into another phase
	lossCoupling  = 3.0   // dB, standard deviation of a meter's own connection
	lossPath      = 3.0   // dB, standard deviation of a path
	lossLeast     = 2.0   // dB, two meters on one rail
	metersPerLane = 25.0  // meters between a trunk's houses, both sides counted
)

// distance is the cable between two places in meters, and the loss of what lies on it in dB.
func distance(a, b Place) (meters, loss float64) {
	meters = a.Spur + b.Spur
	switch {
	case a.Feeder != b.Feeder:
		meters += a.Along + a.Off + b.Along + b.Off
		if a.Feeder != 0 && b.Feeder != 0 {
			loss += lossBusbar
		}
	case a.Branch == b.Branch && a.Along == b.Along:
		return meters + math.Abs(a.Off-b.Off), 0
	default:
		meters += math.Abs(a.Along-b.Along) + a.Off + b.Off
	}
	for _, p := range [...]Place{a, b} {
		if p.Branch != 0 {
			loss += lossJunction
		}
	}
	return meters, loss
}

// attenuation is the loss between two places in dB without chance.
func attenuation(a, b Place) float64 {
	meters, loss := distance(a, b)
	if a.Line%3 != b.Line%3 {
		loss += lossPhase
	}
	return max(lossLeast, loss+meters*lossPerMeter)
}

// Layout places n meters on feeders of up to some 60 houses each, two meters of three
// in blocks of flats, some behind branches. One seed gives one street.
func Layout(chance uint64, n int) []Place {
	g := seed(chance).source(drawLayout, 0, 0)
	r := rand.New(&g)
	feeders := max(1, (n+79)/80)
	places := make([]Place, 0, n)
	for f := 1; f <= feeders; f++ {
		share := n*f/feeders - n*(f-1)/feeders
		places = append(places, layFeeder(r, f, share)...)
	}
	return places
}

// layFeeder fills one feeder with share meters, house by house.
func layFeeder(r *rand.Rand, feeder, share int) []Place {
	places := make([]Place, 0, share)
	reach := 250 + 450*r.Float64() // meters of trunk
	branch := 0
	for len(places) < share {
		house := Place{
			Feeder: feeder,
			Along:  metersPerLane * math.Round(reach*r.Float64()/metersPerLane),
			Spur:   5 + 20*r.Float64(),
		}
		if r.IntN(5) == 0 {
			branch++
			house.Branch, house.Off = branch, 30+120*r.Float64()
		}
		flats := 1
		if r.IntN(3) == 0 {
			flats = 2 + r.IntN(7)
		}
		for range min(flats, share-len(places)) {
			house.Line = r.IntN(3)
			places = append(places, house)
		}
	}
	return places
}
