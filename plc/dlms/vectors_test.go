package dlms

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// line is one APDU of a recorded session.
type line struct {
	client bool
	octets []byte
}

func session(t *testing.T, name string) []line {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var all []line
	for l := range strings.Lines(string(text)) {
		if who, octets, ok := strings.Cut(strings.TrimSpace(l), " "); ok && who != "#" {
			all = append(all, line{client: who == "C", octets: unhex(octets)})
		}
	}
	return all
}

// invokeAt is where the plain services keep their invoke id.
const invokeAt = 2

// replay runs op against the recorded session and returns what is left of it. The
// client counts its invoke id up while the recorded one kept his: the difference is
// translated both ways and nothing else.
func replay(t *testing.T, c *Client, left []line, op Op) ([]line, []cosem.Result) {
	t.Helper()
	down, err := c.Start(op)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if len(left) < 2 || !left[0].client || left[1].client {
			t.Fatalf("the client sends % X where the session has no request", down)
		}
		want, up := left[0].octets, bytes.Clone(left[1].octets)
		left = left[2:]
		if len(down) > invokeAt && apdu.Tag(down[0]) >= apdu.TagGetRequest && len(want) > invokeAt {
			up[invokeAt] = down[invokeAt]
			down[invokeAt] = want[invokeAt]
		}
		if !bytes.Equal(down, want) {
			t.Fatalf("sent\n% X\nwant\n% X", down, want)
		}
		e, err := c.Receive(up)
		if err != nil {
			t.Fatalf("answer % X: %v", up, err)
		}
		if e.Done {
			return left, e.Results
		}
		down = e.Down
	}
}

func value(t *testing.T, r []cosem.Result) []byte {
	t.Helper()
	if len(r) != 1 || r[0].Access != cosem.Success {
		t.Fatalf("%d results, first %v", len(r), r)
	}
	return r[0].Data
}

// TestVectorM1 replays a whole session with a meter program of another maker.
func TestVectorM1(t *testing.T) {
	profile := func(attribute int8, s *cosem.Selection) cosem.Ref {
		return cosem.Ref{Class: 7, Object: cosem.MustOBIS("1.0.99.1.0.255"), Attribute: attribute, Select: s}
	}
	name := cosem.Ref{Class: 1, Object: cosem.MustOBIS("0.0.42.0.0.255"), Attribute: 2}
	list := cosem.Ref{Class: 15, Object: cosem.MustOBIS("0.0.40.0.0.255"), Attribute: 2}
	left := session(t, "m1.txt")
	c := NewClient(ClientConfig{
		Keys: Keys{Mechanism: LLS, Password: []byte("Gurux")}, MaxPDU: 134, Conformance: 0x401E1D,
	})
	step := func(op Op) (r []cosem.Result) {
		t.Helper()
		left, r = replay(t, c, left, op)
		return r
	}
	if got := value(t, step(Get(name))); !bytes.Equal(got, axdr.AppendOctets(nil, []byte("GRX123456"))) {
		t.Errorf("logical device name % X", got)
	}
	if got := value(t, step(Get(list))); len(got) != 2283 || axdr.Tag(got[0]) != axdr.Array || got[1] != 31 {
		t.Errorf("object list of %d octets, % X…", len(got), got[:2])
	}
	if got := value(t, step(Get(clockRef))); !bytes.Equal(got, unhex("090c07ea0b1607022f393f000000")) {
		t.Errorf("clock % X", got)
	}
	if got := value(t, step(Get(profile(3, nil)))); len(got) != 38 {
		t.Errorf("capture objects % X", got)
	}
	if got := value(t, step(Get(profile(4, nil)))); !bytes.Equal(got, unhex("060000003c")) {
		t.Errorf("capture period % X", got)
	}
	if got := value(t, step(Get(profile(7, nil)))); !bytes.Equal(got, unhex("0600002712")) {
		t.Errorf("entries in use % X", got)
	}
	byEntry := &cosem.Selection{Selector: 2, Parameters: unhex("020406000000010600000008120001120000")}
	if got := value(t, step(Get(profile(2, byEntry)))); len(got) != 2+8*21 || got[1] != 8 {
		t.Errorf("by entry: %d octets", len(got))
	}
	byRange := &cosem.Selection{Selector: 1, Parameters: unhex(
		"0204020412000809060000010000ff0f02120000090c07e90a01030d0000ff000000090c07e90a01030f0000ff0000000100")}
	if got := value(t, step(Get(profile(2, byRange)))); len(got) != 2+21 {
		t.Errorf("by range: %d octets", len(got))
	}
	other := cosem.Ref{Class: 3, Object: cosem.MustOBIS("1.0.99.99.0.255"), Attribute: 2}
	if r := step(Get(other)); r[0].Access != cosem.ObjectUndefined {
		t.Errorf("unknown object: %v", r)
	}
	if r := step(Set(clockRef, unhex("090c07ea0b16ff02000000800000"))); r[0].Access != cosem.Success {
		t.Errorf("set clock: %v", r)
	}
	r := step(Get(clockRef, name))
	if len(r) != 2 || len(r[0].Data) != 14 || !bytes.HasSuffix(r[1].Data, []byte("GRX123456")) {
		t.Errorf("with list: %v", r)
	}
	step(Release())
	if c.State() != Closed || c.Counts() != (Counts{LooseReleases: 1}) || len(left) != 0 {
		t.Errorf("at the end: %v, %+v, %d lines left", c.State(), c.Counts(), len(left))
	}
}

