package engine

import (
	"context"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/plc/cosem"
)

// relearn is how often a meter is asked again what it said of itself: its layout and
// scalers may be changed at any time, and nothing in a value tells.
const (
	relearn      = 24 * time.Hour
	relearnAgain = time.Hour // after it failed, or part of it: meanwhile the meter is read as before
)

// learn reads, at the first visit and once a day, what a meter says of itself: what its
// load profile captures, scalers and units, its limits on the line and its name. What
// was learned before is kept until it was read again or the meter says that it does not
// have it any more; an event tells what differs.
func (c *call) learn(ctx context.Context) (bool, error) {
	known := c.m.Layout != nil && c.m.Registers != nil
	if age := c.source.Received.Sub(c.m.Learned); known && age >= 0 && age < relearn {
		return true, nil
	}
	was := c.m
	ok, err := true, error(nil)
	if known || c.m.Layout == nil {
		ok, err = c.learnLayout(ctx)
	}
	if ok {
		ok, err = c.learnUnits(ctx, was)
	}
	switch {
	case ok:
		c.m.Learned = c.source.Received
		c.compare(was)
	case known:
		c.m.Layout, c.m.Registers, c.m.CapturePeriod, c.m.Unordered = was.Layout, was.Registers, was.CapturePeriod, was.Unordered
		c.m.Name, c.m.NotAddressed, c.m.MaxFrame = was.Name, was.NotAddressed, was.MaxFrame
	}
	if c.unsure && ok || known && !ok {
		c.m.Learned = c.source.Received.Add(relearnAgain - relearn)
	}
	return ok, err
}

// compare tells what was learned otherwise than before.
func (c *call) compare(was concentrator.Meter) {
	if was.Layout != nil {
		if text := capture.Differs(was.Layout, c.m.Layout); text != "" && was.Registers != nil {
			c.event(concentrator.EventLayoutChanged, "%s", text)
		}
	}
	old := map[cosem.Ref]concentrator.RegisterInfo{}
	for _, r := range was.Registers {
		old[r.Ref] = r
	}
	for _, r := range c.m.Registers {
		if before, ok := old[r.Ref]; ok {
			if text := capture.DiffersRegister(before, r); text != "" {
				c.event(concentrator.EventLayoutChanged, "%s", text)
			}
		}
	}
}

// learnLayout reads the first part of it in one list.
func (c *call) learnLayout(ctx context.Context) (bool, error) {
	results, ok, err := c.get(ctx,
		cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 3},
		cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 4},
		cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 5},
		cosem.Ref{Class: cosem.ClassData, Object: nameObject, Attribute: 2},
		cosem.Ref{Class: cosem.ClassSFSKTimeouts, Object: timeoutsObject, Attribute: 4},
		cosem.Ref{Class: cosem.ClassLLC432, Object: llcObject, Attribute: 2},
	)
	if !ok {
		return false, err
	}
	objects, period, sort, name := results[0], results[1], results[2], results[3]
	for _, part := range []struct {
		what   string
		access cosem.AccessResult
		known  bool
	}{
		{"capture objects", objects.Access, len(c.m.Layout) > 0},
		{"capture period", period.Access, c.m.CapturePeriod > 0},
		{"sort method", sort.Access, c.m.Unordered},
	} {
		if passing(part.access) || part.known && odd(part.access) {
			c.refuse("%s of the load profile: %v", part.what, part.access)
			return false, nil
		}
	}
	if name := capture.Name(name); name != "" {
		c.m.Name = name
	}
	if limit := results[4]; !odd(limit.Access) {
		c.m.NotAddressed = capture.NotAddressed(limit)
	} else if c.m.NotAddressed != 0 || passing(limit.Access) {
		c.unsure = true
	}
	if limit := results[5]; !odd(limit.Access) {
		c.m.MaxFrame = capture.MaxFrame(limit)
	} else if c.m.MaxFrame != 0 || passing(limit.Access) {
		c.unsure = true
	}
	c.m.CapturePeriod, _ = capture.Period(period)
	c.m.Unordered = !capture.FirstInFirstOut(sort)
	c.m.Layout, c.m.Registers = c.layout(objects), nil
	return true, nil
}

