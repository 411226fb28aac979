package uplink

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/uplink/envelope"
)

// memory is an outbox and inbox in memory, with the rules of storage.
type memory struct {
	mu       sync.Mutex
	epoch    uint64
	waiting  [concentrator.Lanes][]any // Reading, Event, Order
	through  [concentrator.Lanes]uint64
	batches  [concentrator.Lanes][]*memoryBatch
	accepted []string
	fail     error // what every write returns, when set
}

type memoryBatch struct {
	batch    concentrator.Batch
	receipts int
	refused  bool
}

func (m *memory) add(lane concentrator.Lane, records ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting[lane] = append(m.waiting[lane], records...)
}

func (m *memory) Epoch(context.Context) (uint64, error) { return m.epoch, nil }

func (m *memory) Waiting(_ context.Context, lane concentrator.Lane, limit int) (rec Records, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.waiting[lane][:min(limit, len(m.waiting[lane]))] {
		switch r := r.(type) {
		case concentrator.Reading:
			rec.Readings = append(rec.Readings, r)
		case concentrator.Event:
			rec.Events = append(rec.Events, r)
		case concentrator.Order:
			rec.Orders = append(rec.Orders, r)
		}
		rec.Through = m.through[lane] + uint64(i) + 1
	}
	return rec, nil
}

func (m *memory) Seal(_ context.Context, lane concentrator.Lane, through uint64, body []byte) (concentrator.Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return concentrator.Batch{}, m.fail
	}
	n := through - m.through[lane]
	m.waiting[lane], m.through[lane] = m.waiting[lane][n:], through
	b := concentrator.Batch{
		ID:   concentrator.BatchID{Epoch: m.epoch, Lane: lane, Seq: uint64(len(m.batches[lane]) + 1)},
		Body: body, Hash: sha256.Sum256(body),
	}
	m.batches[lane] = append(m.batches[lane], &memoryBatch{batch: b})
	return b, nil
}

func (m *memory) Unreceipted(_ context.Context, lane concentrator.Lane, after uint64, limit int) (list []concentrator.Batch, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches[lane] {
		if b.batch.ID.Seq > after && b.receipts == 0 && !b.refused && len(list) < limit {
			list = append(list, b.batch)
		}
	}
	return list, nil
}

func (m *memory) Receipt(_ context.Context, r concentrator.Receipt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, b := range m.batches[r.ID.Lane] {
		switch {
		case b.batch.ID == r.ID && b.batch.Hash != r.Hash:
			return errors.New("wrong hash")
		case b.batch.ID == r.ID && r.Refused:
			b.refused = true
		case b.batch.ID.Seq <= r.ID.Seq && !r.Refused && !b.refused:
			b.receipts++
		}
	}
	return nil
}

func (m *memory) Backlog(context.Context) (b concentrator.Backlog, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for lane := range m.batches {
		b.Readings += len(m.waiting[lane])
		for _, batch := range m.batches[lane] {
			if batch.refused {
				b.Refused++
			} else if batch.receipts == 0 {
				b.Batches++
			}
		}
	}
	return b, nil
}

func (m *memory) AcceptOrder(_ context.Context, o concentrator.Order) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return false, m.fail
	}
	for _, id := range m.accepted {
		if id == o.ID {
			return false, nil
		}
	}
	m.accepted = append(m.accepted, o.ID)
	return true, nil
}

// settled reports whether nothing waits for a receipt.
func (m *memory) settled() bool {
	b, _ := m.Backlog(context.Background())
	return b.Readings == 0 && b.Batches == 0
}

var errCut = errors.New("the line was cut")

// hub is a center in memory. Its hooks make it lose, lie and refuse.
type hub struct {
	mu        sync.Mutex
	held      [concentrator.Lanes]uint64
	bodies    map[concentrator.BatchID][32]byte
	records   int // stored, each batch counted once
	repeats   int // batches that came again
	inFlight  int // most batches that were here without a receipt
	orders    []concentrator.Order
	confirmed map[string]int
	dials     []time.Time
	hellos    []Hello
	steps     int

	cutAt   func(step int) bool                                  // cut the line at this step
	receipt func(r concentrator.Receipt) []concentrator.Receipt  // what to say in place of r; nil: r
	welcome func(w Welcome) Welcome                              // what to claim; nil: the truth
	refuse  func(b concentrator.Batch) bool                      // refuse this batch
	sealed  func(b concentrator.Batch, rec concentrator.Records) // look at a new batch
}

func newHub() *hub {
	return &hub{bodies: map[concentrator.BatchID][32]byte{}, confirmed: map[string]int{}}
}

