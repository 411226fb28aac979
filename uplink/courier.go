package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"busbar/concentrator"
)

// Config of a courier. Station is needed, everything else has a default.
type Config struct {
	Station string // identity, as in the station's certificate
	Version string // of the program, for the center's list of stations
	Boot    uint64 // drawn at the start of the program; 0: the courier draws one

	// Window is how many batches of a lane may be on their way without a receipt, default 4.
	Window int
	// BatchSize is the most records of one batch, default 2000. BatchAge is how long
	// readings wait for company before they are sealed, default 5 s; urgent records do not wait.
	BatchSize int
	BatchAge  time.Duration

	// BackoffMin and BackoffMax bound the wait between two attempts to reach the
	// center, default 1 s and 5 min.
	BackoffMin, BackoffMax time.Duration
	// HelloTimeout bounds dialing and greeting together, default 1 min.
	HelloTimeout time.Duration
	// ReceiptTimeout ends a session in which the oldest batch on its way got no receipt, default 2 min.
	ReceiptTimeout time.Duration
	// Poll is how often the store is asked for new records when nobody calls Wake,
	// default 1 s or BatchAge, if that is less.
	Poll time.Duration

	// NewOrder is called after a new order was committed and confirmed. It must return at once.
	NewOrder func()
	// Jitter returns a random number from 0 to n-1; nil: math/rand.
	Jitter func(n int64) int64
	Log    *slog.Logger
}

func (c Config) withDefaults() Config {
	orDefault(&c.Window, 4)
	orDefault(&c.BatchSize, 2000)
	orDefault(&c.BatchAge, 5*time.Second)
	orDefault(&c.BackoffMin, time.Second)
	orDefault(&c.BackoffMax, 5*time.Minute)
	orDefault(&c.HelloTimeout, time.Minute)
	orDefault(&c.ReceiptTimeout, 2*time.Minute)
	orDefault(&c.Poll, min(time.Second, c.BatchAge))
	c.BackoffMax = max(c.BackoffMin, c.BackoffMax)
	if c.Boot == 0 {
		c.Boot = rand.Uint64()
	}
	if c.NewOrder == nil {
		c.NewOrder = func() {}
	}
	if c.Jitter == nil {
		c.Jitter = rand.Int64N
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Courier carries batches to the center and orders back. At most Window batches
// per lane are on their way and in memory; what comes beyond stays in the store,
// unsealed, until there is room: a long outage costs no memory and makes no small
// batches.
type Courier struct {
	cfg    Config
	outbox Outbox
	inbox  Inbox
	center Center
	wake   chan struct{} // holds one: any number of calls to Wake are one look into the store

	failures int  // sessions in a row that proved nothing, for the back-off
	resend   bool // the center claimed to hold batches and gave no receipt: send them again

	mu    sync.Mutex
	state concentrator.LinkState
}

// New returns a courier; Run makes it work.
func New(cfg Config, outbox Outbox, inbox Inbox, center Center) *Courier {
	return &Courier{
		cfg: cfg.withDefaults(), outbox: outbox, inbox: inbox, center: center,
		wake:  make(chan struct{}, 1),
		state: concentrator.LinkState{LastError: "not tried yet"},
	}
}

// Wake tells that new records wait. It never blocks.
func (c *Courier) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// State is the state of the connection.
func (c *Courier) State() concentrator.LinkState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *Courier) update(change func(*concentrator.LinkState)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

// Run keeps a session with the center until ctx ends, and returns nil then. Every
// failure is waited out; it is in State for people and in the log once per change.
func (c *Courier) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		c.update(func(s *concentrator.LinkState) { s.Attempts++; s.NextAttempt = time.Time{} })
		began := time.Now()
		err := c.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > c.cfg.BackoffMax {
			c.failures = 0 // it lived long: nothing to send is no fault of the link
		}
		c.failures++
		wait := c.backoff()
		c.lost(err, wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	c.update(func(s *concentrator.LinkState) {
		s.Connected, s.Since, s.LastError, s.NextAttempt = false, time.Now(), "the station is stopping", time.Time{}
	})
	return nil
}

// backoff is the wait before the next attempt: anything from BackoffMin to a
// ceiling that doubles with every failure, up to BackoffMax. The full spread keeps
// the stations of a city from coming back all at once.
func (c *Courier) backoff() time.Duration {
	ceiling := c.cfg.BackoffMin
	for i := 0; i < c.failures && ceiling < c.cfg.BackoffMax; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, c.cfg.BackoffMax)
	return c.cfg.BackoffMin + time.Duration(c.cfg.Jitter(int64(ceiling-c.cfg.BackoffMin)+1))
}

// lost records why there is no session now.
func (c *Courier) lost(err error, wait time.Duration) {
	now, text := time.Now(), err.Error()
	var news bool
	c.update(func(s *concentrator.LinkState) {
		news = s.Connected || s.LastError != text
		if s.Connected || s.Since.IsZero() {
			s.Since = now
		}
		s.Connected, s.LastError, s.NextAttempt = false, text, now.Add(wait)
	})
	if news {
		c.cfg.Log.Warn("no connection to the center", "err", err, "attempt", c.State().Attempts)
	}
}

// attempt dials, greets and works until the session ends; it always returns why.
func (c *Courier) attempt(ctx context.Context) error {
	hello, err := c.hello(ctx)
	if err != nil {
		return fmt.Errorf("uplink: read the store before dialing: %w", err)
	}
	greeting, cancel := context.WithTimeout(ctx, c.cfg.HelloTimeout)
	defer cancel()
	live, err := c.center.Dial(greeting)
	if err != nil {
		return err
	}
	defer func() { _ = live.Close() }() // why it ended is known already
	welcome, err := live.Hello(greeting, hello)
	if err != nil {
		return err
	}
	cancel()
	s, err := c.resume(ctx, live, hello, welcome)
	if err != nil {
		return err
	}
	c.update(func(s *concentrator.LinkState) { s.Connected, s.Since, s.LastError = true, time.Now(), "" })
	c.cfg.Log.Info("connected to the center")
	c.compareClocks(welcome.Time)
	err = s.work(ctx)
	if errors.Is(err, errNoReceipt) {
		c.resend = true
	}
	return err
}

// clockTolerance is how far the center's clock may be from ours before it is worth a
// word: more than the line's delay, less than what spoils a quarter hour.
const clockTolerance = time.Minute

// compareClocks tells when the center, whom TLS has identified, has another time.
func (c *Courier) compareClocks(center time.Time) {
	if center.IsZero() {
		return
	}
	if d := time.Since(center).Round(time.Second); d.Abs() > clockTolerance {
		c.cfg.Log.Warn(fmt.Sprintf("the station's clock is %v ahead of the center's: check the time synchronization of both", d))
	}
}

func (c *Courier) hello(ctx context.Context) (Hello, error) {
	h := Hello{Station: c.cfg.Station, Boot: c.cfg.Boot, Version: c.cfg.Version}
	var err error
	if h.Epoch, err = c.outbox.Epoch(ctx); err != nil {
		return h, err
	}
	for lane := range concentrator.Lanes {
		open, err := c.outbox.Unreceipted(ctx, lane, 0, 1)
		if err != nil {
			return h, err
		}
		if len(open) > 0 {
			h.NextSeq[lane] = open[0].ID.Seq
		}
	}
	h.Backlog, err = c.outbox.Backlog(ctx)
	return h, err
}
