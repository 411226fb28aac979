package street

import (
	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
	"busbar/plc/mac"
	"busbar/plc/street/meter"
)

// station is one modem on the mains: MAC and CIASE of a server and, with index 0, no
// more than the place of the initiator.
type station struct {
	index int
	title plc.SystemTitle
	app   Application
	state *meter.LineState
	place Place
	mode  RepeaterMode

	// Synchronization (sfsk.md 2.5).
	synced    bool
	since     int64 // slot of the last synchronization
	address   plc.Address
	initiator plc.SystemTitle // active initiator, when locked
	locked    plc.Address     // its address; NoBody when not locked
	addressed int64           // slot of the last frame for this address
	lost      [5]uint32       // desynchronizations by cause: physical, not addressed, CRC, write, wrong initiator
	found     uint32          // synchronizations

	// Repeating (2.6).
	repeater bool
	call     *ciase.RepeaterCall // received, its slots not begun

	// Reporting (4.6, 4.9).
	heardTitles []plc.SystemTitle
	nextHeard   int
	alarm       uint8
	hasAlarm    bool

	// Counters of class 53 and the smallest IC-CC since the last look (class 50).
	sent, repeated, good, bad, broadcasts uint32 // broadcasts of the initiator
	minDelta                              plc.Credit
	requestDelta                          plc.Credit // IC-CC of the last request, the DC of the answer

	// Noise in dBµV, valid before slot noiseUntil.
	noise      float64
	noiseUntil int64

	// Faults, counted because they may overlap.
	off, mute, garbage, babbling int
	burst                        float64
}

// maxHeard bounds the titles that a server remembers of others; the oldest go.
const maxHeard = 16

func (m *Mains) addServer(c *Server) {
	s := &station{
		index: len(m.stations), title: c.Title, app: c.App, state: c.State, place: c.Place, mode: c.Repeater,
		address: plc.New, repeater: c.Repeater != Never, minDelta: plc.MaxCredit,
	}
	m.stations = append(m.stations, s)
	if c.Address != plc.NoBody {
		s.address, s.locked = c.Address, m.cfg.Profile.Initiator
		m.address[s.address] = append(m.address[s.address], s)
	}
	m.searching = append(m.searching, s)
}

// new reports that the server has no address.
func (s *station) new() bool { return s.address == plc.New }

// repeats reports that the server takes part in the chorus.
func (s *station) repeats() bool {
	return s.off == 0 && s.synced && s.mode != Never && (s.repeater || s.mode == Always)
}

// search makes a server look for synchronization.
func (m *Mains) search(s *station) {
	s.synced, s.call = false, nil
	for _, other := range m.searching {
		if other == s {
			return
		}
	}
	m.searching = append(m.searching, s)
}

// synchronize ends the search: the frame that brought it is not delivered.
func (m *Mains) synchronize(s *station) {
	s.synced = true
	s.found++
	s.since, s.addressed = m.now, m.now
	for i, other := range m.searching {
		if other == s {
			m.searching = append(m.searching[:i], m.searching[i+1:]...)
			return
		}
	}
}

// setAddress gives a server an address, or takes it away with plc.New.
func (m *Mains) setAddress(s *station, a plc.Address) {
	if s.address == a {
		return
	}
	if held := m.address[s.address]; len(held) > 0 {
		kept := held[:0]
		for _, other := range held {
			if other != s {
				kept = append(kept, other)
			}
		}
		m.address[s.address] = kept
	}
	if s.address = a; a != plc.New {
		m.address[a] = append(m.address[a], s)
	}
}

// forget makes a server new: no address, no initiator, no associations.
func (m *Mains) forget(s *station) {
	m.setAddress(s, plc.New)
	s.initiator, s.locked = plc.SystemTitle{}, plc.NoBody
	s.app.Reset()
	m.search(s)
}

// powerDown takes a server off the mains. What its processor keeps in flash stays.
func (m *Mains) powerDown(s *station) {
	s.heardTitles, s.synced, s.call = nil, false, nil
	s.app.Reset()
}

