package center

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"busbar/concentrator"
	"busbar/storage/archive"
	"busbar/uplink/envelope"
)

const (
	// outBound is how many messages may wait to be written to one station. When it
	// is full its reading stops, and the station has to wait.
	outBound = 64
	// orderWindow is how many orders a station may hold that it has not confirmed.
	orderWindow = 16
	// receiptsAgain is how many receipts are repeated to a station that did not hear
	// them; it must not be less than any station's window.
	receiptsAgain = 64
)

// link is the session of one station.
type link struct {
	*Server
	station string
	conn    *websocket.Conn
	log     *slog.Logger
	hello   envelope.Hello
	silence time.Duration // after which the station counts as gone
	since   time.Time
	last    [concentrator.Lanes]uint64 // highest sequence that came in this session

	out    chan envelope.Message
	orders chan struct{} // holds one: look for orders to push
	ctx    context.Context
	cancel context.CancelCauseFunc
	parted sync.Once
}

// serve runs the session of a station until either side ends it.
func (s *Server) serve(ctx context.Context, conn *websocket.Conn, station string) {
	l := &link{
		Server: s, station: station, conn: conn, log: s.cfg.Log.With("station", station), since: time.Now(),
		out: make(chan envelope.Message, outBound), orders: make(chan struct{}, 1),
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	part := func() { l.parted.Do(l.farewell) }
	context.AfterFunc(l.ctx, part)
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.cancel(l.write())
	}()
	l.cancel(l.read())
	<-written
	s.leave(l)
	part()
	l.log.Info("station disconnected", "err", context.Cause(l.ctx))
}

// end ends the session with a reason, which the station is told.
func (l *link) end(reason string) { l.cancel(goodbye(reason)) }

// goodbye is a reason to hang up that the station is told.
type goodbye string

func (g goodbye) Error() string { return string(g) }

// farewell tells the station why, if it is for the station to know, and closes the
// connection, which wakes whoever reads or writes.
func (l *link) farewell() {
	reason, code := "the center is stopping", websocket.CloseGoingAway
	var bye goodbye
	if errors.As(context.Cause(l.ctx), &bye) {
		reason, code = string(bye), websocket.CloseNormalClosure
	}
	if len(reason) > 120 { // a close frame holds 123 octets of text
		reason = reason[:120]
	}
	_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second)) // a courtesy
	_ = l.conn.Close()
}

// read greets the station and takes in what it sends.
func (l *link) read() error {
	l.conn.SetReadLimit(envelope.MaxMessage)
	if err := l.greet(); err != nil {
		return err
	}
	l.enter(l)
	for {
		if err := l.alive(); err != nil {
			return err
		}
		m, err := l.receive()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case envelope.Send:
			err = l.batch(m.Batch)
		case envelope.Confirm:
			err = l.confirm(m.ID)
		case envelope.Goodbye:
			return fmt.Errorf("the station hung up: %s", m.Reason)
		default:
			err = goodbye(fmt.Sprintf("%T is not for a center", m))
		}
		if err != nil {
			return err
		}
	}
}

// alive puts off the time at which a silent station counts as gone.
func (l *link) alive() error { return l.conn.SetReadDeadline(time.Now().Add(l.silence)) }

func (l *link) receive() (envelope.Message, error) {
	kind, b, err := l.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	if kind != websocket.BinaryMessage {
		return nil, goodbye("text messages are not spoken here")
	}
	m, err := envelope.ParseMessage(b)
	if err != nil {
		return nil, goodbye(err.Error())
	}
	return m, nil
}

// greet takes the hello, answers with what is held, and repeats the receipts that
// the station did not hear.
func (l *link) greet() error {
	l.silence = l.cfg.HelloTimeout
	if err := l.alive(); err != nil {
		return err
	}
	m, err := l.receive()
	if err != nil {
		return err
	}
	hello, ok := m.(envelope.Hello)
	switch {
	case !ok:
		return goodbye(fmt.Sprintf("%T came before hello", m))
	case hello.Station != l.station:
		return goodbye(fmt.Sprintf("the station calls itself %.40q, its certificate is for %q: set `station` to that name", hello.Station, l.station))
	}
	l.hello = hello
	held, err := l.cfg.Archive.Greet(l.ctx, archive.Visitor{
		Station: l.station, Program: hello.Version, Epoch: hello.Epoch, Boot: hello.Boot, Backlog: hello.Backlog.Readings,
	})
	if err != nil {
		return l.unable(err)
	}
	l.listen()
	if err := l.say(envelope.Welcome{Held: held, Time: time.Now()}); err != nil {
		return err
	}
	for lane := range concentrator.Lanes {
		if first := hello.NextSeq[lane]; first > 0 && first <= held[lane] {
			again, err := l.cfg.Archive.Receipts(l.ctx, l.station, hello.Epoch, lane, first, held[lane], receiptsAgain)
			if err != nil {
				return l.unable(err)
			}
			for _, r := range again {
				if err := l.receipt(r); err != nil {
					return err
				}
			}
		}
	}
	l.log.Info(fmt.Sprintf("station connected, version %s, %d readings wait there", hello.Version, hello.Backlog.Readings))
	l.wakeOrders()
	return nil
}

