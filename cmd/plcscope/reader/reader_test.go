package reader

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc/cosem"
	"busbar/plc/hdlc"
	"busbar/plc/wrapper"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTargets(t *testing.T) {
	for _, s := range []string{"tcp://127.0.0.1:4059", "hdlc://meter:4060", "serial:///dev/ttyUSB0", "tcp://[::1]:1"} {
		got, err := ParseTarget(s)
		if err != nil || got.String() != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "127.0.0.1:4059", "tcp://host", "udp://host:1", "serial://host/dev", "tcp://host:1/path", "tcp://%zz"} {
		if got, err := ParseTarget(s); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

// scripted is a serial port with a meter behind it that answers by rule.
type scripted struct {
	answers map[string]string
	echo    bool
	out     bytes.Buffer
	modes   []string
}

func (s *scripted) Write(b []byte) (int, error) {
	if s.echo {
		s.out.Write(b)
	}
	s.out.WriteString(s.answers[string(b)])
	return len(b), nil
}

func (s *scripted) Read(b []byte) (int, error) {
	if s.out.Len() == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return s.out.Read(b[:min(len(b), 3)])
}

func (s *scripted) Close() error                    { return nil }
func (s *scripted) SetReadDeadline(time.Time) error { return nil }

func (s *scripted) Set(baud int, sevenEven bool) error {
	mode := "8N1"
	if sevenEven {
		mode = "7E1"
	}
	s.modes = append(s.modes, mode+" "+map[int]string{300: "300", 9600: "9600"}[baud])
	return nil
}

func TestModeE(t *testing.T) {
	for _, echo := range []bool{false, true} {
		s := &scripted{echo: echo, answers: map[string]string{"/?!\r\n": "/LGZ5\\2ZMD3104115.B32\r\n"}}
		if err := modeE(s, "", time.Second); err != nil || strings.Join(s.modes, ",") != "7E1 300,8N1 9600" {
			t.Errorf("echo %v: %v, %v", echo, s.modes, err)
		}
	}
	for want, answer := range map[string]string{"no answer": "", "no HDLC": "/LGZ5ZMD310\r\n", "not an HDLC frame": "/L\r\n"} {
		s := &scripted{answers: map[string]string{"/?7!\r\n": answer}}
		if err := modeE(s, "7", time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
	}
	if err := modeE(&scripted{}, "!", time.Second); err == nil {
		t.Error("a device address that ends the request")
	}
}

// TestHDLCLinkRepairs: a meter that is silent at first is asked again within one time-out.
func TestHDLCLinkRepairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		client, server := hdlc.Address{Upper: 16, Size: 1}, hdlc.Address{Upper: 1, Size: 1}
		heard := 0
		go func() {
			meter := hdlc.NewSecondary(hdlc.SecondaryConfig{Client: client, Server: server})
			var s hdlc.Stream
			b := make([]byte, 4096)
			for {
				n, err := far.Read(b)
				if err != nil {
					return
				}
				s.Feed(b[:n])
				for f, ok := s.Next(); ok; f, ok = s.Next() {
					if heard++; heard%3 == 1 {
						continue // lost
					}
					e := meter.Receive(f)
					if e.APDU != nil {
						e.Down = append(e.Down, meter.Answer(e.APDU)...)
					}
					if _, err := far.Write(e.Down); err != nil {
						return
					}
				}
			}
		}()
		l, err := openHDLC(near, hdlc.PrimaryConfig{Client: client, Server: server}, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			want := bytes.Repeat([]byte{byte(i + 1)}, 100)
			if err := l.Send(want); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Receive(30 * time.Second); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("% X, %v", got, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestWrapperLink passes over frames of others and tells what is no wrapper.
func TestWrapperLink(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	l := &wrapperLink{conn: near, client: 16, server: 1}
	go func() {
		b := wrapper.Frame{Source: 2, Destination: 16, APDU: []byte{1}}.Append(nil)
		b = wrapper.Frame{Source: 1, Destination: 17, APDU: []byte{2}}.Append(b)
		_, _ = far.Write(wrapper.Frame{Source: 1, Destination: 16, APDU: []byte{3}}.Append(b))
		_, _ = far.Write([]byte("SSH-2.0"))
	}()
	if got, err := l.Receive(time.Minute); err != nil || len(got) != 1 || got[0] != 3 {
		t.Errorf("% X, %v", got, err)
	}
	if _, err := l.Receive(time.Minute); !errors.Is(err, wrapper.ErrNotFrame) || !strings.Contains(err.Error(), "try hdlc://") {
		t.Errorf("%v", err)
	}
	if err := l.Send(make([]byte, wrapper.MaxAPDU+1)); err == nil {
		t.Error("an APDU that the wrapper cannot carry")
	}
}

// TestContextEndsARead: Ctrl-C does not wait for a meter.
func TestContextEndsARead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.ReadFull(c, make([]byte, 10)) // the request has come
		}
		stop()
	}()
	target, _ := ParseTarget("tcp://" + l.Addr().String())
	_, err = Open(ctx, Config{Target: target, Client: 16, Server: 1, MaxPDU: 1000, Timeout: time.Hour})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestObjects(t *testing.T) {
	got, err := ParseObjects(unhex(t, "01010204120008110009060000010000ff0202010202030f0116010002030f021603000100"))
	if err != nil || len(got) != 1 || got[0].Class != 8 || len(got[0].Attributes) != 2 || got[0].Attributes[1] != (Attribute{2, 3}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, s := range []string{"", "00", "0101" + "0203110811000906", "0184ffffffff"} {
		if got, err := ParseObjects(unhex(t, s)); err == nil {
			t.Errorf("%s: %+v", s, got)
		}
	}
	for mode, want := range map[uint8]bool{0: false, 1: true, 2: false, 3: true, 4: true, 5: false, 6: true, 0x0D: true, 0x12: false} {
		if got := (Attribute{2, mode}).Readable(); got != want {
			t.Errorf("mode %d: %v", mode, got)
		}
	}
}

// TestTruncatedObjects: no prefix of a list is a list.
func TestTruncatedObjects(t *testing.T) {
	b := unhex(t, "01010204120008110009060000010000ff0202010202030f0116010002030f02160300"+"0100")
	if _, err := ParseObjects(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if got, err := ParseObjects(b[:i]); err == nil {
			t.Errorf("cut to %d octets: %+v", i, got)
		}
	}
}

func FuzzParseObjects(f *testing.F) {
	f.Add(unhex(f, "01010204120008110009060000010000ff0202010202030f0116010002030f021603000100"))
	f.Fuzz(func(t *testing.T, b []byte) {
		objects, err := ParseObjects(b)
		if err != nil {
			return
		}
		if len(objects) > len(b) {
			t.Fatalf("%d objects of %d octets", len(objects), len(b))
		}
		for _, o := range objects {
			_ = cosem.Ref{Class: o.Class, Object: o.Name}.String()
		}
	})
}
