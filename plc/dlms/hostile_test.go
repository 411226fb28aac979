package dlms

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// signedInClear are keys of an association that is signed and not ciphered.
func signedInClear(t *testing.T) ends {
	c, m := signers(t, 1)
	return pairOf("", Keys{Mechanism: HLSECDSA, Suite: 1, Sign: true}, c, m)
}

// TestSignedReplayAfterRestart plays an answer recorded in one association to a client
// that was made anew, to one that has released, and to a pre-established one.
func TestSignedReplayAfterRestart(t *testing.T) {
	e := signedInClear(t)
	for name, change := range map[string]func(*ClientConfig, *ServerConfig){
		"opened": nil,
		"pre-established": func(c *ClientConfig, s *ServerConfig) {
			c.PreEstablished, s.PreEstablished, s.ClientTitle = true, true, clientTitle
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := pairWith(t, e, 1024, 3, change)
			first.must(Open())
			first.must(Get(energyRef))
			recorded := first.up[len(first.up)-1]
			invoke := first.client.invoke
			restarted := pairWith(t, e, 1024, 3, change)
			for _, p := range []*pair{restarted, first} {
				p.must(Release())
				p.must(Open())
				for p.client.invoke.Next() != invoke { // so that the invoke id tells nothing
					p.client.invoke = p.client.invoke.Next()
				}
				down := p.ask(Get(energyRef))
				if e, err := p.client.Receive(bytes.Clone(recorded)); err != nil || !e.Ignored || !p.client.Busy() {
					t.Errorf("a recording: %+v, %v", e, err)
				}
				if e, err := p.client.Receive(p.server.Receive(testTime, down)); err != nil || !e.Done {
					t.Errorf("the answer: %+v, %v", e, err)
				}
			}
		})
	}
}

// TestSignedWithoutTransaction: an answer that names no transaction could be of any time.
func TestSignedWithoutTransaction(t *testing.T) {
	p := pairWith(t, signedInClear(t), 1024, 3, nil)
	p.must(Open())
	down := p.ask(Get(energyRef))
	g, _, err := apdu.ParseGeneralSigning(p.server.Receive(testTime, down))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.server.signet.sign(g.Content, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := p.client.Receive(b); err != nil || !e.Ignored {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestExceptionInSignedAssociation: what is not signed where that was asked for says so.
func TestExceptionInSignedAssociation(t *testing.T) {
	for _, octets := range []string{"d80202", "0e050501"} {
		p := pairWith(t, signedInClear(t), 1024, 3, nil)
		p.must(Open())
		p.ask(Get(energyRef))
		_, err := p.client.Receive(unhex(octets))
		if r := (*RefusedError)(nil); !errors.As(err, &r) || !r.Unauthenticated {
			t.Errorf("%s: %v", octets, err)
		}
	}
}

// TestOneProofForOneRequest gives a client one AARE again and again, and each with a
// challenge of its own.
func TestOneProofForOneRequest(t *testing.T) {
	p := newPair(t, Keys{Mechanism: HLSMD5, Password: []byte("secret secret")}, 1024, 3)
	down := p.ask(Open())
	aare := p.server.Receive(testTime, down)
	e, err := p.client.Receive(bytes.Clone(aare))
	if err != nil || e.Down == nil {
		t.Fatalf("%+v, %v", e, err)
	}
	at := bytes.Index(aare, p.server.challenge)
	for i := range 100 {
		again := bytes.Clone(aare)
		binary.BigEndian.PutUint32(again[at:], uint32(i))
		for _, b := range [][]byte{aare, again} {
			if e, err := p.client.Receive(b); err != nil || !e.Ignored || e.Down != nil {
				t.Fatalf("AARE %d: %+v, %v", i, e, err)
			}
		}
	}
	if e, err := p.client.Receive(p.server.Receive(testTime, e.Down)); err != nil || !e.Done {
		t.Errorf("the meter's proof: %+v, %v", e, err)
	}
}

// TestGeneralBlocksWithoutEnd has meters that say the same for ever, while they answer
// and while they take a request.
func TestGeneralBlocksWithoutEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		op   Op
		says func(i int) apdu.GeneralBlock
	}{
		"block 1": {Get(energyRef), func(int) apdu.GeneralBlock { return apdu.GeneralBlock{Number: 1, Window: 1, Data: []byte{1}} }},
		"blocks 1 and 2": {Get(energyRef), func(i int) apdu.GeneralBlock {
			return apdu.GeneralBlock{Number: uint16(1 + i%2), Window: 1, Ack: uint16(i), Data: []byte{1}}
		}},
		"block out of order": {Get(energyRef), func(int) apdu.GeneralBlock { return apdu.GeneralBlock{Number: 7, Window: 1, Data: []byte{1}} }},
		"nothing heard":      {Set(profileRef, profile(40)), func(int) apdu.GeneralBlock { return apdu.GeneralBlock{Last: true, Number: 1, Window: 1} }},
		"heard and not": {Set(profileRef, profile(40)), func(i int) apdu.GeneralBlock {
			return apdu.GeneralBlock{Last: true, Number: uint16(1 + i), Window: 1, Ack: uint16(i % 2)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := clientConfig(Keys{}, 200)
			cfg.Conformance, cfg.PreEstablished, cfg.MeterMaxPDU = DefaultConformance|apdu.GeneralBlockTransfer, true, 200
			c := NewClient(cfg)
			if _, err := c.Start(tt.op); err != nil {
				t.Fatal(err)
			}
			for i := range 3 * maxStalls {
				e, err := c.Receive(tt.says(i).Append(nil))
				if err == nil && e.Down != nil {
					continue
				}
				if !errors.Is(err, ErrGarbled) || i < maxStalls || c.Busy() || c.State() != Opened || c.Counts().Garbled != 1 {
					t.Errorf("block %d: %+v, %v, %v", i, e, err, c)
				}
				return
			}
			t.Error("still answering")
		})
	}
}

// TestResendIsNoStall: blocks that were asked for by Resend are not held against the meter.
func TestResendIsNoStall(t *testing.T) {
	cfg := clientConfig(Keys{}, 200)
	cfg.Conformance, cfg.PreEstablished = DefaultConformance|apdu.GeneralBlockTransfer, true
	c := NewClient(cfg)
	if _, err := c.Start(Get(energyRef)); err != nil {
		t.Fatal(err)
	}
	for range 5 * maxStalls {
		if e, err := c.Receive(apdu.GeneralBlock{Number: 1, Window: 1, Data: []byte{1}}.Append(nil)); err != nil || e.Down == nil {
			t.Fatalf("%+v, %v", e, err)
		}
		if _, err := c.Resend(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAccessChecksSelections: a selection that is no value is found before it is sent,
// whatever the item does.
func TestAccessChecksSelections(t *testing.T) {
	ref := profileRef
	ref.Select = &cosem.Selection{Selector: 1, Parameters: []byte{0xFF, 0xFF}}
	for _, item := range []apdu.AccessItem{
		{Kind: apdu.AccessGet, Ref: ref}, {Kind: apdu.AccessSet, Ref: ref, Data: []byte{0}}, {Kind: apdu.AccessAction, Ref: ref},
	} {
		if Access(item).check() == nil {
			t.Errorf("kind %d: no error", item.Kind)
		}
	}
}
