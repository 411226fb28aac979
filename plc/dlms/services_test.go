package dlms

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// ends are the keys of a client and of the meter that fits him.
type ends struct {
	name          string
	client, meter Keys
}

func same(name string, k Keys) ends { return ends{name, k, k} }

// endsOf are all mechanisms, suites and protections.
func endsOf(t testing.TB) []ends {
	t.Helper()
	secret := func(m Mechanism) Keys {
		return Keys{Mechanism: m, Password: []byte("Gurux"), AllowMaker: m == HLSMaker}
	}
	ciphered := func(k Keys, c cipher.Control) Keys {
		k.Protection, k.Encryption, k.Authentication = c, gmacKeys.Encryption, gmacKeys.Authentication
		return k
	}
	gmac := func(change func(*Keys)) Keys {
		k := gmacKeys
		change(&k)
		return k
	}
	long := cipher.Secret(bytes.Repeat([]byte{0x5A}, 32))
	all := []ends{
		same("none", Keys{}),
		same("LLS", llsKeys),
		same("LLS ciphered", ciphered(llsKeys, cipher.AuthenticatedEncrypted)),
		same("none authenticated", ciphered(Keys{}, cipher.Authenticated)),
		same("none encrypted", ciphered(Keys{}, cipher.Encrypted)),
		same("HLS 2", secret(HLSMaker)),
		same("HLS 3", secret(HLSMD5)),
		same("HLS 4", secret(HLSSHA1)),
		same("HLS 6", secret(HLSSHA256)),
		same("HLS 6 ciphered", ciphered(secret(HLSSHA256), cipher.AuthenticatedEncrypted)),
		same("HLS 5 suite 0", gmacKeys),
		same("HLS 5 authenticated", gmac(func(k *Keys) { k.Protection = cipher.Authenticated })),
		same("HLS 5 in clear", gmac(func(k *Keys) { k.Unciphered = true })),
		same("HLS 5 suite 1", gmac(func(k *Keys) { k.Suite = 1 })),
		same("HLS 5 suite 2", Keys{Mechanism: HLSGMAC, Suite: 2, LongEncryption: long, LongAuthentication: long}),
	}
	for suite := uint8(1); suite <= 2; suite++ {
		c, m := signers(t, suite)
		k := gmac(func(k *Keys) { k.Suite, k.LongEncryption, k.LongAuthentication = suite, long, long })
		all = append(all, pairOf(fmt.Sprintf("HLS 7 suite %d", suite), Keys{Mechanism: HLSECDSA, Suite: suite}, c, m))
		k.Mechanism, k.Protection = HLSECDSA, cipher.AuthenticatedEncrypted
		all = append(all, pairOf(fmt.Sprintf("HLS 7 suite %d ciphered", suite), k, c, m))
		k.Sign = true
		all = append(all, pairOf(fmt.Sprintf("HLS 7 suite %d signed", suite), k, c, m))
	}
	c, m := signers(t, 1)
	return append(all, pairOf("HLS 7 signed in clear", Keys{Mechanism: HLSECDSA, Suite: 1, Sign: true}, c, m))
}

// signers are fixed signing keys of a client and a meter.
func signers(t testing.TB, suite uint8) (client, meter *cipher.Signer) {
	t.Helper()
	n := cipher.CurveSize(suite)
	var err error
	if client, err = cipher.NewSigner(suite, bytes.Repeat([]byte{0x11}, n)); err != nil {
		t.Fatal(err)
	}
	if meter, err = cipher.NewSigner(suite, bytes.Repeat([]byte{0x22}, n)); err != nil {
		t.Fatal(err)
	}
	return client, meter
}

func pairOf(name string, k Keys, client, meter *cipher.Signer) ends {
	e := same(name, k)
	clientPublic, _ := cipher.NewVerifier(client.Suite(), client.Public())
	meterPublic, _ := cipher.NewVerifier(meter.Suite(), meter.Public())
	e.client.Signing, e.client.PeerSigning = client, meterPublic
	e.meter.Signing, e.meter.PeerSigning = meter, clientPublic
	return e
}

const fullConformance = DefaultConformance | apdu.Access | apdu.GeneralProtection

// pairWith is a pair with its own configuration of both ends.
func pairWith(t testing.TB, e ends, maxPDU, rows int, change func(*ClientConfig, *ServerConfig)) *pair {
	t.Helper()
	p := &pair{t: t, tree: meterTree(rows)}
	c, s := clientConfig(e.client, maxPDU), serverConfig(e.meter, maxPDU)
	c.Conformance, s.Conformance = fullConformance, fullConformance
	if change != nil {
		change(&c, &s)
	}
	p.client, p.server = NewClient(c), NewServer(s, p.tree)
	return p
}

