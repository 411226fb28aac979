package dlms

import (
	"bytes"
	"errors"
	"testing"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// joinBlocks asks for the blocks of an ACTION answer until the last.
func joinBlocks(t *testing.T, s *Server, up []byte) []byte {
	t.Helper()
	var raw []byte
	for {
		a, _, err := apdu.ParseActionResponse(up)
		if err != nil || a.Block == nil {
			t.Fatalf("answered % X, %v", up, err)
		}
		raw = append(raw, a.Block.Raw...)
		if a.Block.Last {
			return raw
		}
		again := apdu.ActionRequest{Invoke: a.Invoke, NextBlock: true, Number: a.Block.Number}.Append(nil)
		up = s.Receive(testTime, again)
		if twice := s.Receive(testTime, again); !bytes.Equal(twice, up) {
			t.Fatalf("the same block asked for twice: % X, then % X", up, twice)
		}
	}
}

// TestServerLists gives a meter lists that come in blocks.
func TestServerLists(t *testing.T) {
	p := openPair(t, Keys{}, 134, 1)
	s := p.server
	blocks := func(first func(d *apdu.DataBlock) []byte, next func(d *apdu.DataBlock) []byte, raw []byte) (up []byte) {
		for n := uint32(1); len(raw) > 0; n++ {
			d := &apdu.DataBlock{Number: n, Raw: raw[:min(50, len(raw))]}
			raw = raw[len(d.Raw):]
			d.Last = len(raw) == 0
			build := next
			if n == 1 {
				build = first
			}
			request := build(d)
			up = s.Receive(testTime, request)
			if twice := s.Receive(testTime, request); !bytes.Equal(twice, up) {
				t.Fatalf("block %d twice: % X, then % X", n, up, twice)
			}
		}
		return up
	}
	refs := []cosem.Ref{clockRef, unknownRef, profileRef}
	values := [][]byte{unhex("090C07EA0B16FF02000000800000"), {0}, profile(5)}
	up := blocks(func(d *apdu.DataBlock) []byte {
		return apdu.SetRequest{Invoke: 0xC1, Refs: refs, Block: d}.Append(nil)
	}, func(d *apdu.DataBlock) []byte {
		return apdu.SetRequest{Invoke: 0xC1, Next: true, Block: d}.Append(nil)
	}, apdu.AppendValues(nil, values))
	if !bytes.Equal(up, unhex("c504c103 00 03 00 00000004")) || !bytes.Equal(p.tree.values[profileRef.String()], profile(5)) {
		t.Errorf("SET with list and first block: % X", up)
	}

	methods := []cosem.Ref{switchRef, unknownRef, switchRef}
	long := axdr.AppendOctets(nil, bytes.Repeat([]byte{9}, 300))
	calls := len(p.tree.calls)
	up = blocks(func(d *apdu.DataBlock) []byte {
		return apdu.ActionRequest{Invoke: 0xC2, Refs: methods, Block: d}.Append(nil)
	}, func(d *apdu.DataBlock) []byte {
		return apdu.ActionRequest{Invoke: 0xC2, Next: true, Block: d}.Append(nil)
	}, apdu.AppendValues(nil, [][]byte{long, {0}, {0}}))
	list, n, err := apdu.ParseActed(joinBlocks(t, s, up))
	if err != nil || n == 0 || len(list) != 3 || !bytes.Equal(list[0].Return.Data, long) || list[1].Result != 4 || list[2].Result != 0 {
		t.Errorf("ACTION with list and first block: %v, %v", list, err)
	}
	if got := len(p.tree.calls) - calls; got != 3 {
		t.Errorf("%d methods invoked, want 3", got)
	}

	for request, want := range map[string]string{
		"c302c300000007":                                "c701c31000",        // block of nothing
		"c306c3 01 00000002 01 00":                      "c701c31000",        // further block of nothing
		"c103c3 01 00000002 01 00":                      "c503c312 00000002", // the same of SET
		"c105c300 01 00000001 01 00":                    "c504c300 00000001", // an empty list
		"c305c300 01 00000001 01 00":                    "c703c300",          // an empty list of methods
		"c305c300 01 00000001 01 01":                    "c701c30c00",        // values for nothing
		"c304c3 00460000 60030aff01 01 00000001 01 09":  "c701c30c00",        // no value
		"c305c301 00460000 60030aff01 01 00000001 0100": "c701c30c00",        // one value missing
	} {
		served(t, s, unhex(request), want, true)
	}
}

// TestActionAnswers are answers to ACTION that a client must understand or refuse.
func TestActionAnswers(t *testing.T) {
	long := axdr.AppendOctets(nil, bytes.Repeat([]byte{9}, 300))
	for name, tt := range map[string]struct {
		op   Op
		up   []string
		err  error
		data []byte
		want Counts
	}{
		"value in blocks":              {Action(switchRef, nil), []string{"c702c1 00 00000001 02 0901", "c702c1 01 00000002 01 07"}, nil, unhex("090107"), Counts{}},
		"result in blocks":             {Action(switchRef, nil), []string{"c702c1 00 00000001 02 0009", "c702c1 01 00000002 02 0107"}, nil, unhex("090107"), Counts{LooseActions: 1}},
		"rubbish in blocks":            {Action(switchRef, nil), []string{"c702c1 01 00000001 02 0909"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"wrong block":                  {Action(switchRef, nil), []string{"c702c1 00 00000002 02 0901"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"list for one":                 {Action(switchRef, nil), []string{"c703c1 01 0000"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"acknowledged without a block": {Action(switchRef, nil), []string{"c704c1 00000001"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"done before all was sent":     {Action(switchRef, long), []string{"c701c1 00 00"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"refused before all was sent":  {Action(switchRef, long), []string{"c701c1 0f 00"}, nil, nil, Counts{}},
		"another block acknowledged":   {Action(switchRef, long), []string{"c704c1 00000002"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"one short": {
			ActionAll([]cosem.Ref{switchRef, switchRef}, [][]byte{nil, nil}), []string{"c703c1 01 0000"}, ErrGarbled, nil, Counts{Garbled: 1},
		},
		"one for all": {
			ActionAll([]cosem.Ref{switchRef, switchRef}, [][]byte{nil, nil}), []string{"c701c1 03 00"}, nil, nil, Counts{},
		},
		"SET, one short":   {SetAll([]cosem.Ref{clockRef, clockRef}, [][]byte{{0}, {0}}), []string{"c505c1 01 00"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"SET, one for all": {SetAll([]cosem.Ref{clockRef, clockRef}, [][]byte{{0}, {0}}), []string{"c501c1 00"}, ErrGarbled, nil, Counts{Garbled: 1}},
		"access, one short": {
			Access(apdu.AccessItem{Kind: apdu.AccessGet, Ref: clockRef}), []string{"da c0000001 00 00 00 00"}, ErrGarbled, nil, Counts{Garbled: 1},
		},
		"access, another service": {
			Access(apdu.AccessItem{Kind: apdu.AccessGet, Ref: clockRef}), []string{"da c0000001 00 00 01 00 01 0200"}, ErrGarbled, nil, Counts{Garbled: 1},
		},
		"access, another request": {
			Access(apdu.AccessItem{Kind: apdu.AccessGet, Ref: clockRef}),
			[]string{"da c0000002 00 00 01 00 01 0100", "da c0000001 00 00 01 1107 01 0100"},
			nil, unhex("1107"),
			Counts{Ignored: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := pairWith(t, same("", Keys{}), 134, 1, nil)
			p.must(Open())
			p.ask(tt.op)
			var e Effects
			var err error
			for _, up := range tt.up {
				b := unhex(up)
				if b[0] == byte(apdu.TagActionResponse) || b[0] == byte(apdu.TagSetResponse) {
					b[2] = byte(p.client.invoke)
				}
				if e, err = p.client.Receive(b); err != nil {
					break
				}
			}
			if !errors.Is(err, tt.err) || p.client.Counts() != tt.want {
				t.Fatalf("%v, %+v", err, p.client.Counts())
			}
			if err == nil && (!e.Done || !bytes.Equal(e.Results[0].Data, tt.data)) {
				t.Errorf("%+v", e)
			}
		})
	}
}
