package ws

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"busbar/concentrator"
	"busbar/uplink"
	"busbar/uplink/envelope"
)

// maxRubbish is how many messages in one session may be of no use before the
// session ends. They are skipped, so that one odd order does not stop the uplink.
const maxRubbish = 16

// session is one WebSocket connection.
type session struct {
	conn    *websocket.Conn
	cfg     Config
	key     crypto.PublicKey // of the center's certificate
	station string           // as in our hello: receipts are signed for it
	rubbish int
	pinging *time.Timer
	closed  atomic.Bool // the timer's function may run beside Close
}

func newSession(conn *websocket.Conn, key crypto.PublicKey, cfg Config) *session {
	s := &session{conn: conn, key: key, cfg: cfg}
	conn.SetReadLimit(envelope.MaxReply)
	conn.SetPongHandler(func(string) error { return s.alive() })
	answer := conn.PingHandler()
	conn.SetPingHandler(func(text string) error {
		if err := s.alive(); err != nil {
			return err
		}
		return answer(text)
	})
	return s
}

// alive puts off the time at which a silent center counts as gone.
func (s *session) alive() error {
	return s.conn.SetReadDeadline(time.Now().Add(s.cfg.KeepAlive + s.cfg.AnswerTimeout))
}

// ping asks for a sign of life. A ping that cannot be written needs no word: the
// read deadline, which only the answer puts off, ends the session.
func (s *session) ping() {
	if s.closed.Load() {
		return
	}
	_ = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.cfg.AnswerTimeout))
	s.pinging.Reset(s.cfg.KeepAlive)
}

// Hello tells who we are and returns what the center already holds.
func (s *session) Hello(ctx context.Context, h uplink.Hello) (uplink.Welcome, error) {
	stop := context.AfterFunc(ctx, s.cut)
	defer stop()
	s.station, h.KeepAlive = h.Station, s.cfg.KeepAlive
	if err := s.write(h); err != nil {
		return uplink.Welcome{}, err
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(s.cfg.AnswerTimeout)); err != nil {
		return uplink.Welcome{}, s.ended("greet the center", err)
	}
	m, err := s.read()
	if err != nil {
		return uplink.Welcome{}, s.ended("greet the center", err)
	}
	switch m := m.(type) {
	case envelope.Welcome:
		if !stop() {
			return uplink.Welcome{}, ctx.Err()
		}
		s.pinging = time.AfterFunc(s.cfg.KeepAlive, s.ping)
		return m, s.alive()
	case envelope.Goodbye:
		return uplink.Welcome{}, fmt.Errorf("uplink: the center refused: %s", m.Reason)
	default:
		return uplink.Welcome{}, errors.New("uplink: the center did not answer the greeting as a center does: check uplink.url")
	}
}

// Send hands over one batch.
func (s *session) Send(ctx context.Context, b concentrator.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.write(envelope.Send{Batch: b})
}

// ConfirmOrder tells the center that an order was committed here.
func (s *session) ConfirmOrder(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.write(envelope.Confirm{ID: id})
}

// write sends one message within WriteTimeout. After a failure the connection is of no use.
func (s *session) write(m envelope.Message) error {
	b, err := envelope.Marshal(m)
	if err != nil {
		return err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)); err != nil {
		return s.ended("send", err)
	}
	if err := s.conn.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return s.ended("send", err)
	}
	return nil
}

// Receive blocks until the center says something of use.
func (s *session) Receive(ctx context.Context) (uplink.Message, error) {
	stop := context.AfterFunc(ctx, s.cut)
	defer stop()
	for {
		m, err := s.read()
		if errors.Is(err, errRubbish) {
			if s.rubbish++; s.rubbish > maxRubbish {
				return uplink.Message{}, fmt.Errorf("uplink: the center sent %d messages of no use: is it of another version? (%w)", s.rubbish, err)
			}
			s.cfg.Log.Warn("a message of the center was skipped", "err", err)
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return uplink.Message{}, ctx.Err()
			}
			return uplink.Message{}, s.ended("listen to the center", err)
		}
		if err := s.alive(); err != nil {
			return uplink.Message{}, s.ended("listen to the center", err)
		}
		switch m := m.(type) {
		case envelope.Receipt:
			if err := m.Verify(s.key, s.station); err != nil {
				return uplink.Message{}, fmt.Errorf("uplink: %w: nothing was deleted; something between this station and the center changes messages", err)
			}
			return uplink.Message{Receipt: &m.Receipt}, nil
		case envelope.Order:
			return uplink.Message{Order: &m.Order}, nil
		case envelope.Goodbye:
			return uplink.Message{}, fmt.Errorf("uplink: the center hung up: %s", m.Reason)
		}
	}
}

// errRubbish means that a message arrived whole and could not be understood.
var errRubbish = errors.New("not understood")

func (s *session) read() (envelope.Message, error) {
	kind, b, err := s.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	if kind != websocket.BinaryMessage {
		return nil, fmt.Errorf("%w: a text message", errRubbish)
	}
	m, err := envelope.ParseMessage(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRubbish, err)
	}
	return m, nil
}

// cut ends the connection at once; it wakes whoever reads or writes.
func (s *session) cut() { _ = s.conn.Close() }

// Close says goodbye, if that goes at once, and ends the connection.
func (s *session) Close() error {
	s.closed.Store(true)
	if s.pinging != nil {
		s.pinging.Stop()
	}
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = s.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)) // a courtesy
	return s.conn.Close()
}

// ended says in words why a connection ended.
func (s *session) ended(doing string, err error) error {
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Text != "" && closed.Code != websocket.CloseAbnormalClosure:
		return fmt.Errorf("uplink: the center hung up: %s", printable(closed.Text))
	case errors.As(err, &closed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("uplink: %s: the connection was cut: the station dials again (%w)", doing, err)
	case errors.Is(err, websocket.ErrReadLimit):
		return fmt.Errorf("uplink: %s: it sent a message of more than %d octets: is it a Busbar center? (%w)", doing, envelope.MaxReply, err)
	case isTimeout(err):
		return fmt.Errorf("uplink: %s: the line is dead, nothing came in time: the station dials again (%w)", doing, err)
	case strings.Contains(err.Error(), alertPrefix):
		// In TLS 1.3 an alert about our certificate may arrive only after our side
		// believes the handshake to be over.
		return fmt.Errorf("uplink: %s: %s (%w)", doing, hintAlert(err.Error()), err)
	}
	return fmt.Errorf("uplink: %s: %w", doing, err)
}
