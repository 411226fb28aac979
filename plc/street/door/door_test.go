package door

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/hdlc"
	"busbar/plc/llc"
	"busbar/plc/mac"
	"busbar/plc/modem/foreign"
	"busbar/plc/street/load"
	"busbar/plc/street/meter"
	"busbar/plc/wrapper"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pipes is a listener whose connections stay in memory.
type pipes struct {
	fail int // so many times nothing can be taken
	c    chan net.Conn
	done chan struct{}
	once sync.Once
}

func newPipes() *pipes { return &pipes{c: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	if p.fail > 0 {
		p.fail--
		return nil, errors.New("too many open files")
	}
	select {
	case c := <-p.c:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.c <- far
	return near
}

const password = "12345678"

// stage serves two meters: one with a password, one without security.
func stage(t *testing.T, cfg Config, kind Kind, which int, play func(d *Doors, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		homes := load.NewModel(2, 1)
		for i, keys := range []dlms.Keys{{Mechanism: dlms.LLS, Password: []byte(password)}, {}} {
			cfg.Meters = append(cfg.Meters, meter.New(meter.Config{
				Title: plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, 0, byte(i + 1)}), Home: homes.Home(i),
				Installed: time.Now().Add(-time.Hour), Keys: keys,
			}))
		}
		var owner sync.Mutex
		cfg.Do = func(_ context.Context, f func()) error {
			owner.Lock()
			defer owner.Unlock()
			f()
			return nil
		}
		d, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := newPipes()
		p.fail = 3
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Serve(ctx, p, kind, which) }()
		play(d, p)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
	})
}

// say writes and returns what comes back within a second, empty for nothing.
func say(t *testing.T, c net.Conn, b []byte) []byte {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buffer := make([]byte, 4096)
	for {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(buffer)
		if got = append(got, buffer[:n]...); err != nil {
			return got
		}
	}
}

const (
	aarqLLS  = "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738be10040e01000000065f1f0400401e1dffff"
	aarqNone = "601da109060760857405080101be10040e01000000065f1f0400401e1dffff"
	getName  = "c001c1000100002a0000ff0200"
	rlrq     = "6203800100"
)

func framed(t *testing.T, source, destination uint16, apdu string) []byte {
	t.Helper()
	return wrapper.Frame{Source: source, Destination: destination, APDU: unhex(t, apdu)}.Append(nil)
}

// tags are the first octets of the APDUs in wrapper frames.
func tags(t *testing.T, b []byte) string {
	t.Helper()
	var s wrapper.Stream
	s.Feed(b)
	var out []string
	for {
		f, ok, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return strings.Join(out, " ")
		}
		out = append(out, hex.EncodeToString(f.APDU[:1]))
	}
}

// TestAssociationBelongsToItsConnection: what one client proved, another cannot use, and
// one that went leaves nothing open.
func TestAssociationBelongsToItsConnection(t *testing.T) {
	stage(t, Config{}, Wrapper, All, func(_ *Doors, p *pipes) {
		first, second := p.dial(), p.dial()
		if got := tags(t, say(t, first, framed(t, 1, 1, aarqLLS+""))); got != "61" {
			t.Fatalf("associate: %s", got)
		}
		if got := tags(t, say(t, first, framed(t, 1, 1, getName))); got != "c4" {
			t.Errorf("the one who opened: %s", got)
		}
		if got := tags(t, say(t, second, framed(t, 1, 1, getName))); got != "d8" {
			t.Errorf("another: %s", got)
		}
		if got := tags(t, say(t, second, framed(t, 1, 1, strings.Replace(aarqLLS, "3132", "3232", 1)))); got != "61" {
			t.Errorf("wrong password: %s", got)
		}
		if got := tags(t, say(t, first, framed(t, 1, 1, getName))); got != "c4" {
			t.Errorf("the one who opened, after another failed: %s", got)
		}
		if got := tags(t, say(t, second, framed(t, 1, 1, aarqLLS))); got != "61" {
			t.Errorf("right password: %s", got)
		}
		if got := tags(t, say(t, first, framed(t, 1, 1, getName))); got != "d8" {
			t.Errorf("the one who lost it: %s", got)
		}
		first.Close()
		synctest.Wait()
		if got := tags(t, say(t, second, framed(t, 1, 1, getName))); got != "c4" {
			t.Errorf("after the first left: %s", got)
		}
		second.Close()
		synctest.Wait()
		third := p.dial()
		if got := tags(t, say(t, third, framed(t, 1, 1, getName))); got != "d8" {
			t.Errorf("after all left: %s", got)
		}
	})
}

