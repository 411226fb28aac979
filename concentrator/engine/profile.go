package engine

import (
	"context"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/plc"
	"busbar/plc/cosem"
)

// astray is how far off a meter's clock may be before its times say nothing about what
// it captured since the last visit.
const astray = 24 * time.Hour

// now is the time by which to judge what the meter has captured: its own clock, unless
// that is not valid or has gone astray.
func (c *call) now() time.Time {
	if c.clock.Valid && c.clockOff().Abs() < astray {
		return c.clock.Time
	}
	return c.source.Received
}

// readProfile reads the entries of the load profile since the last stored one.
func (c *call) readProfile(ctx context.Context) (bool, error) {
	if len(c.m.Layout) == 0 || !capture.Datable(c.m.Layout) {
		return true, nil
	}
	plan := capture.Plan{
		Period: c.m.CapturePeriod, Backfill: c.cfg.Backfill,
		Max: min(c.cfg.MaxEntries, c.cfg.MaxTransfer/capture.RowSize(c.m.Layout)),
	}
	now := c.now()
	if c.has && !plan.Follows(now, c.last) {
		c.last, c.has = time.Time{}, false // and what is read now is where the next visit goes on
	}
	c.present = plan.Present(now)
	w := plan.Next(now, c.last, c.has)
	if !w.Due {
		return true, nil
	}
	// A meter that lost its time captures under times that no range would ask for.
	if !c.m.ByEntry && c.clockOff().Abs() < astray {
		done, ok, err := c.byRange(ctx, w)
		if done || err != nil {
			return ok, err
		}
	}
	if c.m.Unordered {
		c.event(concentrator.EventUnknownColumn, "load profile %v cannot be read by entry: its sort method is not FIFO, so the numbers do not follow time", c.cfg.Profile)
		return c.x.Outcome == plc.Answered, nil
	}
	return c.byEntry(ctx, plan, now, w)
}

func (c *call) buffer(s *cosem.Selection) cosem.Ref {
	return cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 2, Select: s}
}

// byRange asks for the window by its times. Done is false when the meter refused the
// selection and may know the other one.
func (c *call) byRange(ctx context.Context, w capture.Window) (done, ok bool, err error) {
	clock := capture.ClockColumn(c.m.Layout)
	deviation := int(cosem.NoDeviation)
	if c.clock.Valid {
		deviation = c.clock.Deviation
	}
	from, to := c.source.Sign.DateTime(w.From, deviation, 0), c.source.Sign.DateTime(w.To, deviation, 0)
	results, ok, err := c.get(ctx, c.buffer(cosem.ByRange(clock, from, to, nil)))
	switch {
	case err != nil:
		return true, false, err
	case c.x.Outcome == plc.Refused:
		return false, false, nil
	case !ok:
		return true, false, nil
	case passing(results[0].Access):
		c.refuse("load profile: %v", results[0].Access)
		return true, false, nil
	case results[0].Access != cosem.Success:
		c.refuse("load profile by range: %v", results[0].Access)
		return false, false, nil
	}
	newest, ok := c.rows(results[0].Data)
	if !ok {
		return true, false, nil
	}
	c.progress.until = newest
	if w.More && newest.Before(w.To) {
		c.progress.until = w.To // the meter has nothing there: it was without mains
	}
	return true, true, nil
}

// byEntry asks for the window by entry numbers: first how many there are, then the
// oldest of those that are missing.
func (c *call) byEntry(ctx context.Context, plan capture.Plan, now time.Time, w capture.Window) (bool, error) {
	refused := c.x.Detail
	results, ok, err := c.get(ctx, cosem.Ref{Class: cosem.ClassProfileGeneric, Object: c.cfg.Profile, Attribute: 7})
	if !ok {
		return false, err
	}
	inUse, known := capture.Count(results[0])
	if !known {
		if refused == "" {
			refused = "no entries in use: " + results[0].Access.String()
		}
		c.refuse("%s", refused)
		if absent(results[0].Access) {
			c.m.Learned = time.Time{} // it has no such profile any more: learn again
		}
		return false, nil
	}
	past := min(plan.Shifted(c.past.entry, c.source.Received.Sub(c.past.at)), inUse)
	from, to := plan.Entries(now, w, inUse, past)
	if to == 0 {
		return true, nil
	}
	results, ok, err = c.get(ctx, c.buffer(cosem.ByEntry(from, to, 1, 0)))
	if !ok {
		return false, err
	}
	if results[0].Access != cosem.Success {
		c.refuse("load profile by entries %d to %d: %v", from, to, results[0].Access)
		return false, nil
	}
	c.m.ByEntry = c.m.ByEntry || refused != ""
	newest, ok := c.rows(results[0].Data)
	if !ok {
		return false, nil
	}
	c.progress.until = newest
	if to < inUse && !newest.After(c.last) {
		c.progress.past = passed{entry: to, at: c.source.Received} // all of these were known: begin after them next time
	}
	return true, nil
}

// rows turns a buffer into readings. A buffer that does not fit the layout may mean
// that the layout was changed: it is learned again.
func (c *call) rows(buffer []byte) (newest time.Time, ok bool) {
	after := time.Time{}
	if c.has {
		after = c.last
	}
	period := c.m.CapturePeriod
	if c.m.Unordered {
		period = 0 // neither does null-data move the clock on nor is there a gap between two rows
	}
	rows, err := c.source.Profile(capture.Profile{
		Object: c.cfg.Profile, Columns: c.m.Layout, Period: period, After: after, Present: c.present,
	}, buffer)
	c.readings, c.events = append(c.readings, rows.Readings...), append(c.events, rows.Events...)
	if err != nil {
		c.m.Learned, c.undecoded = time.Time{}, true
		c.x.Outcome, c.x.Detail = plc.Garbled, printable("load profile: "+err.Error())
		return rows.Newest, false
	}
	return rows.Newest, true
}
