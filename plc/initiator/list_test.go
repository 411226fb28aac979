package initiator

import (
	"slices"
	"testing"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/mac"
)

// refusals are how a meter may refuse a list.
var refusals = map[string][]byte{
	"service unsupported": {0xD8, 2, 2},
	"PDU too long":        {0xD8, 1, 4},
	"service error":       {0x0E, 5, 5, 1},
	"no association":      {0xD8, 1, 1},
	"silence":             nil,
}

// takes makes a meter that refuses more than n attributes at once.
func (m *fakeMeter) takes(n int, refusal []byte) {
	m.judge = func(asked int, answer []byte) []byte {
		if asked <= n {
			return answer
		}
		if slices.Equal(refusal, refusals["no association"]) {
			m.server.Reset()
		}
		return refusal
	}
}

// TestListRefused: a list that a meter does not take is asked for in parts, and the next
// one at once in such parts, until the meter is registered anew.
func TestListRefused(t *testing.T) {
	for _, tt := range []struct {
		refusal     string
		takes       int
		first, then int // requests; two open the association
	}{
		{refusal: "service unsupported", takes: 3, first: 2 + 1 + 1 + 5, then: 5},
		{refusal: "PDU too long", takes: 5, first: 2 + 1 + 2, then: 2},
		{refusal: "service error", takes: 1, first: 2 + 1 + 1 + 1 + 10, then: 10},
		// refused, opened again, refused, opened again, one by one
		{refusal: "no association", takes: 3, first: 2 + 1 + 2 + 1 + 2 + 10, then: 10},
		// two attempts
		{refusal: "silence", takes: 1, first: 2 + 2 + 10, then: 10},
	} {
		t.Run(tt.refusal, func(t *testing.T) {
			run(t, 1, nil, func(b *bench) {
				refs := slices.Repeat([]cosem.Ref{clockRef, energyRef}, 5)
				b.meters[0].takes(tt.takes, refusals[tt.refusal])
				read := func(requests int) {
					b.Helper()
					results, x, err := b.link.Get(b.Context(), b.peer(0), refs...)
					answers := requests
					if tt.refusal == "silence" && requests == tt.first {
						answers -= 2
					}
					b.want(x, err, plc.Answered, requests, answers)
					if len(results) != len(refs) || x.Detail != "" {
						b.Fatalf("%d results, %q", len(results), x.Detail)
					}
					for k, r := range results {
						if want := []byte{9, 6}[k%2]; r.Access != cosem.Success || r.Data[0] != want {
							b.Errorf("result %d: %v", k, r)
						}
					}
				}
				read(tt.first)
				for range 2 {
					read(tt.then)
				}
				if c := b.i.Counts(); c.Split == 0 || c.Forged+c.Garbled > 0 {
					b.Errorf("counts %+v", c)
				}
				if _, err := b.link.Register(b.Context(), []plc.Registration{{Title: titles[0], Address: 1}}, 0); err != nil {
					b.Error(err)
				}
				read(tt.first)
			})
		})
	}
}

// TestListAnsweredAsSingle: a list is answered with the error of one attribute.
func TestListAnsweredAsSingle(t *testing.T) {
	run(t, 1, func(c *Config) { c.AllowUnprotected = true }, func(b *bench) {
		delete(b.ring.keys, titles[0])
		m := b.meters[0]
		m.start(dlms.Keys{})
		m.judge = func(asked int, answer []byte) []byte {
			if asked > 1 {
				return []byte{0xC4, 1, answer[2], 1, byte(cosem.OtherReason)}
			}
			return answer
		}
		results, x, err := b.link.Get(b.Context(), b.peer(0), clockRef, energyRef)
		b.want(x, err, plc.Answered, 1+1+2, 1+2) // the one answer to the list is none
		if len(results) != 2 || results[1].Access != cosem.Success {
			t.Errorf("results %v", results)
		}
		_, x, err = b.link.Get(b.Context(), b.peer(0), clockRef, energyRef)
		b.want(x, err, plc.Answered, 2, 2)
	})
}

// TestSilenceIsNotAList: a meter that falls silent in the middle of a transfer, or that has
// answered nothing at all, is not asked for less.
func TestSilenceIsNotAList(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		m := b.meters[0]
		m.rows = 200
		m.change = func(n int, f mac.DataIndication) []reply {
			if n > 4 {
				return nil
			}
			return []reply{prompt(f)}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), profileRef, energyRef)
		b.want(x, err, plc.Silent, 2+2+2, 2+2) // opened, two blocks, two attempts
		for range silencesLimit + 1 {
			_, x, err = b.link.Get(b.Context(), b.peer(0), profileRef, energyRef)
			b.want(x, err, plc.Silent, 2, 0)
		}
		if c := b.i.Counts(); c.Split > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestEverythingRefused: nothing is learned from refusals that a part of the list does
// not prove.
func TestEverythingRefused(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		m := b.meters[0]
		m.takes(0, refusals["service unsupported"])
		refs := []cosem.Ref{clockRef, energyRef, clockRef, energyRef}
		_, x, err := b.link.Get(b.Context(), b.peer(0), refs...)
		b.want(x, err, plc.Refused, 2+3, 2+3) // 4, 2 and 1 at once
		if results, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Refused || results != nil {
			t.Error(x, err)
		}
		m.judge = nil
		_, x, err = b.link.Get(b.Context(), b.peer(0), refs...)
		b.want(x, err, plc.Answered, 1, 1)
	})
}

