package dlms

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// stages are the associations in which octets may arrive. The first three are those of
// mechanisms.
var stages = []func(t testing.TB) *pair{
	func(t testing.TB) *pair { return newPair(t, mechanisms[0], 134, 20) },
	func(t testing.TB) *pair { return newPair(t, mechanisms[1], 134, 20) },
	func(t testing.TB) *pair { return newPair(t, mechanisms[2], 134, 20) },
	staged(gmacKeys, 0, func(c *ClientConfig, _ *ServerConfig) { c.Dedicated = true }),
	staged(gmacKeys, apdu.GeneralBlockTransfer, func(c *ClientConfig, _ *ServerConfig) { c.Form = GeneralForm }),
	staged(llsKeys, apdu.GeneralBlockTransfer, func(c *ClientConfig, s *ServerConfig) { c.Window, s.Window = 3, 3 }),
	staged(Keys{Mechanism: HLSSHA256, Password: []byte("Gurux")}, 0, nil),
	func(t testing.TB) *pair {
		c, m := signers(t, 1)
		k := gmacKeys
		k.Mechanism, k.Suite, k.Sign, k.Protection = HLSECDSA, 1, true, cipher.AuthenticatedEncrypted
		return pairWith(t, pairOf("", k, c, m), 300, 20, nil)
	},
	staged(Keys{}, 0, func(c *ClientConfig, s *ServerConfig) {
		c.PreEstablished, s.PreEstablished, c.MeterMaxPDU, s.ClientMaxPDU = true, true, 134, 134
	}),
	func(t testing.TB) *pair {
		// By short names nothing but Read and Write is granted; the meter is another's.
		p := newPair(t, llsKeys, 134, 20)
		p.client = shortClient(t, shortAll, 0, func(Notice) {})
		p.short = true
		return p
	},
	staged(func() Keys { k := gmacKeys; k.BroadcastKey, k.Master = make([]byte, 16), make([]byte, 16); return k }(), 0,
		func(c *ClientConfig, s *ServerConfig) { c.Form, s.ClientTitle = CipheringForm, clientTitle }),
}

func staged(keys Keys, more apdu.Conformance, change func(*ClientConfig, *ServerConfig)) func(testing.TB) *pair {
	return func(t testing.TB) *pair {
		return pairWith(t, same("", keys), 134, 20, func(c *ClientConfig, s *ServerConfig) {
			c.Conformance, s.Conformance = c.Conformance|more, s.Conformance|more
			if change != nil {
				change(c, s)
			}
		})
	}
}

// scene brings a pair to one of the moments in which octets may arrive, the client
// waiting for an answer.
func scene(t testing.TB, stage, moment uint8) *pair {
	p := stages[int(stage)%len(stages)](t)
	if p.short {
		ops := []Op{Read(apdu.Named(0xFA08)), Write([]apdu.Variable{apdu.Named(0xFA08)}, [][]byte{{0}})}
		if _, err := p.client.Start(ops[moment%2]); err != nil {
			t.Fatal(err)
		}
		return p
	}
	long := axdr.AppendOctets(nil, make([]byte, 400))
	ops := []Op{
		Open(), Get(profileRef), Get(clockRef, energyRef), Set(profileRef, profile(20)), Action(switchRef, nil), Release(),
		Action(switchRef, long), SetAll([]cosem.Ref{clockRef, energyRef}, [][]byte{{0}, {0}}),
		ActionAll([]cosem.Ref{switchRef, switchRef}, [][]byte{nil, nil}), Access(apdu.AccessItem{Kind: apdu.AccessGet, Ref: clockRef}),
	}
	moment %= 2 * uint8(len(ops))
	op := ops[moment/2]
	if op.kind == opAccess && !p.client.cfg.Conformance.Has(apdu.Access) {
		op = Get(energyRef)
	}
	if moment >= 2 {
		p.must(Open())
	}
	down, err := p.client.Start(op)
	if err != nil {
		t.Fatal(err)
	}
	if down == nil { // nothing to do in a pre-established association
		down, _ = p.client.Start(Get(energyRef))
	}
	if moment%2 == 1 {
		if e, err := p.exchange(down); err != nil {
			t.Fatal(err)
		} else if e.Done {
			p.client.Start(Get(energyRef))
		}
	}
	return p
}

// tampered is b with the protection of the meter or of the client, so that fuzzing
// reaches what is behind tag, signature and blocks. Not every first octet has a ciphered form:
// those go in the general one.
func tampered(t testing.TB, p *pair, meter bool, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	keys, own, peer, ded := p.client.keys(), clientTitle, meterTitle, p.client.ded
	if meter {
		keys, own, peer, ded = p.server.keys(), meterTitle, clientTitle, p.server.ded
	}
	a := association{security: keys.Security()}
	if err := a.arm(keys, own, peer); err != nil {
		t.Fatal(err)
	}
	v := via{sh: a.shield, transaction: transaction(p.client.turns), form: p.client.cfg.Form}
	if ded != nil {
		v.sh = ded
	}
	if p.short {
		return b
	}
	if p.client.state == Opened && b[0] != 0xFF {
		v.signet = a.signet
	}
	sealed, err := v.seal(b, 0x10000)
	if err != nil {
		t.Fatal(err)
	}
	if p.client.granted.Has(apdu.GeneralBlockTransfer) && len(b)%2 == 1 {
		sealed = apdu.GeneralBlock{Last: true, Number: 1, Data: sealed}.Append(nil)
	}
	return sealed
}