// listen sets how long the station may be silent from its own words, with room for
// two signs of life that get lost.
func (l *link) listen() {
	l.silence = 3*l.hello.KeepAlive + time.Minute
	if l.hello.KeepAlive <= 0 {
		l.silence = 15 * time.Minute
	}
	answer := l.conn.PingHandler()
	l.conn.SetPingHandler(func(text string) error {
		if err := l.alive(); err != nil {
			return err
		}
		return answer(text)
	})
}

// unable turns a failure of our own into words for the station; nothing is
// receipted, so it keeps everything and comes again.
func (l *link) unable(err error) error {
	l.cfg.Log.Error("the archive does not work", "err", err)
	return goodbye("the center cannot store at the moment: nothing is lost, try again")
}

// batch stores a batch and gives the receipt after the commit. What cannot be
// taken, now or later, is refused by a receipt of its own, and the lane goes on.
func (l *link) batch(b concentrator.Batch) error {
	last := &l.last[b.ID.Lane]
	switch {
	case b.ID.Epoch != l.hello.Epoch:
		return goodbye("a batch of another epoch than that of the hello")
	case *last != 0 && b.ID.Seq > *last+1:
		return goodbye(fmt.Sprintf("batch %d of lane %d came after batch %d: batches come in order", b.ID.Seq, b.ID.Lane, *last))
	}
	*last = max(*last, b.ID.Seq)
	rec, err := envelope.ParseBatch(b.Body)
	if err != nil {
		return l.refuse(b, err)
	}
	stored, err := l.cfg.Archive.StoreBatch(l.ctx, l.station, b, rec)
	switch {
	case errors.Is(err, archive.ErrContent), errors.Is(err, archive.ErrUnfit):
		return l.refuse(b, err)
	case err != nil:
		return l.unable(err)
	}
	l.note(b.ID, rec, stored)
	if len(rec.Orders) > 0 {
		l.announce()
	}
	return l.receipt(stored.Receipt)
}

// note logs what became of a batch, and what a person should look into.
func (l *link) note(id concentrator.BatchID, rec concentrator.Records, s archive.Stored) {
	log := l.log.With("lane", id.Lane, "batch", id.Seq)
	if s.Repeated {
		log.Info("batch came again")
	} else {
		log.Info(fmt.Sprintf("batch stored: %d new readings, %d known before, %d events, %d orders", s.New, s.Duplicates, len(rec.Events), len(rec.Orders)))
	}
	if s.Missing > 0 {
		log.Error(fmt.Sprintf("%d batches before it are missing here, and the station has receipts for them: was this archive restored from a backup?", s.Missing))
	}
	if s.Conflicts > 0 && !s.Repeated {
		log.Warn(fmt.Sprintf("%d values came for keys that hold other values: both are kept, see `center conflicts`", s.Conflicts))
	}
}

func (l *link) refuse(b concentrator.Batch, why error) error {
	l.log.Error("batch refused, a copy is kept", "lane", b.ID.Lane, "batch", b.ID.Seq, "err", why)
	refused, err := l.cfg.Archive.RefuseBatch(l.ctx, l.station, b, fmt.Sprintf("%.500s", why))
	if err != nil {
		return l.unable(err)
	}
	return l.receipt(refused.Receipt)
}

func (l *link) receipt(r concentrator.Receipt) error {
	signed, err := envelope.Sign(l.signer, l.station, r)
	if err != nil {
		return l.unable(err)
	}
	return l.say(signed)
}

func (l *link) confirm(id string) error {
	news, err := l.cfg.Archive.ConfirmOrder(l.ctx, l.station, id)
	if err != nil {
		return l.unable(err)
	}
	if news {
		l.announce()
	}
	l.wakeOrders()
	return nil
}

// say hands a message to the writing side.
func (l *link) say(m envelope.Message) error {
	select {
	case l.out <- m:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// wakeOrders has the writing side look for orders. It never blocks.
func (l *link) wakeOrders() {
	select {
	case l.orders <- struct{}{}:
	default:
	}
}

// write is the writing side. It looks orders up itself: the archive is their
// queue, and none is lost when the session ends.
func (l *link) write() error {
	pushed := map[string]bool{} // not confirmed yet, at most orderWindow
	for {
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case m := <-l.out:
			if err := l.put(m); err != nil {
				return err
			}
		case <-l.orders:
			open, err := l.cfg.Archive.OpenOrders(l.ctx, l.station, orderWindow)
			if err != nil {
				return l.unable(err)
			}
			before := pushed
			pushed = map[string]bool{}
			for _, o := range open {
				pushed[o.Order.ID] = true
				if before[o.Order.ID] {
					continue
				}
				l.log.Info("order sent", "order", o.Order.ID, "meter", o.Order.Meter)
				if err := l.put(envelope.Order{Order: o.Order}); err != nil {
					return err
				}
			}
		}
	}
}

func (l *link) put(m envelope.Message) error {
	b, err := envelope.Marshal(m)
	if err != nil {
		return err
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(l.cfg.WriteTimeout)); err != nil {
		return err
	}
	return l.conn.WriteMessage(websocket.BinaryMessage, b)
}
