package meter

import (
	"math"
	"slices"

	"busbar/plc/street/load"
)

// Times of a meter are milliseconds since 1970, in one of two clocks: real time, and
// the meter's own opinion of UTC.

// period is the capture period in milliseconds: a quarter of an hour.
const period = load.QuarterSeconds * 1000

// span is a time in which the meter ran without a break: from its installation, the
// end of an outage, or the moment its clock was set, to the next of these.
type span struct {
	from, to int64 // real
	offset   int64 // of the clock, without its drift
	set      bool  // it began with the clock being set, not with mains coming back

	first, last int64       // quarters of the meter's clock captured in it; last < first: none
	before      int64       // entries captured before it
	unmetered   load.Energy // used in the outages before it
}

// history is all a meter needs to know of its past: its profile follows from it.
type history struct {
	spans   []span
	drift   int64 // of the clock, in 1e-9
	install int64 // real
}

const never = math.MaxInt64

func newHistory(c Config) history {
	h := history{drift: int64(c.Drift * 1000), install: c.Installed.UnixMilli()}
	from := h.install
	for _, o := range c.Outages {
		if to := o.From.UnixMilli(); to > from {
			h.spans = append(h.spans, span{from: from, to: to, offset: c.Offset.Milliseconds()})
		}
		from = max(from, o.To.UnixMilli())
	}
	h.spans = append(h.spans, span{from: from, to: never, offset: c.Offset.Milliseconds()})
	h.number()
	return h
}

// number counts the entries of every span anew.
func (h *history) number() {
	before, newest := int64(0), int64(math.MinInt64)
	for i := range h.spans {
		s := &h.spans[i]
		s.first = h.quarterAt(s, s.from-1) + 1
		if i == 0 {
			s.first = h.quarterAt(s, s.from) + 1 // a quarter of no length is none
		} else if newest >= s.first {
			s.first = newest + 1 // after the clock was set back: captured already
		}
		s.last, s.before = never, before
		if s.to == never {
			break
		}
		s.last = h.quarterAt(s, s.to-1)
		if s.last >= s.first {
			before += s.last - s.first + 1
			newest = s.last
		}
	}
}

// clock is the meter's opinion of a real time in span s.
func (h *history) clock(s *span, real int64) int64 {
	return real + s.offset + (real-h.install)*h.drift/1e9
}

// realOf is the real time at which the meter's clock reaches a quarter in span s.
func (h *history) realOf(s *span, quarter int64) int64 {
	x := quarter*period - s.offset - h.install
	return h.install + x - x*h.drift/(1e9+h.drift)
}

// quarterAt is the last quarter that the clock reached by a real time.
func (h *history) quarterAt(s *span, real int64) int64 {
	q := floor(h.clock(s, real), period)
	for h.realOf(s, q) > real {
		q--
	}
	for h.realOf(s, q+1) <= real {
		q++
	}
	return q
}

// floor is a/b rounded down; b is more than 0.
func floor(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// at is the span that a real time lies in, or the last one before it.
func (h *history) at(real int64) *span {
	i := len(h.spans) - 1
	for i > 0 && h.spans[i].from > real {
		i--
	}
	return &h.spans[i]
}

// captured is the number of entries that exist at a real time.
func (h *history) captured(now int64) int64 {
	s := h.at(now)
	return s.before + max(0, min(s.last, h.quarterAt(s, now))-s.first+1)
}

// entry finds entry i, counted from 1: its span and its quarter.
func (h *history) entry(i int64) (s *span, quarter int64) {
	n := len(h.spans) - 1
	for n > 0 && (h.spans[n].before >= i || h.spans[n].last < h.spans[n].first) {
		n--
	}
	s = &h.spans[n]
	return s, s.first + i - s.before - 1
}

// since is the number of the first entry whose quarter is q or later.
func (h *history) since(q int64) int64 {
	for i := range h.spans {
		s := &h.spans[i]
		if s.last >= s.first && q <= s.last {
			return s.before + 1 + max(0, q-s.first)
		}
	}
	return never
}

// maxSpans bounds what a meter remembers of its clock being set: when there are more,
// the oldest span is forgotten, and the entries captured in it.
const maxSpans = 64

// set makes the clock show a time from now on. Entries that its clock jumps over are
// never captured; quarters that come a second time are captured once.
func (h *history) set(now, clock int64) {
	i := len(h.spans) - 1
	for i > 0 && h.spans[i].from > now {
		i--
	}
	s := &h.spans[i]
	next := *s
	next.from, next.set = now, true
	next.offset = clock - now - (now-h.install)*h.drift/1e9
	s.to = now
	h.spans = slices.Insert(h.spans, i+1, next)
	for j := i + 2; j < len(h.spans); j++ {
		h.spans[j].offset = next.offset
	}
	if len(h.spans) > maxSpans {
		h.spans = h.spans[1:]
	}
	h.number()
}
