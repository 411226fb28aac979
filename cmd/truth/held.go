package truth

import (
	"context"
	"iter"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/proof"
	"busbar/plc/street/town"
)

// wattHours is the unit of all that simulated meters count (Blue Book 4.3.2).
const wattHours = 30

// Window is a time of the meters' clocks, both ends included.
type Window struct{ From, To time.Time }

// Holds reports whether t lies in the window.
func (w Window) Holds(t time.Time) bool { return !t.Before(w.From) && !t.After(w.To) }

// Held yields what the meters captured in all, and every register value they answered
// with. What was captured in must has to be at the center; the rest may be.
func Held(ctx context.Context, t *town.Town, all, must Window) iter.Seq2[proof.Held, error] {
	return func(yield func(proof.Held, error) bool) {
		for h, err := range t.Held(ctx, all.From, all.To) {
			if !yield(of(h, must), err) || err != nil {
				return
			}
		}
	}
}

func of(h town.Held, must Window) proof.Held {
	return proof.Held{Must: !h.Told && must.Holds(h.Time), Reading: concentrator.Reading{
		Meter: h.Meter, Time: h.Time, Value: h.Value.Value, Unit: wattHours,
		Channel: concentrator.Channel{
			Profile: h.Profile, Class: h.Object.Class, Object: h.Object.Object, Attribute: h.Object.Attribute,
		},
	}}
}
