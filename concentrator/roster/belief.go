package roster

import "math"

// belief is what we think about how many servers would answer the next Discover.
// weight[n] is the relative likelihood of n. Discovery is slotted random access:
// colliding reports are lost unseen, so the number heard alone says little (three
// reports in 32 slots may be three servers or two hundred); the sequence of rounds
// tells them apart.
type belief struct {
	weight []float64
}

// choice is the size of one Discover: slots and response probability in percent.
type choice struct {
	slots   int
	percent int
}

const (
	minSlots = 4
	// roundOverhead is what a round costs besides its report slots: the Discover, the
	// turn-around and a Register, in slots. It keeps rounds from becoming tiny.
	roundOverhead = 6
	// residue keeps every possibility alive, because a noisy line is not the model.
	residue = 1e-7
)

// newBelief knows nothing: every order of magnitude up to limit is equally likely.
// When missing is positive, that many are thought to be out there.
func newBelief(limit, missing int) belief {
	b := belief{weight: make([]float64, limit+1)}
	for n := range b.weight {
		b.weight[n] = 1 / float64(n+1)
		if missing > 0 {
			d := float64(n-missing) / (0.1*float64(missing) + 1)
			b.weight[n] += 3 * math.Exp(-d*d/2)
		}
	}
	b.normalize()
	return b
}

// observe takes in that a round of the given size brought heard reports of servers
// without an address, and that left of them will not answer the next one.
func (b belief) observe(c choice, heard, left int, garbled bool) {
	p := float64(c.percent) / 100
	q := 1 - p/float64(c.slots)
	power := 1 / q // q^(n-1)
	logs := make([]float64, len(b.weight))
	best := math.Inf(-1)
	for n := range b.weight {
		logs[n] = math.Inf(-1)
		if n >= heard {
			logs[n] = poisson(heard, float64(n)*p*power)
		}
		if garbled && n < 2 {
			logs[n] -= 2 // something collided: hardly one server alone
		}
		best = max(best, logs[n])
		power *= q
	}
	for n := range b.weight {
		likely := 1.0
		if !math.IsInf(best, -1) { // otherwise more were heard than we reckon with
			likely = math.Exp(logs[n] - best)
		}
		b.weight[n] = b.weight[n]*likely + residue/float64(n+1)
	}
	b.leave(left)
	b.normalize()
}

// poisson is the logarithm of the likelihood to see k when mean are expected,
// without the factor that does not depend on mean.
func poisson(k int, mean float64) float64 {
	if mean < 1e-12 {
		if k == 0 {
			return 0
		}
		return math.Inf(-1)
	}
	return float64(k)*math.Log(mean) - mean
}

// leave takes k servers away: they have been registered.
func (b belief) leave(k int) {
	if k <= 0 {
		return
	}
	k = min(k, len(b.weight)-1)
	copy(b.weight, b.weight[k:])
	tail := b.weight[len(b.weight)-k:]
	for i := range tail {
		tail[i] = residue / float64(len(b.weight))
	}
}

func (b belief) normalize() {
	sum := 0.0
	for _, w := range b.weight {
		sum += w
	}
	for n := range b.weight {
		b.weight[n] /= sum
	}
}

// mean is the expected number of servers still unknown.
func (b belief) mean() float64 {
	sum := 0.0
	for n, w := range b.weight {
		sum += float64(n) * w
	}
	return sum
}

// sizes are the slot counts worth comparing.
var sizes = [...]int{4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}

// choose returns the round of at most limit slots that brings the most reports per
// slot of line time, when everything believed possible is weighed.
func (b belief) choose(limit int) choice {
	best, rate := choice{slots: minSlots, percent: 100}, -1.0
	for _, percent := range [...]int{100, 50, 25} {
		for _, s := range sizes {
			if s > max(limit, minSlots) {
				break
			}
			c := choice{slots: s, percent: percent}
			if r := b.yield(c) / float64(s+roundOverhead); r > rate*1.001 {
				best, rate = c, r
			}
		}
	}
	return best
}

func (b belief) yield(c choice) float64 {
	p := float64(c.percent) / 100
	q := 1 - p/float64(c.slots)
	sum, power := 0.0, 1/q
	for n, w := range b.weight {
		sum += w * float64(n) * p * power
		power *= q
	}
	return sum
}
