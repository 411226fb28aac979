package initiator

import (
	"context"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
	"busbar/plc/mac"
)

// remembered is how many received frames are kept to recognize duplicates.
const remembered = 16

// mains knows until when the mains is busy with our own last exchange and tells new
// frames from duplicates. Run's goroutine owns it.
type mains struct {
	line    Line
	profile plc.Profile
	margin  time.Duration
	trace   func(TraceFrame)
	counts  *tally

	free time.Time // the mains is free of our own last exchange
	last request   // the last one sent
	owed bool      // its answer may still come
	// unanswered is the server whose answer to an earlier request did not come in time.
	unanswered plc.Address
	seen       []copied
}

// request is one frame to send and what it may cause.
type request struct {
	to     plc.Address
	credit plc.Credit
	lpdu   llc.LPDU
	answer int // slots behind its repetitions in which others may send; 0: nobody will

	repeated time.Time // when its repetitions end; set by send
	deadline time.Time // when no answer can come any more; set by send
}

// slots is the time it occupies on the mains itself.
func (r request) slots() int { return frameSlots(mac.Subframes(r.lpdu.Size()), r.credit) }

// copied is a frame whose repetitions may still reach us.
type copied struct {
	source plc.Address
	msdu   string
	until  time.Time
}

// heard is a frame for us.
type heard struct {
	mac.DataIndication
	lpdu llc.LPDU
	err  error // it is not an LPDU
	late bool  // it answers an earlier attempt: the last one's answer is still to come
}

// report tells a DiscoverReport, whatever its access points (sfsk.md 3.1).
func (h heard) report() bool { return ciase.Tag(h.lpdu.APDU[0]) == ciase.TagDiscoverReport }

// send waits until the mains is free and sends r. The deadline in the returned request
// lies half a slot off the grid, on which all frames begin and end (sfsk.md 7.6).
func (m *mains) send(ctx context.Context, r request) (request, error) {
	if err := m.settle(ctx); err != nil {
		return r, err
	}
	if ctx.Err() != nil { // both may have ended at once
		return r, context.Cause(ctx)
	}
	d := mac.DataRequest{
		Source: m.profile.Initiator, Destination: r.to, Credit: r.credit,
		MSDU: r.lpdu.Append(make([]byte, 0, r.lpdu.Size())),
	}
	if m.trace != nil {
		credits := plc.Credits{Initial: r.credit, Current: r.credit}
		m.trace(TraceFrame{At: time.Now(), Sent: true, Source: d.Source, Destination: d.Destination, Credits: credits, MSDU: d.MSDU})
	}
	err := m.line.Send(ctx, d)
	r.repeated = time.Now().Add(m.profile.Slots(r.slots() - mac.Subframes(len(d.MSDU))))
	r.deadline = r.repeated.Add(m.profile.Slot() / 2)
	if r.answer > 0 {
		r.deadline = r.deadline.Add(m.profile.Slots(r.answer) + margin(m.profile, m.margin))
	}
	if m.owed {
		m.unanswered = m.last.to
	}
	// After a failure it may have been sent all the same.
	m.free, m.last, m.owed = r.deadline, r, r.answer > 0
	if err != nil {
		return r, fmt.Errorf("send to %v: %w", r.to, err)
	}
	m.counts.add(func(c *Counts) { c.Sent++ })
	return r, nil
}

// expect keeps the mains busy until the answer to r can come no more, whatever else came
// from the same server meanwhile and looked like it.
func (m *mains) expect(r request) {
	m.owed = true
	if r.deadline.After(m.free) {
		m.free = r.deadline
	}
}

// hold keeps the mains busy for some slots from now.
func (m *mains) hold(slots int) {
	m.free, m.owed = time.Now().Add(m.profile.Slots(slots)+m.profile.Slot()/4), false
}

// settle waits until the mains is free. What is heard meanwhile is late.
func (m *mains) settle(ctx context.Context) error {
	for {
		h, ok, err := m.listen(ctx, m.free)
		if err != nil {
			return err
		}
		switch {
		case ok && h.err == nil && h.report():
			m.counts.add(func(c *Counts) { c.Unasked++ })
		case ok && h.err == nil:
			m.counts.add(func(c *Counts) { c.Late++ })
		case !ok && !time.Now().Before(m.free):
			return nil
		}
	}
}

