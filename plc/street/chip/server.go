package chip

import (
	"context"
	"errors"
	"time"

	"busbar/plc/street"
)

// Server owns a chip and the street behind it, in one goroutine: Serve, which
// attaches it to a pseudo-terminal, or ServePort, which attaches it to memory.
type Server struct {
	chip    *Chip
	inputs  chan input
	stopped chan struct{}
}

// input is something that happens to the chip from outside.
type input struct {
	octets []byte
	edge   bool // T_REQ changed
	treq   bool
	again  bool // it is asserted as before, and may have been released meanwhile
	do     func()
}

// inputQueue decouples the reader of a terminal from the owner; the reader waits when it is
// full, and the kernel holds the host's octets.
const inputQueue = 64

// NewServer returns a server that owns the chip from its Serve on. Call one of the two,
// once.
func NewServer(c *Chip) *Server {
	return &Server{chip: c, inputs: make(chan input, inputQueue), stopped: make(chan struct{})}
}

// Stopped reports whether its Serve has ended: nobody owns the chip any more.
func (s *Server) Stopped() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// errStopped is what Do says of a server that no longer serves.
var errStopped = errors.New("the emulated modem is not served any more")

// Do runs f in the goroutine that owns chip and street, brought up to the present, and
// returns after it.
func (s *Server) Do(ctx context.Context, f func(now time.Time, c *Chip, m *street.Mains)) error {
	done := make(chan struct{})
	in := input{do: func() {
		now := time.Now()
		s.chip.Advance(now)
		f(now, s.chip, s.chip.mains)
		close(done)
	}}
	select {
	case s.inputs <- in:
	case <-s.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-s.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run moves the chip with the time until ctx ends. What the chip says goes to deliver.
// An event that the clock reaches while we sleep too long is worked off at its own
// slot: lateness costs slots and shifts nothing.
func (s *Server) run(ctx context.Context, deliver func(octets []byte)) error {
	defer close(s.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.chip.Advance(time.Now())
		s.flush(deliver)
		timer.Reset(s.untilNext())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case in := <-s.inputs:
			s.take(in)
			s.flush(deliver)
		}
	}
}

func (s *Server) untilNext() time.Duration {
	next, some := s.chip.Next()
	if !some {
		return time.Hour
	}
	return max(0, time.Until(next))
}

func (s *Server) take(in input) {
	now := time.Now()
	switch {
	case in.do != nil:
		in.do()
	case in.again:
		s.chip.repoll(now)
	case in.edge:
		s.chip.SetTREQ(now, in.treq)
	default:
		s.chip.Receive(now, in.octets)
	}
}

func (s *Server) flush(deliver func(octets []byte)) {
	for _, o := range s.chip.Take() {
		deliver(o.Octets)
	}
}

// offer hands an input to the owner; false when the server has stopped.
func (s *Server) offer(in input) bool {
	select {
	case s.inputs <- in:
		return true
	case <-s.stopped:
		return false
	}
}
