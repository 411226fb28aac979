package chip

import (
	"errors"
	"time"

	"busbar/plc/modem"
)

// link is the octet dialog with the host (sfsk.md 7.2).
type link struct {
	in   []byte    // octets of an unfinished frame
	last time.Time // when the last of them came

	treq      bool
	statusDue bool      // T_REQ was asserted and not yet answered
	polled    time.Time // a status was sent and the host's frame may come until then
	used      bool      // that status served its end: a frame came, or it said busy
	holdUntil time.Time // our own frames wait for that one so long

	queue   []wire // frames to the host, at most queueSize; the newest are dropped
	waiting bool   // the first of queue is sent; its ACK is awaited until ackUntil
	ackUntil,
	readyAt time.Time // no transmission before: tWBC
	late []Output // status messages held back by a fault
}

// wire is one frame to the host.
type wire struct {
	command  modem.Command
	data     []byte
	repeated bool
}

// queueSize bounds the frames that wait for a host that does not take them.
const queueSize = 32

// queue puts a frame to the host in line.
func (c *Chip) queue(command modem.Command, data []byte) {
	if len(c.link.queue) >= queueSize {
		c.counters.Overflow++
		return
	}
	c.link.queue = append(c.link.queue, wire{command: command, data: data})
}

// next is when pump must be called again.
func (l *link) next(t Timers) (time.Time, bool) {
	var next time.Time
	some := false
	earlier := func(t time.Time) {
		if !some || t.Before(next) {
			next, some = t, true
		}
	}
	switch {
	case l.waiting:
		earlier(l.ackUntil)
	case len(l.queue) > 0:
		due := l.readyAt
		if l.holdUntil.After(due) {
			due = l.holdUntil
		}
		earlier(due)
	case l.statusDue:
		earlier(l.readyAt)
	}
	if len(l.in) > 0 {
		earlier(l.last.Add(t.Gap))
	}
	if len(l.late) > 0 {
		earlier(l.late[0].At)
	}
	return next, some
}

// pump does what the dialog has due: a frame to the host goes before a status.
func (c *Chip) pump(now time.Time) {
	l := &c.link
	if len(l.in) > 0 && !now.Before(l.last.Add(c.cfg.Timers.Gap)) {
		c.broken(now)
	}
	if l.waiting && !now.Before(l.ackUntil) {
		c.counters.NoACK++
		l.waiting, l.queue = false, l.queue[1:]
	}
	for len(l.late) > 0 && !now.Before(l.late[0].At) {
		c.emit(now, l.late[0].Octets)
		l.late = l.late[1:]
	}
	if l.waiting || now.Before(l.readyAt) {
		return
	}
	switch {
	case len(l.queue) > 0 && !now.Before(l.holdUntil):
		c.transmit(now)
	case l.statusDue && len(l.queue) == 0:
		c.sendStatus(now)
	}
}

// transmit sends the first frame in line, or sends it again.
func (c *Chip) transmit(now time.Time) {
	l := &c.link
	w := l.queue[0]
	b := modem.Frame{Command: w.command, Data: w.data}.Append(nil)
	c.counters.Sent++
	if junk := c.Faults.Junk; len(junk) > 0 {
		c.Faults.Junk = nil
		c.emit(now, junk)
	}
	switch {
	case w.repeated:
		c.counters.Repeated++
	case used(&c.Faults.BadChecksum):
		b[len(b)-1] ^= 0xFF
	case used(&c.Faults.ShortLength):
		b[1]--
	}
	c.emit(now, b)
	l.waiting, l.ackUntil = true, now.Add(c.cfg.Timers.ACK)
}

// sendStatus answers T_REQ.
func (c *Chip) sendStatus(now time.Time) {
	l := &c.link
	l.statusDue = false
	c.counters.Polls++
	s := c.status()
	b := s.Append(nil)
	if c.cfg.AltStatus {
		b[0] = modem.StatusMarkAlt
	}
	if used(&c.Faults.LateStatus) {
		l.late = append(l.late, Output{At: now.Add(lateStatus), Octets: b})
		return
	}
	c.emit(now, b)
	l.polled, l.used = now.Add(c.cfg.Timers.Answer), s.Busy()
	if !s.Busy() { // else the host has to let go
		l.holdUntil = l.polled
	}
}

