package roster

import (
	"fmt"
	"slices"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Config tells a Roster about its segment. New fills in what is zero.
type Config struct {
	Line         plc.Profile   // addresses, time-out not addressed, longest frame, title size
	Expected     int           // meters that should be there; 0: not told
	MaxMeters    int           // titles kept; more are refused with one event (default 2048)
	MaxSlots     int           // air time of one Discover window in line slots (default 512)
	Interval     time.Duration // between two Discovers of the steady state (default 1 h)
	RepeaterCall time.Duration // between two periodic repeater calls (default 24 h)
	FailedVisits int           // visits in a row without success before a meter may be lost (default 6)
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.MaxMeters, 2048)
	set(&c.MaxSlots, 512)
	set(&c.FailedVisits, 6)
	if c.Interval <= 0 {
		c.Interval = time.Hour
	}
	if c.RepeaterCall <= 0 {
		c.RepeaterCall = 24 * time.Hour
	}
	if c.Line.BitRate == 0 {
		c.Line = plc.DefaultProfile()
	}
	return c
}

// proof is what must happen before a meter's address is believed.
type proof uint8

const (
	settled    proof = iota // nothing: the address is proved, or there is none
	toPing                  // a Ping must show that the meter has the address
	toRegister              // the address must be sent in a Register
)

// entry is what the roster keeps of one meter beyond its stored record.
type entry struct {
	meter   concentrator.Meter
	proof   proof
	tries   int         // Registers sent in the running series
	series  int         // series that ended without proof
	credit  plc.Credit  // of the next Register and Ping
	retryAt time.Time   // a new series is not begun before
	claim   plc.Address // the other address that the title reported from, NoBody when none

	provedAt time.Time // last answer to a Ping
	dirty    bool      // differs from what is stored
}

// maxTries is how often a Register is repeated before the meter is given up (sfsk.md 4.6, step 4).
const maxTries = 3

// provedFor is how long an answered Ping outweighs reports from address New: there
// are servers that answer every Discover, and from there.
const provedFor = 10 * time.Minute

// maxEvents bounds the events that wait for a failing disk; beyond it the newest are
// dropped, because the first tell more about a cause.
const maxEvents = 1024

// Roster is the table of meters and the decision about the next discovery step.
type Roster struct {
	cfg     Config
	entries map[plc.SystemTitle]*entry
	byTitle []*entry                  // the same entries, so that map order never reaches the line
	held    map[plc.Address]time.Time // addresses nobody may have before the time
	events  []concentrator.Event

	sweep         sweep
	steady        int       // steady-state Discovers made
	discoverAt    time.Time // of the steady state
	grown         bool      // registered somebody since the last repeater call
	callRepeaters bool
	callAt        time.Time
	stormAt       time.Time // when the last event of a storm was made
}

// New returns a Roster of the meters known from an earlier run. Addresses that may
// have been forgotten meanwhile are pinged before anything else; without any
// registered meter a full sweep begins.
func New(now time.Time, cfg Config, known []concentrator.Meter) *Roster {
	r := &Roster{
		cfg: cfg.withDefaults(), entries: map[plc.SystemTitle]*entry{}, held: map[plc.Address]time.Time{},
		discoverAt: now,
	}
	r.callAt = now.Add(r.cfg.RepeaterCall)
	for _, m := range known {
		r.load(now, m)
	}
	if r.count(isRegistered) == 0 {
		r.startSweep(0)
	}
	return r
}

func (r *Roster) load(now time.Time, m concentrator.Meter) {
	e := &entry{meter: m, credit: m.Credit}
	r.insert(e)
	shortest, _ := r.notAddressed(&m)
	switch {
	case m.State == concentrator.StateRegistered && now.Sub(m.LastAsked) >= shortest:
		e.proof = toPing
	case m.State == concentrator.StateNew && m.Address != plc.New:
		e.proof, e.tries = toPing, 1 // a Register was sent before the restart, perhaps with success
	}
}

func isRegistered(m *concentrator.Meter) bool { return m.State == concentrator.StateRegistered }
func isLost(m *concentrator.Meter) bool       { return m.State == concentrator.StateLost }

func (r *Roster) count(is func(*concentrator.Meter) bool) int {
	n := 0
	for _, e := range r.byTitle {
		if is(&e.meter) {
			n++
		}
	}
	return n
}

// Meter returns what is known of a meter.
func (r *Roster) Meter(title plc.SystemTitle) (concentrator.Meter, bool) {
	e, ok := r.entries[title]
	if !ok {
		return concentrator.Meter{}, false
	}
	return e.meter, true
}

// Meters returns every known meter, ordered by title.
func (r *Roster) Meters() []concentrator.Meter {
	meters := make([]concentrator.Meter, 0, len(r.entries))
	for _, e := range r.byTitle {
		meters = append(meters, e.meter)
	}
	return meters
}

// insert adds an entry for a title that has none. Entries are never removed.
func (r *Roster) insert(e *entry) {
	at, _ := slices.BinarySearchFunc(r.byTitle, e, func(a, b *entry) int { return a.meter.Title.Compare(b.meter.Title) })
	r.byTitle = slices.Insert(r.byTitle, at, e)
	r.entries[e.meter.Title] = e
}

// Readable reports whether a meter may be visited: registered at a proved address
// and not in quarantine.
func (r *Roster) Readable(now time.Time, title plc.SystemTitle) bool {
	e, ok := r.entries[title]
	return ok && e.readable(now)
}

func (e *entry) readable(now time.Time) bool {
	return e.meter.State == concentrator.StateRegistered && e.proof == settled && !now.Before(e.meter.Quarantined)
}

// Settled reports that no sweep is running and no address waits for its proof.
func (r *Roster) Settled() bool { return !r.sweep.active && !r.proving() }

func (r *Roster) proving() bool {
	for _, e := range r.byTitle {
		if e.proof != settled {
			return true
		}
	}
	return false
}

// Unknown is the estimated number of meters that were not heard yet; 0 outside a sweep.
func (r *Roster) Unknown() int {
	if !r.sweep.active {
		return 0
	}
	return int(r.sweep.belief.mean() + 0.5)
}

// Unsaved returns the meters that changed and the events that happened since the
// last call. They must be stored before the next step goes out; give them to Keep
// when that failed.
func (r *Roster) Unsaved() ([]concentrator.Meter, []concentrator.Event) {
	var meters []concentrator.Meter
	for _, e := range r.byTitle {
		if e.dirty {
			e.dirty = false
			meters = append(meters, e.meter)
		}
	}
	events := r.events
	r.events = nil
	return meters, events
}

// Keep takes back what could not be stored.
func (r *Roster) Keep(meters []concentrator.Meter, events []concentrator.Event) {
	for _, m := range meters {
		if e, ok := r.entries[m.Title]; ok {
			e.dirty = true
		}
	}
	r.events = append(slices.Clip(events), r.events...)
	r.events = r.events[:min(len(r.events), maxEvents)]
}

func (r *Roster) event(now time.Time, title plc.SystemTitle, code concentrator.EventCode, format string, args ...any) {
	if len(r.events) >= maxEvents {
		return
	}
	r.events = append(r.events, concentrator.Event{Time: now, Meter: title, Code: code, Text: fmt.Sprintf(format, args...)})
}
