package street

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/mac"
)

// lineQueue bounds the indications that wait for the station; the oldest are dropped
// and counted, the mains never waits.
const lineQueue = 256

// Line attaches a station to the mains without a modem chip between: it has the
// methods that the initiator wants of its line. Run must be running for them to
// return. It sleeps from one event to the next, so that in virtual time a night
// costs what its frames cost.
type Line struct {
	mains       *Mains
	requests    chan func()
	stopped     chan struct{}
	indications chan mac.DataIndication
	dropped     atomic.Uint64
	waiting     []waiting // only Run touches it
}

// waiting is a caller that returns at the beginning of a slot.
type waiting struct {
	slot int64
	done chan<- error
}

// NewLine returns a line on m, which Run owns from then on.
func NewLine(m *Mains) *Line {
	return &Line{
		mains: m, requests: make(chan func()), stopped: make(chan struct{}),
		indications: make(chan mac.DataIndication, lineQueue),
	}
}

// Run owns the mains until ctx ends. Call it once.
func (l *Line) Run(ctx context.Context) error {
	defer close(l.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.catchUp()
		timer.Reset(l.untilNext())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case f := <-l.requests:
			// What happened by now comes first, whichever of the two select noticed first.
			l.catchUp()
			f()
		}
	}
}

// catchUp brings the mains to the present slot and hands out what came of it.
func (l *Line) catchUp() {
	slot := l.mains.grid.Index(time.Now())
	l.mains.Advance(slot)
	l.publish()
	l.release(slot)
}

// untilNext is the time to the next event, an hour when there is none.
func (l *Line) untilNext() time.Duration {
	next, some := l.mains.Next()
	for _, w := range l.waiting {
		if !some || w.slot < next {
			next, some = w.slot, true
		}
	}
	if !some {
		return time.Hour
	}
	return max(0, time.Until(l.mains.grid.At(next)))
}

func (l *Line) publish() {
	for _, in := range l.mains.Take() {
		for sent := false; !sent; {
			select {
			case l.indications <- in.DataIndication:
				sent = true
			default:
				select {
				case <-l.indications:
					l.dropped.Add(1)
				default:
				}
			}
		}
	}
}

func (l *Line) release(slot int64) {
	kept := l.waiting[:0]
	for _, w := range l.waiting {
		if w.slot <= slot {
			w.done <- nil
			continue
		}
		kept = append(kept, w)
	}
	l.waiting = kept
}

// Do runs f in the goroutine that owns the mains and returns after it: to switch on
// a fault or look at the servers.
func (l *Line) Do(ctx context.Context, f func(*Mains)) error {
	return l.call(ctx, func(done chan<- error) {
		f(l.mains)
		done <- nil
	})
}

// call hands work to Run and waits until it says that it is done.
func (l *Line) call(ctx context.Context, work func(done chan<- error)) error {
	done := make(chan error, 1)
	select {
	case l.requests <- func() { work(done) }:
	case <-l.stopped:
		return fmt.Errorf("street: the line has stopped: %w", plc.ErrLineDown)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-l.stopped:
		return fmt.Errorf("street: the line has stopped: %w", plc.ErrLineDown)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send transmits from the next slot on in which the modem is free and returns after
// the first transmission, before its repetitions.
func (l *Line) Send(ctx context.Context, r mac.DataRequest) error {
	if len(r.MSDU) == 0 || len(r.MSDU) > mac.MaxMSDU {
		return fmt.Errorf("street: MSDU of %d octets: want 1 to %d", len(r.MSDU), mac.MaxMSDU)
	}
	return l.call(ctx, func(done chan<- error) {
		if l.mains.Down() {
			done <- errDown()
			return
		}
		sent := l.mains.Transmit(l.mains.FreeFrom(l.mains.now+1), r)
		l.waiting = append(l.waiting, waiting{sent, done})
	})
}

func errDown() error { return fmt.Errorf("street: the modem sees no mains: %w", plc.ErrLineDown) }

// Indications delivers what was received at the beginning of the slot in which it was complete.
func (l *Line) Indications() <-chan mac.DataIndication { return l.indications }

// Dropped is the number of indications that nobody fetched in time.
func (l *Line) Dropped() uint64 { return l.dropped.Load() }

// RepeaterCall lets the servers that received a CIASE RepeaterCall choose their
// repeaters, after the repetitions of that frame, and returns when its slots are over.
func (l *Line) RepeaterCall(ctx context.Context, _ plc.Address) error {
	return l.call(ctx, func(done chan<- error) {
		if l.mains.Down() {
			done <- errDown()
			return
		}
		over := l.mains.CallRepeaters(l.mains.FreeFrom(l.mains.now+1), ciase.DefaultThreshold)
		l.waiting = append(l.waiting, waiting{over, done})
	})
}

// Signal is the quality of the last subframe that the station received.
func (l *Line) Signal(ctx context.Context) (plc.Signal, error) {
	var s plc.Signal
	err := l.Do(ctx, func(m *Mains) { s = m.Signal() })
	return s, err
}
