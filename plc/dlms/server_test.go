package dlms

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// served gives the server one APDU and checks the answer and the state behind it.
func served(t *testing.T, s *Server, request []byte, want string, opened bool) {
	t.Helper()
	got := s.Receive(testTime, request)
	if w := unhex(want); !bytes.Equal(got, w) && !(want == "" && got == nil) {
		t.Errorf("answer % X, want % X", got, w)
	}
	if s.Opened() != opened {
		t.Errorf("open is %t, want %t", s.Opened(), opened)
	}
}

func TestServerWithoutAssociation(t *testing.T) {
	for _, keys := range mechanisms {
		s := NewServer(serverConfig(keys, 239), newTree())
		for _, request := range []string{"c001c1000100002b0100ff0200", "c81e3001234567", "6203800100", "0501020000", "db00"} {
			served(t, s, unhex(request), "d80101", false)
		}
		if n := s.Counts().Refused; n != 5 {
			t.Errorf("%d refused, want 5", n)
		}
	}
}

func TestServerSaysNothing(t *testing.T) {
	p := openPair(t, llsKeys, 239, 1)
	for _, octets := range []string{"", "c401c1000600001391", "c50181 00", "c701c00000", "d80101", "61", "63", "0e010600", "0f00", "c2", "cc00", "cd", "cf", "ca", "2e"} {
		if got := p.server.Receive(testTime, unhex(octets)); got != nil {
			t.Errorf("%s: answered % X", octets, got)
		}
	}
	if !p.server.Opened() {
		t.Error("no longer open")
	}
}

func TestServerRefusesServices(t *testing.T) {
	p := openPair(t, llsKeys, 60, 1)
	for request, want := range map[string]string{
		"d901": "d80203", // ACCESS, cut
		"d94000000100010100080000010000ff02 0100": "d80202", // ACCESS, not granted
		"e08000010000 02c001":                     "d80202", // a general block, not granted
		"0501020000":                              "d80202", // read, of short names
		"c8020000":                                "d80202", // ciphered where nothing is
		"db0000":                                  "d80202",
		"c001":                                    "d80203", // cut
		"c004c1":                                  "d80203",
		"c001c1000100002b0100ff0202":              "d80203",
		"c101c1000100002b0100ff0200":              "d80203", // no value
		"c301c1000100002b0100ff0202":              "d80203",
		"c001c1000100002b0100ff0200ff":            "d80203", // octets behind
		"600100":                                  "d80203", // an AARQ that cannot be read
		"620100":                                  "d80203",
		fmt.Sprintf("%x", make([]byte, 61)):       "d80104",
	} {
		served(t, p.server, unhex(request), want, true)
	}
}