// TestMechanisms opens, reads, writes, acts and releases with every mechanism, suite and
// protection.
func TestMechanisms(t *testing.T) {
	for _, e := range endsOf(t) {
		for _, maxPDU := range []int{242, 65535} {
			t.Run(fmt.Sprintf("%s/%d", e.name, maxPDU), func(t *testing.T) {
				if maxPDU == 242 && e.client.Sign && e.client.Suite == 2 {
					maxPDU = 400 // titles and a signature of 96 octets
				}
				p := pairWith(t, e, maxPDU, 96, nil)
				p.must(Open())
				talk(t, p)
				lists(t, p)
				p.must(Release())
				if p.client.State() != Closed || p.server.Opened() || p.client.Counts() != (Counts{}) {
					t.Errorf("at the end: %v, %v, %+v", p.client, p.server, p.client.Counts())
				}
			})
		}
	}
}

// TestForms talks in every envelope, with the global key and with a dedicated one.
func TestForms(t *testing.T) {
	for form, want := range map[Form][2]apdu.Tag{
		ServiceForm:   {apdu.TagGloGetRequest, apdu.TagDedGetRequest},
		GeneralForm:   {apdu.TagGeneralGlo, apdu.TagGeneralDed},
		CipheringForm: {apdu.TagGeneralCiphering, apdu.TagGeneralCiphering},
	} {
		for i, dedicated := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/%t", want[i], dedicated), func(t *testing.T) {
				p := pairWith(t, same("", gmacKeys), 242, 96, func(c *ClientConfig, _ *ServerConfig) {
					c.Form, c.Dedicated = form, dedicated
				})
				p.must(Open())
				talk(t, p)
				lists(t, p)
				p.must(Get(energyRef))
				if tag := apdu.TagOf(p.down[len(p.down)-1]); tag != want[i] {
					t.Errorf("request %v, want %v", tag, want[i])
				}
				if up := p.up[len(p.up)-1]; apdu.TagOf(up).Dedicated() != apdu.TagOf(p.down[len(p.down)-1]).Dedicated() {
					t.Errorf("answer %v", apdu.TagOf(up))
				}
				p.must(Release())
			})
		}
	}
}

// lists writes and acts with lists, and uses the access service.
func lists(t *testing.T, p *pair) {
	t.Helper()
	now := unhex("090C07EA0B16FF02000000800000")
	r := p.must(SetAll([]cosem.Ref{clockRef, unknownRef, energyRef}, [][]byte{now, now, unhex("0600001391")}))
	if len(r) != 3 || r[0].Access != cosem.Success || r[1].Access != cosem.ReadWriteDenied || r[2].Access != cosem.Success {
		t.Errorf("SET with list: %v", r)
	}
	long := axdr.AppendOctets(nil, bytes.Repeat([]byte{7}, 1500))
	r = p.must(ActionAll([]cosem.Ref{switchRef, switchRef, unknownRef, switchRef}, [][]byte{unhex("1101"), nil, nil, long}))
	if len(r) != 4 || !bytes.Equal(r[0].Data, unhex("1101")) || r[1].Data != nil || r[2].Access != cosem.ObjectUndefined ||
		!bytes.Equal(r[3].Data, long) {
		t.Errorf("ACTION with list: %d results", len(r))
	}
	if r = p.must(Action(switchRef, long)); !bytes.Equal(r[0].Data, long) {
		t.Errorf("ACTION with blocks both ways: %v, %d octets", r[0].Access, len(r[0].Data))
	}
	r = p.must(Access(
		apdu.AccessItem{Kind: apdu.AccessGet, Ref: energyRef}, apdu.AccessItem{Kind: apdu.AccessSet, Ref: clockRef, Data: now},
		apdu.AccessItem{Kind: apdu.AccessAction, Ref: switchRef, Data: unhex("1101")}, apdu.AccessItem{Kind: apdu.AccessGet, Ref: unknownRef},
	))
	if len(r) != 4 || !bytes.Equal(r[0].Data, unhex("0600001391")) || r[1].Access != cosem.Success ||
		!bytes.Equal(r[2].Data, unhex("1101")) || r[3].Access != cosem.ObjectUndefined {
		t.Errorf("access: %v", r)
	}
}

