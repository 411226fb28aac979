package initiator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"busbar/plc"
)

// Initiator composes the layers above a Line. Its zero value is not usable; New makes
// one.
type Initiator struct {
	cfg          Config
	line         Line
	mains        *mains
	associations *cache
	patience     patience
	counts       *tally

	// Jobs wait in bounded queues; at the bound, callers wait.
	jobs, urgent chan *job
	// deferred are urgent jobs about a meter that is just being read; at most Queue,
	// then further ones stay in their queue.
	deferred []*job
	stopped  chan struct{}
}

// New makes an initiator on line. Nothing happens before Run.
func New(line Line, cfg Config) *Initiator {
	cfg = cfg.withDefaults()
	counts := &tally{}
	return &Initiator{
		cfg: cfg, line: line, counts: counts,
		mains:        &mains{line: line, profile: cfg.Profile, margin: cfg.Margin, trace: cfg.Trace, counts: counts},
		associations: newCache(cfg.Associations),
		jobs:         make(chan *job, cfg.Queue),
		urgent:       make(chan *job, cfg.Queue),
		stopped:      make(chan struct{}),
	}
}

// Counts returns what was counted so far.
func (i *Initiator) Counts() Counts { return i.counts.read() }

// Link returns the blocking methods for ordinary work.
func (i *Initiator) Link() *Link { return &Link{i: i} }

// Run serves jobs until ctx ends or the line's indications are closed. It may be
// called once.
func (i *Initiator) Run(ctx context.Context) error {
	defer close(i.stopped)
	if err := i.cfg.Validate(); err != nil {
		return fmt.Errorf("initiator: %w", err)
	}
	for ctx.Err() == nil {
		i.gather()
		if len(i.deferred) > 0 {
			j := i.deferred[0]
			i.deferred = slices.Delete(i.deferred, 0, 1)
			i.serve(ctx, j)
			continue
		}
		select {
		case <-ctx.Done():
		case j := <-i.urgent:
			i.serve(ctx, j)
		case j := <-i.jobs:
			i.interlude(ctx, nil)
			i.serve(ctx, j)
		case ind, ok := <-i.line.Indications():
			if !ok {
				return fmt.Errorf("initiator: the line was closed: %w", plc.ErrLineDown)
			}
			if h, ok := i.mains.admit(ind); ok {
				i.stray(h)
			}
		}
	}
	return ctx.Err()
}

// serve does one job unless its caller has given up.
func (i *Initiator) serve(ctx context.Context, j *job) {
	if !j.take() {
		return
	}
	both, cancel := context.WithCancelCause(j.ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(ErrStopped) })()
	j.ctx, j.life = both, ctx
	j.x.Begin = time.Now()
	j.err = j.do(j)
	if j.heard { // once for all its answers: asking the modem takes time, too
		j.x.Signal = i.signal(j.ctx)
	}
	j.x.End = time.Now()
	if j.err != nil {
		j.x.Outcome = plc.Aborted
	}
	close(j.done)
}

// between runs urgent jobs between two exchanges of j, except those about the same
// meter: its block transfer would break.
func (i *Initiator) between(j *job) {
	if !j.urgent {
		i.interlude(j.life, j)
	}
}

// interlude serves the urgent jobs that may run beside the running one.
func (i *Initiator) interlude(ctx context.Context, running *job) {
	for ctx.Err() == nil {
		i.gather()
		k := slices.IndexFunc(i.deferred, func(j *job) bool { return running == nil || !j.about(running) })
		if k < 0 {
			return
		}
		j := i.deferred[k]
		i.deferred = slices.Delete(i.deferred, k, k+1)
		i.serve(ctx, j)
	}
}

// gather takes what waits in the urgent queue, in order.
func (i *Initiator) gather() {
	for len(i.deferred) < i.cfg.Queue {
		select {
		case j := <-i.urgent:
			i.deferred = append(i.deferred, j)
		default:
			return
		}
	}
}

// stray counts a frame for us that answers nothing. Servers do not speak unasked, but
// what was asked may come late.
func (i *Initiator) stray(h heard) {
	i.counts.add(func(c *Counts) {
		switch {
		case h.err != nil: // counted as garbled
		case h.report():
			c.Unasked++
		default:
			c.Stray++
		}
	})
}