func TestServerRefusesAssociations(t *testing.T) {
	aarq := func(change func(*acse.AARQ)) []byte {
		i := apdu.InitiateRequest{Version: 6, Conformance: DefaultConformance, MaxPDU: 239}
		a := acse.AARQ{Context: acse.LogicalNames, Mechanism: LLS, Authentication: []byte("12345678"), UserInfo: i.Append(nil)}
		change(&a)
		return a.Append(nil)
	}
	initiate := func(change func(*apdu.InitiateRequest)) []byte {
		i := apdu.InitiateRequest{Version: 6, Conformance: DefaultConformance, MaxPDU: 239}
		change(&i)
		return aarq(func(a *acse.AARQ) { a.UserInfo = i.Append(nil) })
	}
	for id, tt := range map[string]struct {
		request    []byte
		diagnostic acse.Diagnostic
		initiate   byte
	}{
		"wrong password":      {aarq(func(a *acse.AARQ) { a.Authentication = []byte("12345679") }), acse.AuthenticationFailure, 0},
		"longer password":     {aarq(func(a *acse.AARQ) { a.Authentication = []byte("123456789") }), acse.AuthenticationFailure, 0},
		"no password":         {aarq(func(a *acse.AARQ) { a.Authentication = nil }), acse.AuthenticationFailure, 0},
		"no mechanism":        {aarq(func(a *acse.AARQ) { a.Mechanism = None }), acse.MechanismRequired, 0},
		"HLS":                 {aarq(func(a *acse.AARQ) { a.Mechanism = HLSGMAC }), acse.MechanismNotRecognized, 0},
		"ciphering":           {aarq(func(a *acse.AARQ) { a.Context = acse.LogicalNamesCipher }), acse.ContextNotSupported, 0},
		"short names":         {aarq(func(a *acse.AARQ) { a.Context = acse.ShortNames }), acse.ContextNotSupported, 0},
		"no user information": {aarq(func(a *acse.AARQ) { a.UserInfo = nil }), acse.NoReason, apdu.InitiateOther},
		"version 5":           {initiate(func(i *apdu.InitiateRequest) { i.Version = 5 }), acse.NoReason, apdu.DLMSVersionTooLow},
		"nothing in common":   {initiate(func(i *apdu.InitiateRequest) { i.Conformance = apdu.Access }), acse.NoReason, apdu.IncompatibleConformance},
		"11 octets":           {initiate(func(i *apdu.InitiateRequest) { i.MaxPDU = 11 }), acse.NoReason, apdu.PDUSizeTooShort},
	} {
		t.Run(id, func(t *testing.T) {
			s := NewServer(serverConfig(llsKeys, 239), newTree())
			up := s.Receive(testTime, tt.request)
			a, _, err := acse.ParseAARE(up)
			if err != nil || a.Result != acse.RejectedPermanent || a.Diagnostic != tt.diagnostic || s.Opened() {
				t.Fatalf("answer %+v, %v, open %t", a, err, s.Opened())
			}
			e, _, err := apdu.ParseConfirmedServiceError(a.UserInfo)
			if err != nil || e != (apdu.ConfirmedServiceError{Service: 1, Group: 6, Value: tt.initiate}) {
				t.Errorf("%v, %v", e, err)
			}
			// An association that is open stays so.
			p := openPair(t, llsKeys, 239, 1)
			p.server.Receive(testTime, tt.request)
			if !p.server.Opened() {
				t.Error("a refused request closed the association of another")
			}
		})
	}
	s := NewServer(serverConfig(llsKeys, 239), newTree())
	if s.Receive(testTime, aarq(func(*acse.AARQ) {})); !s.Opened() {
		t.Error("the request with nothing wrong is refused")
	}
}

// TestClientHearsRefusal tells what the client makes of each refusal of a server.
func TestClientHearsRefusal(t *testing.T) {
	otherKeys := gmacKeys
	otherKeys.Encryption[0] ^= 1
	otherAuth := gmacKeys
	otherAuth.Authentication[0] ^= 1
	for id, tt := range map[string]struct {
		client, server Keys
		refusal        Refusal
		words          string
	}{
		"password":           {Keys{Mechanism: LLS, Password: []byte("wrong")}, llsKeys, RefusedAuthentication, "password"},
		"encryption key":     {otherKeys, gmacKeys, RefusedAuthentication, "key"},
		"authentication key": {otherAuth, gmacKeys, RefusedAuthentication, "key"},
		"none for LLS":       {Keys{}, llsKeys, RefusedAuthentication, "mechanism"},
		"LLS for none":       {llsKeys, Keys{}, RefusedAuthentication, "mechanism"},
		"LLS for HLS":        {llsKeys, gmacKeys, RefusedAssociation, "security"},
		"HLS for none":       {gmacKeys, Keys{}, RefusedAssociation, "security"},
		"faulty meter":       {llsKeys, Keys{Mechanism: LLS}, RefusedAssociation, "no reason"},
	} {
		t.Run(id, func(t *testing.T) {
			p := &pair{t: t, tree: newTree(), client: NewClient(clientConfig(tt.client, 239)), server: NewServer(serverConfig(tt.server, 239), newTree())}
			_, err := p.do(Get(energyRef))
			var r *RefusedError
			if !errors.As(err, &r) || r.Refusal != tt.refusal || !strings.Contains(err.Error(), tt.words) {
				t.Fatalf("%v: want refusal %d with %q", err, tt.refusal, tt.words)
			}
			if r.Unauthenticated != (tt.client.Mechanism == HLSGMAC) || p.server.Opened() || p.client.State() != Closed {
				t.Errorf("%+v, %v, %v", r, p.client, p.server)
			}
		})
	}
}