// TestWrapperAddresses: two requests in one write, other meters, meters that are not there.
func TestWrapperAddresses(t *testing.T) {
	stage(t, Config{}, Wrapper, All, func(d *Doors, p *pipes) {
		c := p.dial()
		b := append(framed(t, 16, 2, aarqNone), framed(t, 16, 2, getName)...)
		if got := tags(t, say(t, c, append(b, framed(t, 16, 2, rlrq)...))); got != "61 c4 63" {
			t.Errorf("meter 2: %s", got)
		}
		for _, to := range []uint16{0, 3, 300, 0xFFFF} {
			if got := say(t, c, framed(t, 16, to, aarqNone)); len(got) != 0 {
				t.Errorf("port %d: % X", to, got)
			}
		}
		if got := say(t, c, framed(t, 300, 1, aarqNone)); len(got) != 0 {
			t.Errorf("client 300: % X", got)
		}
		if got := say(t, c, []byte("GET / HTTP/1.1\r\n\r\n")); len(got) != 0 || d.Counts().Broken != 1 {
			t.Errorf("% X, %+v", got, d.Counts())
		}
		if _, err := c.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection stayed: %v", err)
		}
	})
	stage(t, Config{}, Wrapper, 1, func(_ *Doors, p *pipes) {
		c := p.dial()
		if got := tags(t, say(t, c, append(framed(t, 16, 1, aarqNone), framed(t, 16, 1, getName)...))); got != "61 c4" {
			t.Errorf("a door of one meter: %s", got)
		}
	})
}

