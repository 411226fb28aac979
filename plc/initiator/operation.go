package initiator

import (
	"context"
	"errors"
	"fmt"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/mac"
)

// operation is one piece of work in the association with one meter.
type operation struct {
	*Initiator
	j    *job
	peer plc.Peer
	a    *association
	acts bool // it is an ACTION, which is not sent twice

	greeted bool // the meter answered while the association was opened
	served  bool // the meter answered in the open association
}

// noAnswer says that all attempts were in vain. bad is why the last thing heard from
// the meter was not believed or understood, nil when nothing was heard.
type noAnswer struct{ bad error }

// Error tells what was heard instead.
func (n noAnswer) Error() string {
	if n.bad == nil {
		return "no answer"
	}
	return n.bad.Error()
}

// operate does one operation with a meter and puts its course into the job's exchange.
// Its error is a failure of our own side.
func (i *Initiator) operate(j *job, p plc.Peer, acts bool, op dlms.Op) ([]cosem.Result, error) {
	j.x.Credit = p.Credit
	if err := i.individual(p); err != nil {
		return nil, err
	}
	a, err := i.associate(p)
	if err != nil {
		return nil, i.conclude(j, err)
	}
	a.busy = true
	defer func() { a.busy = false }()
	answers := j.x.Answers
	o := &operation{Initiator: i, j: j, peer: p, a: a, acts: acts}
	results, err := o.run(op)
	var silent noAnswer
	switch {
	case j.x.Answers > answers:
		a.silences = 0
	case errors.As(err, &silent) && a.client.State() == dlms.Opened:
		a.silences++
	}
	bad := i.conclude(j, err)
	j.excess = o.excess(err)
	return results, bad
}

// individual refuses a peer that no server can be.
func (i *Initiator) individual(p plc.Peer) error {
	if p.Address == plc.NoBody || p.Address >= i.cfg.Profile.FIMA {
		return fmt.Errorf("speak to meter %v at address %v: it is not the address of one server, register it first", p.Title, p.Address)
	}
	if p.Credit > plc.MaxCredit {
		return fmt.Errorf("speak to meter %v with credit %d: want at most %d", p.Title, p.Credit, plc.MaxCredit)
	}
	return nil
}

// conclude sorts the end of an operation into an outcome or a failure of our own side,
// which it returns.
func (i *Initiator) conclude(j *job, err error) error {
	j.x.Outcome, j.x.Detail, j.x.Counter = plc.Answered, "", 0
	if err == nil {
		return nil
	}
	if j.ctx.Err() != nil {
		return context.Cause(j.ctx)
	}
	j.x.Detail = err.Error()
	var (
		silent  noAnswer
		refused *dlms.RefusedError
		long    *dlms.TooLongError
		keys    unprepared
		other   otherTitle
	)
	switch {
	case errors.As(err, &silent) && silent.bad == nil:
		j.x.Outcome = plc.Silent
	case errors.As(err, &silent), errors.Is(err, dlms.ErrForged), errors.Is(err, dlms.ErrGarbled):
		j.x.Outcome = plc.Garbled
	case errors.As(err, &refused):
		j.x.Outcome, j.x.Counter = plc.Refused, refused.Counter
	case errors.As(err, &long), errors.As(err, &keys), errors.As(err, &other), errors.Is(err, dlms.ErrCounterSpent):
		j.x.Outcome = plc.Refused
	default:
		return err
	}
	return nil
}

// run does op, once more when the meter turns out to have lost the association.
func (o *operation) run(op dlms.Op) ([]cosem.Result, error) {
	results, err := o.once(op)
	var refused *dlms.RefusedError
	if errors.As(err, &refused) && refused.Refusal == dlms.RefusedLost {
		o.counts.add(func(c *Counts) { c.Reopened++ })
		o.a.client.Reset()
		return o.once(op)
	}
	return results, err
}

// once takes op through all its exchanges.
func (o *operation) once(op dlms.Op) ([]cosem.Result, error) {
	down, err := o.a.client.Start(op)
	if err != nil || down == nil {
		return nil, err
	}
	for {
		opened := o.a.client.State() == dlms.Opened
		e, err := o.exchange(down)
		if err != nil {
			o.a.client.Abort()
			return nil, err
		}
		o.greeted, o.served = o.greeted || !opened, o.served || opened
		if e.Done {
			return e.Results, nil
		}
		down = e.Down
	}
}

// exchange sends one request, several times if need be, and returns what the client
// makes of the answer.
func (o *operation) exchange(down []byte) (dlms.Effects, error) {
	attempts := o.cfg.Attempts
	if o.acts && o.a.client.State() == dlms.Opened {
		attempts = 1
	}
	for attempt := 1; ; attempt++ {
		e, err := o.attempt(down)
		var silent noAnswer
		if err == nil || !errors.As(err, &silent) {
			return e, err
		}
		if attempt == attempts {
			return e, o.blame(o.j.ctx, err)
		}
		o.counts.add(func(c *Counts) { c.Retries++ })
		if down, err = o.a.client.Resend(); err != nil {
			return dlms.Effects{}, err
		}
	}
}

