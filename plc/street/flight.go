package street

import (
	"bytes"
	"math"

	"busbar/plc"
	"busbar/plc/mac"
)

// flight is one frame on the mains: its first transmission and its repetitions.
// Origin, senders and heard are indexes of stations.
type flight struct {
	frame  mac.Frame // with the initial credits
	origin int
	n      int64 // subframes
	hop    plc.Credit
	// The present transmission occupies the slots from from to to, the last ends at end.
	from, to, end int64
	senders       []int32
	past          []span // earlier transmissions that may still disturb others
	heard         []uint64
	done          bool // everybody it concerns has it
}

// span is a transmission that is over.
type span struct {
	from, to int64
	senders  []int32
}

func (f *flight) has(s int) bool { return f.heard[s/64]&(1<<(s%64)) != 0 }
func (f *flight) mark(s int)     { f.heard[s/64] |= 1 << (s % 64) }

// credits are those with which the present transmission arrives.
func (f *flight) credits() plc.Credits {
	c := f.frame.Credits
	c.Current = c.Initial - f.hop
	return c
}

// begin is the first transmission of a frame.
func (m *Mains) begin(s *station, frame mac.Frame) {
	if s.off > 0 {
		return
	}
	for _, f := range m.air {
		if f.from == m.now && f.hop == 0 && same(f.frame, frame) {
			// Two stations that say the same at the same time are one to everybody.
			f.senders = append(f.senders, int32(s.index))
			f.mark(s.index)
			return
		}
	}
	if t := m.cfg.Timeouts.FrameNotOK; t > 0 && m.now-m.lastFrame >= m.grid.Slots(t) {
		m.broken = m.now
	}
	n := int64(mac.Subframes(len(frame.MSDU)))
	f := &flight{
		frame: frame, origin: s.index, n: n,
		from: m.now, to: m.now + n, end: m.now + n*(1+int64(frame.Credits.Initial)),
		senders: []int32{int32(s.index)}, heard: make([]uint64, (len(m.stations)+63)/64),
	}
	f.mark(s.index)
	s.sent++
	m.stats.Frames++
	m.stats.Slots += uint64(n)
	m.note(uint64(m.now), uint64(s.index), uint64(frame.Credits.Byte())<<32|uint64(frame.Source)<<16|uint64(frame.Destination))
	m.digest.Write(frame.MSDU)
	m.air = append(m.air, f)
	m.lastFrame = max(m.lastFrame, f.end)
	m.schedule(event{at: f.to, kind: evLanding, flight: f})
}

func same(a, b mac.Frame) bool {
	return a.Credits == b.Credits && a.Source == b.Source && a.Destination == b.Destination && bytes.Equal(a.MSDU, b.MSDU)
}

// land ends a transmission: who received it, who repeats it, and what they make of it.
func (m *Mains) land(f *flight) {
	rivals := m.rivals(f)
	var got []*station
	if !f.done {
		got = m.receive(f, rivals)
	}
	m.stats.Receptions += uint64(len(got))
	received := *f // as it arrived: the repetition below changes hop and senders
	m.repeat(f, got)
	for _, s := range got {
		m.note(uint64(m.now), uint64(s.index))
		if s.index == 0 {
			m.indicate(&received)
		} else {
			m.deliver(s, &received)
		}
	}
}

// receive draws for everybody whom the frame concerns and who does not have it yet.
func (m *Mains) receive(f *flight, rivals rivals) []*station {
	var got []*station
	try := func(s *station) {
		if s.off > 0 || f.has(s.index) || !m.hears(f, rivals, s) {
			return
		}
		f.mark(s.index)
		got = append(got, s)
	}
	listeners, everybody := m.listeners(f)
	for _, s := range listeners {
		try(s)
	}
	f.done = !everybody && len(listeners) > 0 && m.allHave(f, listeners)
	if !everybody && !f.done && f.hop < f.frame.Credits.Initial {
		for _, s := range m.all {
			if s.repeats() {
				try(s)
			}
		}
	}
	if !everybody {
		for _, s := range m.searching {
			try(s)
		}
	}
	return got
}

// listeners are those whom a frame concerns; all the others matter only as repeaters.
func (m *Mains) listeners(f *flight) (who []*station, everybody bool) {
	switch d := f.frame.Destination; d {
	case plc.New, plc.AllPhysical, m.cfg.Profile.AllConfigured:
		return m.stations, true
	default:
		if d == m.stations[0].address {
			return m.stations[:1], false
		}
		return m.address[d], false
	}
}

