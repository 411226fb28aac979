package order

import (
	"fmt"

	"busbar/concentrator"
)

// Event is what can happen to an order.
type Event uint8

// Events in the life of an order.
const (
	Start   Event = iota + 1 // an attempt begins
	Answer                   // the meter did it and said so
	Refuse                   // we or the meter said no, for good
	Silence                  // an attempt ended without an answer
	Expire                   // its time is over
	Restart                  // found running when the station started
)

var eventNames = [...]string{"none", "start", "answer", "refuse", "silence", "expire", "restart"}

// String is the event in one word.
func (e Event) String() string {
	if int(e) < len(eventNames) {
		return eventNames[e]
	}
	return fmt.Sprintf("event(%d)", uint8(e))
}

// move is one line of the table. Repeatable is where an order goes that may be done
// twice without harm, once where one goes that may not.
type move struct {
	from             concentrator.OrderState
	event            Event
	repeatable, once concentrator.OrderState
}

var table = []move{
	{concentrator.OrderAccepted, Start, concentrator.OrderRunning, concentrator.OrderRunning},
	{concentrator.OrderAccepted, Refuse, concentrator.OrderRefused, concentrator.OrderRefused},
	{concentrator.OrderAccepted, Expire, concentrator.OrderExpired, concentrator.OrderExpired},
	{concentrator.OrderAccepted, Restart, concentrator.OrderAccepted, concentrator.OrderAccepted},
	{concentrator.OrderRunning, Answer, concentrator.OrderDone, concentrator.OrderDone},
	{concentrator.OrderRunning, Refuse, concentrator.OrderRefused, concentrator.OrderRefused},
	{concentrator.OrderRunning, Silence, concentrator.OrderAccepted, concentrator.OrderDoubtful},
	{concentrator.OrderRunning, Expire, concentrator.OrderExpired, concentrator.OrderDoubtful},
	{concentrator.OrderRunning, Restart, concentrator.OrderAccepted, concentrator.OrderDoubtful},
}

// Next is the state that follows state when event happens. Repeatable says whether
// the order may be executed twice. An event that the table does not know is an error
// and leaves the state alone: a final state never changes.
func Next(state concentrator.OrderState, event Event, repeatable bool) (concentrator.OrderState, error) {
	for _, m := range table {
		if m.from == state && m.event == event {
			if repeatable {
				return m.repeatable, nil
			}
			return m.once, nil
		}
	}
	return state, fmt.Errorf("an order that is %v cannot %v", state, event)
}

// Repeatable reports whether an order of the kind may be executed twice without harm.
func Repeatable(kind string) bool { return kind == concentrator.OrderRead }
