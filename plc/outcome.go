package plc

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrLineDown is what every failure wraps that means: the modem, its port or its
// mains is away. Trying again later makes sense, and no server is to blame.
var ErrLineDown = errors.New("the power line is not available")

// Outcome says how an exchange with a server ended. It is not an error: a silent
// meter is normal life on a power line. Failures of our own side are errors.
type Outcome uint8

// The outcomes of an exchange.
const (
	Answered Outcome = iota + 1 // a valid answer came
	Silent                      // no answer in time, after every attempt
	Garbled                     // an answer came that could not be believed or decoded
	Refused                     // the server answered and said no
	Aborted                     // we gave up before the end (shutdown, deadline, more urgent work)
)

var outcomeNames = [...]string{"none", "answered", "silent", "garbled", "refused", "aborted"}

// String is the outcome in one lower-case word.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Phase is the phase a server hangs on relative to the initiator, as told by
// class 50 attribute 3 (delta_electrical_phase), in 60-degree steps.
type Phase uint8

// Phases as in class 50 attribute 3.
const (
	PhaseUnknown Phase = iota
	PhaseSame
	Phase60
	Phase120
	Phase180
	PhaseMinus120
	PhaseMinus60
)

// Line names the conductor when the initiator hangs on L1: L1, L2 or L3 for 0,
// 120 and -120 degrees, "?" when unknown and "x" for crossed wiring (60, 180, -60).
func (p Phase) Line() string {
	switch p {
	case PhaseUnknown:
		return "?"
	case PhaseSame:
		return "L1"
	case Phase120:
		return "L2"
	case PhaseMinus120:
		return "L3"
	}
	return "x"
}

// Signal is what the modem measured on the last subframe it received: signal and
// noise envelope of the space (0) and mark (1) channel, in the modem's raw units
// (sfsk.md 1.4), the decision method (1 to 5) and the receive gain (0 to 7, steps of 6 dB).
// The zero value means "not measured".
type Signal struct {
	S0, N0, S1, N1 uint16
	Method, Gain   uint8
}

// Measured reports whether s holds a measurement.
func (s Signal) Measured() bool { return s != Signal{} }

// SNR is the signal-to-noise ratio of the worse channel in dB, 0 when not measured.
// AMIS raw units are amplitudes, so the ratio is taken as 20 log10.
func (s Signal) SNR() float64 {
	if !s.Measured() {
		return 0
	}
	return min(ratio(s.S0, s.N0), ratio(s.S1, s.N1))
}

func ratio(s, n uint16) float64 {
	if s == 0 {
		return 0
	}
	if n == 0 {
		n = 1
	}
	return 20 * math.Log10(float64(s)/float64(n))
}

// Exchange is what one piece of work with a server cost and showed. It may cover
// several requests and answers; counters are sums, link figures those of the last answer.
type Exchange struct {
	Outcome  Outcome
	Detail   string // why, in a few words, when Outcome is not Answered; never holds keys or values
	Requests int    // requests sent, attempts included
	Answers  int    // valid answers received
	Slots    int    // slots occupied on the line, our own estimate
	// Credit is the initial credit of the last request; Up and Down are the
	// repetitions the last answer and the request before it needed. Down
	// saturates at 3 (MaxDelta).
	Credit, Up, Down Credit
	Signal           Signal
	Begin, End       time.Time
	// Counter is the invocation counter of ours that the server says it expects, 0 when it
	// says none. It came without protection: nothing but a word to a person may follow from it.
	Counter uint32
}

// Peer is a server to talk to: who it is, where it is now, and how loudly to call.
type Peer struct {
	Title   SystemTitle
	Address Address
	Credit  Credit // initial credit of the next request
	// MaxFrame is the longest LPDU the server takes and sends, in octets, as its class 55
	// attribute 2 tells (sfsk.md 5). 0 is that of the profile, which is never exceeded.
	MaxFrame int
}

// Report is one system title heard in a DiscoverReport.
type Report struct {
	Title    SystemTitle
	Address  Address // source address of the reporter: New, or its own when it is registered
	Relayed  bool    // the title was heard by another server, which reported it
	Alarm    uint8   // alarm descriptor of the reporter; meaningful when HasAlarm
	HasAlarm bool
	Credits  Credits
	Signal   Signal
}

// DiscoverRequest asks servers to report (sfsk.md 4.3).
type DiscoverRequest struct {
	Probability  uint8  // response probability, 0 to 100 %
	Slots        uint16 // allowed time slots, 1 to 32767
	ReportCredit Credit // initial credit of the reports
	Credit       Credit // initial credit of the request itself
}

// Registration gives the server with the title an address.
type Registration struct {
	Title   SystemTitle
	Address Address
}
