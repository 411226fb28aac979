package ws

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"busbar/concentrator"
	"busbar/uplink"
	"busbar/uplink/envelope"
	"busbar/uplink/pki"
)

// papers are the certificates of one test.
type papers struct {
	dir    string
	center tls.Certificate
	pool   *x509.CertPool
}

func newPapers(t *testing.T, now time.Time, hosts ...string) papers {
	t.Helper()
	p := papers{dir: t.TempDir(), pool: x509.NewCertPool()}
	m := pki.Maker{Dir: p.dir, Now: func() time.Time { return now }}
	if err := m.Init(hosts); err != nil {
		t.Fatal(err)
	}
	if _, err := m.AddStation("TS-1"); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(p.dir, pki.CenterCert), filepath.Join(p.dir, pki.CenterKey))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(p.dir, pki.AuthorityCert))
	if err != nil {
		t.Fatal(err)
	}
	p.center = pair
	p.pool.AppendCertsFromPEM(authority)
	return p
}

func (p papers) config(url string) Config {
	own := filepath.Join(p.dir, pki.StationsDir, "TS-1")
	return Config{
		URL: url, CA: filepath.Join(own, pki.AuthorityCert),
		Cert: filepath.Join(own, pki.StationCert), Key: filepath.Join(own, pki.StationKey),
		KeepAlive: time.Minute, AnswerTimeout: 5 * time.Second, HandshakeTimeout: 5 * time.Second,
	}
}

// serve runs an HTTPS server with the center's certificate, as a center asks for the station's.
func (p papers) serve(t *testing.T, handler http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{p.center},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool,
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "https://", "wss://", 1) + "/uplink"
}

// play is a center that follows a script after the greeting.
func (p papers) play(t *testing.T, script func(t *testing.T, c *websocket.Conn)) (url string) {
	t.Helper()
	up := websocket.Upgrader{Subprotocols: []string{envelope.Subprotocol}}
	return p.serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if m := hear(t, c); m == nil || m.(envelope.Hello).Station != "TS-1" {
			t.Errorf("instead of a hello came %+v", m)
		}
		say(t, c, envelope.Welcome{Held: [concentrator.Lanes]uint64{3, 4}})
		script(t, c)
	})
}

func hear(t *testing.T, c *websocket.Conn) envelope.Message {
	t.Helper()
	_, b, err := c.ReadMessage()
	if err != nil {
		return nil
	}
	m, err := envelope.ParseMessage(b)
	if err != nil {
		t.Error(err)
	}
	return m
}

func say(t *testing.T, c *websocket.Conn, m envelope.Message) {
	t.Helper()
	b, err := envelope.Marshal(m)
	if err == nil {
		err = c.WriteMessage(websocket.BinaryMessage, b)
	}
	if err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, cfg Config) (uplink.Session, error) {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d.Dial(t.Context())
}

// greet dials and says hello.
func greet(t *testing.T, cfg Config) uplink.Session {
	t.Helper()
	s, err := dial(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w, err := s.Hello(t.Context(), uplink.Hello{Station: "TS-1", Epoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	if w.Held != [concentrator.Lanes]uint64{3, 4} {
		t.Errorf("welcome %+v", w)
	}
	return s
}

// wants checks an error's words, and that they tell no key.
func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("%q holds a key", err)
	}
}

func nothing(http.ResponseWriter, *http.Request) {}

func TestDialSaysWhatIsWrong(t *testing.T) {
	now := time.Now()
	good := newPapers(t, now, "127.0.0.1")
	foreign := newPapers(t, now, "127.0.0.1")
	old := newPapers(t, now.AddDate(-3, 0, 0), "127.0.0.1")
	young := newPapers(t, now.AddDate(3, 0, 0), "127.0.0.1")
	elsewhere := newPapers(t, now, "center.example.org")

	t.Run("wrong CA", func(t *testing.T) {
		_, err := dial(t, good.config(foreign.serve(t, nothing)))
		wants(t, err, "not issued by the authority", "uplink.ca")
	})
	t.Run("expired", func(t *testing.T) {
		_, err := dial(t, old.config(old.serve(t, nothing)))
		wants(t, err, "expired on", "renew")
	})
	t.Run("not valid yet", func(t *testing.T) {
		_, err := dial(t, young.config(young.serve(t, nothing)))
		wants(t, err, "the clock of this station is probably wrong")
	})
	t.Run("wrong name", func(t *testing.T) {
		_, err := dial(t, elsewhere.config(elsewhere.serve(t, nothing)))
		wants(t, err, "another name than 127.0.0.1")
	})
	t.Run("refused", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := ln.Addr().String()
		_ = ln.Close()
		_, err = dial(t, good.config("wss://"+address+"/uplink"))
		wants(t, err, "nothing listens there")
	})
	t.Run("no TLS", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(nothing))
		defer s.Close()
		_, err := dial(t, good.config(strings.Replace(s.URL, "http://", "wss://", 1)))
		wants(t, err, "does not speak TLS")
	})
	t.Run("hangs up", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
		_, err = dial(t, good.config("wss://"+ln.Addr().String()+"/uplink"))
		wants(t, err, "hung up during the greeting")
	})
	t.Run("silent", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0") // takes calls, says nothing
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		cfg := good.config("wss://" + ln.Addr().String() + "/uplink")
		cfg.HandshakeTimeout = 50 * time.Millisecond
		_, err = dial(t, cfg)
		wants(t, err, "did not answer in time")
	})
	t.Run("only TLS 1.2", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(nothing))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{good.center}}
		s.StartTLS()
		defer s.Close()
		_, err := dial(t, good.config(strings.Replace(s.URL, "https://", "wss://", 1)))
		wants(t, err, "TLS 1.3")
	})
}

