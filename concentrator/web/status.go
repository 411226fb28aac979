package web

import (
	"context"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Source gives the page its values. Every method returns at once: it reads
// snapshots and the store, never the line.
type Source interface {
	Status(ctx context.Context) (Status, error)
	// Meters returns every known meter, ordered by title.
	Meters(ctx context.Context) ([]Meter, error)
	// Rounds returns the finished rounds of this run, newest first.
	Rounds(ctx context.Context) ([]Round, error)
	// Events returns up to limit events that happened at or after since, newest first.
	Events(ctx context.Context, since time.Time, limit int) ([]Event, error)
	// Changed returns a channel that is closed at the next change of anything.
	Changed() <-chan struct{}
}

// Status is the state of the station. Times are UTC; a missing time is null.
type Status struct {
	Station  string    `json:"station"`
	Version  string    `json:"version"`
	Now      time.Time `json:"now"`
	Started  time.Time `json:"started"`
	Verdict  string    `json:"verdict"`
	Healthy  bool      `json:"healthy"`
	Hint     string    `json:"hint,omitempty"` // what to do next, when something is wrong
	Meters   Counts    `json:"meters"`
	Round    Round     `json:"round"`
	Line     Line      `json:"line"`
	Uplink   Uplink    `json:"uplink"`
	Outbox   Outbox    `json:"outbox"`
	Storage  Storage   `json:"storage"`
	Cellular *Cellular `json:"cellular,omitempty"` // null when the bearer is off
}

// Counts of meters by state. Unread are registered meters that the last finished
// round, or the running one so far, gave up.
type Counts struct {
	Known      int `json:"known"`
	Registered int `json:"registered"`
	New        int `json:"new"`
	Lost       int `json:"lost"`
	Unread     int `json:"unread"`
	Expected   int `json:"expected,omitempty"` // from the configuration, 0 when not told
	// Searching tells that the search for meters is not over: fewer than expected means nothing yet.
	Searching bool `json:"searching"`
	// Reason is why most of the meters that could not be read could not, in the words of
	// Meter.Detail.
	Reason string `json:"reason,omitempty"`
}

// Round is the running or last round.
type Round struct {
	Number   uint64     `json:"number"`
	Phase    string     `json:"phase"`
	Started  *time.Time `json:"started"`
	Finished *time.Time `json:"finished"`
	Total    int        `json:"total"`
	Done     int        `json:"done"`
	Failed   int        `json:"failed"`
	Current  string     `json:"current,omitempty"`
	EndsAt   *time.Time `json:"ends_at,omitempty"` // forecast
}

// RoundOf makes a Round of the engine's; ends is the forecast of its end.
func RoundOf(r concentrator.Round, ends time.Time) Round {
	return Round{
		Number: r.Number, Phase: r.Phase, Started: Time(r.Started), Finished: Time(r.Finished),
		Total: r.Total, Done: r.Done, Failed: r.Failed, Current: r.Current.String(), EndsAt: Time(ends),
	}
}

// Line is the modem and the segment behind it.
type Line struct {
	Port   string    `json:"port"`
	State  string    `json:"state"` // "ready", or why not
	Ready  bool      `json:"ready"`
	Since  time.Time `json:"since"`
	Detail string    `json:"detail,omitempty"`
}

// Uplink is the connection to the center.
type Uplink struct {
	Enabled     bool       `json:"enabled"`
	Connected   bool       `json:"connected"`
	Since       *time.Time `json:"since"`
	LastReceipt *time.Time `json:"last_receipt"`
	Error       string     `json:"error,omitempty"`
	NextAttempt *time.Time `json:"next_attempt,omitempty"`
}

// Outbox is what the center has not confirmed yet.
type Outbox struct {
	Readings int        `json:"readings"`
	Batches  int        `json:"batches"`
	Bytes    int64      `json:"bytes"`
	Oldest   *time.Time `json:"oldest"`
	Refused  int        `json:"refused"`
}

// Storage is the database on the station's disk.
type Storage struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"`
	Readings int64  `json:"readings"`
	Error    string `json:"error,omitempty"` // "cannot store: …" while the disk refuses
}

// Cellular is the bearer: state now and what came before, newest first.
type Cellular struct {
	State      string          `json:"state"`
	Detail     string          `json:"detail,omitempty"`
	Operator   string          `json:"operator,omitempty"`
	Technology string          `json:"technology,omitempty"`
	SignalDBm  *int            `json:"signal_dbm"`
	History    []CellularEvent `json:"history,omitempty"`
}

// CellularEvent is one change of the bearer's state.
type CellularEvent struct {
	Time  time.Time `json:"time"`
	State string    `json:"state"`
	Text  string    `json:"text"`
}

// Event is something that happened to the station or, when Meter is set, to a meter.
type Event struct {
	Time  time.Time `json:"time"`
	Meter string    `json:"meter,omitempty"`
	Code  string    `json:"code"`
	Text  string    `json:"text"`
}

// EventOf makes an Event of a stored one.
func EventOf(e concentrator.Event) Event {
	return Event{Time: e.Time.UTC(), Meter: e.Meter.String(), Code: string(e.Code), Text: e.Text}
}

// Meter is one row of the meter table.
type Meter struct {
	Title       string     `json:"title"`
	Name        string     `json:"name,omitempty"`
	Address     string     `json:"address,omitempty"`
	State       string     `json:"state"`
	Phase       string     `json:"phase,omitempty"`
	Credit      int        `json:"credit"`
	Up          int        `json:"up"`   // repetitions its last answer needed
	Down        int        `json:"down"` // repetitions the request before needed, 3 means 3 or more
	SNR         *float64   `json:"snr_db"`
	LastReading *time.Time `json:"last_reading"`
	LastHeard   *time.Time `json:"last_heard"`
	Failures    int        `json:"failures"`
	Outcome     string     `json:"outcome,omitempty"`
	Detail      string     `json:"detail,omitempty"`
}

// MeterOf makes a table row of a meter.
func MeterOf(m concentrator.Meter) Meter {
	row := Meter{
		Title: m.Title.String(), Name: m.Name, State: m.State.String(),
		Credit: int(m.Credit), Up: int(m.Up), Down: int(m.Down),
		LastReading: Time(m.LastReading), LastHeard: Time(m.LastHeard), Failures: m.Failures, Detail: m.LastDetail,
	}
	if m.State == concentrator.StateRegistered {
		row.Address = m.Address.String()
	}
	if m.Phase != plc.PhaseUnknown {
		row.Phase = m.Phase.Line()
	}
	if m.Signal.Measured() {
		snr := m.Signal.SNR()
		row.SNR = &snr
	}
	if m.LastOutcome != 0 {
		row.Outcome = m.LastOutcome.String()
	}
	return row
}

// same reports whether two rows show the same.
func (m Meter) same(n Meter) bool {
	snr := equal(m.SNR, n.SNR, func(a, b float64) bool { return a == b })
	times := equal(m.LastReading, n.LastReading, time.Time.Equal) && equal(m.LastHeard, n.LastHeard, time.Time.Equal)
	m.SNR, m.LastReading, m.LastHeard = n.SNR, n.LastReading, n.LastHeard
	return snr && times && m == n
}

func equal[T any](a, b *T, same func(T, T) bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return same(*a, *b)
}

// Time returns t, or nil when it is zero, so that JSON shows null instead of year 1.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
