package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"busbar/concentrator/order"
	"busbar/plc"
	"busbar/plc/cosem"
)

// Config tells an Engine what to read and how often. New fills in what is zero,
// except Period.
type Config struct {
	Line      plc.Profile  // of the segment; only its addresses, times and sizes are used here
	Profile   cosem.OBIS   // load profile to read (default 1.0.99.1.0.255)
	Registers []cosem.OBIS // billing registers to try on every meter (default: import and export, total and two tariffs); empty but not nil: none

	Period     time.Duration // between the starts of two rounds; 0: continuous
	Passes     int           // visits of a meter per round at most (default 3)
	Backfill   time.Duration // how far back the first reading of a profile goes (default 24 h)
	MaxEntries int           // profile entries read in one visit (default 192)
	// MaxTransfer is how many octets of profile entries the Link takes at once (default 64 KiB);
	// a visit asks for fewer entries when theirs would be more.
	MaxTransfer int
	LastRound   uint64 // number of the last round of an earlier run, 0 when there was none

	Expected          int           // meters that should be there; 0: not told
	MaxMeters         int           // titles kept (default 2048)
	DiscoveryInterval time.Duration // default 1 h
	RepeaterCall      time.Duration // default 24 h
	Settle            time.Duration // how long the first search may hold back the first round (default 8000 slots)

	Deviation    cosem.DeviationSign // how the segment's meters write the deviation of a date-time
	ClockTrusted func() bool         // whether the station's own clock can be believed; nil: always
	Orders       order.Config
	Log          *slog.Logger // default: slog.Default
}

// Defaults of what to read.
var (
	defaultProfile   = cosem.MustOBIS("1.0.99.1.0.255")
	defaultRegisters = []cosem.OBIS{
		cosem.MustOBIS("1.0.1.8.0.255"), cosem.MustOBIS("1.0.1.8.1.255"), cosem.MustOBIS("1.0.1.8.2.255"),
		cosem.MustOBIS("1.0.2.8.0.255"), cosem.MustOBIS("1.0.2.8.1.255"), cosem.MustOBIS("1.0.2.8.2.255"),
	}
	clockObject = cosem.MustOBIS("0.0.1.0.0.255")
	nameObject  = cosem.MustOBIS("0.0.42.0.0.255") // COSEM logical device name

	timeoutsObject = cosem.MustOBIS("0.0.26.2.0.255") // S-FSK MAC synchronization time-outs
	llcObject      = cosem.MustOBIS("0.0.26.5.0.255") // IEC 61334-4-32 LLC set-up
)

// maxRegisters bounds the list: each costs line time in every visit.
const maxRegisters = 64

func (c Config) withDefaults() Config {
	if c.Line.BitRate == 0 {
		c.Line = plc.DefaultProfile()
	}
	if c.Profile.IsZero() {
		c.Profile = defaultProfile
	}
	if c.Registers == nil {
		c.Registers = defaultRegisters
	}
	if c.Passes <= 0 {
		c.Passes = 3
	}
	if c.Backfill <= 0 {
		c.Backfill = 24 * time.Hour
	}
	if c.MaxEntries <= 0 {
		c.MaxEntries = 192
	}
	if c.MaxTransfer <= 0 {
		c.MaxTransfer = 64 << 10
	}
	if c.Settle <= 0 {
		c.Settle = c.Line.Slots(8000)
	}
	if c.ClockTrusted == nil {
		c.ClockTrusted = func() bool { return true }
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if err := c.Line.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.Period < 0 {
		errs = append(errs, fmt.Errorf("round period %v: want 0 (continuous) or more", c.Period))
	}
	if len(c.Registers) > maxRegisters {
		errs = append(errs, fmt.Errorf("%d billing registers: want at most %d", len(c.Registers), maxRegisters))
	}
	return errors.Join(errs...)
}
