package street

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"time"

	"busbar/plc"
	"busbar/plc/mac"
)

// Indication is a frame that the initiator's modem received.
type Indication struct {
	mac.DataIndication
	Slot   int64 // at whose beginning the frame was complete
	Signal plc.Signal
}

// Stats counts what happened on the mains since the start.
type Stats struct {
	Frames     uint64 // first transmissions, of the initiator and of servers
	Repeats    uint64 // repetitions
	Slots      uint64 // slots of all transmissions, overlapping ones counted each
	Receptions uint64 // frames that a station received
	Collisions uint64 // receptions spoiled by another frame on the mains
	Indicated  uint64 // frames handed to the initiator
	Dropped    uint64 // frames for the initiator that nobody fetched
	Oversize   uint64 // answers of applications that fit in no frame
}

// Mains is the street. Its owner advances it slot by slot, or rather event by event:
// an idle slot costs nothing. Create one with New.
type Mains struct {
	cfg       Config
	grid      Grid
	seed      seed
	links     *links
	stations  []*station // 0 is the initiator
	address   map[plc.Address][]*station
	all       []*station // stations[1:]
	searching []*station // not synchronized: they listen to everything

	now       int64
	queue     queue
	scheduled uint64
	air       []*flight // frames on the mains or waiting for their next repetition
	lastFrame int64     // when the last frame ended
	broken    int64     // when a silence ended that was longer than the time-out frame not OK

	inbox  []Indication
	signal plc.Signal
	stats  Stats
	digest hash.Hash64
}

// inboxSize bounds the frames that wait for the initiator; the oldest are dropped and counted.
const inboxSize = 256

// New builds a street. It keeps cfg.Servers' applications and calls them from then on.
func New(cfg Config) (*Mains, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("street: %w", err)
	}
	if cfg.Turnaround == 0 {
		cfg.Turnaround = 1
	}
	if cfg.Timeouts.NotAddressed == 0 {
		cfg.Timeouts.NotAddressed = cfg.Profile.NotAddressed
	}
	m := &Mains{
		cfg: cfg, seed: seed(cfg.Seed), digest: fnv.New64a(),
		grid:    Grid{Start: cfg.Start, Slot: cfg.Profile.Slot()},
		address: map[plc.Address][]*station{},
	}
	places := make([]Place, 1, len(cfg.Servers)+1)
	m.stations = append(m.stations, &station{address: cfg.Profile.Initiator, synced: true})
	for i := range cfg.Servers {
		places = append(places, cfg.Servers[i].Place)
		m.addServer(&cfg.Servers[i])
	}
	m.all = m.stations[1:]
	m.links = newLinks(m.seed, places, cfg.Loss)
	for _, f := range cfg.Faults {
		if err := m.Inject(f); err != nil {
			return nil, fmt.Errorf("street: %w", err)
		}
	}
	return m, nil
}

// Grid is the street's map from time to slots.
func (m *Mains) Grid() Grid { return m.grid }

// Profile is what the line is like.
func (m *Mains) Profile() plc.Profile { return m.cfg.Profile }

// Stats is a copy of the counters.
func (m *Mains) Stats() Stats { return m.stats }

// Digest sums up everything that was sent and received so far.
func (m *Mains) Digest() uint64 { return m.digest.Sum64() }

// Next is the slot at whose beginning something happens next; false when nothing will.
func (m *Mains) Next() (int64, bool) {
	if len(m.queue) == 0 {
		return 0, false
	}
	return m.queue[0].at, true
}

// Advance lets happen everything up to the beginning of slot to, that included. The
// street never goes back: an earlier slot is no work.
func (m *Mains) Advance(to int64) {
	for len(m.queue) > 0 && m.queue[0].at <= to {
		e := heap.Pop(&m.queue).(event)
		m.now = max(m.now, e.at)
		switch e.kind {
		case evLanding:
			m.land(e.flight)
		case evRepair, evFault:
			m.afflict(e.fault, e.kind == evFault)
		case evCall:
			m.callRepeaters(e.level)
		case evTransmit:
			m.begin(e.station, e.frame)
		case evBabble:
			m.babble(e.station)
		}
	}
	m.now = max(m.now, to)
}

