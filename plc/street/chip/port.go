package chip

import (
	"context"
	"errors"
	"os"
	"sync"

	"busbar/plc/modem"
)

// Port is a host's port to an emulated chip in memory: a modem.Port for virtual time.
// The chip has no serial line before it, octets arrive at once.
type Port struct {
	server *Server

	mu      sync.Mutex
	ready   *sync.Cond
	octets  []byte // from the chip, at most portSize; what does not fit is dropped and counted
	dropped uint64
	closed  bool
	gone    bool // the server stopped
}

// portSize bounds what waits for a host that does not read.
const portSize = 64 << 10

// errPortGone is what a host reads when the emulator has ended.
var errPortGone = errors.New("the emulated modem is gone")

// ServePort moves the chip with the time until ctx ends and serves a host behind p.
func (s *Server) ServePort(ctx context.Context, p *Port) error {
	err := s.run(ctx, p.deliver)
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.ready.Broadcast()
	return err
}

// NewPort returns a port to the server's chip, to be served by ServePort.
func NewPort(s *Server) *Port {
	p := &Port{server: s}
	p.ready = sync.NewCond(&p.mu)
	return p
}

// Reopen makes a closed port as good as new; what the chip said meanwhile is lost.
func (p *Port) Reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.octets = false, nil
}

// Dropped is the number of octets that no host read in time.
func (p *Port) Dropped() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

func (p *Port) deliver(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(b), portSize-len(p.octets))
	if p.closed {
		n = 0
	}
	p.dropped += uint64(len(b) - n)
	p.octets = append(p.octets, b[:n]...)
	p.ready.Broadcast()
}

// Read waits for octets from the chip.
func (p *Port) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.octets) == 0 {
		switch {
		case p.closed:
			return 0, os.ErrClosed
		case p.gone:
			return 0, errPortGone
		case len(b) == 0:
			return 0, nil
		}
		p.ready.Wait()
	}
	n := copy(b, p.octets)
	p.octets = p.octets[n:]
	return n, nil
}

// Write hands octets to the chip.
func (p *Port) Write(b []byte) (int, error) {
	if err := p.tell(input{octets: append([]byte(nil), b...)}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetTREQ asserts T_REQ or releases it.
func (p *Port) SetTREQ(asserted bool) error { return p.tell(input{edge: true, treq: asserted}) }

func (p *Port) tell(in input) error {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	switch {
	case closed:
		return os.ErrClosed
	case !p.server.offer(in):
		return errPortGone
	}
	return nil
}

// Close ends a Read that waits.
func (p *Port) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.ready.Broadcast()
	return nil
}

var _ modem.Port = (*Port)(nil)