// TestOneOfListRefused: the attribute that is refused with an exception costs only itself.
func TestOneOfListRefused(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		unknown := energyRef
		unknown.Object = cosem.MustOBIS("1.0.99.99.0.255")
		b.meters[0].takes(10, refusals["service unsupported"])
		results, x, err := b.link.Get(b.Context(), b.peer(0), clockRef, energyRef, unknown, energyRef)
		b.want(x, err, plc.Answered, 2+5, 2+5) // 4 refused, 2, 2 refused, 1 refused, 1
		if err != nil || len(results) != 4 {
			t.Fatal(x, err)
		}
		for k, r := range results {
			if want := []cosem.AccessResult{0, 0, cosem.OtherReason, 0}[k]; r.Access != want {
				t.Errorf("result %d: %v", k, r.Access)
			}
		}
		if _, x, _ = b.link.Get(b.Context(), b.peer(0), unknown); x.Outcome != plc.Refused {
			t.Errorf("alone: %v", x)
		}
	})
}

// TestShortFrames: a meter with shorter frames than the segment is asked for as much as fits
// them at once, and agrees on answers that fit them when it is opened the next time.
func TestShortFrames(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		refs := slices.Repeat([]cosem.Ref{energyRef, clockRef}, 10)
		b.meters[0].rows = 200
		longest := func(maxFrame int) (sent, received int) {
			b.Helper()
			b.frames = nil
			p := b.peer(0)
			p.MaxFrame = maxFrame
			if results, x, err := b.link.Get(b.Context(), p, refs...); err != nil || x.Outcome != plc.Answered || len(results) != len(refs) {
				b.Error(x, err)
			}
			if _, x, err := b.link.Get(b.Context(), p, profileRef); err != nil || x.Outcome != plc.Answered {
				b.Error(x, err)
			}
			for _, f := range b.frames {
				if f.Sent {
					sent = max(sent, len(f.MSDU))
				} else {
					received = max(received, len(f.MSDU))
				}
			}
			return sent, received
		}
		for _, nothing := range []int{0, 10, 250} {
			if sent, received := longest(nothing); sent <= 134 || received <= 134 {
				t.Errorf("with %d: frames of %d and %d", nothing, sent, received)
			}
		}
		if sent, received := longest(134); sent > 134 || received <= 134 {
			t.Errorf("with 134, association open: frames of %d and %d", sent, received)
		}
		if _, err := b.link.Register(b.Context(), []plc.Registration{{Title: titles[0], Address: 1}}, 0); err != nil {
			t.Error(err)
		}
		b.meters[0].server.Reset()
		if sent, received := longest(134); sent > 134 || received > 134 {
			t.Errorf("with 134, opened anew: frames of %d and %d", sent, received)
		}
		if c := b.i.Counts(); c.Forged+c.Garbled+c.Reopened+c.Split > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestShortFramesKeepCounters: a client made anew for shorter frames refuses the same
// recordings as the one before.
func TestShortFramesKeepCounters(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		p := b.peer(0)
		if _, x, err := b.link.Get(b.Context(), p, energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		last, _ := b.i.associations.get(titles[0]).client.LastPeerCounter()
		if _, err := b.link.Register(b.Context(), []plc.Registration{{Title: titles[0], Address: 1}}, 0); err != nil {
			t.Fatal(err)
		}
		b.line.set(func() { b.line.script = func(mac.DataRequest) []reply { return nil } })
		p.MaxFrame = 134
		_, x, err := b.link.Get(b.Context(), p, energyRef)
		b.want(x, err, plc.Silent, 2, 0)
		a := b.i.associations.get(titles[0])
		if again, ok := a.client.LastPeerCounter(); a.offered != 134 || !ok || again != last {
			t.Errorf("made for frames of %d, counter %d, was %d", a.offered, again, last)
		}
	})
}

// TestMaxTransfer: a value in blocks may be as long as configured.
func TestMaxTransfer(t *testing.T) {
	const rows = 14000 // 70,000 octets
	for _, tt := range []struct {
		limit   int
		outcome plc.Outcome
	}{{0, plc.Garbled}, {80_000, plc.Answered}} {
		run(t, 1, func(c *Config) { c.MaxTransfer = tt.limit }, func(b *bench) {
			b.meters[0].rows = rows
			results, x, err := b.link.Get(b.Context(), b.peer(0), profileRef)
			if err != nil || x.Outcome != tt.outcome || tt.outcome == plc.Answered && len(results[0].Data) < 5*rows {
				t.Errorf("limit %d: %v, %v", tt.limit, x, err)
			}
		})
	}
	if dlms.DefaultMaxTransfer >= 5*rows {
		t.Error("the default takes it as well")
	}
}

// TestSilenceTeachesTwice: one burst of noise after a good opening must not make a meter
// dear; the second time it is one that knows no lists.
func TestSilenceTeachesTwice(t *testing.T) {
	a := &association{}
	a.learn(overSilence, 1)
	if a.most != 0 {
		t.Error("one silence was enough")
	}
	a.learn(overSilence, 1)
	if a.most != 1 {
		t.Error("a meter that is silent to lists again is not remembered")
	}
	told := &association{}
	told.learn(overService, 4)
	told.learn(noExcess, 9)
	if told.most != 4 {
		t.Errorf("a refusal in words taught %d", told.most)
	}
}
