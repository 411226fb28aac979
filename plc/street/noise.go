package street

import (
	"fmt"
	"strings"
	"time"
)

// Noise is what a receiver hears beside the signal. Levels are in dBµV within the
// receiver's bandwidth. The figures of the presets are chosen, not measured: quiet loses
// next to nothing, standard loses what a sound installation loses, hostile is a
// street with switch-mode supplies that nobody filtered.
type Noise struct {
	Floor     float64     // at the quietest hour
	Hours     [24]float64 // dB above the floor, by hour of day
	Duty      float64     // share of time in which a house's own appliances disturb it, 0 to 1
	Appliance float64     // dB that these add, at most
	Bursts    float64     // chance of a burst on a feeder in one minute
	Burst     float64     // dB that a burst adds for that minute
	Impulse   float64     // chance that an impulse destroys a subframe whatever its level
}

// hours rises in the morning, at noon and most of all in the evening.
var hours = [24]float64{0, 0, 0, 0, 0, 1, 3, 4, 3, 2, 2, 3, 4, 3, 2, 2, 3, 5, 7, 8, 8, 6, 4, 1}

// Quiet is the noise of a street at its best.
func Quiet() Noise {
	return Noise{Floor: 56, Duty: 0.01, Appliance: 6, Impulse: 0.0002}
}

// Standard is the noise of an ordinary street.
func Standard() Noise {
	return Noise{Floor: 60, Hours: hours, Duty: 0.06, Appliance: 14, Bursts: 0.004, Burst: 10, Impulse: 0.002}
}

// Hostile is the noise of a street that is hard to read.
func Hostile() Noise {
	n := Noise{Floor: 66, Duty: 0.15, Appliance: 18, Bursts: 0.03, Burst: 14, Impulse: 0.01}
	for h := range hours {
		n.Hours[h] = 1.3 * hours[h]
	}
	return n
}

// NoiseNames are the names that NoiseByName knows.
const NoiseNames = "quiet, standard, hostile"

// NoiseByName is the preset with the name.
func NoiseByName(name string) (Noise, error) {
	switch strings.ToLower(name) {
	case "quiet":
		return Quiet(), nil
	case "standard":
		return Standard(), nil
	case "hostile":
		return Hostile(), nil
	}
	return Noise{}, fmt.Errorf("noise %q: want one of %s", name, NoiseNames)
}

// applianceBlock is how long a house's appliances stay as they are.
const applianceBlock = 5 * time.Minute

// at is the noise at a station in the minute that begins at t, without faults.
func (n *Noise) at(s seed, station, feeder int, t time.Time) float64 {
	level := n.Floor + n.Hours[t.Hour()]
	block := t.Unix() / int64(applianceBlock/time.Second)
	if u := s.unit(drawAppliance, block, station); u < n.Duty {
		level += n.Appliance * (0.4 + 0.6*u/n.Duty)
	}
	if n.Bursts > 0 && s.unit(drawBurst, t.Unix()/60, feeder) < n.Bursts {
		level += n.Burst
	}
	return level
}
