package initiator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/mac"
)

// TestQueueIsBounded: callers wait for room and may give up.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1, func(c *Config) { c.Queue = 2 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		errs := make(chan error, 4)
		for range 4 { // nobody serves them
			go func() {
				_, err := b.link.Ping(ctx, b.peer(0))
				errs <- err
			}()
		}
		synctest.Wait()
		if n := len(b.i.jobs); n != 2 {
			t.Errorf("%d jobs wait", n)
		}
		for range 4 {
			if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		// What was given up is not sent.
		run, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := b.i.Run(run); !errors.Is(err, context.DeadlineExceeded) || len(b.line.requests()) != 0 {
			t.Errorf("%v, %d requests", err, len(b.line.requests()))
		}
	})
}

// TestStop: the running job and those that wait end when Run does.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1, nil)
		b.line.script = func(mac.DataRequest) []reply { return nil }
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 4)
		for k := range 4 {
			link := b.link
			if k == 3 {
				link = b.link.Urgent() // about the same meter: it waits for the first
			}
			go func() {
				time.Sleep(time.Duration(k) * time.Millisecond)
				_, _, err := link.Get(t.Context(), b.peer(0), energyRef)
				errs <- err
			}()
		}
		go func() {
			time.Sleep(5 * time.Second)
			cancel()
		}()
		if err := b.i.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range 4 {
			if err := <-errs; !errors.Is(err, ErrStopped) {
				t.Error(err)
			}
		}
		if _, err := b.link.Ping(t.Context(), b.peer(0)); !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
	})
}

func TestLineClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1, nil)
		time.AfterFunc(time.Second, func() { close(b.line.ind) })
		if err := b.i.Run(t.Context()); !errors.Is(err, plc.ErrLineDown) {
			t.Error(err)
		}
	})
}

// TestFullUrgentQueue: more urgent jobs than the queue holds are all done.
func TestFullUrgentQueue(t *testing.T) {
	run(t, 2, func(c *Config) { c.Queue = 1 }, func(b *bench) {
		done := make(chan error, 9)
		for k := range 9 {
			go func() {
				x, err := b.link.Urgent().Ping(b.Context(), b.peer(k%2))
				if x.Outcome != plc.Answered && err == nil {
					err = errors.New(x.Detail)
				}
				done <- err
			}()
		}
		for range 9 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	good := Config{Title: ours}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := Config{Attempts: 11, MaxTransfer: -1, Queue: -1, Associations: 1, Margin: -1, CallCredit: 8, Profile: plc.DefaultProfile()}
	bad.Profile.BitRate, bad.Profile.RegisterFrame, bad.Profile.RegisterSlots = 1, 25, -1
	err := bad.Validate()
	for _, want := range []string{"title", "attempts", "queue", "margin", "repeater call", "bit rate", "in blocks", "frame of a Register", "slots behind a Register"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of the %s in: %v", want, err)
		}
	}
}
