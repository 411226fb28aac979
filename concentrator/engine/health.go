package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// toldKey identifies an event that is told once a day.
type toldKey struct {
	meter plc.SystemTitle
	code  concentrator.EventCode
	text  string
}

const (
	maxTold    = 8192 // remembered once-a-day events; beyond it all are told again
	maxPending = 1024 // events of our own that wait for the disk; beyond it the newest are dropped
)

// eventLocked keeps an event for the next write.
func (e *Engine) eventLocked(ev concentrator.Event) {
	if len(e.events) < maxPending {
		e.events = append(e.events, ev)
	}
}

// daily keeps those events that were not told in the last 24 hours. With byCode only
// meter and code must be the same, not the text.
func (e *Engine) daily(events []concentrator.Event, byCode bool) []concentrator.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []concentrator.Event
	for _, ev := range events {
		k := toldKey{meter: ev.Meter, code: ev.Code, text: ev.Text}
		if byCode {
			k.text = ""
		}
		if last, ok := e.told[k]; ok && ev.Time.Sub(last) < 24*time.Hour {
			continue
		}
		if len(e.told) >= maxTold {
			clear(e.told)
		}
		e.told[k] = ev.Time
		out = append(out, ev)
	}
	return out
}

// ourFault notes that our own side failed: the line or, when err is not that, something
// beside it such as the store of the keys. No meter is to blame.
func (e *Engine) ourFault(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if e.trouble != err.Error() && !errors.Is(err, plc.ErrLineDown) {
		e.cfg.Log.Error("cannot work", "err", err)
	}
	e.trouble = err.Error()
	if !errors.Is(err, plc.ErrLineDown) {
		e.publishLocked()
		return
	}
	if e.line.OK {
		e.line = Health{Since: now}
		e.eventLocked(concentrator.Event{Time: now, Code: concentrator.EventModemDown, Text: printable("the power line cannot be used: " + err.Error())})
		e.cfg.Log.Error("the power line cannot be used", "err", err)
	}
	e.line.Detail = err.Error()
	e.publishLocked()
}

// lineUp notes that an exchange could be made.
func (e *Engine) lineUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line.OK {
		return
	}
	now := time.Now()
	down := now.Sub(e.line.Since).Round(time.Second)
	e.line = Health{OK: true, Since: now}
	e.eventLocked(concentrator.Event{Time: now, Code: concentrator.EventModemUp, Text: fmt.Sprintf("the power line can be used again after %v", down)})
	e.cfg.Log.Info("the power line can be used again", "after", down)
	e.publishLocked()
}

// storageFault notes that the journal refused. Nothing advances meanwhile: the meters
// keep what we could not store.
func (e *Engine) storageFault(ctx context.Context, err error) {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.trouble = err.Error()
	if e.storage.OK {
		e.storage = Health{Since: now}
		e.cfg.Log.Error("cannot store", "err", err)
	}
	e.storage.Detail = "cannot store: " + err.Error()
	e.publishLocked()
}

// stored notes that the journal works; the event about the fault can be kept only now.
func (e *Engine) storedAgain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.storage.OK {
		return
	}
	now := time.Now()
	down := now.Sub(e.storage.Since).Round(time.Second)
	e.eventLocked(concentrator.Event{
		Time: now, Code: concentrator.EventStorage,
		Text: printable(fmt.Sprintf("nothing could be stored for %v: %s", down, e.storage.Detail)),
	})
	e.storage = Health{OK: true, Since: now}
	e.cfg.Log.Info("storing works again", "after", down)
	e.publishLocked()
}

// printable keeps an event's text one line of bounded length.
func printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r == 0x7F {
			r = ' '
		}
		if out = append(out, r); len(out) == 240 {
			break
		}
	}
	return string(out)
}

// flush stores what changed outside visits. It reports whether everything is on the disk.
func (e *Engine) flush(ctx context.Context) bool {
	e.mu.Lock()
	meters, events := e.roster.Unsaved()
	own := e.events
	e.events = nil
	e.mu.Unlock()
	if len(meters) == 0 && len(events)+len(own) == 0 {
		return true
	}
	err := e.journal.SaveMeters(ctx, meters, append(append([]concentrator.Event(nil), events...), own...))
	if err == nil {
		e.storedAgain()
		return true
	}
	e.mu.Lock()
	e.roster.Keep(meters, events)
	e.events = append(own, e.events...)
	e.mu.Unlock()
	e.storageFault(ctx, fmt.Errorf("save %d meters and %d events: %w", len(meters), len(events)+len(own), err))
	return false
}

// recordTries bounds how often one visit is offered to a journal that refuses.
const recordTries = 5

// record stores a visit. When the journal keeps refusing the values are given up: the
// next visit reads the same entries again.
func (e *Engine) record(ctx context.Context, r VisitRecord) (stored int, err error) {
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		return e.journal.RecordVisit(late, r)
	}
	for n := range recordTries {
		if stored, err = e.journal.RecordVisit(ctx, r); err == nil {
			e.storedAgain()
			return stored, nil
		}
		err = fmt.Errorf("store the visit of meter %v: %w", r.Meter.Title, err)
		e.storageFault(ctx, err)
		if n < recordTries-1 {
			pause(ctx, backoff(n, 8*time.Second))
		}
		if ctx.Err() != nil {
			return 0, err
		}
	}
	return 0, err
}
