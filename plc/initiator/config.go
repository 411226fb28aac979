package initiator

import (
	"errors"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
)

// Config tells an Initiator who it is and what it may do. New fills in what is zero,
// except Title, Keys and Counters.
type Config struct {
	Profile plc.Profile     // of the segment (default plc.DefaultProfile)
	Title   plc.SystemTitle // our own; 8 octets with ciphered meters

	Keys     dlms.KeyRing      // secrets of the meters; nil: none has any
	Counters dlms.CounterStore // of our invocation counters; needed with ciphered meters
	// CounterRow is how many invocation counters are reserved on disk at a time (default 64).
	CounterRow uint32
	// AllowUnprotected lets meters without keys be read without any security.
	AllowUnprotected bool

	ClientSAP byte // of us towards meters with keys (default 1, management)
	PublicSAP byte // of us towards meters without (default 16, public)
	ServerSAP byte // of the meter's logical device (default 1, management)

	Attempts     int           // transmissions of one request at most (default 2); an ACTION is sent once
	Margin       time.Duration // what our own side may add to every answer, rounded up to slots (default 100 ms)
	Associations int           // kept open at most; the one unused longest is forgotten (default 2048)
	Queue        int           // jobs that wait in each of the two queues (default 16); at the bound, callers wait
	MaxTransfer  int           // octets of the longest value or list taken in blocks (default dlms.DefaultMaxTransfer)

	CallCredit  plc.Credit // initial credit of the repeater call (default 7)
	SlotsForNew uint8      // slots in the repeater call for servers without an address
	Threshold   uint8      // reception threshold of the repeater call in dBµV (0: the servers' default)

	Signal bool             // ask the modem for the quality of answers
	Trace  func(TraceFrame) // sees every frame before it is judged; called by Run's goroutine, must be quick
}

// TraceFrame is one MSDU on its way between us and the modem, as a trace sees it.
type TraceFrame struct {
	At                  time.Time
	Sent                bool
	Source, Destination plc.Address
	Credits             plc.Credits
	MSDU                []byte // not to be changed or kept
}

// maxTransferLimit bounds what one meter can make us keep in memory.
const maxTransferLimit = 16 << 20

func (c Config) withDefaults() Config {
	if c.Profile.BitRate == 0 {
		c.Profile = plc.DefaultProfile()
	}
	fill(&c.CounterRow, 64)
	fill(&c.ClientSAP, 1)
	fill(&c.PublicSAP, 16)
	fill(&c.ServerSAP, 1)
	fill(&c.Attempts, 2)
	fill(&c.Margin, 100*time.Millisecond)
	fill(&c.Associations, 2048)
	fill(&c.Queue, 16)
	fill(&c.MaxTransfer, dlms.DefaultMaxTransfer)
	fill(&c.CallCredit, plc.MaxCredit)
	return c
}

func fill[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Validate returns every fault of c at once. Zero values stand for defaults.
func (c Config) Validate() error {
	c = c.withDefaults()
	errs := []error{c.Profile.Validate()}
	if c.Title.IsZero() {
		errs = append(errs, errors.New("no system title of our own: want one like 4255530000000001"))
	}
	if n := c.Profile.TitleSize; n != 0 && !c.Title.IsZero() && c.Title.Size() != n {
		errs = append(errs, fmt.Errorf("our system title has %d octets, those of the segment %d: both must be the same", c.Title.Size(), n))
	}
	if c.Attempts < 1 || c.Attempts > 10 {
		errs = append(errs, fmt.Errorf("%d attempts: want 1 to 10", c.Attempts))
	}
	if c.Margin < 0 || c.Margin > time.Minute {
		errs = append(errs, fmt.Errorf("margin %v: want 0 to 1m", c.Margin))
	}
	if c.Associations < 2 || c.Queue < 1 {
		errs = append(errs, fmt.Errorf("%d associations and a queue of %d: want at least 2 and 1", c.Associations, c.Queue))
	}
	if c.MaxTransfer < 0 || c.MaxTransfer > maxTransferLimit {
		errs = append(errs, fmt.Errorf("values of %d octets in blocks: want at most %d", c.MaxTransfer, maxTransferLimit))
	}
	if c.CallCredit > plc.MaxCredit {
		errs = append(errs, fmt.Errorf("credit %d of the repeater call: want at most %d", c.CallCredit, plc.MaxCredit))
	}
	return errors.Join(errs...)
}
