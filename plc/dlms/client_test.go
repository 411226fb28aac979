package dlms

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// openPair is a pair whose association is open.
func openPair(t testing.TB, keys Keys, maxPDU, rows int) *pair {
	t.Helper()
	p := newPair(t, keys, maxPDU, rows)
	p.must(Open())
	return p
}

// ask starts op and returns the request, still unanswered.
func (p *pair) ask(op Op) []byte {
	p.t.Helper()
	down, err := p.client.Start(op)
	if err != nil {
		p.t.Fatal(err)
	}
	return down
}

// sealed is plain as the meter, or a forger who has its keys, would protect it.
func sealed(t testing.TB, control cipher.Control, sender plc.SystemTitle, counter uint32, plain string) []byte {
	t.Helper()
	suite, err := cipher.NewSuite(gmacKeys.Encryption, gmacKeys.Authentication)
	if err != nil {
		t.Fatal(err)
	}
	b := unhex(plain)
	text, err := suite.Protect(nil, control, sender, counter, b)
	if err != nil {
		t.Fatal(err)
	}
	tag, ok := apdu.Tag(b[0]).Glo()
	if !ok {
		t.Fatalf("%v has no ciphered form", apdu.Tag(b[0]))
	}
	return apdu.Ciphered{Tag: tag, Text: text}.Append(nil)
}

// unmoved runs f and checks that it changed nothing that matters.
func unmoved(t *testing.T, c *Client, f func()) {
	t.Helper()
	state, busy, peer := c.state, c.Busy(), c.peer
	f()
	if c.state != state || c.Busy() != busy || c.peer != peer {
		t.Errorf("state %v, busy %t, counters %v: were %v, %t, %v", c.state, c.Busy(), c.peer, state, busy, peer)
	}
}

func TestReplayIsRefused(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	old := p.server.Receive(testTime, p.ask(Get(energyRef)))
	if e, err := p.client.Receive(old); err != nil || !e.Done {
		t.Fatal(err)
	}
	newer := p.server.Receive(testTime, p.ask(Get(energyRef)))
	if e, err := p.client.Receive(newer); err != nil || !e.Done {
		t.Fatal(err)
	}
	p.ask(Get(clockRef))
	unmoved(t, p.client, func() {
		if _, err := p.client.Receive(old); !errors.Is(err, ErrReplayed) || !errors.Is(err, ErrForged) {
			t.Errorf("recording of this session: %v", err)
		}
	})
	unmoved(t, p.client, func() {
		if e, err := p.client.Receive(newer); err != nil || !e.Ignored {
			t.Errorf("the very last answer twice: %+v, %v; want it ignored", e, err)
		}
	})
	last, ok := p.client.LastPeerCounter()
	if !ok {
		t.Fatal("no counter of the meter")
	}

	cfg := clientConfig(gmacKeys, 239)
	cfg.LastPeerCounter, cfg.SeenPeer = last, true
	next := NewClient(cfg)
	if _, err := next.Start(Open()); err != nil {
		t.Fatal(err)
	}
	unmoved(t, next, func() {
		if _, err := next.Receive(p.up[0]); !errors.Is(err, ErrReplayed) {
			t.Errorf("recorded AARE in the next session: %v", err)
		}
		if e, err := next.Receive(newer); err != nil || !e.Ignored {
			t.Errorf("recorded answer of the session before, the last one: %+v, %v", e, err)
		}
		if _, err := next.Receive(old); !errors.Is(err, ErrReplayed) {
			t.Errorf("recorded answer of the session before: %v", err)
		}
	})

	// Another meter with the same keys: its title is in every tag.
	cfg = clientConfig(gmacKeys, 239)
	cfg.ServerTitle = plc.MustSystemTitle([]byte("MMM\x00\x00\x00\x00\x02"))
	other := NewClient(cfg)
	if _, err := other.Start(Open()); err != nil {
		t.Fatal(err)
	}
	other.state = Opened
	unmoved(t, other, func() {
		if _, err := other.Receive(newer); !errors.Is(err, ErrForged) || errors.Is(err, ErrReplayed) {
			t.Errorf("recorded answer at the address of another meter: %v", err)
		}
	})
}

