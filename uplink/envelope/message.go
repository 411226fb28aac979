package envelope

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"busbar/concentrator"
	"busbar/uplink/envelope/wire"
)

// Version of the envelope and of a batch.
const Version = 1

// Subprotocol is what both sides name in the WebSocket handshake (RFC 6455 1.9): who
// does not name it is no Busbar.
const Subprotocol = "busbar.1"

// Bounds of what is exchanged.
const (
	MaxBody    = 1 << 20         // octets of a batch
	MaxMessage = MaxBody + 1<<10 // octets of a message with a batch in it
	MaxReply   = 64 << 10        // octets of a message from the center: no batch goes that way
	maxText    = 1 << 10         // octets of a reason, an identity or a station's name
)

// ErrVersion means that the other side speaks a newer language.
var ErrVersion = errors.New("written by a newer version of the protocol")

// Message is one of Hello, Welcome, Send, Receipt, Order, Confirm and Goodbye.
type Message interface {
	put(*wire.Envelope)
}

// Hello opens a session: who the station is, and the first unreceipted sequence
// of every lane.
type Hello struct {
	Station string
	Epoch   uint64 // of the station's store
	Boot    uint64 // random, new at every start of the program
	Version string // of the station's program
	NextSeq [concentrator.Lanes]uint64
	Backlog concentrator.Backlog
	// KeepAlive is how often the station shows a sign of life, in whole seconds; the
	// transport sets it, so that the center knows when a silent station is gone.
	KeepAlive time.Duration
}

// Welcome is the center's answer to Hello: the highest sequence it holds without
// a hole, per lane of the station's epoch.
type Welcome struct {
	Held [concentrator.Lanes]uint64
	Time time.Time // the center's
}

// Send carries one batch.
type Send struct{ Batch concentrator.Batch }

// Receipt is the center's word on a batch, with its signature.
type Receipt struct {
	Receipt   concentrator.Receipt
	Signature []byte
}

// Order carries one order to the station.
type Order struct{ Order concentrator.Order }

// Confirm tells the center that an order is committed at the station.
type Confirm struct{ ID string }

// Goodbye is the last word before a side hangs up.
type Goodbye struct{ Reason string }

// Marshal encodes a message.
func Marshal(m Message) ([]byte, error) {
	e := &wire.Envelope{Version: Version}
	m.put(e)
	b, err := proto.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("envelope: encode %T: %w", m, err)
	}
	return b, nil
}

func (h Hello) put(e *wire.Envelope) {
	e.Kind = &wire.Envelope_Hello{Hello: &wire.Hello{
		Station: clean(h.Station, maxText), Epoch: h.Epoch, Boot: h.Boot, Program: clean(h.Version, maxText), NextSeq: h.NextSeq[:],
		BacklogReadings: count(h.Backlog.Readings), BacklogBatches: count(h.Backlog.Batches),
		BacklogBytes: uint64(max(0, h.Backlog.Bytes)), BacklogRefused: count(h.Backlog.Refused), BacklogOldest: millis(h.Backlog.Oldest), //nolint:gosec // not negative
		KeepAlive: uint32(min(max(0, h.KeepAlive/time.Second), math.MaxInt32)), //nolint:gosec // bounded
	}}
}

func (w Welcome) put(e *wire.Envelope) {
	e.Kind = &wire.Envelope_Welcome{Welcome: &wire.Welcome{Held: w.Held[:], Time: millis(w.Time)}}
}

func (s Send) put(e *wire.Envelope) {
	e.Kind = &wire.Envelope_Send{Send: &wire.Send{
		Epoch: s.Batch.ID.Epoch, Lane: uint32(s.Batch.ID.Lane), Seq: s.Batch.ID.Seq, Body: s.Batch.Body,
	}}
}

func (r Receipt) put(e *wire.Envelope) {
	e.Kind = &wire.Envelope_Receipt{Receipt: &wire.Receipt{
		Epoch: r.Receipt.ID.Epoch, Lane: uint32(r.Receipt.ID.Lane), Seq: r.Receipt.ID.Seq, Hash: r.Receipt.Hash[:],
		Refused: r.Receipt.Refused, Reason: clean(r.Receipt.Reason, maxText), Time: millis(r.Receipt.CenterAt), Signature: r.Signature,
	}}
}

func (o Order) put(e *wire.Envelope) { e.Kind = &wire.Envelope_Order{Order: wireOrder(o.Order)} }

func (c Confirm) put(e *wire.Envelope) {
	e.Kind = &wire.Envelope_Confirm{Confirm: &wire.Confirm{Id: clean(c.ID, maxText)}}
}

func (g Goodbye) put(e *wire.Envelope) {
	e.Kind = &wire.Envelope_Goodbye{Goodbye: &wire.Goodbye{Reason: clean(g.Reason, maxText)}}
}