func TestServerRefusesTitles(t *testing.T) {
	for id, title := range map[string]string{"stranger": "MMM\x00\x00\x00\x00\x02", "the meter itself": string(meterTitle.Bytes())} {
		p := newPair(t, gmacKeys, 239, 1)
		p.client.cfg.ClientTitle = plc.MustSystemTitle([]byte(title))
		if id == "stranger" {
			p.server.cfg.ClientTitle = clientTitle
		}
		var r *RefusedError
		if _, err := p.do(Open()); !errors.As(err, &r) || !strings.Contains(r.Hint, "title") {
			t.Errorf("%s: %v", id, err)
		}
	}
	p := newPair(t, gmacKeys, 239, 1)
	p.server.cfg.ClientTitle = clientTitle
	p.must(Open())
}

func TestServerRefusesPlaintext(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	for _, request := range []string{"c001c1000100002b0100ff0200", "c1018100080000010000ff0200090c07d20c04030a060bff007800", "c301c0000f0000280000ff0100"} {
		served(t, p.server, unhex(request), "d80105", true)
	}
	served(t, p.server, unhex("6203800100"), "d80103", true)
	served(t, p.server, unhex("060100"), "d80202", true) // a service nobody knows, ciphered or not
	for _, control := range []cipher.Control{cipher.Authenticated, cipher.Encrypted} {
		served(t, p.server, sealed(t, control, clientTitle, 1000, "c001c1000100002b0100ff0200"), "d80105", true)
	}
	served(t, p.server, sealed(t, 0x30, meterTitle, 1000, "c001c1000100002b0100ff0200"), "d80105", true)
	if len(p.tree.calls) != 0 {
		t.Errorf("the meter did %q", p.tree.calls)
	}
	if n := p.server.Counts().Forged; n != 6 {
		t.Errorf("%d forged counted, want 6", n)
	}
	p.must(Get(energyRef))
	// A plain association request does not get a ciphered one out of the way.
	q := NewClient(clientConfig(llsKeys, 239))
	down, _ := q.Start(Open())
	p.server.Receive(testTime, down)
	if !p.server.Opened() {
		t.Error("a plain association request closed the association")
	}
}

// TestServerRefusesReplay: an old counter is refused with the one expected, and the
// association stays.
func TestServerRefusesReplay(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	p.must(Get(energyRef))
	request := p.down[len(p.down)-1]
	// AARQ 1, proof 2, request of the proof 3, GET 4.
	served(t, p.server, request, "d8010600000005", true)
	served(t, p.server, p.down[0], "d8010600000005", true) // the AARQ
	for i := range request {
		b := bytes.Clone(request)
		b[i] ^= 0x08
		if got := p.server.Receive(testTime, b); !bytes.HasPrefix(got, []byte{byte(apdu.TagExceptionResponse)}) {
			t.Fatalf("octet %d altered: answered % X", i, got)
		}
	}
	if p.server.peer != windowAfter(4, true) || !p.server.Opened() {
		t.Errorf("counter %v, %v", p.server.peer, p.server)
	}
	p.must(Get(energyRef))

	// Neither a lost association nor a new server with the counter kept forgets.
	last, _ := p.server.LastPeerCounter()
	p.server.Reset()
	served(t, p.server, p.down[0], "d8010600000006", false)
	cfg := serverConfig(gmacKeys, 239)
	cfg.LastPeerCounter, cfg.SeenPeer = last, true
	served(t, NewServer(cfg, newTree()), p.down[0], "d8010600000006", false)

	// The client is told which counter is expected.
	old := NewClient(clientConfig(gmacKeys, 239))
	down, _ := old.Start(Open())
	var r *RefusedError
	if _, err := old.Receive(p.server.Receive(testTime, down)); !errors.As(err, &r) || r.Refusal != RefusedCounter || r.Counter != 6 {
		t.Errorf("%+v", r)
	}
	if n := p.server.Counts().Replayed; n != 4 {
		t.Errorf("%d replays counted, want 4", n)
	}
}