// measured runs f, which is given a fresh scene each time, until it takes at most limit
// octets of memory: others run too. It gives up after three.
func measured(t testing.TB, limit int, fresh func() *pair, f func(*pair)) {
	t.Helper()
	least := ^uint64(0)
	for range 3 {
		p := fresh()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f(p)
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= uint64(limit) {
			return
		}
	}
	t.Fatalf("%d octets of memory, want at most %d", least, limit)
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
		"c104c102000800000100 00ff020000030100010800ff0200020000", "c105c101000800000100 00ff0200000000000102 0109", "c505c1020003",
		"c504c102000300000002", "c302c100000001", "c303c1010046000060030aff01 01 00", "c304c10046000060030aff01 00 00000001 02 0904",
		"c306c1 01 00000002 02 0304", "c702c1 01 00000001 03 090101", "c703c102 0000 000100 1100", "c704c100000001",
		"d9 40000001 00 02 01 00080000010000ff02 02 00080000010000ff02 02 00 00", "da 40000001 00 00 01 110a 01 0100",
		"0c 01 00 1105", "0c 01 02 00 0001 02 0100", "0d 01 00", "0d 01 01 03", "18 00 01 02 fa08 01 1105",
		"0f000001db000600001391", "c2 00 00080000010000ff02 00", "e0 80 0001 0001 0d c001c100080000010000ff0200", "e0 83 0001 0001 00",
		"e0 00 0001 0000 02 c401", "dd 08 0000000000000001 08 4d4d4d0000bc614e 08 4d4d4d0000000001 00 00 01 00 00 05 3000000001",
	} {
		for i, stage := range []uint8{0, 1, 2, 3, 4, 5, 7, 9, 10} {
			for moment := uint8(i) % 4; moment < 20; moment += 4 {
				f.Add(stage, moment, stage > 1 && stage != 5 && stage != 9, unhex(s))
			}
		}
	}
}

// FuzzClientReceive gives arbitrary octets to a client in the middle of a session, plain
// or with the protection of the meter.
func FuzzClientReceive(f *testing.F) {
	samples(f)
	f.Fuzz(func(t *testing.T, stage, moment uint8, protect bool, b []byte) {
		p := scene(t, stage, moment)
		c := p.client
		state, peer := c.state, [2]window{c.peer, c.dedPeer}
		if protect {
			b = tampered(t, p, true, b)
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
		for down := e.Down; err == nil && down != nil; down = c.More() {
			if c.limit > 0 && len(down) > c.limit {
				t.Fatalf("sends %d octets to a meter that takes %d", len(down), c.limit)
			}
		}
		if !protect || c.signet == nil { // signing the next request costs
			measured(t, 4*len(b)+4096, func() *pair { return scene(t, stage, moment) }, func(p *pair) { _, _ = p.client.Receive(b) })
		}
	})
}

// unprotected checks what octets without a right tag may do in a ciphered association:
// end it, never give a result, never move a counter.
func unprotected(t *testing.T, c *Client, e Effects, err error, state State, peer [2]window) {
	t.Helper()
	if e.Done && e.Results != nil || e.Down != nil && apdu.TagOf(e.Down) != apdu.TagGeneralBlockTransfer {
		t.Fatal("a result or a request follows from octets without protection")
	}
	if c.peer != peer[0] || c.dedPeer != peer[1] {
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
	f.Fuzz(func(t *testing.T, stage, moment uint8, protect bool, b []byte) {
		p := scene(t, stage, moment)
		s := p.server
		state, peer, calls := s.state, [3]window{s.peer, s.dedPeer, s.castPeer}, len(p.tree.calls)
		if protect {
			b = tampered(t, p, false, b)
		}
		up := s.Receive(testTime, b)
		if s.security.Ciphered() && !protect &&
			(s.state != state || [3]window{s.peer, s.dedPeer, s.castPeer} != peer || len(p.tree.calls) != calls) {
			t.Fatalf("octets without protection brought the meter from %v to %v", state, s.state)
		}
		// Beyond belief the answer may be as long as the objects are, and signing it costs.
		if len(p.tree.calls) == calls && !(protect && s.signet != nil) {
			measured(t, 4*len(b)+4096, func() *pair { return scene(t, stage, moment) }, func(p *pair) { p.server.Receive(testTime, b) })
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
			c.peer, c.dedPeer = window{}, window{}
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
	for mechanism := range uint8(len(stages)) {
		for moment := range uint8(20) {
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
