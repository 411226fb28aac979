package load

// Energy is energy that went through a meter, in watt-hours, by tariff: the first is
// for the day, the second for the night from 22 to 6.
type Energy struct {
	Import, Export [2]uint64
}

// Total joins the tariffs.
func (e Energy) Total() (imported, exported uint64) {
	return e.Import[0] + e.Import[1], e.Export[0] + e.Export[1]
}

// Minus is the energy that came between o and e.
func (e Energy) Minus(o Energy) Energy {
	for i := range 2 {
		e.Import[i] -= o.Import[i]
		e.Export[i] -= o.Export[i]
	}
	return e
}

// Plus is e and o together.
func (e Energy) Plus(o Energy) Energy { return e.plus(o, 1, 1) }

// plus adds part/whole of o, rounded down.
func (e Energy) plus(o Energy, part, whole uint64) Energy {
	for i := range 2 {
		e.Import[i] += o.Import[i] * part / whole
		e.Export[i] += o.Export[i] * part / whole
	}
	return e
}

// scaleOne is a scale of 1: scales are fractions of it, so that sums stay exact.
const scaleOne = 1 << 16

// Home is the consumption of one household. Get it from a Street.
type Home struct {
	base  *base
	shift int    // whole weeks by which its year is ahead of the base's
	scale uint64 // in units of 1/scaleOne
}

// Name tells which series it is and what was done to it.
func (h Home) Name() string { return h.base.name }

// Until is the energy from 1970 to a second of local time. Within a quarter of an
// hour it grows evenly. It never falls, and seconds before 1970 count as 1970.
func (h Home) Until(localSeconds int64) Energy {
	localSeconds = max(0, localSeconds)
	q := localSeconds / QuarterSeconds
	e := h.total(q)
	if rest := localSeconds % QuarterSeconds; rest > 0 {
		e = e.plus(h.total(q+1).Minus(e), uint64(rest), QuarterSeconds)
	}
	return e
}

// Quarter is the energy of one quarter of an hour: number 0 began at 1970-01-01 00:00
// local time.
func (h Home) Quarter(quarter int64) (imported, exported uint32) {
	quarter = max(0, quarter)
	i, x := h.total(quarter + 1).Minus(h.total(quarter)).Total()
	return uint32(i), uint32(x)
}

// total is the energy of all quarters before one. Each tariff is scaled for itself, so
// that none ever falls and they always add up.
func (h Home) total(quarter int64) Energy {
	year, weeksBefore, inYear := calendar(quarter)
	b := h.base
	from := h.shift * weekQuarters
	// Years of 53 weeks take the week that follows the 52nd.
	long := uint64(weeksBefore - yearWeeks*year)
	var e Energy
	for d, s := range [2]*series{&b.imported, &b.exported} {
		whole := s.until(yearQuarters)
		extra := s.until(from + weekQuarters).minus(s.until(from))
		part := s.until(from + inYear).minus(s.until(from))
		t := &e.Import
		if d == 1 {
			t = &e.Export
		}
		t[0] = h.scaled(uint64(year)*whole.day + long*extra.day + part.day)
		t[1] = h.scaled(uint64(year)*whole.night + long*extra.night + part.night)
	}
	return e
}

func (h Home) scaled(wh uint64) uint64 { return wh * h.scale / scaleOne }

// split is energy by tariff.
type split struct{ day, night uint64 }

func (s split) minus(o split) split { return split{s.day - o.day, s.night - o.night} }

// base is a year of 52 weeks that homes are made from. It begins on the Monday of the
// first week of the year.
type base struct {
	name               string
	imported, exported series
}

// series is one direction of a base as sums, so that any span is one subtraction.
type series struct {
	sums   []uint32 // of the quarters before each, yearQuarters+1 of them; nil is nothing at all
	nights []uint32 // of the night quarters before each day
}

// The night tariff, in quarters of a day.
const nightEnd, nightBegin = 6 * 4, 22 * 4

func newSeries(quarters []uint32) series {
	s := series{sums: make([]uint32, yearQuarters+1), nights: make([]uint32, yearWeeks*7+1)}
	any := false
	night := uint32(0)
	for i, wh := range quarters[:yearQuarters] {
		s.sums[i+1] = s.sums[i] + wh
		if q := i % dayQuarters; q < nightEnd || q >= nightBegin {
			night += wh
		}
		if (i+1)%dayQuarters == 0 {
			s.nights[(i+1)/dayQuarters] = night
		}
		any = any || wh > 0
	}
	if !any {
		return series{}
	}
	return s
}

// until is the energy of the first n quarters of the series repeated for ever.
func (s *series) until(n int) split {
	if s.sums == nil {
		return split{}
	}
	years, n := uint64(n/yearQuarters), n%yearQuarters
	day := n / dayQuarters
	night := uint64(s.nights[day])
	// What the day brought so far: before 6, and from 22 on.
	first, at := day*dayQuarters, n%dayQuarters
	night += uint64(s.sums[first+min(at, nightEnd)] - s.sums[first])
	if at > nightBegin {
		night += uint64(s.sums[n] - s.sums[first+nightBegin])
	}
	all := years*uint64(s.sums[yearQuarters]) + uint64(s.sums[n])
	night += years * uint64(s.nights[yearWeeks*7])
	return split{day: all - night, night: night}
}