func (m *Mains) allHave(f *flight, who []*station) bool {
	for _, s := range who {
		if !f.has(s.index) {
			return false
		}
	}
	return true
}

// inaudible is the chance of a subframe below which a modem does not notice it at all.
const inaudible = 1e-3

// hears draws whether s receives all subframes of the present transmission of f.
func (m *Mains) hears(f *flight, rivals rivals, s *station) bool {
	if rivals.has(s.index) {
		return false // it was sending itself
	}
	quiet, level := m.noise(s), m.links.loudest(s.index, f.senders)
	if level < quiet {
		return false // not noticed at all
	}
	noise := quiet
	for _, r := range rivals.spans {
		// When a whole street answers at once nearly every frame meets a louder one
		// soon: there is no need to look at the others.
		if noise = max(noise, m.links.loudest(s.index, r.senders)); noise > level {
			break
		}
	}
	p := m.links.arrives(s.index, f.senders, noise)
	if p < inaudible && noise == quiet {
		return false
	}
	whole := math.Pow(p*(1-m.cfg.Noise.Impulse), float64(f.n))
	if m.seed.unit(drawReception, f.to<<12|int64(f.origin), s.index) < whole {
		s.good++
		return true
	}
	if noise > quiet && m.links.arrives(s.index, f.senders, quiet) > 0.5 {
		m.stats.Collisions++
	}
	s.bad++
	return false
}

// rivals are the transmissions of other frames that overlap the present one of a frame.
type rivals struct {
	spans []span
	busy  []uint64 // bits of the stations that sent them
}

func (r *rivals) add(p span) {
	r.spans = append(r.spans, p)
	for _, t := range p.senders {
		r.busy[t/64] |= 1 << (t % 64)
	}
}

func (r *rivals) has(s int) bool { return len(r.spans) > 0 && r.busy[s/64]&(1<<(s%64)) != 0 }

// rivals finds those of f.
func (m *Mains) rivals(f *flight) rivals {
	if len(m.air) == 1 {
		return rivals{}
	}
	out := rivals{busy: make([]uint64, len(f.heard))}
	for _, g := range m.air {
		if g == f {
			continue
		}
		if g.from < f.to && f.from < g.to {
			out.add(span{g.from, g.to, g.senders})
		}
		for _, p := range g.past {
			if p.from < f.to && f.from < p.to {
				out.add(p)
			}
		}
	}
	return out
}

// repeat begins the next transmission of f, by its origin and every repeater that
// has received it, or takes it off the mains.
func (m *Mains) repeat(f *flight, got []*station) {
	f.past = append(f.past, span{f.from, f.to, f.senders})
	if f.hop == f.frame.Credits.Initial {
		f.from, f.to = f.end, f.end // it disturbs nobody any more, but its past may
		m.clear()
		return
	}
	senders := make([]int32, len(f.senders), len(f.senders)+len(got))
	copy(senders, f.senders)
	for _, s := range got {
		if s.repeats() {
			senders = append(senders, int32(s.index))
		}
	}
	for _, t := range senders {
		m.stations[t].repeated++
	}
	f.senders = senders
	f.hop++
	f.from, f.to = f.to, f.to+f.n
	m.stats.Repeats++
	m.stats.Slots += uint64(f.n)
	m.schedule(event{at: f.to, kind: evLanding, flight: f})
}

// clear forgets frames that are over and that no frame still on the mains overlapped.
func (m *Mains) clear() {
	oldest := m.now
	for _, f := range m.air {
		if f.from < f.end {
			oldest = min(oldest, f.from)
		}
	}
	kept := m.air[:0]
	for _, f := range m.air {
		if f.from < f.end || f.end > oldest {
			kept = append(kept, f)
		}
	}
	clear(m.air[len(kept):])
	m.air = kept
}

// answer lets a server send a frame after slot of the present one.
func (m *Mains) answer(s *station, at int64, f mac.Frame) {
	if s.mute > 0 || s.off > 0 {
		return
	}
	if len(f.MSDU) > m.cfg.Profile.MaxFrame {
		m.stats.Oversize++
		return
	}
	m.schedule(event{at: at, kind: evTransmit, station: s, frame: f})
}
