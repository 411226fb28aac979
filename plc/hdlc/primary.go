package hdlc

import (
	"errors"
	"fmt"
)

// State is where a link stands for its client.
type State uint8

// States of a Primary.
const (
	Disconnected  State = iota
	Connecting          // SNRM sent
	Connected           // nothing under way
	Exchanging          // an APDU is on its way, or its answer
	Disconnecting       // DISC sent
)

var stateNames = [...]string{"disconnected", "connecting", "connected", "exchanging", "disconnecting"}

// String is the state in one word.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Errors of a Primary.
var (
	ErrState   = errors.New("not possible in this state of the link")
	ErrRefused = errors.New("the meter is in disconnected mode and does not connect")
	ErrLost    = errors.New("the meter disconnected the link")
	ErrStalled = errors.New("the meter's frames and ours do not fit together any more: nothing goes forward")
	ErrTooLong = errors.New("the meter's APDU is longer than is taken")
)

// PrimaryConfig describes the client's end of a link.
type PrimaryConfig struct {
	Client, Server Address
	Offer          Parameters // zero fields are the defaults
	MaxAPDU        int        // longest APDU taken; 0 is 65535
}

// Primary is the client's end of a link: it connects, polls and disconnects. What to send
// comes from its methods; the owner sends it, and calls Expire when nothing comes back.
type Primary struct {
	channel
	offer Parameters
	state State
}

// NewPrimary makes an end that is not connected.
func NewPrimary(cfg PrimaryConfig) *Primary {
	if cfg.MaxAPDU <= 0 {
		cfg.MaxAPDU = defaultLonger
	}
	return &Primary{
		channel: channel{local: cfg.Client, remote: cfg.Server, out: llcCommand, want: llcResponse, longest: cfg.MaxAPDU},
		offer:   cfg.Offer.orDefault(),
	}
}

// State is where the link stands.
func (p *Primary) State() State { return p.state }

// Agreed is what was negotiated.
func (p *Primary) Agreed() Parameters { return p.agreed }

// Counts returns the oddities counted so far.
func (p *Primary) Counts() Counts { return p.counts }

// Connect begins to set the link up, and forgets the one before.
func (p *Primary) Connect() []byte {
	p.state = Connecting
	return p.snrm()
}

// snrm names the parameters only when they are not the defaults: some meters take no
// information field in SNRM.
func (p *Primary) snrm() []byte {
	if p.offer == DefaultParameters() {
		return p.unnumbered(nil, controlSNRM, nil)
	}
	return p.unnumbered(nil, controlSNRM, p.offer.Append(nil))
}

// Disconnect begins to end the link; nil when there is none.
func (p *Primary) Disconnect() []byte {
	if p.state == Disconnected {
		return nil
	}
	p.state = Disconnecting
	return p.unnumbered(nil, controlDISC, nil)
}

// Send begins to send an APDU. One is under way at a time, up to its whole answer.
func (p *Primary) Send(apdu []byte) ([]byte, error) {
	if p.state != Connected && p.state != Exchanging {
		return nil, fmt.Errorf("send an APDU while %v: %w", p.state, ErrState)
	}
	if !p.idle() {
		return nil, fmt.Errorf("send an APDU behind one that the meter did not acknowledge: %w; connect again", ErrState)
	}
	p.state = Exchanging
	p.joined = nil // of an answer that was given up
	p.load(apdu)
	return p.burst(nil), nil
}

// Receive takes a frame from the meter. After an error the link is down.
func (p *Primary) Receive(f Frame) (Effects, error) {
	kind := f.Control.Kind()
	switch {
	case p.state == Connecting && kind == UA:
		return p.connected(f)
	case p.state == Connecting && kind == DM:
		return p.lose(ErrRefused)
	case p.state == Disconnecting && (kind == UA || kind == DM):
		p.state = Disconnected
		return Effects{Disconnected: true}, nil
	case p.state != Connected && p.state != Exchanging:
		p.counts.Stray++
		return Effects{}, nil
	}
	switch kind {
	case I:
		return p.information(f)
	case RR:
		p.acknowledge(f.Control.Awaited())
		return p.turn(f, false)
	case RNR:
		p.acknowledge(f.Control.Awaited()) // Expire will ask again
		return Effects{}, nil
	case DM, FRMR:
		return p.lose(fmt.Errorf("%w with %v", ErrLost, kind))
	}
	p.counts.Stray++
	return Effects{}, nil
}

func (p *Primary) connected(f Frame) (Effects, error) {
	peer, _, err := ParseParameters(f.Info)
	if err != nil {
		return p.lose(err)
	}
	p.connect(p.offer.agree(peer))
	p.state = Connected
	return Effects{Connected: true}, nil
}

func (p *Primary) lose(err error) (Effects, error) {
	p.state = Disconnected
	return Effects{Disconnected: true}, err
}

func (p *Primary) information(f Frame) (Effects, error) {
	p.acknowledge(f.Control.Awaited())
	t := p.take(f)
	switch {
	case t.overflow:
		return p.lose(ErrTooLong)
	case p.missed >= maxStalled:
		return p.lose(ErrStalled)
	case t.apdu != nil:
		p.state = Connected
		p.queue, p.unacked = nil, nil // what it answers it has, whatever number it says it awaits
		return Effects{APDU: t.apdu}, nil
	}
	return p.turn(f, true)
}

// turn is what follows when the meter's turn ended: the rest of our APDU, what it missed,
// or leave to go on. ask polls a meter that has nothing to do but to send more.
func (p *Primary) turn(f Frame, ask bool) (Effects, error) {
	switch {
	case !f.Control.Poll():
		return Effects{}, nil // more comes in this turn
	case p.state != Exchanging:
		return Effects{}, nil
	case !p.idle() && p.stalled >= maxStalled:
		return p.lose(ErrStalled)
	case !p.idle():
		return Effects{Down: p.burst(nil)}, nil
	case ask:
		return Effects{Down: p.ready(nil)}, nil
	}
	return Effects{}, nil // the meter is still thinking; Expire asks again
}

// Expire is called when nothing came for the owner's time-out. It returns what to send
// again: a meter that is polled repeats what was lost on either way. nil: nothing is awaited.
func (p *Primary) Expire() []byte {
	switch p.state {
	case Connecting:
		p.counts.Repeated++
		return p.snrm()
	case Disconnecting:
		p.counts.Repeated++
		return p.unnumbered(nil, controlDISC, nil)
	case Exchanging:
		return p.ready(nil)
	}
	return nil
}