// TestServerAtTheLastCounter: a client at 2^32-1 is heard once; a meter without counters
// says nothing at all.
func TestServerAtTheLastCounter(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	last := sealed(t, 0x30, clientTitle, 0xFFFFFFFF, "c001c10003010001080 0ff0200")
	if got := p.server.Receive(testTime, last); got == nil || apdu.Tag(got[0]) != apdu.TagGloGetResponse {
		t.Errorf("answered % X", got)
	}
	served(t, p.server, last, "d80106ffffffff", true)

	p = openPair(t, gmacKeys, 239, 1)
	p.server.counter = counters()
	if got := p.server.Receive(testTime, p.ask(Get(energyRef))); got != nil || p.server.Counts().Failures != 1 {
		t.Errorf("answered % X, %+v", got, p.server.Counts())
	}
	p.server.Reset()
	if got := p.server.Receive(testTime, sealedAARQ(t, 1000)); got != nil || p.server.Opened() || p.server.state != Closed {
		t.Errorf("answered % X, %v", got, p.server)
	}
	p.server.counter = counters(7) // enough for the AARE, not for the proof
	p.server.Receive(testTime, sealedAARQ(t, 1001))
	p.server.challenge = []byte("P6wRJ21F")
	if got := p.server.Receive(testTime, sealed(t, 0x30, clientTitle, 2000, proofOf(t, "P6wRJ21F", 1999))); got != nil || p.server.Opened() {
		t.Errorf("answered % X, %v", got, p.server)
	}
}

func sealedAARQ(t *testing.T, counter uint32) []byte {
	t.Helper()
	cfg := clientConfig(gmacKeys, 239)
	cfg.Counter = counterFrom(counter)
	down, err := NewClient(cfg).Start(Open())
	if err != nil {
		t.Fatal(err)
	}
	return down
}

// proofOf is pass 3 in plain.
func proofOf(t *testing.T, challenge string, counter uint32) string {
	t.Helper()
	suite, err := cipher.NewSuite(gmacKeys.Encryption, gmacKeys.Authentication)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := suite.Proof(clientTitle, counter, []byte(challenge))
	if err != nil {
		t.Fatal(err)
	}
	return "c301c1000f0000280000ff01010911" + fmt.Sprintf("%x", proof)
}

