package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/uplink/envelope"
)

// errNoReceipt ends a session whose center keeps silent about a batch.
var errNoReceipt = errors.New("the center is connected but gave no receipt: nothing was deleted, everything will be sent again; see the center's log")

// inboxBound is how many messages of the center may wait for the sending side.
// When it is full the receiving side stops reading and the center has to wait.
const inboxBound = 16

// sent is a batch on its way.
type sent struct {
	id   concentrator.BatchID
	hash [32]byte
}

// lane is the state of one lane in a session.
type lane struct {
	flight []sent    // without a receipt, in order, at most Window
	cursor uint64    // highest sequence handed over in this session
	claim  uint64    // the center says it holds the lane so far: its receipts come first
	since  time.Time // when the first of flight began to wait
	aged   time.Time // when the oldest unsealed record was first seen; zero: none seen
	full   bool      // the last batch was full: more may wait, which need no company
}

// session is the work on one connection. Only the goroutine of Courier.Run uses
// it; receive runs beside it and shares nothing but the two channels.
type session struct {
	*Courier
	live  Session
	epoch uint64
	lanes [concentrator.Lanes]lane

	heard chan Message
	ended chan error // holds one
}

// resume works out what is on its way: batches that the center says it holds wait
// for their receipts without being sent again, unless it left us waiting before.
func (c *Courier) resume(ctx context.Context, live Session, hello Hello, welcome Welcome) (*session, error) {
	s := &session{
		Courier: c, live: live, epoch: hello.Epoch,
		heard: make(chan Message, inboxBound), ended: make(chan error, 1),
	}
	if c.resend {
		return s, nil
	}
	for n := range concentrator.Lanes {
		open, err := c.outbox.Unreceipted(ctx, n, 0, c.cfg.Window)
		if err != nil {
			return nil, err
		}
		for _, b := range open {
			if b.ID.Seq <= welcome.Held[n] {
				s.lanes[n].handOver(b, time.Now())
				s.lanes[n].claim = b.ID.Seq
			}
		}
	}
	return s, nil
}

func (l *lane) handOver(b concentrator.Batch, now time.Time) {
	if len(l.flight) == 0 {
		l.since = now
	}
	l.flight = append(l.flight, sent{b.ID, b.Hash})
	l.cursor = b.ID.Seq
}

// claimed reports whether the center owes receipts for what it says it holds. Until
// then nothing newer is sent: a receipt settles all that came before, and would
// settle what the center never got.
func (l *lane) claimed() bool { return len(l.flight) > 0 && l.flight[0].id.Seq <= l.claim }

// work sends and handles what comes until the session ends, and returns why.
func (s *session) work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	go s.receive(ctx)
	defer func() {
		cancel()
		_ = s.live.Close() // wakes the receiving side; why it ended is known already
		<-s.ended
	}()
	poll := time.NewTicker(s.cfg.Poll)
	defer poll.Stop()
	for {
		if err := s.sendAll(ctx); err != nil {
			return s.lastWords(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.ended:
			s.ended <- err // for the deferred wait
			return err
		case m := <-s.heard:
			if err := s.handle(ctx, m); err != nil {
				return err
			}
		case <-s.wake:
		case <-poll.C:
			if err := s.overdue(); err != nil {
				return err
			}
		}
	}
}

// lastWords finds out why sending failed: a center that hangs up says why, and the
// receiving side is about to hear it.
func (s *session) lastWords(err error) error {
	select {
	case why := <-s.ended:
		s.ended <- why // for the deferred wait of work
		return why
	case <-time.After(200 * time.Millisecond):
		return err
	}
}

// receive passes on what the center says, and at the end why it ended.
func (s *session) receive(ctx context.Context) {
	for {
		m, err := s.live.Receive(ctx)
		if err != nil {
			s.ended <- err
			return
		}
		select {
		case s.heard <- m:
		case <-ctx.Done():
			s.ended <- ctx.Err()
			return
		}
	}
}

// overdue reports a center that takes batches and gives no receipts.
func (s *session) overdue() error {
	for n := range s.lanes {
		l := &s.lanes[n]
		if len(l.flight) > 0 && time.Since(l.since) > s.cfg.ReceiptTimeout {
			return fmt.Errorf("uplink: batch %d of lane %d, waited %v: %w", l.flight[0].id.Seq, n, s.cfg.ReceiptTimeout, errNoReceipt)
		}
	}
	return nil
}

// sendAll sends until every lane's window is full or nothing is left to send. The
// urgent lane is looked at again before every batch of the others, and so is
// what the center has said.
func (s *session) sendAll(ctx context.Context) error {
	for {
		more, err := s.sendOne(ctx)
		if err != nil || !more {
			return err
		}
		select {
		case m := <-s.heard:
			if err := s.handle(ctx, m); err != nil {
				return err
			}
		default:
		}
	}
}

