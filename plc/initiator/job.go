package initiator

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"busbar/plc"
)

// ErrStopped says that Run has ended: nothing is sent any more.
var ErrStopped = errors.New("the initiator has stopped")

// job is one piece of work that a caller waits for.
type job struct {
	ctx    context.Context // of the caller; while the job is served it also ends with life
	life   context.Context // of Run
	urgent bool
	titles []plc.SystemTitle // the meters it is about; none may be spoken to by others meanwhile
	do     func(*job) error
	x      plc.Exchange
	heard  bool   // the last thing on the line was an answer to it
	excess excess // whether asking for less at a time may help, after its last operation failed
	err    error
	state  atomic.Uint32
	done   chan struct{}
}

// States of a job: only one of the two sides can move it away from waiting.
const (
	waiting uint32 = iota
	taken
	withdrawn
)

func (j *job) take() bool     { return j.state.CompareAndSwap(waiting, taken) }
func (j *job) withdraw() bool { return j.state.CompareAndSwap(waiting, withdrawn) }

// about reports whether the two jobs concern the same meter.
func (j *job) about(other *job) bool {
	return slices.ContainsFunc(j.titles, func(t plc.SystemTitle) bool { return slices.Contains(other.titles, t) })
}

// submit hands j to Run and waits for its end. A job that was begun is always waited
// for: it sees the end of ctx itself.
func (i *Initiator) submit(ctx context.Context, j *job) (plc.Exchange, error) {
	j.ctx, j.done = ctx, make(chan struct{})
	queue := i.jobs
	if j.urgent {
		queue = i.urgent
	}
	select {
	case queue <- j:
	case <-ctx.Done():
		return plc.Exchange{Outcome: plc.Aborted}, ctx.Err()
	case <-i.stopped:
		return plc.Exchange{Outcome: plc.Aborted}, ErrStopped
	}
	select {
	case <-j.done:
		return j.x, j.err
	case <-ctx.Done():
		if j.withdraw() {
			return plc.Exchange{Outcome: plc.Aborted}, ctx.Err()
		}
	case <-i.stopped:
		if j.withdraw() {
			return plc.Exchange{Outcome: plc.Aborted}, ErrStopped
		}
	}
	<-j.done
	return j.x, j.err
}