// TestServerWantsProof: between AARE and proof nothing else is served, and a wrong proof
// ends the association.
func TestServerWantsProof(t *testing.T) {
	begin := func() *pair {
		p := newPair(t, gmacKeys, 239, 1)
		p.server.cfg.Challenge = []byte("P6wRJ21F")
		if _, err := p.exchange(p.ask(Open())); err != nil || p.server.state != Authenticating {
			t.Fatalf("%v, %v", p.server, err)
		}
		return p
	}
	p := begin()
	for i, request := range []string{"c001c1000100002b0100ff0200", "c101c100080000010000ff0200090c07d20c04030a060bff007800", "c301c000460000600 30aff0100"} {
		served(t, p.server, sealed(t, 0x30, clientTitle, uint32(100+i), request), "d80101", false)
	}
	if len(p.tree.calls) != 0 {
		t.Errorf("the meter did %q", p.tree.calls)
	}
	for id, plain := range map[string]string{
		"wrong proof":     proofOf(t, "K56iVagY", 150),
		"no proof":        "c301c1000f0000280000ff0100",
		"not octets":      "c301c1000f0000280000ff010100",
		"proof cut":       proofOf(t, "P6wRJ21F", 150)[:60],
		"back from meter": "c301c1000f0000280000ff010109111001234567fe1466afb3dbcd4f9389e2b7",
	} {
		p := begin()
		if id == "proof cut" {
			plain = "c301c1000f0000280000ff0101090110"
		}
		up := p.server.Receive(testTime, sealed(t, 0x30, clientTitle, 200, plain))
		if got := opened1(t, p.client.shield, up); !bytes.Equal(got, unhex("c701c1fa00")) || p.server.state != Closed {
			t.Errorf("%s: answered % X, %v", id, got, p.server)
		}
		served(t, p.server, sealed(t, 0x30, clientTitle, 300, proofOf(t, "P6wRJ21F", 299)), "d80101", false)
	}
	p = begin()
	up := p.server.Receive(testTime, sealed(t, 0x30, clientTitle, 200, proofOf(t, "P6wRJ21F", 199)))
	if got := opened1(t, p.client.shield, up); !bytes.HasPrefix(got, unhex("c701c10001000911")) || !p.server.Opened() {
		t.Errorf("right proof: answered % X, %v", got, p.server)
	}
}

// TestServerChallenge: ours is fresh each time and never the client's own.
func TestServerChallenge(t *testing.T) {
	cfg := serverConfig(gmacKeys, 239)
	cfg.Rand = bytes.NewReader(bytes.Repeat([]byte{0x55}, 64))
	s := NewServer(cfg, newTree())
	ccfg := clientConfig(gmacKeys, 239)
	ccfg.Challenge = bytes.Repeat([]byte{0x55}, challengeSize)
	down, err := NewClient(ccfg).Start(Open())
	if err != nil {
		t.Fatal(err)
	}
	s.Receive(testTime, down)
	if s.state != Authenticating || bytes.Equal(s.challenge, ccfg.Challenge) {
		t.Errorf("%v, challenge % X", s, s.challenge)
	}
	cfg.Rand = strings.NewReader("")
	s = NewServer(cfg, newTree())
	if got := s.Receive(testTime, down); got != nil || s.state != Closed {
		t.Errorf("without randomness: % X, %v", got, s)
	}
}

func TestServerBlocks(t *testing.T) {
	p := openPair(t, Keys{}, 134, 20)
	s := p.server
	next := func(n int) string { return fmt.Sprintf("c002c1%08x", n) }
	block := func(request string) *apdu.DataBlock {
		t.Helper()
		g, n, err := apdu.ParseGetResponse(s.Receive(testTime, unhex(request)))
		if err != nil || n == 0 || g.Block == nil {
			t.Fatalf("%s: %v, %v", request, g, err)
		}
		return g.Block
	}
	const first = "c001c100070100630100ff0200"
	if b := block(next(1)); b.Access != cosem.NoLongGet || !b.Last {
		t.Errorf("NEXT without a transfer: %+v", b)
	}
	b1 := block(first)
	b2 := block(next(1))
	if again := block(next(1)); again.Number != 2 || !bytes.Equal(again.Raw, b2.Raw) {
		t.Errorf("block 2 again: %+v", again)
	}
	if again := block(first); again.Number != 1 || !bytes.Equal(again.Raw, b1.Raw) {
		t.Errorf("block 1 again: %+v", again)
	}
	var raw []byte
	var last *apdu.DataBlock
	for b := b1; ; b = block(next(int(b.Number))) {
		raw = append(raw, b.Raw...)
		if b.Last {
			last = b
			break
		}
	}
	if !bytes.Equal(raw, profile(20)) || len(b1.Raw) != 134-11+1 {
		t.Errorf("%d octets in blocks of %d", len(raw), len(b1.Raw))
	}
	if again := block(next(int(last.Number) - 1)); !again.Last || !bytes.Equal(again.Raw, last.Raw) {
		t.Errorf("last block again: %+v", again)
	}
	if b := block(next(int(last.Number))); b.Access != cosem.BlockNumberInvalid || !b.Last {
		t.Errorf("block behind the last: %+v", b)
	}
	if b := block(next(int(last.Number) - 1)); b.Access != cosem.NoLongGet {
		t.Errorf("after the transfer was broken off: %+v", b)
	}
	block(first)
	if b := block("c002c200000001"); b.Access != cosem.NoLongGet {
		t.Errorf("another invoke id: %+v", b)
	}
}

