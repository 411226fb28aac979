package night

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"busbar/concentrator"
	"busbar/uplink"
	"busbar/uplink/envelope"
)

// center is a center in memory. It opens every batch and gives a receipt for it after
// the time that a cellular link takes for the way and back.
type center struct {
	keep bool // what it was given; otherwise it only counts

	mu       sync.Mutex
	count    int
	readings []concentrator.Reading
	events   []concentrator.Event
}

const roundTrip = 300 * time.Millisecond

// Dial implements uplink.Center.
func (c *center) Dial(context.Context) (uplink.Session, error) {
	return &session{center: c, receipts: make(chan concentrator.Receipt, 64), closed: make(chan struct{})}, nil
}

// session implements uplink.Session.
type session struct {
	center   *center
	receipts chan concentrator.Receipt // more than the courier sends without a receipt
	closed   chan struct{}
	once     sync.Once
}

func (s *session) Hello(context.Context, uplink.Hello) (uplink.Welcome, error) {
	return uplink.Welcome{}, nil
}

func (s *session) Send(ctx context.Context, b concentrator.Batch) error {
	rec, err := envelope.ParseBatch(b.Body)
	if err != nil {
		return fmt.Errorf("batch %d of lane %d: %w", b.ID.Seq, b.ID.Lane, err)
	}
	s.center.take(rec)
	select {
	case s.receipts <- concentrator.Receipt{ID: b.ID, Hash: b.Hash}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *center) take(rec concentrator.Records) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count += len(rec.Readings)
	if c.keep {
		c.readings, c.events = append(c.readings, rec.Readings...), append(c.events, rec.Events...)
	}
}

func (s *session) Receive(ctx context.Context) (uplink.Message, error) {
	select {
	case r := <-s.receipts:
		return uplink.Message{Receipt: &r}, wait(ctx, roundTrip)
	case <-s.closed:
		return uplink.Message{}, errors.New("closed")
	case <-ctx.Done():
		return uplink.Message{}, ctx.Err()
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (s *session) ConfirmOrder(context.Context, string) error { return nil }

func (s *session) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}