// TestHDLCDoor sets up a link, associates, asks and takes it down, by each form of address.
func TestHDLCDoor(t *testing.T) {
	client := hdlc.Address{Upper: 16, Size: 1}
	stage(t, Config{}, HDLC, All, func(_ *Doors, p *pipes) {
		for server, answers := range map[hdlc.Address]bool{
			{Upper: 1, Size: 1}: true, {Upper: 1, Lower: 16, Size: 2}: true, {Upper: 1, Lower: 17, Size: 2}: true, {Upper: 1, Lower: 17, Size: 4}: true,
			{Upper: 1, Lower: hdlc.LowerAll2, Size: 2}: true, {Upper: 1, Lower: 18, Size: 2}: false, {Upper: 1, Lower: 3, Size: 2}: false,
		} {
			c := p.dial()
			link := hdlc.NewPrimary(hdlc.PrimaryConfig{Client: client, Server: server})
			ask := func(b []byte) hdlc.Effects {
				f, _, err := hdlc.Parse(say(t, c, b))
				if err != nil {
					if answers {
						t.Fatalf("%v: %v", server, err)
					}
					return hdlc.Effects{}
				}
				e, err := link.Receive(f)
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			if e := ask(link.Connect()); e.Connected != answers {
				t.Errorf("%v: %+v", server, e)
			}
			if !answers {
				c.Close()
				continue
			}
			for _, request := range []string{aarqNone, getName, rlrq} {
				b, err := link.Send(unhex(t, request))
				if err != nil {
					t.Fatal(err)
				}
				if e := ask(b); e.APDU == nil || e.APDU[0] != map[string]byte{aarqNone: 0x61, getName: 0xC4, rlrq: 0x63}[request] {
					t.Errorf("%v: %s: % X", server, request, e.APDU)
				}
			}
			if e := ask(link.Disconnect()); !e.Disconnected {
				t.Errorf("%v: %+v", server, e)
			}
			c.Close()
			synctest.Wait()
		}
	})
}

// TestHDLCLinks: one connection has room for so many links.
func TestHDLCLinks(t *testing.T) {
	stage(t, Config{}, HDLC, All, func(d *Doors, p *pipes) {
		c := p.dial()
		for i := range maxLinks {
			link := hdlc.NewPrimary(hdlc.PrimaryConfig{Client: hdlc.Address{Upper: uint16(i + 1), Size: 1}, Server: hdlc.Address{Upper: 1, Size: 1}})
			if got := say(t, c, link.Connect()); len(got) == 0 {
				t.Fatalf("link %d: no answer", i)
			}
		}
		link := hdlc.NewPrimary(hdlc.PrimaryConfig{Client: hdlc.Address{Upper: 100, Size: 1}, Server: hdlc.Address{Upper: 1, Size: 1}})
		if got := say(t, c, link.Connect()); len(got) != 0 || d.Counts().Broken != 1 {
			t.Errorf("% X, %+v", got, d.Counts())
		}
	})
}

// TestPLCDoor answers the frames that a foreign program sent (dlms-vectors.md L1, L3, L4), here
// from the public client.
func TestPLCDoor(t *testing.T) {
	stage(t, Config{}, PLC, All, func(_ *Doors, p *pipes) {
		c := p.dial()
		for _, to := range []plc.Address{plc.AllPhysical, 1, 2} {
			for _, request := range []string{aarqNone, getName, rlrq} {
				l := llc.LPDU{DSAP: 1, SSAP: 16, APDU: unhex(t, request)}
				b := foreign.Frame{Credits: plc.Credits{Initial: 4, Current: 4}, Source: 0xC00, Destination: to, MSDU: l.Append(nil)}.Append(nil)
				f, n, err := foreign.Parse(say(t, c, append([]byte{0x55, 0x02}, b...)))
				if err != nil {
					t.Fatalf("%v: %s: %d, %v", to, request, n, err)
				}
				back, _, err := llc.Parse(f.MSDU)
				if err != nil || f.Destination != 0xC00 || f.Source != max(1, to%plc.AllPhysical) || back.DSAP != 16 || back.SSAP != 1 {
					t.Errorf("%v: %+v, %+v, %v", to, f, back, err)
				}
			}
		}
		l := llc.LPDU{DSAP: 1, SSAP: 16, APDU: unhex(t, aarqNone)}
		if got := say(t, c, foreign.Frame{Source: 0xC00, Destination: 3, MSDU: l.Append(nil)}.Append(nil)); len(got) != 0 {
			t.Errorf("meter 3: % X", got)
		}
	})
}

// TestPLCDoorWithHDLC sets up the link that a foreign program asks for in a MAC frame
// (dlms-vectors.md L6), and reads over it.
func TestPLCDoorWithHDLC(t *testing.T) {
	stage(t, Config{}, PLC, 1, func(_ *Doors, p *pipes) {
		c := p.dial()
		snrm := unhex(t, "6c6c00c01fff117ea007032393bf327e0000000000000000000000000000000000a1cfca")
		link := hdlc.NewPrimary(hdlc.PrimaryConfig{Client: hdlc.Address{Upper: 17, Size: 1}, Server: hdlc.Address{Upper: 1, Size: 1}})
		exchange := func(b []byte) hdlc.Effects {
			m, _, err := mac.ParseFrame(say(t, c, b))
			if err != nil || m.Source != 2 || m.Destination != 0xC01 {
				t.Fatalf("%+v, %v", m, err)
			}
			f, _, err := hdlc.Parse(m.MSDU)
			if err != nil {
				t.Fatal(err)
			}
			e, err := link.Receive(f)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		link.Connect()
		if e := exchange(snrm); !e.Connected {
			t.Fatalf("%+v", e)
		}
		link = hdlc.NewPrimary(hdlc.PrimaryConfig{Client: hdlc.Address{Upper: 16, Size: 1}, Server: hdlc.Address{Upper: 1, Size: 1}})
		wrap := func(b []byte) []byte {
			return mac.Frame{Source: 0xC01, Destination: plc.AllPhysical, MSDU: b}.Append(nil)
		}
		exchange(wrap(link.Connect()))
		for _, request := range []string{aarqNone, "c001c1000f0000280000ff0200"} {
			b, err := link.Send(unhex(t, request))
			if err != nil {
				t.Fatal(err)
			}
			e := exchange(wrap(b))
			for e.APDU == nil {
				e = exchange(wrap(e.Down))
			}
			if tag := e.APDU[0]; tag != 0x61 && tag != 0xC4 {
				t.Errorf("% X", e.APDU)
			}
		}
	})
}

// TestBounds: one connection too many is closed, a silent one after its time.
func TestBounds(t *testing.T) {
	stage(t, Config{MaxConnections: 2, Idle: time.Minute}, Wrapper, All, func(d *Doors, p *pipes) {
		a, b, c := p.dial(), p.dial(), p.dial()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || d.Counts().TurnedAway != 1 || d.Counts().Missed != 3 {
			t.Errorf("%v, %+v", err, d.Counts())
		}
		time.Sleep(30 * time.Second)
		if got := tags(t, say(t, a, framed(t, 16, 1, aarqNone))); got != "61" {
			t.Errorf("%s", got)
		}
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if _, err := b.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the silent one stayed: %v", err)
		}
		if got := say(t, a, []byte{0}); len(got) != 0 {
			t.Errorf("% X", got)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("doors without meters")
	}
	d, err := New(Config{Meters: []Meter{&meter.Meter{}}, Do: func(context.Context, func()) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	p := newPipes()
	if err := d.Serve(t.Context(), p, Wrapper, 1); err == nil {
		t.Error("a door onto a meter that is not there")
	}
	if err := d.Serve(t.Context(), newPipes(), 0, All); err == nil {
		t.Error("a door without a protocol")
	}
	if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener stayed open: %v", err)
	}
	if Kind(9).String() != "kind(9)" || HDLC.String() != "HDLC" {
		t.Error("names of kinds")
	}
}

// FuzzSpeakers gives arbitrary octets to each protocol.
func FuzzSpeakers(f *testing.F) {
	f.Add(uint8(Wrapper), wrapper.Frame{Source: 16, Destination: 1, APDU: unhex(f, aarqNone)}.Append(nil))
	f.Add(uint8(HDLC), unhex(f, "7ea0070321930f017e7ea02b032110fbafe6e600601da109060760857405080101be10040e01000000065f1f0400401e1dffffe7257e"))
	f.Add(uint8(PLC), unhex(f, "02105090c00fff149001116203800100000000000000000000000000000000000000000080f7"))
	f.Add(uint8(PLC-1), unhex(f, "6c6c00c01fff117ea007032393bf327e0000000000000000000000000000000000a1cfca"))
	echo := Config{Meters: []Meter{echoMeter{}}, Do: func(_ context.Context, f func()) error { f(); return nil }}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		d, err := New(echo)
		if err != nil {
			t.Fatal(err)
		}
		v := &visit{doors: d, ctx: t.Context(), which: All, opened: map[opened]bool{}}
		out, _ := v.speaker(Kind(kind%3 + 1)).receive(b)
		if len(out) > 64*len(b)+256 {
			t.Fatalf("%d octets for %d", len(out), len(b))
		}
		v.leave()
		if len(d.owners) != 0 {
			t.Fatalf("%d associations stayed", len(d.owners))
		}
	})
}

// echoMeter accepts every association and repeats everything else.
type echoMeter struct{}

func (echoMeter) Handle(_ time.Time, _, _ byte, request []byte) []byte {
	if request[0] == 0x60 {
		b, _ := hex.DecodeString("6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d02000007")
		return b
	}
	return bytes.Clone(request)
}

func (echoMeter) Release(byte) {}