func TestServerWithoutBlocks(t *testing.T) {
	p := newPair(t, llsKeys, 134, 20)
	p.server.cfg.Conformance = apdu.Get
	p.must(Open())
	var r *RefusedError
	if _, err := p.do(Get(profileRef)); !errors.As(err, &r) || r.Refusal != RefusedService || !strings.Contains(r.Hint, "less at a time") {
		t.Errorf("%v", err)
	}
	served(t, p.server, unhex("c003c10100080000010000ff0200"), "d80202", true)
	served(t, p.server, unhex("c001c100080000010000ff0201010100"), "c401c101fa", true)
	served(t, p.server, unhex("c102c100080000010000ff0200010000000101 00"), "d80202", true)
}

func TestServerLongSet(t *testing.T) {
	p := openPair(t, Keys{}, 134, 1)
	s := p.server
	s.cfg.MaxTransfer = 10
	const first = "c102c100080000010000ff020000 00000001 03 0905aa"
	served(t, s, unhex("c103c1 01 00000002 02 d20c"), "c503c11200000002", true) // no transfer
	served(t, s, unhex(first), "c502c100000001", true)
	served(t, s, unhex(first), "c502c100000001", true)
	served(t, s, unhex("c103c1 00 00000002 02 bbcc"), "c502c100000002", true)
	served(t, s, unhex("c103c1 00 00000002 02 bbcc"), "c502c100000002", true)
	served(t, s, unhex("c103c1 01 00000003 02 ddee"), "c503c10000000003", true)
	served(t, s, unhex("c103c1 01 00000003 02 ddee"), "c503c10000000003", true)
	if got := p.tree.values[clockRef.String()]; !bytes.Equal(got, unhex("0905aabbccddee")) {
		t.Errorf("value % X", got)
	}
	if len(p.tree.calls) != 1 {
		t.Errorf("the meter did %q", p.tree.calls)
	}
	served(t, s, unhex(first), "c502c100000001", true)
	served(t, s, unhex("c103c1 01 00000003 02 ddee"), "c503c11300000003", true) // a gap
	served(t, s, unhex(first), "c502c100000001", true)
	served(t, s, unhex("c103c1 01 00000002 02 ddee"), "c503c10c00000002", true) // half a value
	served(t, s, unhex(first), "c502c100000001", true)
	served(t, s, unhex("c103c1 00 00000002 08 0102030405060708"), "c503c11100000002", true) // too long
	served(t, s, unhex(first), "c502c100000001", true)
	served(t, s, unhex("c103c2 01 00000002 02 ddee"), "c503c21200000002", true) // another invoke id
}

func TestServerUnconfirmed(t *testing.T) {
	p := openPair(t, Keys{}, 134, 1)
	const set = "c1018100080000010000ff0200090c07d20c04030a060bff007800"
	served(t, p.server, unhex(set), "", true)
	served(t, p.server, unhex(set), "", true)
	served(t, p.server, unhex("c3018100460000600 30aff0100"), "", true)
	if want := "set 8/0.0.1.0.0.255/2,set 8/0.0.1.0.0.255/2,action 70/0.0.96.3.10.255/1"; strings.Join(p.tree.calls, ",") != want {
		t.Errorf("the meter did %q", p.tree.calls)
	}
}

