package meter

import (
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/dlms/apdu"
	"busbar/plc/street/load"
)

// Meter is one simulated meter. It belongs to the goroutine of its street; nothing in
// it moves between two calls.
type Meter struct {
	cfg        Config
	past       history
	start      load.Energy // of the home at installation
	management *dlms.Server
	public     *dlms.Server

	phase     uint8 // initiator_electrical_phase, written by the client (class 50)
	tree      tree  // shared by all meters
	events    eventLog
	served    servedLog
	clockRead int64 // what the last answer to a read of the clock said; 0: none yet
}

// New makes a meter. Entries and registers of the time between its installation and
// now are there at once.
func New(cfg Config) *Meter {
	m := &Meter{cfg: cfg.complete(), tree: objects}
	m.past = newHistory(m.cfg)
	m.start = m.home(m.past.install)
	for i := 1; i < len(m.past.spans); i++ {
		s, gone := &m.past.spans[i], &m.past.spans[i-1]
		lost := m.home(s.from).Minus(m.home(gone.to))
		s.unmetered = gone.unmetered.Plus(lost)
	}
	m.events.outages = m.cfg.Outages
	m.management = dlms.NewServer(m.association(m.cfg.Keys), &view{meter: m, client: clientManagement})
	m.public = dlms.NewServer(m.association(dlms.Keys{}), &view{meter: m, client: clientPublic})
	return m
}

// association is what both servers have in common.
func (m *Meter) association(keys dlms.Keys) dlms.ServerConfig {
	longest := m.cfg.Options.maxFrame() - llcHeader
	c := dlms.ServerConfig{
		Title: m.cfg.Title, Keys: keys, Counter: m.cfg.Counter, Rand: m.cfg.Rand,
		MaxPDU: longest, MaxAnswer: longest, Conformance: dlms.DefaultServerConformance,
	}
	if m.cfg.Options.NoList {
		c.Conformance &^= apdu.MultipleReferences
	}
	return c
}

// Title is the meter's system title.
func (m *Meter) Title() plc.SystemTitle { return m.cfg.Title }

// Name is its COSEM logical device name.
func (m *Meter) Name() string { return m.cfg.Name }

// Keys are those of its management client.
func (m *Meter) Keys() dlms.Keys { return m.cfg.Keys }

// Options are the ways in which it differs from a plain meter.
func (m *Meter) Options() Options { return m.cfg.Options }

// MaxFrame is the longest LPDU its link takes, LLC header included (class 55).
func (m *Meter) MaxFrame() int { return m.cfg.Options.maxFrame() }

// Handle takes an APDU from a client access point to a logical device and returns the
// answer, nil when there is none: nobody else but client 1 and client 16 of logical
// device 1 is served.
func (m *Meter) Handle(now time.Time, client, server byte, request []byte) []byte {
	if server != serverManagement {
		return nil
	}
	switch client {
	case clientManagement:
		return m.management.Receive(now, request)
	case clientPublic:
		return m.public.Receive(now, request)
	}
	return nil
}

// Reset releases the associations, as when the meter becomes new or loses its mains.
func (m *Meter) Reset() {
	m.management.Reset()
	m.public.Reset()
}

// Release releases the association of one client, as when its connection is gone.
func (m *Meter) Release(client byte) {
	switch client {
	case clientManagement:
		m.management.Reset()
	case clientPublic:
		m.public.Reset()
	}
}

// Clock is the time that the meter would tell at now.
func (m *Meter) Clock(now time.Time) time.Time {
	return time.UnixMilli(m.clock(now.UnixMilli())).UTC()
}

func (m *Meter) clock(real int64) int64 { return m.past.clock(m.past.at(real), real) }

// dateTime is a time of the meter's clock as it writes it.
func (m *Meter) dateTime(clock int64) cosem.DateTime {
	deviation := -int(m.cfg.Zone / time.Minute)
	if m.cfg.Sign == cosem.DeviationFromUTC {
		deviation = -deviation
	}
	return m.cfg.Sign.DateTime(time.UnixMilli(clock), deviation, 0)
}

// energy is what the meter has counted by a real time: nothing in outages.
func (m *Meter) energy(real int64) load.Energy {
	s := m.past.at(real)
	return m.home(min(real, s.to)).Minus(m.start).Minus(s.unmetered)
}

// home is what the home would have used since 1970.
func (m *Meter) home(real int64) load.Energy {
	return m.cfg.Home.Until(load.LocalSeconds(time.UnixMilli(real), m.cfg.Zone))
}
