package street

import (
	"container/heap"

	"busbar/plc/mac"
)

type eventKind uint8

// Kinds of events, in the order in which those of one slot are worked off: what ends
// at a boundary comes before what begins there.
const (
	evLanding  eventKind = iota // a transmission ends
	evRepair                    // a fault ends
	evFault                     // a fault begins
	evCall                      // a repeater call begins
	evTransmit                  // a transmission begins
	evBabble                    // a babbling server draws its next rubbish
)

// event is something that happens at the beginning of slot at.
type event struct {
	at      int64
	kind    eventKind
	order   uint64 // of scheduling: events of one slot and kind keep it
	flight  *flight
	station *station
	frame   mac.Frame
	fault   *Fault
	level   float64
}

// queue holds what is to come. It grows with the reports of a Discover and is small otherwise.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.kind != b.kind:
		return a.kind < b.kind
	}
	return a.order < b.order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop serve package heap.
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }

// Pop removes the last event.
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}

func (m *Mains) schedule(e event) {
	m.scheduled++
	e.order = m.scheduled
	e.at = max(e.at, m.now)
	heap.Push(&m.queue, e)
}
