package initiator

import (
	"context"
	"errors"
	"fmt"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

// Link is how callers get work done. Each method blocks until the work is done or ctx
// ends. A silent or refusing meter is told by Exchange.Outcome with a nil error; an
// error is a failure of our own side and says nothing about any meter.
//
// Its methods may be called by several goroutines. At most Config.Queue jobs wait, the
// callers of further ones wait for room.
type Link struct {
	i      *Initiator
	urgent bool
}

// Urgent returns a Link whose jobs run before anything else, between two exchanges of
// whatever is running, unless that is about the same meter. A Discover with its window
// of report slots is one exchange.
func (l *Link) Urgent() *Link { return &Link{i: l.i, urgent: true} }

func (l *Link) submit(ctx context.Context, titles []plc.SystemTitle, do func(*job) error) (plc.Exchange, error) {
	return l.i.submit(ctx, &job{urgent: l.urgent, titles: titles, do: do})
}

// Discover sends one Discover and returns what was reported in its window. Without
// any report the outcome is Silent; Garbled when there was none, but something that could
// not be understood.
func (l *Link) Discover(ctx context.Context, r plc.DiscoverRequest) (reports []plc.Report, x plc.Exchange, err error) {
	x, err = l.submit(ctx, nil, func(j *job) (err error) {
		reports, err = l.i.discover(j, r)
		return err
	})
	return reports, x, err
}

// Register broadcasts addresses, in as many frames as they need, and forgets the
// associations of the titles. Nobody answers it: Answered means that it was sent.
func (l *Link) Register(ctx context.Context, regs []plc.Registration, credit plc.Credit) (plc.Exchange, error) {
	titles := make([]plc.SystemTitle, len(regs))
	for k, r := range regs {
		titles[k] = r.Title
	}
	return l.submit(ctx, titles, func(j *job) error { return l.i.register(j, regs, credit) })
}

// Ping asks the server at p.Address whether it is p.Title, once. Refused means that
// another one answered.
func (l *Link) Ping(ctx context.Context, p plc.Peer) (plc.Exchange, error) {
	return l.submit(ctx, []plc.SystemTitle{p.Title}, func(j *job) error { return l.i.ping(j, p) })
}

// RepeaterCall lets the servers up to maxAddress choose their repeaters. Nobody answers
// it: Answered means that it was made.
func (l *Link) RepeaterCall(ctx context.Context, maxAddress plc.Address) (plc.Exchange, error) {
	return l.submit(ctx, nil, func(j *job) error { return l.i.repeaterCall(j, maxAddress) })
}

// Get reads attributes in one association, opening it first when needed. With several
// refs it uses as few requests as the meter allows. When the outcome is Answered the
// results stand in the order of the refs.
func (l *Link) Get(ctx context.Context, p plc.Peer, refs ...cosem.Ref) (results []cosem.Result, x plc.Exchange, err error) {
	if len(refs) == 0 {
		return nil, plc.Exchange{Outcome: plc.Aborted}, errors.New("GET of nothing: want at least one attribute")
	}
	x, err = l.submit(ctx, []plc.SystemTitle{p.Title}, func(j *job) (err error) {
		results, err = l.i.get(j, p, refs)
		return err
	})
	return results, x, err
}

// Set writes one attribute; data is one encoded value, the same in every attempt. Answered means that the meter
// answered: the result tells whether it did as asked.
func (l *Link) Set(ctx context.Context, p plc.Peer, ref cosem.Ref, data []byte) (cosem.AccessResult, plc.Exchange, error) {
	r, x, err := l.single(ctx, p, false, dlms.Set(ref, data))
	return r.Access, x, err
}

// Action invokes one method (ref.Attribute); data is its encoded parameter or nil. It
// is sent only once: after silence nobody knows whether the meter acted.
func (l *Link) Action(ctx context.Context, p plc.Peer, ref cosem.Ref, data []byte) (cosem.Result, plc.Exchange, error) {
	return l.single(ctx, p, true, dlms.Action(ref, data))
}

// single does an operation that has one result.
func (l *Link) single(ctx context.Context, p plc.Peer, acts bool, op dlms.Op) (result cosem.Result, x plc.Exchange, err error) {
	result.Access = cosem.OtherReason
	x, err = l.submit(ctx, []plc.SystemTitle{p.Title}, func(j *job) error {
		results, err := l.i.operate(j, p, acts, op)
		if err != nil || j.x.Outcome != plc.Answered {
			return err
		}
		if len(results) != 1 {
			return fmt.Errorf("%d results of one request: a fault of this program", len(results))
		}
		result = results[0]
		return nil
	})
	return result, x, err
}

// Release ends the association with a meter, if there is one.
func (l *Link) Release(ctx context.Context, p plc.Peer) (plc.Exchange, error) {
	return l.submit(ctx, []plc.SystemTitle{p.Title}, func(j *job) error {
		if l.i.associations.get(p.Title) == nil {
			j.x.Outcome = plc.Answered
			return nil
		}
		_, err := l.i.operate(j, p, false, dlms.Release())
		return err
	})
}

// Renew gives up the association with a meter and the invocation counters that were
// reserved for it: the next request draws new ones from the store.
func (l *Link) Renew(ctx context.Context, title plc.SystemTitle) error {
	_, err := l.submit(ctx, []plc.SystemTitle{title}, func(j *job) error {
		j.x.Outcome = plc.Answered
		if e := l.i.associations.entries[title]; e != nil {
			l.i.associations.drop(e)
		}
		return nil
	})
	return err
}