// TestGeneralBlockTransfer talks in general blocks, one at a time and in windows, and
// with every block lost once.
func TestGeneralBlockTransfer(t *testing.T) {
	gbt := fullConformance | apdu.GeneralBlockTransfer
	for _, keys := range []Keys{llsKeys, gmacKeys} {
		for _, window := range []int{0, 3, 63} {
			t.Run(fmt.Sprintf("%v/%d", keys.Mechanism, window), func(t *testing.T) {
				p := pairWith(t, same("", keys), 100, 96, func(c *ClientConfig, s *ServerConfig) {
					c.Conformance, s.Conformance, c.Window, s.Window = gbt, gbt, window, window
				})
				p.must(Open())
				talk(t, p)
				lists(t, p)
				for _, b := range append(p.up, p.down...) {
					if len(b) > 100 && apdu.TagOf(b) != apdu.TagAARQ && apdu.TagOf(b) != apdu.TagAARE {
						t.Fatalf("%v of %d octets", apdu.TagOf(b), len(b))
					}
				}
				p.must(Release())
			})
		}
	}
}

// TestGeneralBlockRecovery loses one in n APDUs of both directions; the client sends
// again what is not answered, as its owner does.
func TestGeneralBlockRecovery(t *testing.T) {
	gbt := fullConformance | apdu.GeneralBlockTransfer
	for _, window := range []int{1, 4} {
		for seed := range uint64(60) {
			n := 2 + int(seed%8)
			t.Run(fmt.Sprintf("%d/%d", window, seed), func(t *testing.T) {
				p := pairWith(t, same("", gmacKeys), 120, 40, func(c *ClientConfig, s *ServerConfig) {
					c.Conformance, s.Conformance, c.Window, s.Window = gbt, gbt, window, window
				})
				p.must(Open())
				r := rand.New(rand.NewPCG(seed, uint64(window)))
				lose := func(b []byte) []byte {
					if r.IntN(n) == 0 {
						return nil
					}
					return b
				}
				p.toMeter, p.toClient = lose, func(b []byte) []byte {
					if b == nil {
						return nil
					}
					return lose(b)
				}
				if r := persist(t, p, Get(profileRef)); !bytes.Equal(r[0].Data, profile(40)) {
					t.Error("profile came back changed")
				}
				if r := persist(t, p, Set(profileRef, profile(30))); r[0].Access != cosem.Success {
					t.Errorf("SET: %v", r[0].Access)
				}
				if !bytes.Equal(p.tree.values[profileRef.String()], profile(30)) {
					t.Error("what was set came changed")
				}
				if r := persist(t, p, Action(switchRef, profile(30))); !bytes.Equal(r[0].Data, profile(30)) {
					t.Error("what was given and taken back came back changed")
				}
			})
		}
	}
}

// TestGeneralBlockAnswerLost: a request that came whole in one window and whose answer was
// lost is done once, however often it is sent again.
func TestGeneralBlockAnswerLost(t *testing.T) {
	gbt := fullConformance | apdu.GeneralBlockTransfer
	for _, keys := range []Keys{llsKeys, gmacKeys} {
		p := pairWith(t, same("", keys), 120, 1, func(c *ClientConfig, s *ServerConfig) {
			c.Conformance, s.Conformance, c.Window, s.Window = gbt, gbt, 63, 63
		})
		p.must(Open())
		p.must(Get(profileRef)) // the client learns nothing of the window: it begins with one block
		lost := 0
		p.toClient = func(b []byte) []byte {
			if len(p.tree.calls) > 1 && lost < 3 {
				lost++
				return nil
			}
			return b
		}
		if r := persist(t, p, Action(switchRef, profile(30))); !bytes.Equal(r[0].Data, profile(30)) {
			t.Error("what was given and taken back came back changed")
		}
		short := axdr.AppendOctets(nil, make([]byte, 110)) // two blocks
		lost = 0
		if r := persist(t, p, Action(switchRef, short)); !bytes.Equal(r[0].Data, short) {
			t.Error("what was given and taken back came back changed")
		}
		if len(p.tree.calls) != 3 {
			t.Errorf("the meter did %q", p.tree.calls)
		}

		// The whole request once more, from its first block on.
		p.toClient = nil
		down := p.ask(Action(switchRef, short))
		var all [][]byte
		for {
			all = append(all, bytes.Clone(down))
			e, err := p.exchange(down)
			if err != nil {
				t.Fatal(err)
			}
			if e.Done {
				break
			}
			down = e.Down
		}
		var up []byte
		for _, b := range all {
			up = p.server.Receive(testTime, b)
		}
		if apdu.TagOf(up) != apdu.TagGeneralBlockTransfer || len(p.tree.calls) != 4 {
			t.Errorf("answered % X, the meter did %q", up, p.tree.calls)
		}
	}
}

