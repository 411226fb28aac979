package amis49587

import (
	"errors"
	"time"

	"busbar/plc/modem"
)

// step is where the dialog is with the host's frame.
type step uint8

const (
	idle     step = iota
	settling      // waiting tWBC, or for the end of a modem's frame, before polling
	polling       // T_REQ asserted, waiting for the status
	sent          // frame written, waiting for ACK or NAK
)

// result is how the transfer of one host frame ended.
type result uint8

const (
	acked     result = iota + 1
	noACK            // no answer: the modem may have it all the same
	refused          // NAK, again and again
	busy             // status says BufferBUSY: try at the next slot
	notSet           // status says that the configuration is gone
	noMains          // status says that there is no mains
	silent           // nobody answers the poll, nor a frame without it
	abandoned        // the owner gave up
)

// needs says which statuses stop a frame.
type needs uint8

const (
	needsNothing       needs = iota // goes in any case: reset
	needsBuffer                     // stops at busy: database and configuration
	needsConfiguration              // stops at busy and not set: database of a running modem
	needsMains                      // stops at busy, not set and not synchronized: MAC frames
)

const (
	pollTries  = 3 // polls without status before a frame is tried without
	frameTries = 3 // frames answered with NAK
)

// effect is one thing the owner of a dialog has to do, in order.
type effect struct {
	write []byte      // octets for the port
	treq  bool        // with neither write nor frame: the level of T_REQ
	frame modem.Frame // from the modem, acknowledged by an effect before this one
	at    time.Time   // when its last octet came
}

// dialog is the host's side of the octet dialog (sfsk.md 7.2) as a pure state
// machine: octets, requests and times in, effects out. It finds frames and
// statuses, acknowledges, polls, sends and sends again.
type dialog struct {
	timers   Timers
	wire     func(octets int) time.Duration
	counters *Counters
	effects  []effect

	in       []byte    // octets not understood yet; at most one unfinished frame
	last     time.Time // when the last octet came
	asserted bool      // level of T_REQ

	step     step
	deadline time.Time // of step; zero while the end of a modem's frame is awaited
	frame    []byte
	needs    needs
	polls    int
	asked    time.Time // when T_REQ was last asserted; zero: its status has come
	naks     int
	trial    bool // the frame went without poll, to see whether that works
	unpolled bool // it works: no more polls until a status is seen
	result   result

	status    modem.Status
	hasStatus bool // status belongs to the transfer under way or just ended
	statusAt  time.Time
}

// send begins the transfer of f. The dialog must be idle.
func (d *dialog) send(now time.Time, f modem.Frame, n needs) {
	if d.step != idle {
		panic("amis49587: a transfer is under way")
	}
	d.frame, d.needs = f.Append(nil), n
	d.polls, d.naks, d.trial, d.result, d.hasStatus = 0, 0, false, 0, false
	d.settle(now, d.last.Add(d.timers.Turn))
	d.expire(now)
}

// settle waits until then, or until the end of the modem's frame that is coming in.
func (d *dialog) settle(now, until time.Time) {
	d.release()
	d.step = settling
	d.deadline = until
	if len(d.in) > 0 {
		d.deadline = time.Time{}
	} else if until.Before(now) {
		d.deadline = now
	}
}

// abandon ends the transfer.
func (d *dialog) abandon() {
	if d.step != idle {
		d.finish(abandoned)
	}
}

func (d *dialog) finish(r result) {
	d.release()
	d.step, d.result, d.deadline, d.frame = idle, r, time.Time{}, nil
}

func (d *dialog) release() {
	if d.asserted {
		d.asserted = false
		d.effects = append(d.effects, effect{treq: false})
	}
}

func (d *dialog) write(b ...byte) { d.effects = append(d.effects, effect{write: b}) }

// take returns the effects so far and forgets them.
func (d *dialog) take() []effect {
	e := d.effects
	d.effects = nil
	return e
}

// next is when expire must be called, zero for never.
func (d *dialog) next() time.Time {
	if len(d.in) > 0 {
		return d.last.Add(d.timers.Gap)
	}
	return d.deadline
}

// expire does what is due at now.
func (d *dialog) expire(now time.Time) {
	if len(d.in) > 0 {
		if now.Before(d.last.Add(d.timers.Gap)) {
			return
		}
		d.broken(now)
	}
	if d.step == idle || d.deadline.IsZero() || now.Before(d.deadline) {
		return
	}
	switch d.step {
	case settling:
		d.poll(now)
	case polling:
		d.counters.NoStatus++
		d.polls++
		d.settle(now, now.Add(d.timers.Turn))
	case sent:
		d.counters.NoACK++
		if d.trial {
			d.finish(silent)
			return
		}
		d.finish(noACK)
	}
}

// broken drops a frame that stopped in the middle. NAK makes the modem repeat it.
func (d *dialog) broken(now time.Time) {
	d.counters.Broken++
	if d.in[0] == modem.STX {
		d.write(modem.NAK)
	}
	d.in = d.in[:0]
	d.resume(now)
}

