package dlms

import (
	"bytes"

	"busbar/plc/dlms/apdu"
)

// general is a general block transfer (GBT) of one end: what he sends in blocks and
// what he receives. Its blocks carry no proof; what they make together is verified
// like any other APDU.
type general struct {
	last uint16 // number of the block sent last, mere acknowledgments counted

	// What is being sent.
	apdu   []byte
	size   int    // octets of a block
	base   uint16 // number of the block before the first of apdu
	next   uint16 // number of the next block to send
	from   uint16 // number of the first block of this window
	window int    // blocks that the peer takes at once
	left   int    // blocks still to send before it is the peer's turn
	stream bool   // never the peer's turn: he does not answer

	// What is being received.
	raw []byte
	got uint16 // highest block received without a gap
	// mere is the number of our last mere acknowledgment and heardOf the highest number of
	// ours that the peer has received. One that was lost gives its number to the next
	// block, so that no gap is left that nobody can fill.
	mere, heardOf uint16

	// high and ahead are the highest got and from of this transfer, stalls the blocks that
	// we sent since either rose.
	high, ahead uint16
	stalls      int
}

// maxStalls bounds the blocks we send in a row without getting any further: a peer that
// says the same for ever must not keep us answering for ever.
const maxStalls = 8

// errStalled ends a transfer of which maxStalls were not enough.
var errStalled = garbled("general blocks come again and again without getting any further: ask once more")

// stalled counts a block that is about to answer one, and reports whether there were too
// many without progress.
func (g *general) stalled() bool {
	g.stalls++
	return g.stalls > maxStalls
}

// sending reports whether blocks are outstanding.
func (g *general) sending() bool { return g.apdu != nil }

// receiving reports whether an APDU is incomplete.
func (g *general) receiving() bool { return g.got > 0 }

// send begins to send an APDU in blocks of at most limit octets, header included, and
// reports false when it takes too many blocks or the blocks have no room.
func (g *general) send(b []byte, limit int) bool {
	g.reuse()
	size := fit(limit - apdu.GeneralBlockHeader)
	if size <= 0 || len(b) > size*(0xFFFF-int(g.last)) {
		return false
	}
	g.apdu, g.size, g.base = b, size, g.last
	g.turn(g.base + 1)
	return true
}

// turn begins a window with the block of the given number.
func (g *general) turn(from uint16) {
	g.window = max(g.window, 1)
	g.from, g.next, g.left = from, from, g.window
}

// final is the number of the last block of what is sent.
func (g *general) final() uint16 {
	return g.base + uint16((len(g.apdu)+g.size-1)/g.size)
}

// more reports whether a block may go out before the peer speaks.
func (g *general) more() bool { return g.apdu != nil && g.left > 0 && g.next <= g.final() }

// block is the next block. window is how many blocks we take at once.
func (g *general) block(window int) []byte {
	at := int(g.next-g.base-1) * g.size
	b := apdu.GeneralBlock{
		Last: g.next == g.final(), Number: g.next, Ack: g.got, Window: uint8(min(window, apdu.MaxWindow)),
		Data: g.apdu[at:min(at+g.size, len(g.apdu))],
	}
	g.left--
	b.Streaming = g.stream || g.left > 0 && !b.Last
	if b.Last {
		g.left = 0
	}
	g.last = max(g.last, g.next)
	g.next++
	if g.stream && b.Last {
		g.apdu = nil
	}
	return b.Append(make([]byte, 0, b.Size()))
}

// acknowledged takes what the peer says he received and how much he takes at once: the
// next window begins behind it. It reports false when everything arrived.
func (g *general) acknowledged(b apdu.GeneralBlock) bool {
	if g.apdu == nil {
		return false
	}
	g.heardOf = max(g.heardOf, b.Ack)
	g.window = max(int(b.Window), 1)
	if b.Ack >= g.final() {
		g.apdu = nil
		return false
	}
	g.turn(max(b.Ack, g.base) + 1)
	if g.from > g.ahead {
		g.ahead, g.stalls = g.from, 0
	}
	return true
}

// again begins the last window once more.
func (g *general) again() { g.turn(g.from) }

// arrival is what followed from a block received.
type arrival uint8

const (
	incomplete arrival = iota // more is to come
	complete                  // the APDU is whole: take
	overflow                  // it is longer than we take
)

// receive takes one block with data. A first block begins anew, so that the rest of a
// transfer that was given up never joins another; a block out of order changes nothing.
func (g *general) receive(b apdu.GeneralBlock, most int) arrival {
	g.heardOf = max(g.heardOf, b.Ack)
	g.window = max(int(b.Window), 1)
	switch {
	case b.Number == 1:
		g.raw, g.got = nil, 1
	case b.Number != g.got+1:
		return incomplete
	default:
		g.got++
	}
	if len(g.raw)+len(b.Data) > most {
		g.raw, g.got = nil, 0
		return overflow
	}
	if g.got > g.high {
		g.high, g.stalls = g.got, 0
	}
	g.raw = append(g.raw, b.Data...)
	if b.Last {
		return complete
	}
	return incomplete
}

// heard counts a block without data, which has a number too.
func (g *general) heard(b apdu.GeneralBlock) {
	if b.Number == g.got+1 && g.raw == nil {
		g.got++
	}
}

// reuse takes back the number of a mere acknowledgment that the peer did not receive.
func (g *general) reuse() {
	if g.mere != 0 && g.mere == g.last && g.heardOf < g.mere {
		g.last--
	}
	g.mere = 0
}

// take returns the APDU received and is ready for another. Its blocks stay
// acknowledged.
func (g *general) take() []byte {
	b := g.raw
	g.raw = nil
	return b
}

// acknowledge is a block without data that tells what was received.
func (g *general) acknowledge(window int) []byte {
	g.reuse()
	g.last++
	g.mere = g.last
	b := apdu.GeneralBlock{Last: true, Window: uint8(min(window, apdu.MaxWindow)), Number: g.mere, Ack: g.got}
	return b.Append(make([]byte, 0, b.Size()))
}

// Reassembly joins the blocks of notifications that a meter pushes without an
// association and without waiting: one for each meter. Its zero value is ready.
type Reassembly struct {
	g general
	// Most bounds what is joined, in octets; 0 is DefaultMaxTransfer.
	Most int
	// Dropped counts pushes of which blocks were missing.
	Dropped int
}

// Receive takes one APDU. Whatever is no block is returned as it is; of blocks the
// whole is returned with the last one, and nil before.
func (r *Reassembly) Receive(b []byte) ([]byte, error) {
	if apdu.TagOf(b) != apdu.TagGeneralBlockTransfer {
		return b, nil
	}
	block, n, err := apdu.ParseGeneralBlock(b)
	if err := whole(b, n, err); err != nil {
		return nil, err
	}
	most := r.Most
	if most <= 0 {
		most = DefaultMaxTransfer
	}
	if block.Number == 1 && len(r.g.raw) > 0 || block.Number != 1 && block.Number != r.g.got+1 {
		r.Dropped++
	}
	switch r.g.receive(block, most) {
	case complete:
		whole := bytes.Clone(r.g.take())
		r.g = general{}
		return whole, nil
	case overflow:
		return nil, garbled("more than %d octets in blocks", most)
	}
	return nil, nil
}