func (s *session) sendOne(ctx context.Context) (sent bool, err error) {
	for n := range concentrator.Lanes {
		l := &s.lanes[n]
		if len(l.flight) >= s.cfg.Window || l.claimed() {
			continue
		}
		b, found, err := s.next(ctx, n)
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		if err := s.live.Send(ctx, b); err != nil {
			return false, err
		}
		l.handOver(b, time.Now())
		return true, nil
	}
	return false, nil
}

// next returns the lane's next batch: one sealed earlier, or a new one.
func (s *session) next(ctx context.Context, n concentrator.Lane) (b concentrator.Batch, found bool, err error) {
	open, err := s.outbox.Unreceipted(ctx, n, s.lanes[n].cursor, 1)
	if err != nil || len(open) > 0 {
		if err == nil {
			b = open[0]
		}
		return b, err == nil, err
	}
	return s.seal(ctx, n)
}

// seal makes a batch of what waits in the lane, when it has waited long enough.
func (s *session) seal(ctx context.Context, n concentrator.Lane) (b concentrator.Batch, found bool, err error) {
	l := &s.lanes[n]
	if !l.full && n != concentrator.LaneUrgent {
		if l.aged.IsZero() {
			waiting, err := s.outbox.Waiting(ctx, n, 1)
			if err != nil || waiting.Len() == 0 {
				return b, false, err
			}
			l.aged = time.Now()
		}
		if time.Since(l.aged) < s.cfg.BatchAge {
			return b, false, nil
		}
	}
	l.aged, l.full = time.Time{}, false
	rec, body, err := s.pack(ctx, n)
	if err != nil || rec.Len() == 0 {
		return b, false, err
	}
	b, err = s.outbox.Seal(ctx, n, rec.Through, body)
	l.full = err == nil && rec.Len() >= s.cfg.BatchSize
	return b, err == nil, err
}

// pack encodes as many waiting records as fit one batch. A single record that
// does not fit gives up its value: it must not stop the lane.
func (s *session) pack(ctx context.Context, n concentrator.Lane) (rec Records, body []byte, err error) {
	for limit := min(s.cfg.BatchSize, envelope.MaxRecords); ; limit = (rec.Len() + 1) / 2 {
		rec, err = s.outbox.Waiting(ctx, n, limit)
		if err != nil || rec.Len() == 0 {
			return rec, nil, err
		}
		body, err = envelope.Seal(rec)
		if errors.Is(err, envelope.ErrTooLarge) && rec.Len() == 1 {
			body, err = envelope.Seal(envelope.Shorten(rec))
		}
		if !errors.Is(err, envelope.ErrTooLarge) || rec.Len() == 1 {
			return rec, body, err
		}
	}
}

func (s *session) handle(ctx context.Context, m Message) error {
	if m.Receipt != nil {
		return s.receipt(ctx, *m.Receipt)
	}
	if m.Order != nil {
		return s.order(ctx, *m.Order)
	}
	return nil
}

// receipt settles what the center's word covers. A word that does not fit what we
// sent ends the session: better to be told by a person than to delete unsaved readings.
func (s *session) receipt(ctx context.Context, r concentrator.Receipt) error {
	if r.ID.Epoch != s.epoch || r.ID.Lane >= concentrator.Lanes {
		return fmt.Errorf("uplink: the center gave a receipt for another store (lane %d, batch %d): nothing was deleted; is another station using this certificate?",
			r.ID.Lane, r.ID.Seq)
	}
	l := &s.lanes[r.ID.Lane]
	place := -1
	for i, b := range l.flight {
		if b.id == r.ID {
			place = i
		}
	}
	switch {
	case place < 0 && r.ID.Seq <= l.cursor:
		return nil // said before
	case place < 0:
		return fmt.Errorf("uplink: the center gave a receipt for batch %d of lane %d, which was never sent: nothing was deleted", r.ID.Seq, r.ID.Lane)
	case l.flight[place].hash != r.Hash:
		return fmt.Errorf("uplink: the center's receipt for batch %d of lane %d is for other content: nothing was deleted; look for disk faults at the center",
			r.ID.Seq, r.ID.Lane)
	}
	if err := s.outbox.Receipt(ctx, r); err != nil {
		return err
	}
	if r.Refused {
		l.flight = append(l.flight[:place], l.flight[place+1:]...)
		s.cfg.Log.Error("the center refused a batch, it is in quarantine", "batch", r.ID.Seq, "err", r.Reason)
	} else {
		l.flight = l.flight[place+1:]
	}
	l.since = time.Now()
	s.failures, s.resend = 0, false
	s.update(func(st *concentrator.LinkState) { st.LastReceipt, st.Attempts = time.Now(), 0 })
	return nil
}

// order takes an order in: committed here, then confirmed, then made known. One
// that was taken in before is confirmed again, for the first word may be lost.
func (s *session) order(ctx context.Context, o concentrator.Order) error {
	isNew, err := s.inbox.AcceptOrder(ctx, o)
	if err != nil {
		return fmt.Errorf("uplink: store order %s: %w", o.ID, err)
	}
	if err := s.live.ConfirmOrder(ctx, o.ID); err != nil {
		return err
	}
	if isNew {
		s.cfg.NewOrder()
	}
	return nil
}