// layout is what the load profile captures; empty when there is none that can be read.
func (c *call) layout(objects cosem.Result) []concentrator.Column {
	switch {
	case objects.Access == cosem.Success:
		columns, err := capture.Columns(objects.Data)
		if err == nil {
			return columns
		}
		c.event(concentrator.EventUnknownColumn, "load profile %v: %v", c.cfg.Profile, err)
	case absent(objects.Access): // a meter without a load profile
	default: // nothing was known before, see learnLayout
		c.unsure = true
		c.event(concentrator.EventUnknownColumn, "capture objects of load profile %v: %v", c.cfg.Profile, objects.Access)
	}
	return []concentrator.Column{}
}

// maxList bounds the attributes asked in one request.
const maxList = 16

// learnUnits reads scaler and unit of every register and column. A register that the meter
// does not have is left out from then on; one that it only does not tell stays as it was.
func (c *call) learnUnits(ctx context.Context, was concentrator.Meter) (bool, error) {
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
	c.setUnits(units, knownUnits(was))
	if text := capture.Unusable(c.m.Layout); text != "" {
		c.event(concentrator.EventUnknownColumn, "%s", text)
	}
	return true, nil
}

// passing reports whether an access result may be another one at the next visit.
func passing(r cosem.AccessResult) bool {
	return r == cosem.TemporaryFailure || r == cosem.HardwareFault
}

// odd reports whether an access result says nothing of what the meter has: neither is
// there a value nor is the object absent. What was known before still holds.
func odd(r cosem.AccessResult) bool { return r != cosem.Success && !absent(r) }

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

// scaling is a scaler with its unit.
type scaling struct {
	scaler int8
	unit   uint8
}

// knownUnits are the scalers and units learned before, by the attribute that tells them.
func knownUnits(was concentrator.Meter) map[cosem.Ref]scaling {
	known := map[cosem.Ref]scaling{}
	for _, column := range was.Layout {
		if ref, ok := capture.ScalerRef(column.Ref); ok && column.Unit != capture.UnitUnknown {
			known[ref] = scaling{column.Scaler, column.Unit}
		}
	}
	for _, r := range was.Registers {
		if ref, ok := capture.ScalerRef(r.Ref); ok {
			known[ref] = scaling{r.Scaler, r.Unit}
		}
	}
	return known
}

// scaling is what the meter told now or, when it neither did nor denied to have the
// object, before. A column without it would be skipped while the others move the cursor on.
func (c *call) scaling(r cosem.Result, known map[cosem.Ref]scaling, ref cosem.Ref) (scaling, bool) {
	if scaler, unit, ok := capture.Scaler(r); ok {
		return scaling{scaler, unit}, true
	}
	before, ok := known[ref]
	if !ok || absent(r.Access) {
		return scaling{}, false
	}
	c.unsure = true
	return before, true
}

func (c *call) setUnits(units map[cosem.Ref]cosem.Result, known map[cosem.Ref]scaling) {
	c.m.Registers = []concentrator.RegisterInfo{}
	for _, object := range c.cfg.Registers {
		ref := cosem.Ref{Class: cosem.ClassRegister, Object: object, Attribute: 3}
		if u, ok := c.scaling(units[ref], known, ref); ok {
			value := cosem.Ref{Class: cosem.ClassRegister, Object: object, Attribute: 2}
			c.m.Registers = append(c.m.Registers, concentrator.RegisterInfo{Ref: value, Scaler: u.scaler, Unit: u.unit})
		} else if access := units[ref].Access; !absent(access) {
			c.event(concentrator.EventUnknownColumn, "register %v is not read: its scaler and unit are not known (%v)", object, access)
		}
	}
	layout := append([]concentrator.Column{}, c.m.Layout...) // the published one is never written
	for i, column := range layout {
		ref, has := capture.ScalerRef(column.Ref)
		if !has || column.Unit != capture.UnitUnknown {
			continue
		}
		if u, ok := c.scaling(units[ref], known, ref); ok {
			layout[i].Scaler, layout[i].Unit = u.scaler, u.unit
		}
	}
	c.m.Layout = layout
}