// with runs a look at the hub, or a change of it, while no session does.
func (h *hub) with(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

// call is one session of a hub.
type call struct {
	hub    *hub
	say    chan Message
	closed chan struct{}
	once   sync.Once
	open   int // batches without a receipt
}

// step is a point at which the line may be cut.
func (h *hub) step(c *call) error {
	h.mu.Lock()
	n := h.steps
	h.steps++
	cut := h.cutAt != nil && h.cutAt(n)
	h.mu.Unlock()
	if cut {
		if c != nil {
			_ = c.Close()
		}
		return errCut
	}
	return nil
}

func (h *hub) Dial(context.Context) (Session, error) {
	h.mu.Lock()
	h.dials = append(h.dials, time.Now())
	h.mu.Unlock()
	if err := h.step(nil); err != nil {
		return nil, err
	}
	return &call{hub: h, say: make(chan Message, 100), closed: make(chan struct{})}, nil
}

func (c *call) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *call) Hello(_ context.Context, hello Hello) (Welcome, error) {
	h := c.hub
	if err := h.step(c); err != nil {
		return Welcome{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hellos = append(h.hellos, hello)
	w := Welcome{Held: h.held}
	if h.welcome != nil {
		return h.welcome(w), nil
	}
	for lane := range concentrator.Lanes {
		for seq := hello.NextSeq[lane]; seq > 0 && seq <= h.held[lane]; seq++ {
			id := concentrator.BatchID{Epoch: hello.Epoch, Lane: lane, Seq: seq}
			c.answer(concentrator.Receipt{ID: id, Hash: h.bodies[id]})
		}
	}
	for i := range h.orders {
		if h.confirmed[h.orders[i].ID] == 0 {
			c.say <- Message{Order: &h.orders[i]}
		}
	}
	return w, nil
}

// answer says a receipt, or what the test wants to be said.
func (c *call) answer(r concentrator.Receipt) {
	list := []concentrator.Receipt{r}
	if c.hub.receipt != nil {
		list = c.hub.receipt(r)
	}
	for i := range list {
		c.say <- Message{Receipt: &list[i]}
	}
}

func (c *call) Send(_ context.Context, b concentrator.Batch) error {
	h := c.hub
	if err := h.step(c); err != nil { // lost on the way there
		return err
	}
	h.mu.Lock()
	c.open++
	h.inFlight = max(h.inFlight, c.open)
	r := concentrator.Receipt{ID: b.ID, Hash: b.Hash}
	if old, ok := h.bodies[b.ID]; ok {
		h.repeats++
		if old != b.Hash {
			panic("a batch came again with other content")
		}
	} else {
		if b.ID.Seq != h.held[b.ID.Lane]+1 {
			panic(fmt.Sprintf("batch %d came, %d is held", b.ID.Seq, h.held[b.ID.Lane]))
		}
		rec, err := envelope.ParseBatch(b.Body)
		if err != nil {
			panic(err)
		}
		h.bodies[b.ID], h.held[b.ID.Lane] = b.Hash, b.ID.Seq
		h.records += rec.Len()
		if h.sealed != nil {
			h.sealed(b, rec)
		}
	}
	if h.refuse != nil && h.refuse(b) {
		r.Refused, r.Reason = true, "it smells"
	}
	h.mu.Unlock()
	if err := h.step(c); err != nil { // stored, and the receipt is lost
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.answer(r)
	return nil
}

func (c *call) Receive(ctx context.Context) (Message, error) {
	select {
	case m := <-c.say:
		if err := c.hub.step(c); err != nil {
			return Message{}, err
		}
		c.hub.mu.Lock()
		if m.Receipt != nil {
			c.open--
		}
		c.hub.mu.Unlock()
		return m, nil
	case <-c.closed:
		return Message{}, errCut
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

func (c *call) ConfirmOrder(_ context.Context, id string) error {
	if err := c.hub.step(c); err != nil {
		return err
	}
	c.hub.mu.Lock()
	c.hub.confirmed[id]++
	c.hub.mu.Unlock()
	return c.hub.step(c)
}

var (
	meter   = plc.MustSystemTitle([]byte("BUS\x00\x00\x00\x00\x01"))
	channel = concentrator.Channel{Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
)

func readings(first, count int) (list []any) {
	for i := first; i < first+count; i++ {
		at := time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC)
		list = append(list, concentrator.Reading{Meter: meter, Channel: channel, Time: at, Value: int64(i), Received: at})
	}
	return list
}

func event(n int) concentrator.Event {
	return concentrator.Event{Time: time.Unix(int64(n), 0), Code: concentrator.EventStarted, Text: fmt.Sprint("event ", n)}
}

// stage is a courier between a memory and a hub; it must live in a bubble.
type stage struct {
	*memory
	hub     *hub
	courier *Courier
	woken   int
	stop    func()
}

func newStage(t *testing.T, h *hub, change func(*Config)) *stage {
	t.Helper()
	s := &stage{memory: &memory{epoch: 77}, hub: h}
	cfg := Config{
		Station: "TS-1", Window: 3, BatchSize: 10, BatchAge: 5 * time.Second,
		BackoffMin: time.Second, BackoffMax: time.Minute, NewOrder: func() { h.with(func() { s.woken++ }) },
		Jitter: func(n int64) int64 { return n - 1 },
	}
	if change != nil {
		change(&cfg)
	}
	s.courier = New(cfg, s.memory, s.memory, h)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.courier.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// until lets virtual time pass until ok, at most an hour of it. The hub stands
// still while ok looks.
func (s *stage) until(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	happened := func() (yes bool) {
		s.hub.with(func() { yes = ok() })
		return yes
	}
	for !happened() {
		if time.Since(begin) > time.Hour {
			t.Fatalf("%s did not happen within an hour: %+v, %d dials", what, s.courier.State(), len(s.hub.dials))
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(begin)
}