// TestVectorI30 opens an association with HLS-GMAC against octets of another program.
// Our request is its request octet for octet. Its meter returns the client's own
// challenge, which must be refused; with any other challenge its answer is believed.
func TestVectorI30(t *testing.T) {
	cfg := ClientConfig{
		ClientTitle: plc.MustSystemTitle(unhex("4772757800000001")), ServerTitle: plc.MustSystemTitle([]byte("ABCDEFGH")),
		Keys: gmacKeys, Counter: counterFrom(1), MaxPDU: 0xFFFF, Conformance: 0x401E1D,
		Challenge: unhex("70389cce67b359ac56ab552a158a4522"),
	}
	want := unhex(`605da109060760857405080103a60a040847727578000000018a0207808b0760857405080205ac12801070389cce67b3
		59ac56ab552a158a4522be230421211f30000000016fcf9cea92011b3c0bc18966129c6825494e5534cc591a215197`)
	answer := unhex(`6169a109060760857405080103a203020100a305a10302010ea40a0408414243444546474888020780890760857405080205
		aa12801070389cce67b359ac56ab552a158a4522be230421281f300000000016584d6f2bf43753196dda5081772032c147d3dfa1e4c911852d`)

	c := NewClient(cfg)
	down, err := c.Start(Open())
	if err != nil || !bytes.Equal(down, want) {
		t.Fatalf("AARQ, %v:\n% X\nwant\n% X", err, down, want)
	}
	if _, err := c.Receive(answer); !errors.Is(err, ErrForged) || c.State() != Opening {
		t.Errorf("our own challenge: %v, %v", c.State(), err)
	}
	if _, moved := c.LastPeerCounter(); moved {
		t.Error("a refused answer moved the meter's counter")
	}

	cfg.Challenge = []byte("another challenge")
	c = NewClient(cfg)
	if _, err := c.Start(Open()); err != nil {
		t.Fatal(err)
	}
	e, err := c.Receive(answer)
	if err != nil || c.State() != Authenticating || apdu.Tag(e.Down[0]) != apdu.TagGloActionRequest {
		t.Fatalf("answer: %v, %v", c.State(), err)
	}
	if granted, limit := c.Granted(); granted != 0x001E1D || limit != 512 {
		t.Errorf("granted %v, longest APDU %d", granted, limit)
	}
	s := NewServer(ServerConfig{Title: cfg.ServerTitle, Keys: gmacKeys, Counter: counterFrom(0)}, newTree())
	if up := s.Receive(testTime, want); up[0] != 0x61 || s.state != Authenticating {
		t.Errorf("our meter answers the recorded request with % X", up)
	}
}

// TestVectorB2 opens and releases an association as a meter, by Green Book octets.
func TestVectorB2(t *testing.T) {
	s := NewServer(serverConfig(llsKeys, 1200), newTree())
	up := s.Receive(testTime, unhex(`6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738
		be10040e01000000065f1f0400007e1f04b0`))
	if want := unhex("6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400005e1d04b00007"); !bytes.Equal(up, want) {
		t.Errorf("answer\n% X\nwant\n% X", up, want)
	}
	if !s.Opened() {
		t.Error("not open")
	}
	up = s.Receive(testTime, unhex("6203800100"))
	if !bytes.Equal(up, unhex("6303800100")) || s.Opened() {
		t.Errorf("B18: answer % X", up)
	}
}