func (c *Chip) emit(now time.Time, b []byte) {
	if !c.Faults.Silent {
		c.out = append(c.out, Output{At: now, Octets: b})
	}
}

// SetTREQ tells that the host asserted T_REQ or released it.
func (c *Chip) SetTREQ(now time.Time, asserted bool) {
	c.Advance(now)
	l := &c.link
	if asserted == l.treq {
		return
	}
	l.treq = asserted
	switch {
	case c.Faults.Silent:
		return
	case asserted:
		l.statusDue = true
	default:
		// Over a pseudo-terminal this overtakes the frame that it follows, so that the frame
		// keeps a moment to come.
		l.statusDue = false
		if soon := now.Add(c.cfg.Timers.Turn); l.holdUntil.After(soon) {
			l.holdUntil = soon
		}
	}
	c.pump(now)
}

// repoll tells that T_REQ is asserted and may have been released since we last looked:
// so it was when the last status has served its end.
func (c *Chip) repoll(now time.Time) {
	if c.link.used {
		c.SetTREQ(now, false)
	}
	c.SetTREQ(now, true)
}

// Receive takes octets from the host. Now must not go back.
func (c *Chip) Receive(now time.Time, octets []byte) {
	c.Advance(now)
	if c.Faults.Silent {
		return
	}
	l := &c.link
	l.in = append(l.in, octets...)
	l.last = now
	used := 0
	for used < len(l.in) {
		n := c.token(now, l.in[used:])
		if n == 0 {
			break
		}
		used += n
	}
	l.in = append(l.in[:0], l.in[used:]...)
	c.pump(now)
}

// token handles what b begins with and returns its size, 0 when more octets are needed.
func (c *Chip) token(now time.Time, b []byte) int {
	l := &c.link
	switch {
	case b[0] == modem.STX:
		f, n, err := modem.ParseFrame(b)
		switch {
		case err == nil:
			c.hostFrame(now, f)
		case errors.Is(err, modem.ErrChecksum):
			c.counters.BadFrames++
			c.answer(now, modem.NAK)
		case !errors.Is(err, modem.ErrIncomplete):
			c.counters.Garbage++
		}
		return n
	case b[0] == modem.ACK && l.waiting:
		l.waiting, l.queue = false, l.queue[1:]
		l.readyAt = now.Add(c.cfg.Timers.Turn)
	case b[0] == modem.NAK && l.waiting:
		l.waiting = false
		l.readyAt = now.Add(c.cfg.Timers.Turn)
		if l.queue[0].repeated {
			c.counters.GivenUp++
			l.queue = l.queue[1:]
		} else {
			l.queue[0].repeated = true
		}
	default:
		c.counters.Garbage++
	}
	return 1
}

// broken gives up a frame that stopped in the middle.
func (c *Chip) broken(now time.Time) {
	c.counters.Broken++
	c.link.in = c.link.in[:0]
	c.answer(now, modem.NAK)
}

// answer sends ACK or NAK, which wait for nothing.
func (c *Chip) answer(now time.Time, octet byte) {
	c.emit(now, []byte{octet})
	l := &c.link
	l.polled, l.holdUntil = time.Time{}, now
	l.readyAt = now.Add(c.cfg.Timers.Turn)
}

// hostFrame acknowledges a good frame and obeys it.
func (c *Chip) hostFrame(now time.Time, f modem.Frame) {
	c.link.used = true
	if now.After(c.link.polled) {
		if c.cfg.StrictPoll {
			c.counters.Ignored++
			return
		}
		c.counters.Unpolled++
	}
	if used(&c.Faults.NAK) {
		c.answer(now, modem.NAK)
		return
	}
	c.counters.Frames++
	if used(&c.Faults.LoseACK) {
		c.link.polled, c.link.holdUntil = time.Time{}, now
	} else {
		c.answer(now, modem.ACK)
	}
	c.obey(now, f)
}
