package dlms

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// scene brings a pair to one of the moments in which octets may arrive, the client
// waiting for an answer.
func scene(t testing.TB, mechanism, moment uint8) *pair {
	keys := mechanisms[int(mechanism)%len(mechanisms)]
	p := newPair(t, keys, 134, 20)
	ops := []Op{Open(), Get(profileRef), Get(clockRef, energyRef), Set(profileRef, profile(20)), Action(switchRef, nil), Release()}
	moment %= 2 * uint8(len(ops))
	op := ops[moment/2]
	if moment >= 2 {
		p.must(Open())
	}
	down := p.ask(op)
	if moment%2 == 1 {
		if e, err := p.exchange(down); err != nil {
			t.Fatal(err)
		} else if e.Done {
			p.client.Start(Get(energyRef))
		}
	}
	return p
}

// tampered is b with the protection of sender, so that fuzzing reaches what is behind
// the tag. Not every first octet has a ciphered form: those go as they are.
func tampered(sender plc.SystemTitle, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	suite, _ := cipher.NewSuite(gmacKeys.Encryption, gmacKeys.Authentication)
	text, _ := suite.Protect(nil, cipher.AuthenticatedEncrypted, sender, 0x10000, b)
	if tag, ok := apdu.Tag(b[0]).Glo(); ok {
		return apdu.Ciphered{Tag: tag, Text: text}.Append(nil)
	}
	return apdu.GeneralGlo{Text: text}.Append(nil)
}

// samples are good answers and requests to begin fuzzing with.
func samples(f *testing.F) {
	for _, s := range []string{
		"c401c1000600001391", "c402c10000000001000401020304", "c403c1020006000013910101", "c501c100", "c502c100000001", "c503c10000000001",
		"c701c00000", "c701c000010009111000001afde8857b728a3499106aa665d1", "d80101", "d8010600000001", "0e010600", "6303800100",
		"6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007",
		"6142a109060760857405080103a203020100a305a10302010e88020780890760857405080205aa0a8008503677524a323146be10040e0800065f1f040000501f01f40007",
		"c001c100070100630100ff0200", "c002c100000001", "c003c102000100002a0000ff020000080000010000ff0200", "c1018100080000010000ff0200090c07d20c04030a060bff007800",
		"c102c100080000010000ff0200000000000103090c07", "c103c1010000000202d20c", "c301c0000f0000280000ff0100", "6203800100",
		"601da109060760857405080101be10040e01000000065f1f0400007e1f04b0",
		"6036a1090607608574050801018a0207808b0760857405080205ac0a80084b35366956616759be10040e01000000065f1f0400007e1f04b0",
	} {
		for moment := range uint8(12) {
			f.Add(uint8(0), moment, false, unhex(s))
			f.Add(uint8(1), moment, false, unhex(s))
			f.Add(uint8(2), moment, true, unhex(s))
		}
	}
}

// FuzzClientReceive gives arbitrary octets to a client in the middle of a session, plain
// or with the protection of the meter.
func FuzzClientReceive(f *testing.F) {
	samples(f)
	f.Fuzz(func(t *testing.T, mechanism, moment uint8, protect bool, b []byte) {
		p := scene(t, mechanism, moment)
		c := p.client
		state, peer := c.state, c.peer
		if protect {
			b = tampered(meterTitle, b)
		}
		e, err := c.Receive(b)
		var refused *RefusedError
		var long *TooLongError
		switch {
		case err == nil && !e.Done && !e.Ignored && e.Down == nil:
			t.Fatalf("nothing follows from % X", b)
		case err == nil && e.Done == c.Busy():
			t.Fatalf("done %t, busy %t", e.Done, c.Busy())
		case err == nil:
		case errors.As(err, &refused) || errors.As(err, &long):
			if c.Busy() {
				t.Fatalf("refused, but still busy: %v", err)
			}
		case !errors.Is(err, ErrForged) && !errors.Is(err, ErrGarbled):
			t.Fatalf("error of no kind: %v", err)
		}
		if c.security.Ciphered() && !protect {
			unprotected(t, c, e, err, state, peer)
		}
		if err == nil && e.Down != nil && c.limit > 0 && len(e.Down) > c.limit {
			t.Fatalf("sends %d octets to a meter that takes %d", len(e.Down), c.limit)
		}
	})
}

