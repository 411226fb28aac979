package capture

import "time"

// Window is the part of a load profile to ask for, in meter time.
type Window struct {
	From, To time.Time // both included
	Due      bool      // false: nothing new can have been captured yet
	More     bool      // To lies before the present: the next visit reads on
}

// Plan says how much of a profile one visit reads.
type Plan struct {
	Period   time.Duration // capture period; 0 when unknown
	Backfill time.Duration // how far back a first contact goes
	Max      int           // entries in one visit
}

// assumedPeriod stands in for a profile whose period is unknown or zero. It only
// bounds how much is asked for at once.
const assumedPeriod = 15 * time.Minute

func (p Plan) period() time.Duration {
	if p.Period <= 0 {
		return assumedPeriod
	}
	return p.Period
}

// Present is the latest time that an entry can have, one period from now.
func (p Plan) Present(now time.Time) time.Time { return now.Add(p.period()) }

// Follows reports whether reading can go on after an entry of that time. One that cannot
// be says nothing, nor does one of the future: the meter's clock was ahead and was put
// right, and entries before that one are still to come.
func (p Plan) Follows(now, last time.Time) bool {
	return !implausible(last, now) && !last.After(p.Present(now))
}

// Next is the window after the last entry that is stored: from one second after it to
// one period from now, because an entry may be captured while we ask. Without any entry,
// or with one that nothing Follows, it goes back by the backfill: what is read again is
// stored once. A long gap is read in pieces, the oldest first.
func (p Plan) Next(now, last time.Time, has bool) Window {
	period := p.period()
	floor := now.Add(-p.Backfill)
	w := Window{From: floor, Due: true}
	if has && p.Follows(now, last) {
		w.From = last.Add(time.Second)
		w.Due = p.Period <= 0 || !now.Before(last.Add(p.Period))
	}
	w.From = w.From.UTC().Truncate(time.Second)
	w.To = p.Present(now).UTC().Truncate(time.Second)
	if limit := w.From.Add(time.Duration(max(1, p.Max)) * period); limit.Before(w.To) {
		w.To, w.More = limit, true
	}
	w.Due = w.Due && w.From.Before(w.To)
	return w
}

// Entries is the window as entry numbers of a profile that holds inUse entries, the
// oldest first, for meters that know no selection by range. It goes back as many
// entries as the period suggests and one more, because one may just have been captured.
// Past are entries already looked at in vain, as they are numbered now (see Shifted): a
// meter that was without mains has fewer entries than the period suggests. Both numbers
// are 0 when there is nothing to read.
func (p Plan) Entries(now time.Time, w Window, inUse, past uint32) (from, to uint32) {
	period := p.period()
	span := int64(max(0, now.Sub(w.From))/period) + 2
	first := max(1, int64(inUse)-span+1, int64(past)+1)
	last := min(int64(inUse), first+int64(max(1, p.Max))-1)
	if first > last {
		return 0, 0
	}
	return uint32(first), uint32(last)
}

// Shifted is the least number that entry n of a profile has after a while: one that is
// full loses its oldest entry with each capture, and all others move down.
func (p Plan) Shifted(n uint32, while time.Duration) uint32 {
	captured := int64(max(0, while)/p.period()) + 1
	return uint32(max(0, int64(n)-captured))
}

// earliest is the oldest time that a reading can have.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// implausible reports whether a meter time lies outside 2000-01-01 to now + 1 day.
func implausible(t, now time.Time) bool {
	return t.Before(earliest) || t.After(now.Add(24*time.Hour))
}