// attempt sends one request once and waits for its answer.
func (o *operation) attempt(down []byte) (dlms.Effects, error) {
	lpdu := o.a.lpdu(o.cfg.ServerSAP, down)
	if limit := o.a.frame; lpdu.Size() > limit {
		return dlms.Effects{}, &dlms.TooLongError{Size: len(down), Limit: limit - (lpdu.Size() - len(down))}
	}
	if o.j.x.Requests > 0 {
		o.between(o.j)
	}
	r, err := o.ask(o.j, request{
		to: o.peer.Address, credit: o.peer.Credit, lpdu: lpdu,
		// The profile's, even when the meter names a shorter one: what it sends is up to it.
		answer: o.patience.slots(o.cfg.Profile, o.a.manner, o.peer.Credit, o.cfg.Profile.MaxFrame),
	})
	if err != nil {
		return dlms.Effects{}, err
	}
	return o.await(r)
}

// await gives what the meter says to the client until it has its answer or no answer
// can come any more.
func (o *operation) await(r request) (dlms.Effects, error) {
	var bad error
	for {
		h, ok, err := o.listen(o.j, r, &bad)
		if err != nil || !ok {
			return dlms.Effects{}, err
		}
		if ciase.IsAPDU(h.lpdu.APDU[0]) || !o.forClient(h) {
			o.stray(h)
			continue
		}
		e, err := o.a.client.Receive(h.lpdu.APDU)
		switch {
		case errors.Is(err, dlms.ErrForged):
			o.counts.add(func(c *Counts) { c.Forged++ })
		case errors.Is(err, dlms.ErrGarbled):
			o.counts.add(func(c *Counts) { c.Garbled++ })
		}
		switch {
		case e.Ignored:
			o.counts.add(func(c *Counts) { c.Late++ })
		case err != nil && o.a.client.Busy():
			bad = err // the real answer may yet come
		case err != nil && (errors.Is(err, dlms.ErrForged) || errors.Is(err, dlms.ErrGarbled)):
			o.spent(o.j, r, h)
			return e, err
		default:
			o.answered(o.j, r, h)
			o.learn(r, h)
			return e, err
		}
	}
}

// learn takes in how the meter answers. How late a late answer was is not known: more than
// was expected.
func (o *operation) learn(r request, h heard) {
	gap := maxGap
	if !h.late {
		gap = r.gap(h, o.cfg.Profile.Slot())
	}
	o.patience.learn(&o.a.manner, r.credit, h.Credits.Initial, gap)
}

// forClient compares the access points. Some servers exchange them (sfsk.md D5).
func (o *operation) forClient(h heard) bool {
	switch {
	case h.lpdu.DSAP == o.a.sap && h.lpdu.SSAP == o.cfg.ServerSAP:
		return true
	case h.lpdu.DSAP == o.cfg.ServerSAP && h.lpdu.SSAP == o.a.sap:
		o.counts.add(func(c *Counts) { c.Swapped++ })
		return true
	}
	return false
}

// ask sends a request and enters it into the exchange.
func (i *Initiator) ask(j *job, r request) (request, error) {
	r, err := i.mains.send(j.ctx, r)
	if err != nil {
		return r, err
	}
	j.heard = false
	j.x.Requests++
	j.x.Credit = r.credit
	j.x.Slots += r.slots()
	return r, nil
}

// listen returns the next frame of the server that was asked. At the deadline it
// returns a noAnswer with what was bad before.
func (i *Initiator) listen(j *job, r request, bad *error) (heard, bool, error) {
	for {
		i.mains.expect(r)
		h, ok, err := i.mains.listen(j.ctx, r.deadline)
		switch {
		case err != nil:
			return h, false, err
		case !ok:
			i.counts.add(func(c *Counts) { c.Timeouts++ })
			j.x.Slots += r.answer
			return h, false, noAnswer{*bad}
		case h.Source != r.to:
			i.stray(h)
		case h.err != nil:
			*bad = h.err
		default:
			return h, true, nil
		}
	}
}

// spent enters the slots of an answer, whatever it was worth.
func (i *Initiator) spent(j *job, r request, h heard) {
	if h.late {
		j.x.Slots += r.answer
		return
	}
	j.x.Slots += i.cfg.Profile.GapSlots + frameSlots(mac.Subframes(len(h.MSDU)), h.Credits.Initial)
}

// answered enters a valid answer.
func (i *Initiator) answered(j *job, r request, h heard) {
	i.spent(j, r, h)
	j.x.Answers++
	j.x.Up, j.x.Down = h.Credits.Used(), h.Credits.Delta
	j.heard = true
}

// signal is the quality of the last subframe when that is wanted and known.
func (i *Initiator) signal(ctx context.Context) plc.Signal {
	if !i.cfg.Signal {
		return plc.Signal{}
	}
	s, err := i.line.Signal(ctx)
	if err != nil {
		return plc.Signal{} // the next frame will tell whether the line is away
	}
	return s
}

// blame asks the modem whether it is there before a server is called silent: a modem
// that lost the mains hears nobody.
func (i *Initiator) blame(ctx context.Context, silence error) error {
	if _, err := i.line.Signal(ctx); errors.Is(err, plc.ErrLineDown) {
		return fmt.Errorf("no answer came, and %w", err)
	}
	return silence
}