// Down reports that the initiator's modem sees no mains.
func (m *Mains) Down() bool { return m.stations[0].off > 0 }

// FreeFrom is the first slot from slot on in which the initiator's modem can begin to
// send, as far as it knows: not while it sends or repeats its own frame, and not while
// it is receiving. A frame whose repetitions it need not wait for does not stop it:
// to keep clear of those is the host's duty.
func (m *Mains) FreeFrom(slot int64) int64 {
	for _, f := range m.air {
		switch {
		case f.origin == 0:
			slot = max(slot, f.end)
		case !f.has(0) && f.to > slot && m.links.loudest(0, f.senders) > m.noise(m.stations[0])+halfSNR:
			slot = max(slot, f.to)
		}
	}
	return slot
}

// Transmit lets the initiator send a frame with the first transmission in the slot
// given, at the earliest the one after the present, and returns the slot at whose beginning that
// transmission is over.
func (m *Mains) Transmit(slot int64, r mac.DataRequest) int64 {
	slot = max(slot, m.now)
	f := mac.Frame{
		Credits: plc.Credits{Initial: r.Credit, Current: r.Credit},
		Source:  r.Source, Destination: r.Destination, MSDU: append([]byte(nil), r.MSDU...),
	}
	m.schedule(event{at: slot, kind: evTransmit, station: m.stations[0], frame: f})
	return slot + int64(mac.Subframes(len(r.MSDU)))
}

// Take returns what the initiator's modem received since the last call, in order.
func (m *Mains) Take() []Indication {
	got := m.inbox
	m.inbox = nil
	return got
}

// Counters are what the initiator's modem counted.
type Counters struct {
	Good, Bad             uint32 // frames received with right and wrong check sequence
	Transmitted, Repeated uint32
}

// Counters is a copy of the initiator's counters.
func (m *Mains) Counters() Counters {
	s := m.stations[0]
	return Counters{Good: s.good, Bad: s.bad, Transmitted: s.sent, Repeated: s.repeated}
}

// Now is the slot that the street has reached.
func (m *Mains) Now() int64 { return m.now }

// Signal is the quality of the last subframe that the initiator's modem received.
func (m *Mains) Signal() plc.Signal { return m.signal }

// indicate hands a frame to the initiator.
func (m *Mains) indicate(f *flight) {
	if len(m.inbox) == inboxSize {
		m.inbox = m.inbox[1:]
		m.stats.Dropped++
	}
	s := m.stations[0]
	m.signal = signal(m.links.loudest(0, f.senders), m.noise(s), m.tilt(f.senders))
	m.stats.Indicated++
	m.inbox = append(m.inbox, Indication{Slot: m.now, Signal: m.signal, DataIndication: mac.DataIndication{
		Source: f.frame.Source, Destination: f.frame.Destination, Credits: f.credits(),
		MSDU: append([]byte(nil), f.frame.MSDU...), At: m.grid.At(m.now),
	}})
}

// tilt is how much better the mark tone of the loudest sender is heard than the space tone, in dB.
func (m *Mains) tilt(senders []int32) float64 {
	best, top := 0, 0.0
	for _, t := range senders {
		if l := m.links.at(0, int(t)); l > top {
			best, top = int(t), l
		}
	}
	return 12*m.seed.unit(drawCoupling, 1, best) - 6
}

// noise is the level of noise at a station in dBµV, computed once a minute.
func (m *Mains) noise(s *station) float64 {
	if m.now < s.noiseUntil {
		return s.noise
	}
	now := m.grid.At(m.now)
	minute := now.Truncate(time.Minute)
	s.noise = m.cfg.Noise.at(m.seed, s.index, s.place.Feeder, minute) + s.burst
	s.noiseUntil = max(m.now+1, m.grid.Index(minute.Add(time.Minute)))
	return s.noise
}

// note adds to the digest.
func (m *Mains) note(values ...uint64) {
	var b [8]byte
	for _, v := range values {
		binary.LittleEndian.PutUint64(b[:], v)
		m.digest.Write(b[:])
	}
}
