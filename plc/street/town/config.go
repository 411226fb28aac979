package town

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	"busbar/plc/street/load"
	"busbar/plc/street/meter"
)

// Security says how meters are protected.
type Security string

// The ways. Mixed deals the three others out in turn.
const (
	NoSecurity Security = "none"
	Password   Security = "lls"
	Ciphered   Security = "hls-gmac"
	Mixed      Security = "mixed"
)

// ParseSecurity reads one of the four names.
func ParseSecurity(s string) (Security, error) {
	switch v := Security(strings.ToLower(s)); v {
	case NoSecurity, Password, Ciphered, Mixed:
		return v, nil
	}
	return "", fmt.Errorf("security %q: want none, lls, hls-gmac or mixed", s)
}

// mechanism is that of meter i.
func (s Security) mechanism(i int) dlms.Mechanism {
	switch s {
	case NoSecurity:
		return dlms.None
	case Password:
		return dlms.LLS
	case Mixed:
		return [...]dlms.Mechanism{dlms.HLSGMAC, dlms.LLS, dlms.None}[i%3]
	}
	return dlms.HLSGMAC
}

// Config describes a town. Meters and Profile must be given; every other zero value is a good choice.
type Config struct {
	Meters   int // 1 to MaxMeters
	Seed     uint64
	Profile  plc.Profile  // Speed shortens the slots, not the meters' time
	Noise    street.Noise // the zero value is silence: take a preset
	Security Security     // empty: Ciphered
	Homes    *load.Street // nil: the household model
	Start    time.Time    // when slot 0 begins; zero: now
	History  time.Duration
	Plain    bool // all meters alike; otherwise they differ as real ones do
	Places   []street.Place
	Timeouts street.Timeouts
	Faults   []street.Fault
	Twins    [][2]int // pairs of meters of which the second bears the title of the first
	Chip     chip.Config
}

// Bounds and defaults.
const (
	MaxMeters      = 2000
	defaultHistory = 45 * 24 * time.Hour // before Start, in which the meters counted already
	modelHomes     = 24
	titleSize      = 8
)

// Validate tells every fault at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Meters < 1 || c.Meters > MaxMeters {
		bad("%d meters: want 1 to %d", c.Meters, MaxMeters)
	}
	if size := c.Profile.TitleSize; size != 0 && size < 6 {
		bad("system titles of %d octets: want 6 to %d", size, plc.MaxSystemTitle)
	} else if size != 0 && size != titleSize && c.Security != NoSecurity && c.Security != Password {
		bad("system titles of %d octets: ciphered meters have %d (try security none or lls)", size, titleSize)
	}
	if c.Places != nil && len(c.Places) != c.Meters {
		bad("%d places for %d meters", len(c.Places), c.Meters)
	}
	for _, t := range c.Twins {
		if min(t[0], t[1]) < 0 || max(t[0], t[1]) >= c.Meters || t[0] == t[1] {
			bad("twins %v: want two different meters from 0 to %d", t, c.Meters-1)
		}
	}
	return errors.Join(append(errs, c.Profile.Validate())...)
}

func (c Config) complete() Config {
	if c.Security == "" {
		c.Security = Ciphered
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	if c.History == 0 {
		c.History = defaultHistory
	}
	if c.Homes == nil {
		c.Homes = load.NewModel(modelHomes, c.Seed)
	}
	if c.Places == nil {
		c.Places = street.Layout(c.Seed, c.Meters)
	}
	if c.Profile.TitleSize == 0 {
		c.Profile.TitleSize = titleSize
	}
	if c.Timeouts == (street.Timeouts{}) {
		c.Timeouts = street.Timeouts{SearchInitiator: 10 * time.Minute, SynchroConfirm: time.Minute}
	}
	c.Chip.AddressOrder = c.Profile.AddressOrder
	if c.Chip.Timers == (chip.Timers{}) {
		c.Chip.Timers = chip.FastTimers(c.Profile.Speed)
	}
	return c
}

// title is that of meter i: the maker's letters BBR and a number.
func (c *Config) title(i int) plc.SystemTitle {
	b := make([]byte, c.Profile.TitleSize)
	copy(b, "BBR")
	n := uint64(10_000 + i + 1)
	for at := len(b) - 1; at > 2; at-- {
		b[at] = byte(n)
		n >>= 8
	}
	return plc.MustSystemTitle(b)
}

// outages are the times in which meter i has no power according to the faults: nothing is
// counted or captured then.
func (c *Config) outages(i int) []meter.Outage {
	var out []meter.Outage
	for _, f := range c.Faults {
		hit := slices.Contains(f.Servers, i) || f.Servers == nil && (f.Feeder == 0 || f.Feeder == c.Places[i].Feeder)
		if f.Kind == street.PowerLoss && hit && !f.To.IsZero() {
			from := f.From
			if from.IsZero() {
				from = c.Start
			}
			out = append(out, meter.Outage{From: from, To: f.To})
		}
	}
	slices.SortFunc(out, func(a, b meter.Outage) int { return a.From.Compare(b.From) })
	merged := out[:0]
	for _, o := range out {
		if n := len(merged); n > 0 && !o.From.After(merged[n-1].To) {
			if o.To.After(merged[n-1].To) {
				merged[n-1].To = o.To
			}
			continue
		}
		merged = append(merged, o)
	}
	return merged
}

// Homes opens the recorded load profiles in dir, or makes the household model when dir is
// empty. The second result says in a few words which.
func Homes(dir string, seed uint64) (*load.Street, string, error) {
	if dir == "" {
		return load.NewModel(modelHomes, seed), "a household model", nil
	}
	s, err := load.Open(dir, seed)
	if err != nil {
		return nil, "", err
	}
	return s, fmt.Sprintf("%d recorded homes in %s", s.Bases(), dir), nil
}