// listen returns the next frame for us before until, and false when until has come and
// nothing waits to be taken.
func (m *mains) listen(ctx context.Context, until time.Time) (heard, bool, error) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		var ind mac.DataIndication
		open := true
		select {
		case <-ctx.Done():
			return heard{}, false, context.Cause(ctx)
		case ind, open = <-m.line.Indications():
		case <-timer.C:
			select {
			case ind, open = <-m.line.Indications():
				timer.Reset(0)
			default:
				return heard{}, false, nil
			}
		}
		if !open {
			return heard{}, false, fmt.Errorf("the line was closed: %w", plc.ErrLineDown)
		}
		if h, ok := m.admit(ind); ok {
			return h, true, nil
		}
	}
}

// admit sorts out frames that are not for us and duplicates, and notes how long the
// frame's repetitions go on.
func (m *mains) admit(ind mac.DataIndication) (heard, bool) {
	now := time.Now()
	if ind.At.IsZero() || ind.At.After(now) {
		ind.At = now
	}
	if m.trace != nil {
		m.trace(TraceFrame{At: ind.At, Source: ind.Source, Destination: ind.Destination, Credits: ind.Credits, MSDU: ind.MSDU})
	}
	m.counts.add(func(c *Counts) { c.Received++ })
	if !m.forUs(ind) {
		m.counts.add(func(c *Counts) { c.Foreign++ })
		return heard{}, false
	}
	if m.repeats(ind) {
		m.counts.add(func(c *Counts) { c.Duplicates++ })
		return heard{}, false
	}
	h := heard{DataIndication: ind}
	h.late = m.occupy(ind)
	if h.lpdu, _, h.err = llc.Parse(ind.MSDU); h.err != nil {
		m.counts.add(func(c *Counts) { c.Garbled++ })
	}
	return h, true
}

// forUs: from a server, to us or to everyone, as reports are (sfsk.md D6).
func (m *mains) forUs(ind mac.DataIndication) bool {
	p := m.profile
	server := ind.Source != plc.NoBody && (ind.Source < p.FIMA || ind.Source == plc.New)
	return server && (ind.Destination == p.Initiator || ind.Destination == plc.AllPhysical)
}

// repeats reports whether the frame came before, within the slots in which copies of
// it are on the mains (sfsk.md 2.4), and remembers it if not.
func (m *mains) repeats(ind mac.DataIndication) bool {
	kept := m.seen[:0]
	again := false
	for _, c := range m.seen {
		if !ind.At.Before(c.until) {
			continue
		}
		kept = append(kept, c)
		again = again || c.source == ind.Source && c.msdu == string(ind.MSDU)
	}
	m.seen = kept
	if again {
		return true
	}
	if len(m.seen) == remembered {
		m.seen = append(m.seen[:0], m.seen[1:]...)
	}
	span := m.profile.Slots(frameSlots(mac.Subframes(len(ind.MSDU)), ind.Credits.Initial))
	m.seen = append(m.seen, copied{source: ind.Source, msdu: string(ind.MSDU), until: ind.At.Add(span)})
	return false
}

// occupy notes until when the repetitions of a received frame go on. The answer to the
// last request ends its exchange early. When an earlier request to the same server was not
// answered in time, a frame that comes sooner than the last one's answer can be there
// belongs to that, and the mains stays busy.
func (m *mains) occupy(ind mac.DataIndication) (late bool) {
	n := mac.Subframes(len(ind.MSDU))
	end := ind.At
	if c := int(ind.Credits.Current); c > 0 {
		end = end.Add(m.profile.Slots(n*c) + m.profile.Slot()/4) // off the grid, on which frames end
	}
	asked := m.owed && ind.Source == m.last.to
	if ind.Source == m.unanswered {
		m.unanswered = plc.NoBody
		soonest := m.last.repeated.Add(m.profile.Slots(n*(1+int(ind.Credits.Used()))) - m.profile.Slot()/2)
		late = asked && ind.At.Before(soonest)
	}
	if asked && !late {
		m.owed, m.free = false, end
	} else if end.After(m.free) {
		m.free = end
	}
	return late
}