func TestDialFindsNoCenter(t *testing.T) {
	good := newPapers(t, time.Now(), "127.0.0.1")
	foreign := newPapers(t, time.Now(), "127.0.0.1")
	t.Run("some web server", func(t *testing.T) {
		_, err := dial(t, good.config(good.serve(t, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) })))
		wants(t, err, "not a Busbar center", "404")
	})
	t.Run("a redirect", func(t *testing.T) {
		_, err := dial(t, good.config(good.serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example.org/uplink", http.StatusFound)
		})))
		wants(t, err, "redirect", "never followed")
	})
	t.Run("another WebSocket", func(t *testing.T) {
		up := websocket.Upgrader{}
		_, err := dial(t, good.config(good.serve(t, func(w http.ResponseWriter, r *http.Request) {
			if c, err := up.Upgrade(w, r, nil); err == nil {
				_ = c.Close()
			}
		})))
		wants(t, err, "not a Busbar center")
	})
	t.Run("refuses in words", func(t *testing.T) {
		_, err := dial(t, good.config(good.serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Busbar-Center", "1")
			http.Error(w, "no\x1b[2Jway", http.StatusForbidden)
		})))
		wants(t, err, "refused: no [2Jway")
	})
	t.Run("our certificate is foreign", func(t *testing.T) {
		url := good.serve(t, nothing)
		cfg := foreign.config(url)
		cfg.CA = filepath.Join(good.dir, pki.AuthorityCert)
		_, err := dial(t, cfg)
		wants(t, err, "does not accept this station's certificate", "add-station")
	})
}

// TestOwnCertificateExpired: the center's refusal names the certificate and the clocks.
func TestOwnCertificateExpired(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	m := pki.Maker{Dir: p.dir, Force: true, Now: func() time.Time { return time.Now().AddDate(-3, 0, 0) }}
	if _, err := m.AddStation("TS-1"); err != nil {
		t.Fatal(err)
	}
	_, err := dial(t, p.config(p.serve(t, nothing)))
	wants(t, err, "this station's certificate is expired", "clocks")
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	good := newPapers(t, time.Now(), "127.0.0.1")
	base := good.config("wss://localhost:1/uplink")
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"plain URL":      {func(c *Config) { c.URL = "ws://localhost/uplink" }, "want wss://"},
		"no host":        {func(c *Config) { c.URL = "wss:///uplink" }, "want wss://"},
		"no CA":          {func(c *Config) { c.CA = "/nonexistent" }, "uplink.ca"},
		"CA is a key":    {func(c *Config) { c.CA = c.Key }, "holds no certificate"},
		"key of another": {func(c *Config) { c.Key = filepath.Join(good.dir, pki.CenterKey) }, "uplink.key"},
	} {
		cfg := base
		c.change(&cfg)
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
	d, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := d.Station(); err != nil || id != "TS-1" {
		t.Errorf("station %q (%v)", id, err)
	}
}

var batch = concentrator.Batch{ID: concentrator.BatchID{Epoch: 7, Lane: 1, Seq: 5}, Body: []byte("body"), Hash: sha256.Sum256([]byte("body"))}