// TestVectorRefusals reads the refusals of an association, as a client understands them.
func TestVectorRefusals(t *testing.T) {
	for _, tt := range []struct {
		id, octets string
		refusal    Refusal
		words      string
	}{
		{
			"B11", "6129a109060760857405080101a203020101a305a103020102be10040e0800065f1f040000501f01f40007",
			RefusedAssociation, "application context name not supported",
		},
		{"B12", "611fa109060760857405080101a203020101a305a103020101be0604040e010601", RefusedAssociation, "DLMS version too low"},
		{"B15", "611fa109060760857405080101a203020101a305a10302010dbe0604040e010600", RefusedAuthentication, "password"},
		{"C14", "d80202", RefusedService, "service unknown"},
		{"C15", "d80102", RefusedAssociation, "service not allowed"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			c := NewClient(clientConfig(llsKeys, 1200))
			if _, err := c.Start(Open()); err != nil {
				t.Fatal(err)
			}
			_, err := c.Receive(unhex(tt.octets))
			var r *RefusedError
			if !errors.As(err, &r) || r.Refusal != tt.refusal || !strings.Contains(err.Error(), tt.words) || r.Unauthenticated {
				t.Errorf("%#v: want refusal %d with %q", err, tt.refusal, tt.words)
			}
			if c.Busy() || c.State() != Closed {
				t.Errorf("busy %t, %v", c.Busy(), c.State())
			}
		})
	}
}

// TestVectorE1 runs the whole handshake with the challenges and counters of the Green
// Book and finds its proofs in it.
func TestVectorE1(t *testing.T) {
	tree := newTree()
	cfg := serverConfig(gmacKeys, 1200)
	cfg.Challenge, cfg.Counter = []byte("P6wRJ21F"), counters(0x01234566, 0x01234567, 0x01234568)
	s := NewServer(cfg, tree)
	ccfg := clientConfig(gmacKeys, 1200)
	ccfg.Challenge, ccfg.Counter = []byte("K56iVagY"), counters(0, 1, 2)
	c := NewClient(ccfg)
	down, err := c.Start(Open())
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Receive(s.Receive(testTime, down))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := opened1(t, s.shield, e.Down), unhex("10000000011a52fe7dd3e72748973c1e28"); !bytes.HasSuffix(got, want) {
		t.Errorf("pass 3 % X, want proof % X", got, want)
	}
	up := s.Receive(testTime, e.Down)
	if got, want := opened1(t, c.shield, up), unhex("1001234567fe1466afb3dbcd4f9389e2b7"); !bytes.HasSuffix(got, want) {
		t.Errorf("pass 4 % X, want proof % X", got, want)
	}
	if e, err := c.Receive(up); err != nil || !e.Done || !s.Opened() {
		t.Errorf("done %t, %v", e.Done, err)
	}
}

// TestVectorD4 is a ciphered request of the Green Book, opened by a meter. The example
// has the meter's title on the client's request, so the test gives it to the client.
func TestVectorD4(t *testing.T) {
	a := association{security: gmacKeys.Security()}
	if err := a.arm(&gmacKeys, clientTitle, meterTitle); err != nil {
		t.Fatal(err)
	}
	sh := a.shield
	b := unhex("c81e3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b")
	o, err := sh.open(b)
	if err != nil || o.counter != 0x01234567 || !bytes.Equal(o.plain, unhex("c0010000080000010000ff0200")) {
		t.Fatalf("opened % X, counter %X, %v", o.plain, o.counter, err)
	}
	for id, weaker := range map[string]string{
		"D2": "c81e1001234567c0010000080000010000ff020006725d910f9221d263877516",
		"D3": "c8122001234567411312ff935a47566827c467bc",
	} {
		if _, err := sh.open(unhex(weaker)); !errors.Is(err, ErrForged) {
			t.Errorf("%s, weaker than asked for: %v", id, err)
		}
	}
}

// counters draws the given counters and then no more.
func counters(all ...uint32) func() (uint32, error) {
	return func() (uint32, error) {
		if len(all) == 0 {
			return 0, ErrCounterSpent
		}
		n := all[0]
		all = all[1:]
		return n, nil
	}
}

// opened1 opens what the other end of sh sent.
func opened1(t *testing.T, sh *shield, b []byte) []byte {
	t.Helper()
	o, err := sh.open(b)
	if err != nil {
		t.Fatal(err)
	}
	return o.plain
}
