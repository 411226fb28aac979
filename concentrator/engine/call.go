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
	past     uint32 // profile entries looked at in vain
	clock    capture.Clock
	read     time.Time // when the registers were read; zero: not in this visit
	progress progress

	undecoded bool // a profile came whole and could not be understood
}

// progress is how far the profile was read; it counts once the visit is stored.
type progress struct {
	until time.Time // zero: no further
	past  uint32
}

// run reads what is due, part by part. A part that was not answered ends the visit;
// what came before is kept. An error is a failure of our own side.
func (c *call) run(ctx context.Context) error {
	c.x = plc.Exchange{Outcome: plc.Answered, Credit: c.m.Credit, Begin: time.Now()}
	defer func() { c.x.End = time.Now() }()
	for _, part := range []func(context.Context) (bool, error){c.learn, c.learnUnits, c.readRegisters, c.readProfile} {
		if ok, err := part(ctx); err != nil || !ok {
			return err
		}
	}
	return nil
}

// get makes one Get and adds its cost to the visit. It reports whether every ref has
// its result.
func (c *call) get(ctx context.Context, refs ...cosem.Ref) ([]cosem.Result, bool, error) {
	peer := plc.Peer{Title: c.m.Title, Address: c.m.Address, Credit: c.m.Credit}
	results, x, err := c.link.Get(ctx, peer, refs...)
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

// refuse ends the visit because the meter does not give what is needed.
func (c *call) refuse(format string, args ...any) {
	c.x.Outcome, c.x.Detail = plc.Refused, printable(fmt.Sprintf(format, args...))
}

func (c *call) event(code concentrator.EventCode, format string, args ...any) {
	c.events = append(c.events, concentrator.Event{
		Time: c.source.Received, Meter: c.m.Title, Code: code, Text: printable(fmt.Sprintf(format, args...)),
	})
}

// learn reads, once per meter, what its load profile captures and its name.
func (c *call) learn(ctx context.Context) (bool, error) {
	if c.m.Layout != nil {
		return true, nil
	}
	results, ok, err := c.get(ctx,
		cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 3},
		cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 4},
		cosem.Ref{Class: cosem.ClassData, Object: nameObject, Attribute: 2},
	)
	if !ok {
		return false, err
	}
	if name := capture.Name(results[2]); name != "" {
		c.m.Name = name
	}
	c.m.CapturePeriod, _ = capture.Period(results[1])
	c.m.Layout, c.m.Registers = []concentrator.Column{}, nil
	switch objects := results[0]; {
	case objects.Access == cosem.Success:
		columns, err := capture.Columns(objects.Data)
		if err != nil {
			c.event(concentrator.EventUnknownColumn, "load profile %v: %v", c.cfg.Profile, err)
			return true, nil
		}
		c.m.Layout = columns
	case passing(objects.Access):
		c.m.Layout = nil
		c.refuse("capture objects of the load profile: %v", objects.Access)
		return false, nil
	case absent(objects.Access): // a meter without a load profile
	default:
		c.event(concentrator.EventUnknownColumn, "capture objects of load profile %v: %v", c.cfg.Profile, objects.Access)
	}
	return true, nil
}

// maxList bounds the attributes asked in one request.
const maxList = 16

// learnUnits reads, once per meter, scaler and unit of every register and column. A
// register that the meter does not have is left out from then on.
func (c *call) learnUnits(ctx context.Context) (bool, error) {
	if c.m.Registers != nil {
		return true, nil
	}
	units := map[cosem.Ref]cosem.Result{}
	for rest := c.unitRefs(); len(rest) > 0; {
		n := min(len(rest), maxList)
		results, ok, err := c.get(ctx, rest[:n]...)
		if !ok {
			return false, err
		}
		for i, r := range results {
			if passing(r.Access) {
				c.refuse("scaler and unit of %v: %v", rest[i].Object, r.Access)
				return false, nil
			}
			units[rest[i]] = r
		}
		rest = rest[n:]
	}
	c.setUnits(units)
	if text := capture.Unusable(c.m.Layout); text != "" {
		c.event(concentrator.EventUnknownColumn, "%s", text)
	}
	return true, nil
}

// passing reports whether an access result may be another one at the next visit.
func passing(r cosem.AccessResult) bool {
	return r == cosem.TemporaryFailure || r == cosem.HardwareFault
}

// unitRefs are the scalers and units to ask for, each once: what is a register is
// mostly a column as well.
func (c *call) unitRefs() []cosem.Ref {
	var refs []cosem.Ref
	asked := map[cosem.Ref]bool{}
	add := func(ref cosem.Ref) {
		if !asked[ref] {
			asked[ref] = true
			refs = append(refs, ref)
		}
	}
	for _, object := range c.cfg.Registers {
		add(cosem.Ref{Class: cosem.ClassRegister, Object: object, Attribute: 3})
	}
	for _, column := range c.m.Layout {
		if ref, ok := capture.ScalerRef(column.Ref); ok && column.Unit == capture.UnitUnknown {
			add(ref)
		}
	}
	return refs
}

func (c *call) setUnits(units map[cosem.Ref]cosem.Result) {
	c.m.Registers = []concentrator.RegisterInfo{}
	for _, object := range c.cfg.Registers {
		r := units[cosem.Ref{Class: cosem.ClassRegister, Object: object, Attribute: 3}]
		info := concentrator.RegisterInfo{Ref: cosem.Ref{Class: cosem.ClassRegister, Object: object, Attribute: 2}}
		var ok bool
		if info.Scaler, info.Unit, ok = capture.Scaler(r); ok {
			c.m.Registers = append(c.m.Registers, info)
		} else if !absent(r.Access) {
			c.event(concentrator.EventUnknownColumn, "register %v is not read: its scaler and unit are not known (%v)", object, r.Access)
		}
	}
	layout := append([]concentrator.Column{}, c.m.Layout...) // the published one is never written
	for i, column := range layout {
		ref, _ := capture.ScalerRef(column.Ref)
		if scaler, unit, ok := capture.Scaler(units[ref]); ok && column.Unit == capture.UnitUnknown {
			layout[i].Scaler, layout[i].Unit = scaler, unit
		}
	}
	c.m.Layout = layout
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
		c.m.Registers = nil // the meter was changed: learn again at the next visit
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
