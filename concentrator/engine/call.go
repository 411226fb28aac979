package engine

import (
	"context"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/plc"
	"busbar/plc/cosem"
)

// call is one visit while it is made: a working copy of the meter's record, what was
// read so far and what it cost.
type call struct {
	cfg      *Config
	link     Link
	m        concentrator.Meter
	source   capture.Source
	x        plc.Exchange
	readings []concentrator.Reading
	events   []concentrator.Event

	last     time.Time // newest stored entry of the profile, and whether there is one
	has      bool
	past     passed    // profile entries looked at in vain
	present  time.Time // latest time that an entry can have
	clock    capture.Clock
	read     time.Time // when the registers were read; zero: not in this visit
	progress progress

	undecoded bool // a profile came whole and could not be understood
	unsure    bool // part of what the meter says of itself was not told: it is asked again sooner
}

// progress is how far the profile was read; it counts once the visit is stored.
type progress struct {
	until time.Time // zero: no further
	past  passed
}

// passed is the last of the profile entries looked at in vain, 0 for none, as they were
// numbered when it was looked at.
type passed struct {
	entry uint32
	at    time.Time
}

// run reads what is due, part by part. A part that was not answered ends the visit;
// what came before is kept. An error is a failure of our own side.
func (c *call) run(ctx context.Context) error {
	c.x = plc.Exchange{Outcome: plc.Answered, Credit: c.m.Credit, Begin: time.Now()}
	defer func() { c.x.End = time.Now() }()
	for _, part := range []func(context.Context) (bool, error){c.learn, c.readRegisters, c.readProfile} {
		if ok, err := part(ctx); err != nil || !ok {
			return err
		}
	}
	return nil
}

// peer is how to speak to a meter.
func peer(m concentrator.Meter) plc.Peer {
	return plc.Peer{Title: m.Title, Address: m.Address, Credit: m.Credit, MaxFrame: m.MaxFrame}
}

// get makes one Get and adds its cost to the visit. It reports whether every ref has
// its result.
func (c *call) get(ctx context.Context, refs ...cosem.Ref) ([]cosem.Result, bool, error) {
	results, x, err := c.link.Get(ctx, peer(c.m), refs...)
	if x.Outcome == plc.Answered && len(results) != len(refs) && err == nil {
		x.Outcome, x.Detail = plc.Garbled, fmt.Sprintf("%d results for %d attributes", len(results), len(refs))
	}
	c.add(x)
	if err != nil {
		return nil, false, fmt.Errorf("read meter %v at address %v: %w", c.m.Title, c.m.Address, err)
	}
	return results, x.Outcome == plc.Answered, nil
}

// add joins the exchange of a part to that of the visit.
func (c *call) add(x plc.Exchange) {
	now := time.Now()
	c.source.Received = now
	c.x.Requests += x.Requests
	c.x.Answers += x.Answers
	c.x.Slots += x.Slots
	if x.Outcome != 0 {
		c.x.Outcome, c.x.Detail = x.Outcome, printable(x.Detail)
	}
	if x.Counter != 0 {
		c.x.Detail = expects(c.m.Title, x.Counter)
	}
	if x.Requests > 0 {
		c.x.Credit, c.m.LastAsked = x.Credit, now
	}
	if x.Answers == 0 {
		return
	}
	c.x.Up, c.x.Down = x.Up, x.Down
	c.m.LastHeard = now
	if x.Signal.Measured() {
		c.x.Signal, c.m.Signal = x.Signal, x.Signal
	}
}

// expects says what to do when a meter does not take our invocation counter. Its word came
// without protection, so a person decides.
func expects(title plc.SystemTitle, counter uint32) string {
	return fmt.Sprintf("the meter says that it expects invocation counter %d of us (unauthenticated): "+
		"if its records agree, run `concentrator keys raise %v %d`", counter, title, counter)
}

// refuse ends the visit because the meter does not give what is needed.
func (c *call) refuse(format string, args ...any) {
	c.x.Outcome, c.x.Detail = plc.Refused, printable(fmt.Sprintf(format, args...))
}

func (c *call) event(code concentrator.EventCode, format string, args ...any) {
	c.events = append(c.events, concentrator.Event{
		Time: c.source.Received, Meter: c.m.Title, Code: code, Text: printable(fmt.Sprintf(format, args...)),
	})
}

// absent reports whether an access result means that the meter has no such object.
func absent(r cosem.AccessResult) bool {
	return r == cosem.ObjectUndefined || r == cosem.ObjectUnavailable || r == cosem.ObjectClassInconsistent
}

// clockDiffers is the difference between meter and station that is worth an event.
const clockDiffers = 5 * time.Minute

// readRegisters reads clock and billing registers in one list, so that they belong to
// one instant. More than one list each has its own clock.
func (c *call) readRegisters(ctx context.Context) (bool, error) {
	infos := c.m.Registers
	var missing []cosem.Ref
	for rest := infos; ; {
		n := min(len(rest), maxList-1)
		refs := []cosem.Ref{{Class: cosem.ClassClock, Object: clockObject, Attribute: 2}}
		for _, r := range rest[:n] {
			refs = append(refs, r.Ref)
		}
		results, ok, err := c.get(ctx, refs...)
		if !ok {
			return false, err
		}
		c.clock, c.read = c.source.ReadClock(results[0]), c.source.Received
		res, gone := c.source.Registers(c.clock, rest[:n], results[1:])
		c.readings, c.events = append(c.readings, res.Readings...), append(c.events, res.Events...)
		missing = append(missing, gone...)
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
	}
	if off := c.clockOff(); off.Abs() > clockDiffers && c.source.Trusted {
		c.event(concentrator.EventMeterClock, "its clock says %s, which is %v off", c.clock.Time.UTC().Format("2006-01-02 15:04:05"), off.Round(time.Second))
	}
	if len(missing) > 0 {
		c.m.Learned = time.Time{} // the meter was changed: learn again at the next visit
	}
	return true, nil
}

// clockOff is how far the meter's clock is ahead of the station's, 0 when it is not valid.
func (c *call) clockOff() time.Duration {
	if !c.clock.Valid {
		return 0
	}
	return c.clock.Time.Sub(c.source.Received)
}