func signed(t *testing.T, key crypto.Signer, station string) envelope.Receipt {
	t.Helper()
	r, err := envelope.Sign(key, station, concentrator.Receipt{ID: batch.ID, Hash: batch.Hash, CenterAt: time.Unix(1, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTalk(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	confirmed := make(chan envelope.Message, 1)
	s := greet(t, p.config(p.play(t, func(t *testing.T, c *websocket.Conn) {
		if m, ok := hear(t, c).(envelope.Send); !ok || m.Batch.ID != batch.ID || m.Batch.Hash != batch.Hash {
			t.Errorf("batch %+v", m)
		}
		say(t, c, signed(t, p.center.PrivateKey.(crypto.Signer), "TS-1"))
		if err := c.WriteMessage(websocket.TextMessage, []byte("hello?")); err != nil { // is skipped
			t.Error(err)
		}
		say(t, c, envelope.Order{Order: concentrator.Order{ID: "o1", Kind: concentrator.OrderRead}})
		confirmed <- hear(t, c)
		say(t, c, envelope.Goodbye{Reason: "closing time"})
	})))
	if err := s.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	m, err := s.Receive(t.Context())
	if err != nil || m.Receipt == nil || m.Receipt.ID != batch.ID {
		t.Fatalf("%+v (%v)", m, err)
	}
	m, err = s.Receive(t.Context())
	if err != nil || m.Order == nil || m.Order.ID != "o1" {
		t.Fatalf("%+v (%v)", m, err)
	}
	if err := s.ConfirmOrder(t.Context(), "o1"); err != nil {
		t.Fatal(err)
	}
	if c := <-confirmed; c != (envelope.Confirm{ID: "o1"}) {
		t.Errorf("confirmation %+v", c)
	}
	_, err = s.Receive(t.Context())
	wants(t, err, "closing time")
}

func TestForgedReceipts(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]envelope.Receipt{
		"other key":     signed(t, other, "TS-1"),
		"other station": signed(t, p.center.PrivateKey.(crypto.Signer), "TS-2"),
		"no signature":  {Receipt: concentrator.Receipt{ID: batch.ID, Hash: batch.Hash}},
	} {
		t.Run(name, func(t *testing.T) {
			s := greet(t, p.config(p.play(t, func(t *testing.T, c *websocket.Conn) {
				say(t, c, r)
				hear(t, c)
			})))
			_, err := s.Receive(t.Context())
			if !errors.Is(err, envelope.ErrSignature) {
				t.Errorf("%v", err)
			}
			wants(t, err, "nothing was deleted")
		})
	}
}

func TestBadCenters(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	for name, c := range map[string]struct {
		script func(t *testing.T, c *websocket.Conn)
		want   string
	}{
		"endless rubbish": {func(t *testing.T, c *websocket.Conn) {
			for range 100 {
				if c.WriteMessage(websocket.BinaryMessage, []byte("rubbish")) != nil {
					return
				}
			}
			hear(t, c)
		}, "messages of no use"},
		"a huge message": {func(t *testing.T, c *websocket.Conn) {
			_ = c.WriteMessage(websocket.BinaryMessage, make([]byte, envelope.MaxReply+1))
			hear(t, c)
		}, "more than 65536 octets"},
		"a cut line": {func(_ *testing.T, c *websocket.Conn) { _ = c.NetConn().Close() }, "was cut"},
		"a word at closing": {func(_ *testing.T, c *websocket.Conn) {
			_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "come back later"), time.Now().Add(time.Second))
		}, "come back later"},
	} {
		t.Run(name, func(t *testing.T) {
			s := greet(t, p.config(p.play(t, c.script)))
			_, err := s.Receive(t.Context())
			wants(t, err, c.want)
		})
	}
}

// TestDeadLineIsNoticed: a center that keeps the connection and answers no ping is
// given up; one that answers pings is not.
func TestDeadLineIsNoticed(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	hold := make(chan struct{})
	pings := make(chan struct{}, 100)
	cfg := p.config(p.play(t, func(_ *testing.T, c *websocket.Conn) {
		c.SetPingHandler(func(text string) error {
			pings <- struct{}{}
			if len(pings) > 3 {
				return nil // keeps silent from now on
			}
			return c.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Second))
		})
		_, _, _ = c.ReadMessage()
		<-hold
	}))
	defer close(hold)
	cfg.KeepAlive, cfg.AnswerTimeout = 30*time.Millisecond, 300*time.Millisecond
	s := greet(t, cfg)
	_, err := s.Receive(t.Context())
	wants(t, err, "the line is dead")
	if n := len(pings); n < 4 {
		t.Errorf("given up after %d pings although three were answered", n)
	}
}

func TestContextEndsReceive(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	s := greet(t, p.config(p.play(t, func(t *testing.T, c *websocket.Conn) { hear(t, c) })))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := s.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := s.Send(ctx, batch); err == nil {
		t.Error("a batch went out after the end")
	}
}

// TestHelloIsBounded: a center that does not answer the greeting is left.
func TestHelloIsBounded(t *testing.T) {
	p := newPapers(t, time.Now(), "127.0.0.1")
	up := websocket.Upgrader{Subprotocols: []string{envelope.Subprotocol}}
	cfg := p.config(p.serve(t, func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r, nil); err == nil {
			_, _, _ = c.ReadMessage()
			_, _, _ = c.ReadMessage()
			_ = c.Close()
		}
	}))
	cfg.AnswerTimeout = 50 * time.Millisecond
	s, err := dial(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Hello(t.Context(), uplink.Hello{Station: "TS-1"})
	wants(t, err, "greet the center", "nothing came in time")
}
