package amis49587

import (
	"errors"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/modem"
)

// Config tells a Driver what it drives. Open, Baud and Profile are needed; the other zero
// values mean the defaults.
type Config struct {
	// Open opens the port. It is called again after every loss.
	Open func() (modem.Port, error)
	// Name is the port's path, for words to people.
	Name string
	// Baud is the speed of the port; time-outs count from the last octet of a frame.
	Baud int

	Profile plc.Profile
	Timers  Timers

	// Queue is how many indications wait for a slow reader before the oldest is dropped; 64.
	Queue int
	// Threshold is the reception threshold of repeater calls in dBuV; 104 (sfsk.md 4.3).
	Threshold uint16
	// Board changes what the board, not the line, determines: R_ZC_ADJUST, gains. It is
	// given the configuration as patched from the modem's own. May be nil.
	Board func(*modem.Configuration)
	// Notify is called after every change of State.Phase. It must return at once. May be nil.
	Notify func(State)
	// Trace is given every octet string before it is judged. It must return at once and
	// not keep octets. May be nil.
	Trace func(at time.Time, toModem bool, octets []byte)
}

const (
	defaultQueue     = 64
	defaultThreshold = 104
)

// Timers are the times of the dialog. Those with a sign in the comment are the
// data sheet's (sfsk.md 7.2); Latency is added to them for what lies between chip and host.
type Timers struct {
	Poll    time.Duration // tPOLL: T_REQ asserted to status
	Answer  time.Duration // tSR: status to the beginning of our frame
	ACK     time.Duration // tACK: end of our frame to ACK or NAK
	Turn    time.Duration // tWBC: end of a reception to the next transmission
	Gap     time.Duration // longest silence inside a frame (tIC, plus what a USB adapter holds back)
	Latency time.Duration // scheduling of the host, latency timer of an adapter

	Reset   time.Duration // reset to the first status
	Sync    time.Duration // configured to synchronized with the mains
	Confirm time.Duration // AccessDB or configuration request to its confirm, and grace for all confirms
	Watch   time.Duration // longest time without a status before we ask for one
	Mains   time.Duration // the same while the mains is missing

	ReopenMin, ReopenMax time.Duration // wait before opening a lost port again
}

// DefaultTimers are those of the data sheet, with room for a USB adapter and a busy host.
func DefaultTimers() Timers {
	return Timers{
		Poll: 20 * time.Millisecond, Answer: 200 * time.Millisecond, ACK: 40 * time.Millisecond, Turn: 5 * time.Millisecond,
		Gap: 50 * time.Millisecond, Latency: 30 * time.Millisecond,
		Reset: 3 * time.Second, Sync: 2 * time.Second, Confirm: time.Second, Watch: 10 * time.Second, Mains: time.Second,
		ReopenMin: 250 * time.Millisecond, ReopenMax: 10 * time.Second,
	}
}

// or replaces every zero by the default.
func (t Timers) or(def Timers) Timers {
	for _, f := range []struct{ have, def *time.Duration }{
		{&t.Poll, &def.Poll},
		{&t.Answer, &def.Answer},
		{&t.ACK, &def.ACK},
		{&t.Turn, &def.Turn},
		{&t.Gap, &def.Gap},
		{&t.Latency, &def.Latency},
		{&t.Reset, &def.Reset},
		{&t.Sync, &def.Sync},
		{&t.Confirm, &def.Confirm},
		{&t.Watch, &def.Watch},
		{&t.Mains, &def.Mains},
		{&t.ReopenMin, &def.ReopenMin},
		{&t.ReopenMax, &def.ReopenMax},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	return t
}

// complete fills in the defaults and says what is missing.
func (c Config) complete() (Config, error) {
	var errs []error
	if c.Open == nil {
		errs = append(errs, errors.New("no way to open the port"))
	}
	if c.Baud <= 0 {
		errs = append(errs, fmt.Errorf("speed %d baud: want that of the modem's port, 38400 or more", c.Baud))
	}
	if c.Queue < 0 {
		errs = append(errs, fmt.Errorf("queue of %d indications: want 1 or more", c.Queue))
	}
	errs = append(errs, c.Profile.Validate())
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("modem driver: %w", err)
	}
	def := DefaultTimers()
	if c.Profile.Speed > 1 {
		// A simulated line that runs faster: the pause between two transmissions shrinks with its slots.
		def.Turn = time.Duration(float64(def.Turn) / c.Profile.Speed)
	}
	c.Timers = c.Timers.or(def)
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	if c.Threshold == 0 {
		c.Threshold = defaultThreshold
	}
	if c.Name == "" {
		c.Name = "the modem's port"
	}
	return c, nil
}

// wire is the time n octets take on the serial port: ten bits each.
func (c Config) wire(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(c.Baud)
}