// overdue tells which time-outs of a server have run out. A server counts as hearing
// every frame on the mains, so that frame not OK, the time without any, runs only
// while the whole street is silent: whoever listened in on frames for others is not
// simulated.
func (m *Mains) overdue(s *station) (notAddressed, frameNotOK bool) {
	if s.off > 0 || !s.synced {
		return false, false
	}
	limit := m.cfg.Timeouts.NotAddressed
	return limit > 0 && !s.new() && m.now-s.addressed >= m.grid.Slots(limit), s.since < m.broken
}

// expire catches up on time-outs, which nobody could see before somebody looks.
func (m *Mains) expire(s *station) {
	switch notAddressed, frameNotOK := m.overdue(s); {
	case notAddressed:
		s.lost[1]++
		m.forget(s)
	case frameNotOK:
		s.lost[2]++
		m.search(s)
	}
}

// deliver gives a received frame to a server.
func (m *Mains) deliver(s *station, f *flight) {
	m.expire(s)
	if !s.synced {
		m.synchronize(s)
		return
	}
	frame := &f.frame
	own := frame.Destination == s.address && !s.new()
	if !own && !m.broadcast(s, frame.Destination) {
		return
	}
	p := &m.cfg.Profile
	fromInitiator := frame.Source >= p.FIMA && frame.Source <= p.LIMA
	if fromInitiator && s.locked != plc.NoBody && frame.Source != s.locked {
		s.lost[4]++
		return
	}
	lpdu, _, err := llc.Parse(frame.MSDU)
	if err != nil {
		return
	}
	if !fromInitiator {
		m.overhear(s, lpdu.APDU)
		return
	}
	s.call = nil
	if delta := f.credits().Used(); own {
		s.addressed, s.requestDelta, s.minDelta = m.now, delta, min(s.minDelta, delta)
	} else {
		s.broadcasts++
	}
	switch {
	case ciase.IsAPDU(lpdu.APDU[0]):
		m.ciase(s, f, lpdu)
	default:
		m.apply(s, f, lpdu, own)
	}
}

// broadcast reports whether a frame for d is for s among others.
func (m *Mains) broadcast(s *station, d plc.Address) bool {
	switch d {
	case plc.AllPhysical:
		return true
	case m.cfg.Profile.AllConfigured:
		return !s.new()
	}
	return d == plc.New && s.new()
}

// apply hands an APDU to the meter and sends its answer back.
func (m *Mains) apply(s *station, f *flight, in llc.LPDU, own bool) {
	if s.mute > 0 {
		return
	}
	m.fill(s)
	out := s.app.Handle(m.grid.At(m.now), in.SSAP, in.DSAP, in.APDU)
	if out == nil || !own {
		return
	}
	if s.garbage > 0 {
		out = m.rubbish(s, len(out))
	}
	m.respond(s, f, llc.LPDU{DSAP: in.SSAP, SSAP: in.DSAP, APDU: out})
}

// respond answers a frame: with the credit it had, and the hops it needed as delta
// credit, after its last repetition (sfsk.md 2.4).
func (m *Mains) respond(s *station, f *flight, l llc.LPDU) {
	c := f.frame.Credits.Initial
	m.answer(s, f.end+int64(m.cfg.Turnaround), mac.Frame{
		Credits: plc.Credits{Initial: c, Current: c, Delta: min(s.requestDelta, plc.MaxDelta)},
		Source:  s.address, Destination: f.frame.Source,
		MSDU: l.Append(make([]byte, 0, l.Size())),
	})
}

// rubbish is n octets that mean nothing.
func (m *Mains) rubbish(s *station, n int) []byte {
	g := m.seed.source(drawGarbage, m.now, s.index)
	b := make([]byte, max(1, n))
	for i := range b {
		b[i] = byte(g.Uint64())
	}
	return b
}

// babblePause is the mean pause between two frames of a babbling server in slots.
const babblePause = 40

// babble sends rubbish and draws when to do so again.
func (m *Mains) babble(s *station) {
	if s.babbling == 0 {
		return
	}
	n := 1 + m.seed.below(60, drawBabble, m.now, s.index)
	if s.off == 0 {
		m.begin(s, mac.Frame{
			Source: s.address, Destination: m.cfg.Profile.Initiator, MSDU: m.rubbish(s, int(n)),
		})
	}
	m.schedule(event{at: m.now + 1 + m.seed.below(2*babblePause, drawBabble, -m.now, s.index), kind: evBabble, station: s})
}