// resume goes on with a transfer that waited for the end of a modem's frame.
func (d *dialog) resume(now time.Time) {
	if d.step == settling && d.deadline.IsZero() {
		d.deadline = now.Add(d.timers.Turn)
	}
}

// poll asserts T_REQ, or goes without when nobody answers it.
func (d *dialog) poll(now time.Time) {
	if d.unpolled || d.polls >= pollTries {
		d.trial = !d.unpolled
		d.transmit(now)
		return
	}
	d.step, d.deadline, d.asserted = polling, now.Add(d.timers.Poll+d.timers.Latency), true
	d.asked = now
	d.effects = append(d.effects, effect{treq: true})
}

// transmit writes the frame and then releases T_REQ.
func (d *dialog) transmit(now time.Time) {
	d.write(d.frame...)
	d.release()
	d.step, d.deadline = sent, now.Add(d.wire(len(d.frame))+d.timers.ACK+d.timers.Latency)
}

// receive takes octets that came at that time; now is when they are looked at.
func (d *dialog) receive(now, at time.Time, b []byte) {
	d.last = at
	d.in = append(d.in, b...)
	used := 0
	for used < len(d.in) {
		n := d.token(now, at, d.in[used:])
		if n == 0 {
			break
		}
		used += n
	}
	d.in = append(d.in[:0], d.in[used:]...)
	switch {
	case len(d.in) == 0:
		d.resume(now)
	case d.step == polling && d.in[0] == modem.STX:
		// The modem was first: take its frame, then poll again.
		d.counters.Interrupted++
		d.settle(now, time.Time{})
	}
}

// token handles what stands at the beginning of b and returns its size, 0 when more
// octets are needed.
func (d *dialog) token(now, at time.Time, b []byte) int {
	switch c := b[0]; {
	case c == modem.STX:
		return d.modemFrame(at, b)
	case c == modem.StatusMark && d.expectsStatus(at), c == modem.StatusMarkAlt && d.step == polling:
		s, n, err := modem.ParseStatus(b)
		if err == nil {
			d.takeStatus(now, at, s)
		}
		return n
	case c == modem.ACK && d.step == sent:
		d.acknowledged()
	case c == modem.NAK && d.step == sent:
		d.refuse(now)
	default:
		d.counters.Garbage++
	}
	return 1
}

// expectsStatus reports whether a status may come: it is polled for, or the poll ended
// without one only just. At any other time its mark is one octet of noise, and the
// octets behind it may be a good frame.
func (d *dialog) expectsStatus(at time.Time) bool {
	late := d.timers.Poll + d.timers.Latency + d.timers.Answer
	return d.step == polling || !d.asked.IsZero() && at.Before(d.asked.Add(late))
}

// modemFrame acknowledges a frame and hands it up.
func (d *dialog) modemFrame(at time.Time, b []byte) int {
	f, n, err := modem.ParseFrame(b)
	switch {
	case err == nil:
		d.counters.FramesIn++
		d.write(modem.ACK)
		f.Data = append([]byte(nil), f.Data...)
		d.effects = append(d.effects, effect{frame: f, at: at})
	case errors.Is(err, modem.ErrChecksum):
		d.counters.BadChecksum++
		d.write(modem.NAK)
	case !errors.Is(err, modem.ErrIncomplete):
		d.counters.Garbage++
	}
	return n
}

// takeStatus evaluates a status message.
func (d *dialog) takeStatus(now, at time.Time, s modem.Status) {
	d.unpolled = false
	if d.polls == 0 { // otherwise the status of an earlier poll may have come, and this one's is still to come
		d.asked = time.Time{}
	}
	if d.step != polling {
		d.counters.LateStatus++
		return
	}
	d.status, d.hasStatus, d.statusAt = s, true, at
	switch {
	case d.needs >= needsBuffer && s.Busy():
		d.counters.Busy++
		d.finish(busy)
	case d.needs >= needsConfiguration && s.NotSet():
		d.finish(notSet)
	case d.needs >= needsMains && s.NotSync():
		d.finish(noMains)
	case now.Sub(at) > d.timers.Answer:
		// We were too slow: the modem no longer waits for the frame.
		d.counters.LateStatus++
		d.settle(now, now.Add(d.timers.Turn))
	default:
		d.transmit(now)
	}
}

func (d *dialog) acknowledged() {
	d.counters.FramesOut++
	if d.trial {
		d.unpolled = true
	}
	if d.unpolled {
		d.counters.Unpolled++
	}
	d.finish(acked)
}

// refuse does everything again from T_REQ.
func (d *dialog) refuse(now time.Time) {
	d.counters.Refused++
	if d.naks++; d.naks >= frameTries {
		d.finish(refused)
		return
	}
	d.settle(now, now.Add(d.timers.Turn))
}