// TestReplayedHandshake plays a whole recorded session to a client that knows no
// counter of the meter yet. Its fresh challenge is what finds it out.
func TestReplayedHandshake(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	c := NewClient(clientConfig(gmacKeys, 239))
	if _, err := c.Start(Open()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(p.up[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(p.up[1]); !errors.Is(err, ErrForged) || c.State() != Closed || c.Busy() {
		t.Errorf("recorded proof: %v, %v", c.State(), err)
	}
}

func TestWeakerAnswersAreRefused(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	good := p.server.Receive(testTime, p.ask(Get(energyRef)))
	const lie = "c401c3000600000000"
	for id, b := range map[string][]byte{
		"plain":                unhex(lie),
		"authenticated only":   sealed(t, cipher.Authenticated, meterTitle, 1000, lie),
		"encrypted only":       sealed(t, cipher.Encrypted, meterTitle, 1000, lie),
		"from us":              sealed(t, cipher.AuthenticatedEncrypted, clientTitle, 1000, lie),
		"our request back":     p.down[len(p.down)-1],
		"general, other title": apdu.GeneralGlo{Title: clientTitle.Bytes(), Text: good[2:]}.Append(nil),
		"plain SET response":   unhex("c501c300"),
	} {
		t.Run(id, func(t *testing.T) {
			unmoved(t, p.client, func() {
				if _, err := p.client.Receive(b); !errors.Is(err, ErrForged) {
					t.Errorf("%v: want it not believed", err)
				}
			})
		})
	}
	if e, err := p.client.Receive(good); err != nil || !e.Done {
		t.Errorf("the true answer after all that: %v", err)
	}
	if n := p.client.Counts().Forged; n != 7 {
		t.Errorf("%d forged answers counted, want 7", n)
	}
}

func TestAlteredAnswersMoveNothing(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	good := p.server.Receive(testTime, p.ask(Get(energyRef)))
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			unmoved(t, p.client, func() {
				e, err := p.client.Receive(b)
				if !errors.Is(err, ErrForged) && !errors.Is(err, ErrGarbled) && !e.Ignored {
					t.Errorf("octet %d, bit %d: %+v, %v", i, bit, e, err)
				}
			})
		}
		unmoved(t, p.client, func() {
			if _, err := p.client.Receive(good[:i]); !errors.Is(err, ErrGarbled) && !errors.Is(err, ErrForged) {
				t.Errorf("cut to %d octets: %v", i, err)
			}
		})
	}
	if e, err := p.client.Receive(good); err != nil || !e.Done {
		t.Errorf("the true answer after all that: %v", err)
	}
}

// TestDowngradeIsRefused gives answers to an association request that grant less
// protection than was asked for, or send our own challenge back.
func TestDowngradeIsRefused(t *testing.T) {
	info := apdu.NewInitiateResponse(DefaultConformance, 239)
	plain := info.Append(nil)
	good := sealed(t, cipher.AuthenticatedEncrypted, meterTitle, 5, fmt.Sprintf("%x", plain))
	aare := acse.AARE{
		Context: acse.LogicalNamesCipher, Diagnostic: acse.AuthenticationRequired, Mechanism: HLSGMAC,
		Authentication: []byte("P6wRJ21F"), RespondingTitle: meterTitle.Bytes(), UserInfo: good,
	}
	for id, tt := range map[string]struct {
		change func(*acse.AARE)
		want   error
	}{
		"no proof wanted":         {func(a *acse.AARE) { a.Diagnostic = acse.NoDiagnostic }, ErrForged},
		"password":                {func(a *acse.AARE) { a.Mechanism = LLS }, ErrForged},
		"no mechanism":            {func(a *acse.AARE) { a.Mechanism = None }, ErrForged},
		"context without ciphers": {func(a *acse.AARE) { a.Context = acse.LogicalNames }, ErrForged},
		"our own challenge":       {func(a *acse.AARE) { a.Authentication = []byte("K56iVagY") }, ErrForged},
		"other title":             {func(a *acse.AARE) { a.RespondingTitle = clientTitle.Bytes() }, ErrForged},
		"plain initiate response": {func(a *acse.AARE) { a.UserInfo = plain }, ErrForged},
		"authenticated only": {func(a *acse.AARE) {
			a.UserInfo = sealed(t, cipher.Authenticated, meterTitle, 5, fmt.Sprintf("%x", plain))
		}, ErrForged},
		"short challenge":      {func(a *acse.AARE) { a.Authentication = []byte("1234567") }, ErrGarbled},
		"long challenge":       {func(a *acse.AARE) { a.Authentication = make([]byte, 65) }, ErrGarbled},
		"no user information":  {func(a *acse.AARE) { a.UserInfo = nil }, ErrGarbled},
		"a service inside":     {func(a *acse.AARE) { a.UserInfo = sealed(t, 0x30, meterTitle, 5, "c401c1000600000000") }, ErrGarbled},
		"nothing wrong at all": {func(*acse.AARE) {}, nil},
	} {
		t.Run(id, func(t *testing.T) {
			cfg := clientConfig(gmacKeys, 239)
			cfg.Challenge = []byte("K56iVagY")
			c := NewClient(cfg)
			if _, err := c.Start(Open()); err != nil {
				t.Fatal(err)
			}
			a := aare
			tt.change(&a)
			_, err := c.Receive(a.Append(nil))
			if tt.want == nil {
				if err != nil || c.State() != Authenticating {
					t.Fatalf("%v, %v", c.State(), err)
				}
				return
			}
			if !errors.Is(err, tt.want) || c.State() != Opening || !c.Busy() {
				t.Errorf("%v, busy %t, %v; want %v and to keep waiting", c.State(), c.Busy(), err, tt.want)
			}
		})
	}
}

func TestLLSDowngradeIsRefused(t *testing.T) {
	c := NewClient(clientConfig(llsKeys, 239))
	if _, err := c.Start(Open()); err != nil {
		t.Fatal(err)
	}
	info := apdu.NewInitiateResponse(DefaultConformance, 239)
	a := acse.AARE{
		Context: acse.LogicalNames, Diagnostic: acse.AuthenticationRequired, Mechanism: HLSGMAC,
		Authentication: []byte("P6wRJ21F"), UserInfo: info.Append(nil),
	}
	if _, err := c.Receive(a.Append(nil)); !errors.Is(err, ErrGarbled) || c.State() != Opening {
		t.Errorf("another mechanism: %v, %v", c.State(), err)
	}
	info.Version = 5
	a = acse.AARE{Context: acse.LogicalNames, UserInfo: info.Append(nil)}
	var r *RefusedError
	if _, err := c.Receive(a.Append(nil)); !errors.As(err, &r) || r.Refusal != RefusedAssociation || c.State() != Closed {
		t.Errorf("version 5: %v, %v", c.State(), err)
	}
}

// TestMeterWithoutProof has a meter that holds the keys but proves another challenge.
func TestMeterWithoutProof(t *testing.T) {
	for id, tt := range map[string]struct {
		reply   string
		refusal Refusal
		want    error
	}{
		"no proof":     {"c701c10000", 0, ErrGarbled},
		"not octets":   {"c701c10001000600000000", 0, ErrGarbled},
		"short proof":  {"c701c1000100090410000000", 0, ErrForged},
		"other proof":  {"c701c100010009111001234567fe1466afb3dbcd4f9389e2b7", 0, ErrForged},
		"refused":      {"c701c1fa00", RefusedAuthentication, nil},
		"other invoke": {"c701c70000", 0, nil},
		"octets after": {"c701c1000000", 0, ErrGarbled},
	} {
		t.Run(id, func(t *testing.T) {
			p := newPair(t, gmacKeys, 239, 1)
			if _, err := p.exchange(p.ask(Open())); err != nil {
				t.Fatal(err)
			}
			reply := tt.reply
			if id == "short proof" {
				reply = "c701c10001000904100000 00"
			}
			e, err := p.client.Receive(sealed(t, 0x30, meterTitle, 100, reply))
			var r *RefusedError
			switch {
			case tt.refusal != 0:
				if !errors.As(err, &r) || r.Refusal != tt.refusal || p.client.State() != Closed {
					t.Errorf("%v, %v", p.client.State(), err)
				}
			case tt.want == nil:
				if err != nil || !e.Ignored || p.client.State() != Authenticating {
					t.Errorf("%+v, %v, %v", e, p.client.State(), err)
				}
			case !errors.Is(err, tt.want) || p.client.State() == Opened:
				t.Errorf("%v, %v", p.client.State(), err)
			}
		})
	}
}

func TestConstantChallengeIsCounted(t *testing.T) {
	p := newPair(t, gmacKeys, 239, 1)
	p.server.cfg.Challenge = []byte("always this")
	for range 3 {
		p.must(Open())
		p.must(Release())
	}
	if n := p.client.Counts().ConstantChallenges; n != 2 {
		t.Errorf("%d constant challenges counted, want 2", n)
	}
	p = newPair(t, gmacKeys, 239, 1)
	for range 3 {
		p.must(Open())
		p.must(Release())
	}
	if n := p.client.Counts().ConstantChallenges; n != 0 {
		t.Errorf("%d constant challenges counted of a good meter", n)
	}
}

// TestCountersAreNeverReused runs a long session with losses and looks at every counter
// on the wire.
func TestCountersAreNeverReused(t *testing.T) {
	p := newPair(t, gmacKeys, 134, 30)
	seen := map[string]bool{}
	note := func(who string, b []byte) {
		if len(b) == 0 {
			return
		}
		w, err := unwrap(b)
		if err != nil {
			return
		}
		id := who + fmt.Sprintf("%X", w.Counter)
		if seen[id] {
			t.Errorf("counter %s used twice", id)
		}
		seen[id] = true
	}
	p.must(Open())
	down := p.ask(Get(profileRef, clockRef))
	for i := 0; ; i++ {
		note("C", down)
		up := p.server.Receive(testTime, down)
		note("M", up)
		var err error
		if i%3 == 0 { // the answer is lost
			if down, err = p.client.Resend(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		e, err := p.client.Receive(up)
		if err != nil {
			t.Fatal(err)
		}
		if e.Done {
			if !bytes.Equal(e.Results[0].Data, profile(30)) {
				t.Error("profile came back changed")
			}
			break
		}
		down = e.Down
	}
	if len(seen) < 20 {
		t.Errorf("only %d counters seen", len(seen))
	}
}

func TestLateAndForeignAnswersAreIgnored(t *testing.T) {
	for _, keys := range mechanisms {
		p := openPair(t, keys, 239, 1)
		late := p.server.Receive(testTime, p.ask(Get(energyRef)))
		p.client.Abort()
		if p.client.State() != Opened {
			t.Fatalf("after Abort: %v", p.client.State())
		}
		if e, err := p.client.Receive(late); err != nil || !e.Ignored {
			t.Errorf("%v: answer after Abort: %+v, %v", keys, e, err)
		}
		down := p.ask(Get(energyRef))
		late = p.server.Receive(testTime, down)
		p.client.Abort()
		p.ask(Get(clockRef))
		if e, err := p.client.Receive(late); err != nil || !e.Ignored {
			t.Errorf("%v: late answer to the request before: %+v, %v", keys, e, err)
		}
		if e, err := p.client.Receive(p.up[0]); !e.Ignored || err != nil {
			t.Errorf("%v: the AARE once more: %+v, %v", keys, e, err)
		}
		if e, err := p.client.Receive(unhex("0f000001db000100")); !e.Ignored || err != nil {
			t.Errorf("%v: a push in between: %+v, %v", keys, e, err)
		}
		if n := p.client.Counts().Ignored; n != 4 {
			t.Errorf("%v: %d ignored, want 4", keys, n)
		}
	}
}

func TestResend(t *testing.T) {
	for _, keys := range mechanisms {
		t.Run(keys.Mechanism.String(), func(t *testing.T) {
			p := newPair(t, keys, 134, 20)
			if _, err := p.client.Resend(); !errors.Is(err, ErrIdle) {
				t.Errorf("nothing to resend: %v", err)
			}
			for _, op := range []Op{Open(), Get(profileRef, energyRef), Set(clockRef, unhex("0600000001")), Action(switchRef, nil), Release()} {
				finish(t, p, op)
			}
			if n := strings.Count(strings.Join(p.tree.calls, "\n"), "set 8/"); n != 1 {
				t.Errorf("the clock was set %d times", n)
			}
			if n := strings.Count(strings.Join(p.tree.calls, "\n"), "action 70/"); n != 1 {
				t.Errorf("the method was invoked %d times", n)
			}
		})
	}
}

// finish runs op with every answer lost once: each request is sent twice.
func finish(t *testing.T, p *pair, op Op) {
	t.Helper()
	down := p.ask(op)
	for range 200 {
		if p.server.Receive(testTime, down) == nil {
			t.Fatal("no answer")
		}
		again, err := p.client.Resend()
		if err != nil {
			t.Fatal(err)
		}
		if p.client.shield != nil && bytes.Equal(again, down) {
			t.Fatal("sent the same ciphered octets twice")
		}
		e, err := p.client.Receive(p.server.Receive(testTime, again))
		if err != nil {
			t.Fatal(err)
		}
		if e.Done {
			return
		}
		down = e.Down
	}
	t.Fatal("does not end")
}

// TestLateAAREAfterResend has the answer to the first association request arrive after
// the second request went out, and the answer to the second later still.
func TestLateAAREAfterResend(t *testing.T) {
	p := newPair(t, gmacKeys, 239, 1)
	first := p.server.Receive(testTime, p.ask(Open()))
	again, err := p.client.Resend()
	if err != nil {
		t.Fatal(err)
	}
	second := p.server.Receive(testTime, again)
	e, err := p.client.Receive(first)
	if err != nil {
		t.Fatal(err)
	}
	up := p.server.Receive(testTime, e.Down)
	e, err = p.client.Receive(second)
	if err != nil || e.Down == nil {
		t.Fatalf("second AARE: %+v, %v", e, err)
	}
	if e, err := p.client.Receive(up); err == nil && !e.Ignored {
		t.Errorf("proof for the first: %+v", e)
	}
	if e, err := p.client.Receive(p.server.Receive(testTime, e.Down)); err != nil || !e.Done {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestBrokenBlockTransfer(t *testing.T) {
	block := func(n uint32, last bool, raw string) string {
		g := apdu.GetResponse{Invoke: 0xC1, Block: &apdu.DataBlock{Last: last, Number: n, Raw: []byte(raw)}}
		return fmt.Sprintf("%x", g.Append(nil))
	}
	whole := fmt.Sprintf("%x", axdr.AppendOctets(nil, []byte("01234567")))
	text := string(unhex(whole))
	for id, tt := range map[string]struct {
		answers []string
		want    string // of the error, or of the data when it begins with 09
	}{
		"two blocks":        {[]string{block(1, false, text[:4]), block(2, true, text[4:])}, whole},
		"one block":         {[]string{block(1, true, text)}, whole},
		"repeated block":    {[]string{block(1, false, text[:4]), block(1, false, text[:4]), block(2, true, text[4:])}, whole},
		"gap":               {[]string{block(1, false, text[:4]), block(3, true, text[4:])}, "block 3 where block 2 should come"},
		"begins with 2":     {[]string{block(2, false, text[:4])}, "block 2 where block 1 should come"},
		"begins with 0":     {[]string{block(0, false, text[:4])}, "block 0 where block 1 should come"},
		"empty block":       {[]string{block(1, false, "")}, "block 1 is empty"},
		"half a value":      {[]string{block(1, true, text[:4])}, "blocks joined"},
		"more than a value": {[]string{block(1, true, text+"x")}, "1 octets behind"},
		"too much":          {[]string{block(1, false, strings.Repeat("x", 60)), block(2, false, strings.Repeat("x", 60))}, "more than 100 octets"},
		"whole in between":  {[]string{block(1, false, text[:4]), "c401c1000600000000"}, "in the middle"},
		"list for one":      {[]string{"c403c101000600000000"}, "1 results where 1"},
		"two for one":       {[]string{"c403c10200000000"}, "2 results where 1"},
	} {
		t.Run(id, func(t *testing.T) {
			p := openPair(t, Keys{}, 239, 1)
			p.client.cfg.MaxTransfer = 100
			p.ask(Get(energyRef))
			var e Effects
			var err error
			for _, a := range tt.answers {
				if e, err = p.client.Receive(unhex(a)); err != nil || e.Done {
					break
				}
			}
			switch {
			case strings.HasPrefix(tt.want, "09"):
				if err != nil || !e.Done || fmt.Sprintf("%x", e.Results[0].Data) != tt.want {
					t.Errorf("%+v, %v", e, err)
				}
			case !errors.Is(err, ErrGarbled) || !strings.Contains(err.Error(), tt.want) || p.client.Busy() || p.client.State() != Opened:
				t.Errorf("%v; busy %t, %v", err, p.client.Busy(), p.client.State())
			}
		})
	}
}

// TestTransferRefusedInTheMiddle is a meter that restarted during a transfer.
func TestTransferRefusedInTheMiddle(t *testing.T) {
	p := openPair(t, Keys{}, 134, 20)
	e, err := p.exchange(p.ask(Get(profileRef)))
	if err != nil {
		t.Fatal(err)
	}
	p.server.forget()
	if e, err = p.exchange(e.Down); err != nil || !e.Done || e.Results[0].Access != cosem.NoLongGet {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestStrangeAnswers(t *testing.T) {
	long := append(unhex("c401c20009820100"), make([]byte, 256)...)
	for _, keys := range mechanisms {
		for id, tt := range map[string]struct {
			answer []byte
			busy   bool // whether the client still waits for the real answer
		}{
			"nothing":            {nil, true},
			"unknown tag":        {unhex("d901"), true},
			"a request":          {unhex("c001c1000100002b0100ff0200"), true},
			"longer than agreed": {long, keys.Mechanism == HLSGMAC},
			"ciphered":           {sealed(t, 0x30, clientTitle, 1000, "c401c1000600000000"), true},
			"exception cut":      {unhex("d801"), true},
			"error cut":          {unhex("0e01"), true},
		} {
			p := openPair(t, keys, 239, 1)
			p.ask(Get(energyRef))
			_, err := p.client.Receive(tt.answer)
			if !errors.Is(err, ErrGarbled) && !errors.Is(err, ErrForged) || p.client.Busy() != tt.busy || p.client.State() != Opened {
				t.Errorf("%v, %s: %v; busy %t, %v", keys, id, err, p.client.Busy(), p.client.State())
			}
			if c := p.client.Counts(); c.Forged+c.Garbled != 1 {
				t.Errorf("%v, %s: %+v", keys, id, c)
			}
		}
	}
}

// TestListsAreCut: many attributes go in several requests, as many as fit each.
func TestListsAreCut(t *testing.T) {
	var refs []cosem.Ref
	for range 70 {
		refs = append(refs, energyRef, unknownRef)
	}
	for _, keys := range mechanisms {
		for _, maxPDU := range []int{134, 65535} {
			p := openPair(t, keys, maxPDU, 1)
			r := p.must(Get(refs...))
			if len(r) != len(refs) {
				t.Fatalf("%d results for %d attributes", len(r), len(refs))
			}
			for i := range r {
				if want := cosem.ObjectUndefined; i%2 == 1 && r[i].Access != want || i%2 == 0 && !bytes.Equal(r[i].Data, unhex("0600001391")) {
					t.Fatalf("result %d: %v", i, r[i])
				}
			}
			if n := len(refs)/maxListed + 1; maxPDU == 65535 && p.server.Counts().Requests > n+1 {
				t.Errorf("%d requests, want %d", p.server.Counts().Requests, n)
			}
			for _, b := range p.down {
				if len(b) > maxPDU {
					t.Errorf("a request of %d octets to a meter that takes %d", len(b), maxPDU)
				}
			}
		}
	}
}

// TestListInBlocksOfWrongCount: the blocks joined must hold as many results as were
// asked for.
func TestListInBlocksOfWrongCount(t *testing.T) {
	p := openPair(t, Keys{}, 239, 1)
	p.ask(Get(energyRef, clockRef))
	_, err := p.client.Receive(unhex("c402c10100000001000701000600001391"))
	if !errors.Is(err, ErrGarbled) || !strings.Contains(err.Error(), "1 results where 2") || p.client.Busy() {
		t.Errorf("%v, busy %t", err, p.client.Busy())
	}
}

func TestExceptions(t *testing.T) {
	for _, tt := range []struct {
		octets  string
		refusal Refusal
		state   State
		words   string
	}{
		{"d80101", RefusedLost, Closed, "open it again"},
		{"d80102", RefusedLost, Closed, "open it again"},
		{"d80202", RefusedService, Opened, "does not offer"},
		{"d80203", RefusedService, Opened, "does not offer"},
		{"d80104", RefusedService, Opened, "less at a time"},
		{"d80105", RefusedAuthentication, Closed, "compare both"},
		{"d8010600000100", RefusedCounter, Closed, "expects 256"},
		{"d80106", RefusedCounter, Closed, "raise it"},
		{"0e050501", RefusedService, Opened, "access error 1"},
	} {
		for _, keys := range mechanisms {
			p := openPair(t, keys, 239, 1)
			p.ask(Get(energyRef))
			_, err := p.client.Receive(unhex(tt.octets))
			var r *RefusedError
			if !errors.As(err, &r) || r.Refusal != tt.refusal || p.client.State() != tt.state || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%s, %v: %v, %v", tt.octets, keys, p.client.State(), err)
			}
			if r != nil && (r.Unauthenticated != (keys.Mechanism == HLSGMAC) || r.Refusal == RefusedCounter && len(tt.octets) > 6 && r.Counter != 256) {
				t.Errorf("%s, %v: %+v", tt.octets, keys, r)
			}
			if p.client.Busy() {
				t.Errorf("%s, %v: still busy", tt.octets, keys)
			}
			if e, err := p.client.Receive(unhex(tt.octets)); err != nil || !e.Ignored {
				t.Errorf("%s, %v, with nothing under way: %+v, %v", tt.octets, keys, e, err)
			}
		}
	}
}

func TestNotGranted(t *testing.T) {
	p := newPair(t, llsKeys, 239, 1)
	p.server.cfg.Conformance = apdu.Get
	p.must(Open())
	selected := energyRef
	selected.Select = &cosem.Selection{Selector: 2, Parameters: unhex("00")}
	for _, op := range []Op{Get(selected), Set(clockRef, unhex("00")), Action(switchRef, nil)} {
		_, err := p.do(op)
		var r *RefusedError
		if !errors.As(err, &r) || r.Refusal != RefusedConformance || p.client.State() != Opened {
			t.Errorf("%v, %v", p.client.State(), err)
		}
	}
	if r := p.must(Get(clockRef, energyRef)); len(r) != 2 || r[1].Access != cosem.Success {
		t.Errorf("two attributes without lists: %v", r)
	}
	if granted, limit := p.client.Granted(); granted != apdu.Get || limit != 239 {
		t.Errorf("granted %v, %d", granted, limit)
	}
}

// TestGrantedMoreThanAskedFor: a meter's grant is no reason to use what we did not propose.
func TestGrantedMoreThanAskedFor(t *testing.T) {
	cfg := clientConfig(Keys{}, 239)
	cfg.Conformance = apdu.Get
	c := NewClient(cfg)
	if _, err := c.Start(Open()); err != nil {
		t.Fatal(err)
	}
	i := apdu.NewInitiateResponse(DefaultConformance, 0)
	if e, err := c.Receive(acse.AARE{Context: acse.LogicalNames, UserInfo: i.Append(nil)}.Append(nil)); err != nil || !e.Done {
		t.Fatal(err)
	}
	if granted, limit := c.Granted(); granted != apdu.Get || limit != 0 {
		t.Errorf("granted %v, %d", granted, limit)
	}
}

// TestLongSetAnswers has a meter answer a SET in blocks in other ways than it should.
func TestLongSetAnswers(t *testing.T) {
	for id, tt := range map[string]struct {
		answer string // to block 2; its invoke id is put in
		want   string // of the error; the access result when it is one; "ignored"; "next"
	}{
		"next":               {"c502c100000002", "next"},
		"repeat":             {"c502c100000001", "ignored"},
		"block not sent":     {"c502c100000003", "block 3 acknowledged"},
		"refused":            {"c503c10300000002", "read-write denied"},
		"refused, normal":    {"c501c103", "read-write denied"},
		"success too early":  {"c503c10000000002", "not sent whole"},
		"success, normal":    {"c501c100", "not sent whole"},
		"another invoke id":  {"c502cf00000002", "ignored"},
		"an ACTION response": {"c701c10000", "ignored"},
	} {
		t.Run(id, func(t *testing.T) {
			p := openPair(t, Keys{}, 134, 1)
			e, err := p.exchange(p.ask(Set(profileRef, profile(20))))
			if err != nil || e.Down == nil {
				t.Fatalf("%+v, %v", e, err)
			}
			answer := unhex(tt.answer)
			if answer[invokeAt] == 0xC1 {
				answer[invokeAt] = byte(p.client.invoke)
			}
			e, err = p.client.Receive(answer)
			switch {
			case tt.want == "next":
				if err != nil || e.Down == nil {
					t.Errorf("%+v, %v", e, err)
				}
			case tt.want == "ignored":
				if err != nil || !e.Ignored || !p.client.Busy() {
					t.Errorf("%+v, %v", e, err)
				}
			case err == nil:
				if !e.Done || e.Results[0].Access.String() != tt.want {
					t.Errorf("%+v", e)
				}
			case !errors.Is(err, ErrGarbled) || !strings.Contains(err.Error(), tt.want) || p.client.Busy():
				t.Errorf("%v, busy %t", err, p.client.Busy())
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	p.client.limit, p.client.granted = 60, p.client.granted&^apdu.BlockTransferSet
	_, err := p.do(Set(profileRef, profile(2)))
	var long *TooLongError
	if !errors.As(err, &long) || long.Limit != 60 || p.client.Busy() || p.client.State() != Opened {
		t.Errorf("%v, %v", p.client.State(), err)
	}
	p.client.limit, p.client.granted = 36, p.client.granted|apdu.BlockTransferSet
	if _, err = p.do(Set(profileRef, profile(2))); !errors.As(err, &long) || p.client.Busy() {
		t.Errorf("no room for one octet of a block: %v", err)
	}
	p.client.limit = 40
	if r := p.must(Set(profileRef, profile(2))); r[0].Access != cosem.Success {
		t.Errorf("in many small blocks: %v", r[0].Access)
	}
	if r := p.must(Get(profileRef)); !bytes.Equal(r[0].Data, profile(2)) {
		t.Error("what was set in small blocks came back changed")
	}
}

func TestCallersFaults(t *testing.T) {
	p := openPair(t, llsKeys, 239, 1)
	bad := energyRef
	bad.Select = &cosem.Selection{Selector: 1}
	for id, op := range map[string]Op{
		"no kind": {}, "GET of nothing": Get(), "selection": Get(bad), "SET of nothing": Set(clockRef, nil),
		"SET of two": Set(clockRef, unhex("0000")), "parameter": Action(switchRef, unhex("09")),
	} {
		if down, err := p.client.Start(op); err == nil || down != nil || p.client.Busy() {
			t.Errorf("%s: % X, %v", id, down, err)
		}
	}
	p.ask(Get(energyRef))
	if _, err := p.client.Start(Get(energyRef)); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
	for id, cfg := range map[string]ClientConfig{
		"no password":   {Keys: Keys{Mechanism: LLS}},
		"no keys":       {Keys: Keys{Mechanism: HLSGMAC}},
		"HLS-SHA1":      {Keys: Keys{Mechanism: 4}},
		"no counter":    {Keys: gmacKeys, ClientTitle: clientTitle, ServerTitle: meterTitle},
		"no title":      {Keys: gmacKeys, ServerTitle: meterTitle, Counter: counterFrom(1)},
		"MaxPDU of 11":  {MaxPDU: 11},
		"no randomness": {Keys: gmacKeys, ClientTitle: clientTitle, ServerTitle: meterTitle, Counter: counterFrom(1), Rand: strings.NewReader("")},
		"challenge":     {Keys: gmacKeys, ClientTitle: clientTitle, ServerTitle: meterTitle, Counter: counterFrom(1), Challenge: []byte("1234567")},
	} {
		c := NewClient(cfg)
		if down, err := c.Start(Open()); err == nil || down != nil || c.Busy() || c.State() != Closed {
			t.Errorf("%s: % X, %v, %v", id, down, c, err)
		}
	}
}

// TestCountersSpent: the client sends nothing, and says what to do, when its counters
// are at their end or cannot be drawn.
func TestCountersSpent(t *testing.T) {
	p := openPair(t, gmacKeys, 134, 20)
	p.client.counter = counters(0xFFFFFFFF)
	e, err := p.exchange(p.ask(Get(profileRef)))
	if !errors.Is(err, ErrCounterSpent) || e.Down != nil || p.client.Busy() {
		t.Errorf("the request after the last counter: %v", err)
	}
	if _, err := p.client.Start(Get(energyRef)); !errors.Is(err, ErrCounterSpent) {
		t.Errorf("a new operation: %v", err)
	}
	p.client.Reset()
	if down, err := p.client.Start(Open()); !errors.Is(err, ErrCounterSpent) || down != nil || p.client.Busy() {
		t.Errorf("a new association: %v", err)
	}
}

func TestAbortAndReset(t *testing.T) {
	p := newPair(t, gmacKeys, 239, 1)
	e, err := p.exchange(p.ask(Open()))
	if err != nil || p.client.State() != Authenticating || !p.client.Busy() {
		t.Fatalf("%+v, %v", e, err)
	}
	p.client.Abort()
	if p.client.State() != Closed || p.client.Busy() {
		t.Errorf("after Abort of a handshake: %v", p.client)
	}
	p.must(Get(energyRef))
	last, _ := p.client.LastPeerCounter()
	p.client.Reset()
	if again, ok := p.client.LastPeerCounter(); p.client.State() != Closed || !ok || again != last {
		t.Errorf("Reset: %v, counter %d, was %d", p.client, again, last)
	}
	p.must(Get(energyRef))
	// A meter that restarted knows of no association, and the client is told so.
	p.server.Reset()
	var r *RefusedError
	if _, err := p.do(Get(energyRef)); !errors.As(err, &r) || r.Refusal != RefusedLost || p.client.State() != Closed {
		t.Errorf("after a restart of the meter: %v, %v", p.client, err)
	}
	p.must(Get(energyRef))
}

// TestSecretsAreHidden prints everything that holds keys in every way logs do.
func TestSecretsAreHidden(t *testing.T) {
	keys := Keys{Mechanism: LLS, Password: []byte("password")}
	lls, gmac := openPair(t, keys, 239, 1), openPair(t, gmacKeys, 239, 1)
	for _, v := range []any{
		keys, &keys, gmacKeys, lls.client, lls.server, gmac.client, gmac.server, *lls.client, *gmac.client, *lls.server, *gmac.server,
		clientConfig(keys, 239), serverConfig(gmacKeys, 239), clientConfig(gmacKeys, 239),
		struct{ c *Client }{lls.client},
		struct{ c *Client }{gmac.client},
		struct{ s *Server }{lls.server},
		struct{ s *Server }{gmac.server},
	} {
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("test", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("test", "value", v)
		for _, text := range append(texts, log.String()) {
			for _, leak := range []string{"password", "70617373", "112 97 115", "0x70, 0x61", "cGFzc3", "0 1 2 3 4", "00010203", "0x0, 0x1, 0x2", "208 209", "d0d1", "D0D1", "0xd0, 0xd1"} {
				if strings.Contains(text, leak) {
					t.Errorf("%T prints %q in %.300s", v, leak, text)
				}
			}
		}
	}
}
