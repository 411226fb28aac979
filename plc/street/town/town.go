package town

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	"busbar/plc/street/meter"
)

// Town is a street with all its meters. Make one with New, then attach it in one of
// the three ways.
type Town struct {
	cfg    Config
	meters []*meter.Meter
	mains  *street.Mains

	// do runs a function in the goroutine that owns the street; nil until attached.
	do func(ctx context.Context, f func(*street.Mains)) error
	// chip and server are set when a chip is attached.
	chip   *chip.Chip
	server *chip.Server
}

// New builds a town.
func New(cfg Config) (*Town, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("town: %w", err)
	}
	cfg = cfg.complete()
	t := &Town{cfg: cfg}
	s := street.Config{
		Profile: cfg.Profile, Seed: cfg.Seed, Start: cfg.Start, Noise: cfg.Noise,
		Timeouts: cfg.Timeouts, Faults: cfg.Faults,
	}
	for i := range cfg.Meters {
		m, state := t.newMeter(i)
		t.meters = append(t.meters, m)
		s.Servers = append(s.Servers, street.Server{Title: m.Title(), App: m, State: state, Place: cfg.Places[i]})
	}
	var err error
	t.mains, err = street.New(s)
	return t, err
}

func (t *Town) newMeter(i int) (*meter.Meter, *meter.LineState) {
	c := &t.cfg
	state := &meter.LineState{Address: plc.New}
	offset, drift := meter.ClockError(c.Seed, i)
	m := meter.Config{
		Title: c.title(i), Home: c.Homes.Home(i), Line: state,
		Installed: c.Start.Add(-c.History), Outages: c.outages(i),
		Offset: offset, Drift: drift,
		Keys: meter.SeededKeys(c.Security.mechanism(i), c.Seed, i),
		Rand: challenges(c.Seed, i),
	}
	for _, twins := range c.Twins {
		if twins[1] == i {
			m.Title = c.title(twins[0])
		}
	}
	if !c.Plain {
		m.Options = meter.Variety(c.Seed, i)
	}
	return meter.New(m), state
}

// challenges makes a meter's random octets part of the seed: they need not be secret here.
func challenges(seed uint64, i int) io.Reader {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	binary.LittleEndian.PutUint64(b[8:], uint64(i))
	return rand.NewChaCha8(sha256.Sum256(b[:]))
}

// Meters are the meters, in order. Only the goroutine that owns the town may call
// what changes them.
func (t *Town) Meters() []*meter.Meter { return t.meters }

// Profile is what the line is like.
func (t *Town) Profile() plc.Profile { return t.mains.Profile() }

var errAttached = errors.New("the town is attached already")

// Line attaches a station without a chip, for virtual time. Its Run owns the town.
func (t *Town) Line() (*street.Line, error) {
	if t.do != nil {
		return nil, errAttached
	}
	l := street.NewLine(t.mains)
	t.do = l.Do
	return l, nil
}

// Port attaches a chip behind a port in memory, for virtual time; ServePort runs it.
func (t *Town) Port() (*chip.Port, error) {
	if err := t.attachChip(); err != nil {
		return nil, err
	}
	return chip.NewPort(t.server), nil
}

// ServePort owns the town until ctx ends.
func (t *Town) ServePort(ctx context.Context, p *chip.Port) error { return t.server.ServePort(ctx, p) }

// OpenTerminal attaches a chip behind a pseudo-terminal, for real time; Serve runs it.
// After that Serve it may be called again: the same chip on the same mains goes on behind
// another terminal, as when its adapter was unplugged and plugged in again.
func (t *Town) OpenTerminal() (*chip.Terminal, error) {
	terminal, err := chip.OpenTerminal()
	if err != nil {
		return nil, err
	}
	if t.server != nil && t.server.Stopped() {
		t.server = chip.NewServer(t.chip)
		return terminal, nil
	}
	if err := t.attachChip(); err != nil {
		return nil, errors.Join(err, terminal.Close())
	}
	return terminal, nil
}

// Serve owns the town until ctx ends and closes the terminal then.
func (t *Town) Serve(ctx context.Context, terminal *chip.Terminal) error {
	return t.server.Serve(ctx, terminal)
}

func (t *Town) attachChip() error {
	if t.do != nil {
		return errAttached
	}
	t.chip = chip.New(t.cfg.Chip, t.mains)
	t.server = chip.NewServer(t.chip)
	t.do = func(ctx context.Context, f func(*street.Mains)) error {
		return t.server.Do(ctx, func(_ time.Time, _ *chip.Chip, m *street.Mains) { f(m) })
	}
	return nil
}

// Do runs f in the goroutine that owns the town: to switch on faults or look at it.
func (t *Town) Do(ctx context.Context, f func(*street.Mains)) error {
	if t.do == nil {
		f(t.mains) // nobody owns it yet but the caller
		return nil
	}
	return t.do(ctx, f)
}

// Chip runs f with the attached chip in the goroutine that owns it.
func (t *Town) Chip(ctx context.Context, f func(now time.Time, c *chip.Chip)) error {
	if t.server == nil {
		return errors.New("the town has no modem chip attached")
	}
	return t.server.Do(ctx, func(now time.Time, c *chip.Chip, _ *street.Mains) { f(now, c) })
}

// WriteKeys writes the keys of all meters as CSV with the columns title, mechanism,
// encryption, authentication and password: what a station imports. What it writes is secret.
func (t *Town) WriteKeys(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"title", "mechanism", "encryption", "authentication", "password"}); err != nil {
		return err
	}
	written := map[plc.SystemTitle]bool{}
	for _, m := range t.meters {
		if written[m.Title()] {
			continue
		}
		written[m.Title()] = true
		row := [5]string{m.Title().String()}
		switch k := m.Keys(); k.Mechanism {
		case dlms.HLSGMAC:
			row[1] = string(Ciphered)
			row[2], row[3] = fmt.Sprintf("%X", k.Encryption[:]), fmt.Sprintf("%X", k.Authentication[:])
		case dlms.LLS:
			row[1], row[4] = string(Password), fmt.Sprintf("hex:%X", k.Password)
		default:
			row[1] = string(NoSecurity)
		}
		if err := c.Write(row[:]); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