// unprotected checks what octets without a right tag may do in a ciphered association:
// end it, never give a result, never move a counter.
func unprotected(t *testing.T, c *Client, e Effects, err error, state State, peer window) {
	t.Helper()
	if e.Done && e.Results != nil || e.Down != nil {
		t.Fatal("a result or a request follows from octets without protection")
	}
	if c.peer != peer {
		t.Fatal("octets without protection moved the counter")
	}
	if c.state != state && c.state != Closed {
		t.Fatalf("octets without protection brought the client from %v to %v", state, c.state)
	}
	var r *RefusedError
	if errors.As(err, &r) && !r.Unauthenticated {
		t.Fatalf("refusal taken for authentic: %v", err)
	}
}

// FuzzServerReceive gives arbitrary octets to a meter in the middle of a session, plain
// or with the protection of the client.
func FuzzServerReceive(f *testing.F) {
	samples(f)
	f.Fuzz(func(t *testing.T, mechanism, moment uint8, protect bool, b []byte) {
		p := scene(t, mechanism, moment)
		s := p.server
		state, peer, calls := s.state, s.peer, len(p.tree.calls)
		if protect {
			b = tampered(clientTitle, b)
		}
		up := s.Receive(testTime, b)
		if s.security.Ciphered() && !protect && (s.state != state || s.peer != peer || len(p.tree.calls) != calls) {
			t.Fatalf("octets without protection brought the meter from %v to %v", state, s.state)
		}
		if up == nil {
			return
		}
		switch apdu.Tag(up[0]) {
		case apdu.TagAARE:
			if _, n, err := acse.ParseAARE(up); err != nil || n != len(up) {
				t.Fatalf("answered % X, %v", up, err)
			}
			return
		case apdu.TagRLRE:
			if _, n, err := acse.ParseRLRE(up); err != nil || n != len(up) {
				t.Fatalf("answered % X, %v", up, err)
			}
			return
		}
		if s.limit > 0 && len(up) > s.limit && len(up) > 40 {
			t.Fatalf("sends %d octets to a client that takes %d", len(up), s.limit)
		}
		c := *p.client // whatever the client makes of it, it must understand it
		if s.shield != nil && protect {
			c.peer = window{}
		}
		if _, err := c.Receive(up); errors.Is(err, ErrForged) && state != Closed && s.state == state {
			t.Fatalf("answered % X: %v", up, err)
		}
	})
}

// TestReceiveAllocatesLittle holds both ends to 4 times their input and 4 KiB, and what
// an answer carries once more for the copy that is delivered.
func TestReceiveAllocatesLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lies := [][]byte{
		unhex("c401c1000184ffffffff"), unhex("c403c184ffffffff"), unhex("c402c1000000000100 84ffffffff"), unhex("6184ffffffff"),
		append(unhex("c403c140"), bytes.Repeat(unhex("0101"), 64)...), append(unhex("c401c100"), bytes.Repeat([]byte{1, 1}, 60)...),
	}
	for mechanism := range uint8(3) {
		for moment := range uint8(12) {
			for _, lie := range lies {
				least := uint64(1 << 60)
				for range 3 {
					p := scene(t, mechanism, moment)
					b := bytes.Clone(lie)
					b[r.IntN(len(b))] ^= byte(r.IntN(2))
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					_, _ = p.client.Receive(b)
					runtime.ReadMemStats(&after)
					least = min(least, after.TotalAlloc-before.TotalAlloc)
				}
				if limit := uint64(4*len(lie) + 4096); least > limit {
					t.Errorf("%d octets took %d octets of memory, want at most %d", len(lie), least, limit)
				}
			}
		}
	}
}

// TestReceiveTruncated cuts every APDU of a session everywhere, for both ends.
func TestReceiveTruncated(t *testing.T) {
	for _, keys := range mechanisms {
		p := newPair(t, keys, 134, 20)
		p.toMeter = func(b []byte) []byte {
			for i := range len(b) {
				s := *p.server
				if up := s.Receive(testTime, b[:i]); up != nil && apdu.Tag(up[0]) != apdu.TagExceptionResponse {
					t.Fatalf("%v: request % X cut to %d octets: answered % X", keys, b, i, up)
				}
			}
			return b
		}
		p.toClient = func(b []byte) []byte {
			for i := range len(b) {
				c := *p.client
				op := *p.client.op
				c.op = &op
				if e, err := c.Receive(b[:i]); err == nil && !e.Ignored {
					t.Fatalf("%v: answer % X cut to %d octets: %+v", keys, b, i, e)
				}
			}
			return b
		}
		for _, op := range []Op{Open(), Get(profileRef, clockRef), Set(clockRef, unhex("0600000001")), Action(switchRef, unhex("00")), Release()} {
			if r := p.must(op); len(r) > 0 && r[0].Access != cosem.Success {
				t.Errorf("%v: %v", keys, r[0].Access)
			}
		}
	}
}
