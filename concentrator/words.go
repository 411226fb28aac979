package concentrator

import (
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
)

// LineState is the life of a meter on the line.
type LineState uint8

// States of a meter on the line.
const (
	StateNew        LineState = iota + 1 // heard in a DiscoverReport, not yet registered
	StateRegistered                      // has an address that it proved by an answer
	StateLost                            // registered once, silent since longer than its time-out
)

var lineStates = [...]string{"unknown", "new", "registered", "lost"}

// String is the state in one lower-case word.
func (s LineState) String() string {
	if int(s) < len(lineStates) {
		return lineStates[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s LineState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Meter is what the station knows of one meter. Title is its identity; Address
// may change at any time.
type Meter struct {
	Title   plc.SystemTitle
	Address plc.Address // plc.New when it has none
	State   LineState
	Name    string // COSEM logical device name or serial number, printable, empty when not read yet
	Phase   plc.Phase

	Credit     plc.Credit // initial credit to use next
	CleanReads int        // answers in a row without a retry, for the decay of Credit
	Up, Down   plc.Credit // repetitions that the last answer and its request needed
	Signal     plc.Signal

	Discovered    time.Time // first heard
	LastHeard     time.Time // last valid frame from it
	LastAsked     time.Time // last frame sent to its own address (keeps time-out not addressed away)
	LastReading   time.Time // meter time of its newest stored reading
	Visits        int       // visits made
	Failures      int       // visits in a row without success
	LastOutcome   plc.Outcome
	LastDetail    string   // why the last visit failed, printable
	Layout        []Column // capture objects of its load profile, nil when not read yet
	CapturePeriod time.Duration
	Registers     []RegisterInfo // billing registers it has, nil when not read yet
	ByEntry       bool           // its load profile refused selection by range: ask by entry numbers
	Unordered     bool           // the entries of its load profile are not numbered from the oldest on
	NotAddressed  time.Duration  // after which it forgets its address, as it says; 0 when it does not
	MaxFrame      int            // longest LPDU it takes, in octets, as it says; 0 when it does not
	Learned       time.Time      // when all that it says of itself was read last; zero: to be read again

	Former      plc.Address // address it had before, nobody else's until FormerUntil; 0 (NoBody) when none
	FormerUntil time.Time
	Quarantined time.Time // not to be read before this time: its title answered at two addresses; zero when it is not
}

// Column is one capture object of a profile with the scaler and unit of its values.
type Column struct {
	Ref    cosem.Ref
	Scaler int8
	Unit   uint8 // Blue Book 4.3.2 table of units: 30 = Wh, 255 = none
}

// RegisterInfo is one register to read in each round with its scaler and unit.
type RegisterInfo struct {
	Ref    cosem.Ref
	Scaler int8
	Unit   uint8
}

// Channel names one series of readings of a meter: an object's attribute, either
// read directly (Profile is zero) or captured in a profile.
type Channel struct {
	Profile   cosem.OBIS
	Class     cosem.Class
	Object    cosem.OBIS
	Attribute int8
}

// String is "1.0.1.8.0.255" or "1.0.99.1.0.255/1.0.1.8.0.255".
func (c Channel) String() string {
	if c.Profile.IsZero() {
		return c.Object.String()
	}
	return c.Profile.String() + "/" + c.Object.String()
}

// Quality says what is known to be odd about a reading. Zero is good.
type Quality uint16

// Quality flags. They are sent to the center as they are; a value is never
// corrected and never dropped because of them.
const (
	ClockInvalid    Quality = 1 << iota // the meter marked its clock status as invalid or doubtful
	NoMeterTime                         // the meter gave no time; Time is the station's
	StatusRaised                        // the profile row's own status is not zero
	NotANumber                          // of an order's result: it is no value; a reading that is no integer is not stored, an event tells
	TimeImplausible                     // meter time lies outside 2000-01-01 to now + 1 day; of a profile's entry, to now + one capture period
	StationClock                        // the station's own clock was not trusted when it received this
)

// Reading is one value of one meter at one meter time. (Meter, Channel, Time) is
// its key: the same value heard twice is stored once.
type Reading struct {
	Meter   plc.SystemTitle
	Channel Channel
	Time    time.Time // the meter's time, in UTC, seconds
	// ClockStatus is the meter's clock status octet (0xFF: not specified).
	ClockStatus uint8
	RowStatus   uint32 // status column of the profile row, 0 when there is none
	Value       int64
	Scaler      int8  // the value is Value x 10^Scaler in Unit
	Unit        uint8 // Blue Book unit
	Quality     Quality
	Received    time.Time // the station's time, in UTC
}

// Event is something that happened to the station or a meter and that the center
// must learn. Text is one printable sentence; it never holds keys or values.
type Event struct {
	Time  time.Time
	Meter plc.SystemTitle // zero: the station itself
	Code  EventCode
	Text  string
}

// EventCode is a stable word for a kind of event.
type EventCode string

// Event codes.
const (
	EventMeterDiscovered EventCode = "meter.discovered"
	EventMeterRegistered EventCode = "meter.registered"
	EventMeterLost       EventCode = "meter.lost"
	EventMeterRefused    EventCode = "meter.refused"
	EventMeterDuplicate  EventCode = "meter.duplicate" // one title at two addresses, or two titles at one
	EventMeterStorm      EventCode = "meter.storm"     // more titles were reported than the station keeps
	EventMeterClock      EventCode = "meter.clock"     // its clock differs much from the station's
	EventValueChanged    EventCode = "value.changed"   // a second, different value for a stored key
	EventUnknownColumn   EventCode = "column.unknown"  // a profile column that cannot become a reading
	EventProfileGap      EventCode = "profile.gap"
	EventLayoutChanged   EventCode = "layout.changed" // a meter's load profile, scalers or units are not what they were
	EventModemDown       EventCode = "modem.down"
	EventModemUp         EventCode = "modem.up"
	EventStorage         EventCode = "storage.fault"
	EventBatchRefused    EventCode = "batch.refused" // the center refused a batch for good
	EventStarted         EventCode = "station.started"
)

// Visit is the record of one call on one meter: what was tried, how it ended, what it brought.
type Visit struct {
	Round    uint64
	Meter    plc.SystemTitle
	Exchange plc.Exchange
	Readings int // values it brought, before duplicates are removed
}

// Round is the state of one pass over the meters.
type Round struct {
	Number   uint64
	Started  time.Time
	Finished time.Time // zero while it runs
	Total    int       // meters to visit
	Done     int       // visited with success
	Failed   int       // given up in this round
	Current  plc.SystemTitle
	Phase    string // "discovering", "registering", "reading", "waiting": what the station is doing
}

// OrderState is the life of an order. Doubtful means: acted, no answer.
type OrderState uint8

// States of an order.
const (
	OrderAccepted OrderState = iota + 1
	OrderRunning
	OrderDone
	OrderRefused
	OrderExpired
	OrderDoubtful
)

var orderStates = [...]string{"none", "accepted", "running", "done", "refused", "expired", "doubtful"}

// String is the state in one lower-case word.
func (s OrderState) String() string {
	if int(s) < len(orderStates) {
		return orderStates[s]
	}
	return fmt.Sprintf("order-state(%d)", uint8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s OrderState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Final reports whether an order in this state will not change any more.
func (s OrderState) Final() bool { return s >= OrderDone }

// OrderRead is the only kind of order so far: read one attribute of one meter.
const OrderRead = "read"

// Order is an instruction of the center. ID is chosen by the center and is the
// key: the same order given twice is executed once.
type Order struct {
	ID      string
	Kind    string
	Meter   plc.SystemTitle
	Ref     cosem.Ref
	Issued  time.Time
	Expires time.Time
	State   OrderState
	Attempt int
	Result  *OrderResult // nil until the state is final
}

// OrderResult is what came of an order. For a read, Data is the A-XDR value as
// the meter sent it, Text the same for people.
type OrderResult struct {
	Time    time.Time // the station's time of the answer
	Outcome plc.Outcome
	Detail  string
	Data    []byte
	Text    string
	Scaler  int8
	Unit    uint8
	Quality Quality
}

// Lane separates what must not wait from bulk. Each lane has its own sequence of batches.
type Lane uint8

// Lanes in order of urgency.
const (
	LaneUrgent   Lane = iota // order results and events
	LaneReadings             // readings
	Lanes                    // number of lanes
)

// BatchID is the identity of a batch: the station's storage epoch (made when its
// database was created), the lane, and a sequence number from 1 without holes.
type BatchID struct {
	Epoch uint64
	Lane  Lane
	Seq   uint64
}

// Batch is an immutable numbered bundle. Body is sent as it is, every time.
type Batch struct {
	ID   BatchID
	Body []byte
	Hash [32]byte // SHA-256 of Body
}

// Receipt is the center's word that it has stored every batch of the lane up to
// and including ID.Seq; Hash is that of batch ID. Signature is the center's,
// verified by the transport before a Receipt reaches anybody.
type Receipt struct {
	ID       BatchID
	Hash     [32]byte
	Refused  bool   // the center will never take this batch: quarantine it
	Reason   string // why, printable
	CenterAt time.Time
}

// LinkState is the state of the connection to the center.
type LinkState struct {
	Connected   bool
	Since       time.Time
	LastReceipt time.Time
	LastError   string // in words, with a hint; empty when connected
	Attempts    int    // connection attempts since the last receipt
	NextAttempt time.Time
}

// Backlog is what has not been receipted yet.
type Backlog struct {
	Readings int       // stored readings without a receipt
	Batches  int       // sealed batches without a receipt
	Bytes    int64     // their bodies
	Oldest   time.Time // station time of the oldest reading without a receipt; zero when none
	Refused  int       // batches in quarantine
}