// ParseMessage decodes one message, which takes all of b. It is ErrVersion when a
// newer program wrote it.
func ParseMessage(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("envelope: message of %d octets: want at most %d", len(b), MaxMessage)
	}
	var e wire.Envelope
	if err := proto.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if e.GetVersion() != Version {
		return nil, versionError("message", e.GetVersion())
	}
	m, err := message(&e)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return m, nil
}

func versionError(what string, version uint32) error {
	if version > Version {
		return fmt.Errorf("envelope: %s of version %d, this program knows %d: %w", what, version, Version, ErrVersion)
	}
	return fmt.Errorf("envelope: %s of version %d, want %d: it is not a message of a Busbar", what, version, Version)
}

func message(e *wire.Envelope) (Message, error) {
	switch k := e.GetKind().(type) {
	case *wire.Envelope_Hello:
		return hello(k.Hello)
	case *wire.Envelope_Welcome:
		held, err := lanes("welcome", k.Welcome.GetHeld())
		return Welcome{Held: held, Time: moment(k.Welcome.GetTime())}, err
	case *wire.Envelope_Send:
		id, err := batchID(k.Send.GetEpoch(), k.Send.GetLane(), k.Send.GetSeq())
		body := k.Send.GetBody()
		return Send{concentrator.Batch{ID: id, Body: body, Hash: sha256.Sum256(body)}}, err
	case *wire.Envelope_Receipt:
		return receipt(k.Receipt)
	case *wire.Envelope_Order:
		o, err := order(k.Order)
		return Order{o}, err
	case *wire.Envelope_Confirm:
		return Confirm{k.Confirm.GetId()}, named("confirmed order", k.Confirm.GetId())
	case *wire.Envelope_Goodbye:
		return Goodbye{clean(k.Goodbye.GetReason(), maxText)}, nil
	}
	return nil, errors.New("a message of no known kind: is the other side of a newer version?")
}

func hello(h *wire.Hello) (Message, error) {
	next, err := lanes("hello", h.GetNextSeq())
	if err == nil {
		err = named("station", h.GetStation())
	}
	return Hello{
		Station: h.GetStation(), Epoch: h.GetEpoch(), Boot: h.GetBoot(), Version: clean(h.GetProgram(), maxText), NextSeq: next,
		Backlog: concentrator.Backlog{
			Readings: bounded(h.GetBacklogReadings()), Batches: bounded(h.GetBacklogBatches()),
			Bytes: int64(min(h.GetBacklogBytes(), math.MaxInt64)), Refused: bounded(h.GetBacklogRefused()), Oldest: moment(h.GetBacklogOldest()),
		},
		KeepAlive: time.Duration(h.GetKeepAlive()) * time.Second,
	}, err
}

func receipt(r *wire.Receipt) (Message, error) {
	id, err := batchID(r.GetEpoch(), r.GetLane(), r.GetSeq())
	if err == nil && len(r.GetHash()) != sha256.Size {
		err = fmt.Errorf("receipt with a hash of %d octets: want %d", len(r.GetHash()), sha256.Size)
	}
	m := Receipt{Signature: r.GetSignature(), Receipt: concentrator.Receipt{
		ID: id, Refused: r.GetRefused(), Reason: clean(r.GetReason(), maxText), CenterAt: moment(r.GetTime()),
	}}
	copy(m.Receipt.Hash[:], r.GetHash())
	return m, err
}

// lanes takes exactly one number per lane: a side with other lanes speaks another language.
func lanes(what string, list []uint64) (out [concentrator.Lanes]uint64, err error) {
	if len(list) != len(out) {
		return out, fmt.Errorf("%s for %d lanes: want %d", what, len(list), len(out))
	}
	return [concentrator.Lanes]uint64(list), nil
}

func batchID(epoch uint64, lane uint32, seq uint64) (concentrator.BatchID, error) {
	if lane >= uint32(concentrator.Lanes) {
		return concentrator.BatchID{}, fmt.Errorf("batch of lane %d: there are lanes 0 to %d", lane, concentrator.Lanes-1)
	}
	if seq == 0 || seq > 1<<62 {
		return concentrator.BatchID{}, fmt.Errorf("batch number %d: want 1 to 2^62", seq)
	}
	return concentrator.BatchID{Epoch: epoch, Lane: concentrator.Lane(lane), Seq: seq}, nil
}

// named refuses identities that are empty or cannot be printed.
func named(what, id string) error {
	if id == "" || len(id) > maxText || id != clean(id, maxText) {
		return fmt.Errorf("%s %.40q: want 1 to %d octets of printable text", what, id, maxText)
	}
	return nil
}

// clean makes s valid for a string field and safe for a terminal: octets that are
// no UTF-8 and control characters become '?', what is longer than limit is cut.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7F && r < 0xA0 || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}

// count takes a number to the wire.
func count(n int) uint64 { return uint64(max(0, n)) } //nolint:gosec // not negative

// bounded takes a number of the other side, which may be anything.
func bounded(n uint64) int { return int(min(n, math.MaxInt32)) }

// millis is a time for the wire: milliseconds, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