// persist runs op to its end over a line that loses.
func persist(t *testing.T, p *pair, op Op) []cosem.Result {
	t.Helper()
	down, err := p.client.Start(op)
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		e, err := p.exchange(down)
		if err != nil {
			t.Fatal(err)
		}
		if e.Done {
			return e.Results
		}
		if down = e.Down; down == nil {
			if down, err = p.client.Resend(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("the operation does not end")
	return nil
}

// TestPreEstablished talks without an association request.
func TestPreEstablished(t *testing.T) {
	for _, keys := range []Keys{{}, gmacKeys} {
		p := pairWith(t, same("", keys), 242, 20, func(c *ClientConfig, s *ServerConfig) {
			c.PreEstablished, c.MeterMaxPDU = true, 242
			s.PreEstablished, s.ClientTitle, s.ClientMaxPDU = true, clientTitle, 242
		})
		if !p.server.Opened() {
			t.Fatal("not open from the start")
		}
		if r := p.must(Get(profileRef)); !bytes.Equal(r[0].Data, profile(20)) {
			t.Error("profile came back changed")
		}
		if down, err := p.client.Start(Open()); down != nil || err != nil {
			t.Errorf("open: % X, %v", down, err)
		}
		if down, err := p.client.Start(Release()); down != nil || err != nil || p.client.State() != Closed {
			t.Errorf("release: % X, %v", down, err)
		}
		p.must(Get(energyRef))
		if up := p.server.Receive(testTime, unhex("6203800100")); apdu.TagOf(up) != apdu.TagExceptionResponse || !p.server.Opened() {
			t.Errorf("release of others: % X", up)
		}
		if up := p.server.Receive(testTime, unhex("601da109060760857405080101be10040e01000000065f1f0400007e1f04b0")); up[0] != 0x61 || !p.server.Opened() {
			t.Errorf("request of others: % X", up)
		}
		p.server.Reset()
		if p.must(Get(energyRef)); !p.server.Opened() {
			t.Error("not open after a reset")
		}
	}
}

// TestBroadcast obeys what is sealed under the broadcast key, once, and never answers.
func TestBroadcast(t *testing.T) {
	keys := gmacKeys
	keys.BroadcastKey = bytes.Repeat([]byte{9}, 16)
	p := pairWith(t, same("", keys), 242, 1, func(_ *ClientConfig, s *ServerConfig) { s.ClientTitle = clientTitle })
	p.must(Open())
	cfg := clientConfig(keys, 242)
	cfg.Counter = counterFrom(50)
	now := unhex("090C07EA0B16FF02000000800000")
	b, err := Broadcast(cfg, Set(clockRef, now))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		altered := bytes.Clone(b)
		altered[i] ^= 0x10
		p.server.Receive(testTime, altered)
	}
	if len(p.tree.calls) != 0 {
		t.Fatalf("altered: the meter did %q", p.tree.calls)
	}
	if up := p.server.Receive(testTime, b); up != nil || !bytes.Equal(p.tree.values[clockRef.String()], now) {
		t.Errorf("answered % X", up)
	}
	if p.server.Receive(testTime, b); len(p.tree.calls) != 1 || p.server.Counts().Replayed != 1 {
		t.Errorf("a recording: the meter did %q", p.tree.calls)
	}
	if last, ok := p.server.LastBroadcast(); last != 50 || !ok || p.server.Counts().Broadcasts != 1 {
		t.Errorf("counter %d, %+v", last, p.server.Counts())
	}
	if b, err = Broadcast(cfg, Action(switchRef, unhex("1101"))); err != nil {
		t.Fatal(err)
	}
	if p.server.Receive(testTime, b); len(p.tree.calls) != 2 {
		t.Errorf("ACTION: the meter did %q", p.tree.calls)
	}
	p.must(Get(energyRef))                // the association did not notice
	other := newPair(t, gmacKeys, 242, 1) // does not take broadcasts: it is silent all the same
	other.must(Open())
	if up := other.server.Receive(testTime, b); up != nil || other.server.Counts().Forged != 1 {
		t.Errorf("a meter without the broadcast key answered % X", up)
	}
	for _, op := range []Op{Get(clockRef), Open(), SetAll([]cosem.Ref{clockRef, clockRef}, [][]byte{now, now})} {
		if _, err := Broadcast(cfg, op); err == nil {
			t.Errorf("broadcast of %v: no error", op.kind)
		}
	}
}

// TestNotifications delivers what a meter says unasked, in every protection, whole and in
// blocks, and never what is not believed.
func TestNotifications(t *testing.T) {
	gbt := fullConformance | apdu.GeneralBlockTransfer
	for _, e := range endsOf(t) {
		t.Run(e.name, func(t *testing.T) {
			var got []Notice
			p := pairWith(t, e, 400, 1, func(c *ClientConfig, s *ServerConfig) {
				c.Notify = func(n Notice) { got = append(got, n) }
				c.Conformance, s.Conformance = gbt, gbt
			})
			if _, err := p.server.Push(apdu.DataNotification{Body: unhex("00")}); !errors.Is(err, ErrClosed) {
				t.Errorf("without an association: %v", err)
			}
			p.must(Open())
			down := p.ask(Get(energyRef)) // a notification may come at any time
			d := apdu.DataNotification{LongInvoke: 7, Body: unhex("0600001391")}
			v := apdu.EventNotification{Ref: energyRef, Data: unhex("0600001391"), Time: unhex("07ea0b1607022f393f000000")}
			b1, err1 := p.server.Push(d)
			b2, err2 := p.server.Event(v)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			for _, b := range [][]byte{b1, b2} {
				if e, err := p.client.Receive(b); err != nil || !e.Ignored || !p.client.Busy() {
					t.Fatalf("%+v, %v", e, err)
				}
			}
			if len(got) != 2 || got[0].LongInvoke != 7 || !bytes.Equal(got[0].Data, d.Body) || !got[1].Event ||
				got[1].Ref != energyRef || !bytes.Equal(got[1].Time, v.Time) || !bytes.Equal(got[1].Data, v.Data) {
				t.Errorf("got %+v", got)
			}
			plain := d.Append(nil)
			if p.client.Receive(plain); p.client.security.Ciphered() && len(got) != 2 {
				t.Error("a notification without protection was delivered")
			}
			if e, err := p.exchange(down); err != nil || !e.Done {
				t.Errorf("the request: %+v, %v", e, err)
			}
		})
	}
}

// TestNoticesBeforeOpening: what is asked for holds from the start, before any request.
func TestNoticesBeforeOpening(t *testing.T) {
	plain := apdu.DataNotification{LongInvoke: 7, Body: unhex("00")}.Append(nil)
	for _, e := range endsOf(t) {
		delivered := 0
		p := pairWith(t, e, 400, 1, func(c *ClientConfig, _ *ServerConfig) { c.Notify = func(Notice) { delivered++ } })
		_, _ = p.client.Receive(plain)
		want := 1
		if s := e.client.Security(); s.Ciphered() || s.Signed {
			want = 0
		}
		if delivered != want {
			t.Errorf("%s: %d delivered, want %d", e.name, delivered, want)
		}
		p.must(Open())
		p.must(Release())
		if _, _ = p.client.Receive(plain); delivered != 2*want {
			t.Errorf("%s: %d delivered after a release, want %d", e.name, delivered, 2*want)
		}
	}
}

// TestPushInBlocks streams a long notification; a lost block loses it whole.
func TestPushInBlocks(t *testing.T) {
	gbt := fullConformance | apdu.GeneralBlockTransfer
	p := pairWith(t, same("", gmacKeys), 100, 1, func(c *ClientConfig, s *ServerConfig) { c.Conformance, s.Conformance = gbt, gbt })
	p.must(Open())
	push := func(lose int) (whole []byte, dropped int) {
		var r Reassembly
		b, err := p.server.Push(apdu.DataNotification{LongInvoke: 1, Body: profile(30)})
		for i := 0; b != nil; i, b = i+1, p.server.More() {
			if err != nil || len(b) > 100 || b[1]&0x40 == 0 {
				t.Fatalf("block % X, %v", b[:6], err)
			}
			if i == lose {
				continue
			}
			if got, err := r.Receive(b); err != nil {
				t.Fatal(err)
			} else if got != nil {
				whole = got
			}
		}
		return whole, r.Dropped
	}
	whole, _ := push(-1)
	var got []Notice
	p.client.cfg.Notify = func(n Notice) { got = append(got, n) }
	if _, err := p.client.Receive(whole); !errors.Is(err, ErrGarbled) {
		t.Errorf("longer than agreed, outside of blocks: %v", err)
	}
	p.client.cfg.MaxPDU = 0xFFFF
	if e, err := p.client.Receive(whole); err != nil || !e.Ignored || len(got) != 1 || !bytes.Equal(got[0].Data, profile(30)) {
		t.Errorf("%+v, %v, %d notices", e, err, len(got))
	}
	if whole, dropped := push(2); whole != nil || dropped == 0 {
		t.Errorf("a block lost: %d octets, %d dropped", len(whole), dropped)
	}
}

// TestDowngrades are answers with less than was agreed: none is believed.
func TestDowngrades(t *testing.T) {
	answer := func(p *pair, keys Keys, v via, plain string) []byte {
		t.Helper()
		a := association{security: keys.Security()}
		if err := a.arm(&keys, meterTitle, clientTitle); err != nil {
			t.Fatal(err)
		}
		v.sh = a.shield
		b, err := v.seal(unhex(plain), 5000)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Run("global key where the dedicated one was agreed", func(t *testing.T) {
		p := pairWith(t, same("", gmacKeys), 242, 1, func(c *ClientConfig, _ *ServerConfig) { c.Dedicated = true })
		p.must(Open())
		p.ask(Get(energyRef))
		if _, err := p.client.Receive(answer(p, gmacKeys, via{}, "c401c3000600001391")); !errors.Is(err, ErrForged) {
			t.Errorf("%v", err)
		}
	})
	t.Run("not signed", func(t *testing.T) {
		for _, e := range endsOf(t) {
			if !e.client.Sign || e.client.Suite != 1 {
				continue
			}
			p := pairWith(t, e, 400, 1, nil)
			p.must(Open())
			p.ask(Get(energyRef))
			b := unhex("c401c3000600001391")
			if e.client.Security().Ciphered() {
				b = answer(p, e.meter, via{form: GeneralForm}, "c401c3000600001391")
			}
			if _, err := p.client.Receive(b); !errors.Is(err, ErrForged) {
				t.Errorf("%s: %v", e.name, err)
			}
			if up := p.server.Receive(testTime, unhex("c001c100080000010000ff0200")); !bytes.Equal(up, unhex("d80105")) {
				t.Errorf("%s: request not signed: % X", e.name, up)
			}
		}
	})
	t.Run("general-ciphering of an earlier transaction", func(t *testing.T) {
		p := pairWith(t, same("", gmacKeys), 242, 1, func(c *ClientConfig, _ *ServerConfig) { c.Form = CipheringForm })
		p.must(Open())
		p.ask(Get(energyRef))
		plain := fmt.Sprintf("c401%02x000600001391", byte(p.client.invoke))
		b := answer(p, gmacKeys, via{form: CipheringForm, transaction: transaction(p.client.turns - 1)}, plain)
		if e, err := p.client.Receive(b); err != nil || !e.Ignored {
			t.Errorf("%+v, %v", e, err)
		}
		p.client.peer = window{}
		b = answer(p, gmacKeys, via{form: CipheringForm, transaction: transaction(p.client.turns)}, plain)
		if e, err := p.client.Receive(b); err != nil || !e.Done {
			t.Errorf("of this one: %+v, %v", e, err)
		}
	})
	t.Run("marked as for many", func(t *testing.T) {
		p := pairWith(t, same("", gmacKeys), 242, 1, nil)
		p.must(Open())
		p.ask(Get(energyRef))
		text, err := p.server.suite.Protect(nil, cipher.AuthenticatedEncrypted|cipher.Broadcast, meterTitle, 5000, unhex("c401c3000600001391"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.client.Receive(apdu.Ciphered{Tag: apdu.TagGloGetResponse, Text: text}.Append(nil)); !errors.Is(err, ErrForged) {
			t.Errorf("%v", err)
		}
	})
	t.Run("suite 0 where suite 1 was agreed", func(t *testing.T) {
		keys := gmacKeys
		keys.Suite = 1
		p := pairWith(t, same("", keys), 242, 1, nil)
		p.must(Open())
		p.ask(Get(energyRef))
		if _, err := p.client.Receive(answer(p, gmacKeys, via{}, "c401c3000600001391")); !errors.Is(err, ErrForged) {
			t.Errorf("%v", err)
		}
	})
}

// TestKeysForOneAPDU gives a meter requests in general-ciphering under wrapped and agreed
// keys.
func TestKeysForOneAPDU(t *testing.T) {
	client, meter := signers(t, 1)
	e := pairOf("", gmacKeys, client, meter)
	own, _ := cipher.NewAgreement(1, bytes.Repeat([]byte{0x33}, 32))
	clientStatic, _ := cipher.NewAgreement(1, bytes.Repeat([]byte{0x44}, 32))
	e.meter.Suite, e.meter.Agreement, e.meter.Master = 1, own, bytes.Repeat([]byte{8}, 16)
	e.meter.PeerAgreement = clientStatic.Public()
	e.client.Suite = 1
	p := pairWith(t, e, 400, 1, nil)
	p.must(Open())

	fresh := bytes.Repeat([]byte{5}, 16)
	wrappedKey, _ := cipher.WrapKey(e.meter.Master, fresh)
	ephemeral, _ := cipher.NewAgreement(1, bytes.Repeat([]byte{0x55}, 32))
	signature, _ := client.Sign(ephemeral.Public())
	derive := func(a *cipher.Agreement, u []byte) cipher.Secret {
		z, err := a.Secret(own.Public())
		if err != nil {
			t.Fatal(err)
		}
		k, err := cipher.Derive(1, z, u, meterTitle.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	id := transaction(77)
	for i, tt := range []struct {
		key    apdu.KeyInfo
		secret cipher.Secret
		good   bool
	}{
		{apdu.KeyInfo{Choice: apdu.WrappedKey, Data: wrappedKey}, fresh, true},
		{apdu.KeyInfo{Choice: apdu.WrappedKey, Data: wrappedKey[1:]}, fresh, false},
		{apdu.KeyInfo{Choice: apdu.WrappedKey, ID: 1, Data: wrappedKey}, fresh, false},
		{
			apdu.KeyInfo{Choice: apdu.AgreedKey, ID: apdu.SchemeOnePass, Data: append(ephemeral.Public(), signature...)},
			derive(ephemeral, clientTitle.Bytes()), true,
		},
		{
			apdu.KeyInfo{Choice: apdu.AgreedKey, ID: apdu.SchemeOnePass, Data: append(ephemeral.Public(), make([]byte, 64)...)},
			derive(ephemeral, clientTitle.Bytes()), false,
		},
		{apdu.KeyInfo{Choice: apdu.AgreedKey, ID: apdu.SchemeStatic}, derive(clientStatic, append(clientTitle.Bytes(), id...)), true},
		{apdu.KeyInfo{Choice: apdu.AgreedKey, ID: 3}, fresh, false},
		{apdu.KeyInfo{Choice: apdu.IdentifiedKey, ID: apdu.KeyGlobalBroadcast}, fresh, false},
	} {
		suite, err := cipher.NewSuiteOf(1, tt.secret, e.meter.authentication())
		if err != nil {
			t.Fatal(err)
		}
		f := frameOf(id, clientTitle, meterTitle)
		text, err := suite.ProtectWith(nil, cipher.AuthenticatedEncrypted, clientTitle, uint32(1000+i), f.Append(nil), unhex("c001c1000300010108 00ff0200"))
		if err != nil {
			t.Fatal(err)
		}
		g := apdu.GeneralCiphering{Frame: f, Key: &tt.key, Text: text}
		up := p.server.Receive(testTime, g.Append(nil))
		if !tt.good {
			if !bytes.Equal(up, unhex("d80105")) {
				t.Errorf("case %d: answered % X", i, up)
			}
			continue
		}
		w, err := unwrap(up)
		if err != nil || w.frame == nil || !bytes.Equal(w.frame.Transaction, id) {
			t.Fatalf("case %d: answered % X, %v", i, up, err)
		}
		o, err := p.client.shield.verify(w)
		if err != nil || !bytes.HasPrefix(o.plain, unhex("c401c1")) {
			t.Errorf("case %d: answered % X, %v", i, o.plain, err)
		}
	}
}

// TestSendLimit: the client itself keeps to what its link carries.
func TestSendLimit(t *testing.T) {
	for _, keys := range []Keys{llsKeys, gmacKeys} {
		p := pairWith(t, same("", keys), 65535, 96, func(c *ClientConfig, _ *ServerConfig) { c.MaxSend = 130 })
		p.must(Open())
		refs := make([]cosem.Ref, 40)
		values := make([][]byte, 40)
		for i := range refs {
			refs[i], values[i] = energyRef, unhex("0600001391")
		}
		if r := p.must(Get(refs...)); len(r) != 40 {
			t.Errorf("%d results", len(r))
		}
		if r := p.must(SetAll(refs, values)); len(r) != 40 {
			t.Errorf("%d results", len(r))
		}
		talk(t, p)
		for _, b := range p.down {
			if len(b) > 130 {
				t.Errorf("%v of %d octets", apdu.TagOf(b), len(b))
			}
		}
		if n := len(p.down); n > 130 {
			t.Errorf("%d requests", n)
		}
		p = pairWith(t, same("", keys), 65535, 20, func(c *ClientConfig, _ *ServerConfig) { c.MaxSend = 20 })
		var long *TooLongError
		if _, err := p.client.Start(Open()); !errors.As(err, &long) || p.client.Busy() || p.client.State() != Closed {
			t.Errorf("association request longer than the link carries: %v", err)
		}
	}
}

// TestHLSIsProvedBothWays: no mechanism takes another secret, nor its own proof back.
func TestHLSIsProvedBothWays(t *testing.T) {
	for _, e := range endsOf(t) {
		if !proves(e.client.Mechanism) {
			continue
		}
		p := pairWith(t, e, 400, 1, nil)
		other := e.meter
		other.Password = []byte("other")
		if e.client.Mechanism == HLSECDSA {
			other.Signing, _ = signers(t, e.client.Suite) // signs with the client's key
		}
		if e.client.Mechanism == HLSGMAC {
			continue // other keys open nothing: see the tests of altered answers
		}
		p.server = NewServer(serverConfig(other, 400), p.tree)
		if _, err := p.do(Open()); err == nil || p.client.State() == Opened {
			t.Errorf("%s: %v, %v", e.name, err, p.client.State())
		}
	}
}

// TestMakerIsRefused: mechanism 2 needs to be asked for.
func TestMakerIsRefused(t *testing.T) {
	k := Keys{Mechanism: HLSMaker, Password: []byte("Gurux")}
	if err := k.Validate(); err == nil || !strings.Contains(err.Error(), "AllowMaker") {
		t.Errorf("%v", err)
	}
}

// TestKeysValidate are keys with something missing.
func TestKeysValidate(t *testing.T) {
	c, m := signers(t, 1)
	public, _ := cipher.NewVerifier(1, m.Public())
	c2, m2 := signers(t, 2)
	public2, _ := cipher.NewVerifier(2, m2.Public())
	agreement, _ := cipher.NewAgreement(1, bytes.Repeat([]byte{0x33}, 32))
	for name, k := range map[string]Keys{
		"suite 3":              {Suite: 3},
		"no secret":            {Mechanism: HLSSHA256},
		"no signing key":       {Mechanism: HLSECDSA, Suite: 1},
		"no public key":        {Mechanism: HLSECDSA, Suite: 1, Signing: c},
		"signed without keys":  {Sign: true},
		"ciphered without key": {Protection: cipher.Authenticated},
		"suite 2 short keys":   {Mechanism: HLSGMAC, Suite: 2, Encryption: gmacKeys.Encryption, Authentication: gmacKeys.Authentication},
		"short broadcast key":  {BroadcastKey: make([]byte, 8)},
		"mechanism 9":          {Mechanism: 9},

		"signer of another suite":           {Mechanism: HLSECDSA, Suite: 1, Signing: c2, PeerSigning: public},
		"verifier of another suite":         {Mechanism: HLSECDSA, Suite: 1, Signing: c, PeerSigning: public2},
		"suite 2 with keys of suite 1":      {Mechanism: HLSECDSA, Suite: 2, Sign: true, Signing: c, PeerSigning: public},
		"suite 0 with keys of suite 1":      {Mechanism: HLSECDSA, Signing: c, PeerSigning: public},
		"agreement of another suite":        {Suite: 2, Agreement: agreement},
		"public agreement of another suite": {Suite: 2, PeerAgreement: agreement.Public()},
		"agreement in suite 0":              {PeerAgreement: []byte{}},
	} {
		if k.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, e := range endsOf(t) {
		if err := e.client.Validate(); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		if !e.client.Equal(e.client) || e.client.Equal(Keys{Mechanism: 9}) {
			t.Errorf("%s: not equal to itself, or to others", e.name)
		}
	}
}

// vectorLines are the lines of a published vector kept by plc/dlms/cipher.
func vectorLines(t *testing.T, id string) [][]byte {
	t.Helper()
	text, err := os.ReadFile("cipher/testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for line := range strings.Lines(string(text)) {
		if name, octets, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == id {
			all = append(all, unhex(octets))
		}
	}
	return all
}

// TestVectorHLS runs whole handshakes with the challenges recorded from other programs
// and finds their proofs in them: vectors E2 to E5.
func TestVectorHLS(t *testing.T) {
	for id, m := range map[string]Mechanism{"E2": HLSMaker, "E3": HLSMD5, "E4": HLSSHA1, "E5": HLSSHA256} {
		t.Run(id, func(t *testing.T) {
			v := vectorLines(t, id)
			p := pairWith(t, same("", Keys{Mechanism: m, Password: []byte("Gurux"), AllowMaker: true}), 1200, 1, func(c *ClientConfig, s *ServerConfig) {
				c.Challenge, s.Challenge = v[0], v[1]
				c.ClientTitle, c.ServerTitle = plc.MustSystemTitle(unhex("4772757800000001")), plc.MustSystemTitle(unhex("4752580000000001"))
				s.Title = c.ServerTitle
			})
			p.must(Open())
			if got := p.down[1]; !bytes.HasSuffix(got, v[2]) {
				t.Errorf("pass 3 % X, want proof % X", got, v[2])
			}
			if got := p.up[1]; !bytes.HasSuffix(got, v[3]) {
				t.Errorf("pass 4 % X, want proof % X", got, v[3])
			}
		})
	}
}