// TestServerActionTooLong: what was done is told even when its result does not fit.
func TestServerActionTooLong(t *testing.T) {
	p := openPair(t, Keys{}, 134, 1)
	p.server.limit, p.server.granted = 20, p.server.granted&^apdu.BlockTransferAction
	served(t, p.server, unhex("c301c100460000600 30aff010109140000000000000000000000000000000000000000"), "c701c1000101fa", true)
}

func TestServerGeneralForm(t *testing.T) {
	p := openPair(t, gmacKeys, 134, 20)
	general := func(counter uint32, plain string) opened {
		t.Helper()
		sh := *p.client.shield
		b, err := sh.seal(unhex(plain), counter, via{form: GeneralForm})
		if err != nil {
			t.Fatal(err)
		}
		up := p.server.Receive(testTime, b)
		if apdu.Tag(up[0]) != apdu.TagGeneralGlo || len(up) > 134 {
			t.Fatalf("answered % X", up)
		}
		o, err := sh.open(up)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := general(100, "c001c100080000010000ff0200"); !bytes.HasPrefix(o.plain, unhex("c401c100090c")) {
		t.Errorf("clock % X", o.plain)
	}
	if o := general(101, "c001c100070100630100ff0200"); !bytes.HasPrefix(o.plain, unhex("c402c10000000001")) {
		t.Errorf("profile % X", o.plain)
	}
	served(t, p.server, seal(t, p, 102, "600100"), "d80202", true)
	served(t, p.server, seal(t, p, 103, "0f00"), "d80202", true)
}

// TestServerNoRoomForTitle: a client that takes very little may have room for a block in
// one form of the envelope and not in the other.
func TestServerNoRoomForTitle(t *testing.T) {
	p := openPair(t, gmacKeys, 239, 1)
	p.server.limit = via{sh: p.server.shield}.sealedSize(minRoom)
	if r := p.must(Get(profileRef)); !bytes.Equal(r[0].Data, profile(1)) {
		t.Error("profile in blocks of one octet came back changed")
	}
	served(t, p.server, seal(t, p, 1000, "c001c100070100630100ff0200"), "d80104", true)
	served(t, p.server, seal(t, p, 1001, "c002c100000001"), "d80202", true)
}

// seal is plain in the general form, from the client.
func seal(t *testing.T, p *pair, counter uint32, plain string) []byte {
	t.Helper()
	b, err := p.client.shield.seal(unhex(plain), counter, via{form: GeneralForm})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServerReplacesAssociation(t *testing.T) {
	for _, keys := range mechanisms {
		p := openPair(t, keys, 239, 20)
		if _, err := p.exchange(p.ask(Get(profileRef))); err != nil {
			t.Fatal(err)
		}
		cfg := clientConfig(keys, 134)
		cfg.Counter = counterFrom(1000) // the concentrator restarted
		p.client = NewClient(cfg)
		if r := p.must(Get(profileRef)); !bytes.Equal(r[0].Data, profile(20)) {
			t.Errorf("%v: profile changed", keys)
		}
		if n := p.server.Counts().Opened; n != 2 {
			t.Errorf("%v: opened %d times", keys, n)
		}
	}
}

func TestServerConfigValidate(t *testing.T) {
	for id, cfg := range map[string]ServerConfig{
		"no password":  {Keys: Keys{Mechanism: LLS}},
		"no counter":   {Keys: gmacKeys, Title: meterTitle},
		"no title":     {Keys: gmacKeys, Counter: counterFrom(1)},
		"11 octets":    {MaxPDU: 11},
		"65536 octets": {MaxPDU: 65536},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: no fault found", id)
		}
		s := NewServer(cfg, newTree())
		for _, keys := range mechanisms {
			down, _ := NewClient(clientConfig(keys, 239)).Start(Open())
			if s.Receive(testTime, down); s.state != Closed {
				t.Errorf("%s: %v", id, s)
			}
		}
	}
	if err := serverConfig(gmacKeys, 0).Validate(); err != nil {
		t.Error(err)
	}
}
