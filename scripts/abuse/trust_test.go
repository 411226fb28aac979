package abuse

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/concentrator/web"
	"busbar/plc/street/town"
	"busbar/uplink/pki"
)

// apart waits until the status says that there is no connection, and why.
func (g *stage) apart(parts ...string) web.Status {
	g.t.Helper()
	return g.until("no connection: "+strings.Join(parts, ", "), func(s web.Status) bool {
		for _, p := range parts {
			if !strings.Contains(s.Uplink.Error, p) {
				return false
			}
		}
		return !s.Uplink.Connected && s.Verdict != "" && !s.Healthy
	})
}

// copyFile puts a copy of a file at another path at once.
func (g *stage) copyFile(from, to string) {
	g.t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(to+".new", to)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// certify puts the station's certificate and key of a center's directory in use.
func (g *stage) certify(dir string) {
	g.t.Helper()
	for _, name := range []string{pki.StationKey, pki.StationCert} {
		g.copyFile(filepath.Join(dir, pki.StationsDir, stationID, name), filepath.Join(g.certs, name))
	}
}

// TestWrongCertificates (U06): nobody is let in by less than the right certificate, on
// either side. The status says what is wrong, the backlog stays, and after each repair
// everything is delivered.
func TestWrongCertificates(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Mixed})
	g.plug()
	other := g.mustInit("other")
	g.certs = filepath.Join(g.dir, "certs")
	if err := os.Mkdir(g.certs, 0o700); err != nil {
		t.Fatal(err)
	}
	g.certify(filepath.Join(g.dir, "center"))

	g.openCenter("other") // whose authority the station does not know
	g.openStation()
	g.apart("was not issued by the authority in", g.ca)
	g.read()
	g.center.stop()
	g.apart("nothing listens there")
	g.until("a backlog", func(s web.Status) bool { return s.Outbox.Readings >= 8*2*20 })

	g.certify(other) // a certificate that the center's authority did not issue
	g.openCenter("center")
	g.apart("does not accept this station's certificate", "center add-station")

	old := pki.Maker{Dir: g.dir + "/center", Force: true, Now: func() time.Time { return time.Now().AddDate(-3, 0, 0) }}
	if _, err := old.AddStation(stationID); err != nil {
		t.Fatal(err)
	}
	g.certify(filepath.Join(g.dir, "center"))
	g.apart("certificate is expired", "center add-station")
	if all, _ := g.stored(); len(all) > 0 {
		t.Errorf("%d readings were delivered without the right certificate", len(all))
	}

	if _, complaint, code := run(t, nil, "center", "add-station", stationID, "--force", "--data", filepath.Join(g.dir, "center")); code != 0 {
		t.Fatal(complaint)
	}
	g.certify(filepath.Join(g.dir, "center"))
	g.until("connected", func(s web.Status) bool { return s.Uplink.Connected })
	g.finish()
}

// TestWrongNameOfTheCenter (U06): a certificate of the right authority for another name
// is refused, and the status names both ways out.
func TestWrongNameOfTheCenter(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Password})
	g.plug()
	g.mustInit("center", "--force", "--host", "localhost")
	g.openCenter("center")
	g.openStation()
	g.apart("certificate is for another name than 127.0.0.1", "uplink.url")
	g.read()
	g.station.stop()
	g.host = "localhost"
	g.openStation()
	g.finish()
}

// TestUnusableCertificates: what is wrong with files is told at the start, with exit code 2.
func TestUnusableCertificates(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 1})
	foreign := filepath.Join(g.mustInit("other", "--station", "TS-2"), pki.StationsDir, "TS-2")
	rubbish := filepath.Join(g.dir, "rubbish.pem")
	if err := os.WriteFile(rubbish, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := *g.settings
	for _, c := range []struct {
		name   string
		change func(*settings)
		want   []string
	}{
		{"missing", func(s *settings) { s.certs = "/nowhere" }, []string{"uplink.cert /nowhere/station.pem", "no such file"}},
		{"another station's", func(s *settings) { s.certs = foreign }, []string{`station "TS-2"`, stationID, "correct one of them"}},
		{"no authority", func(s *settings) { s.ca = rubbish }, []string{rubbish, "holds no certificate", "uplink.ca"}},
		{"missing authority", func(s *settings) { s.ca = "/nowhere/ca.pem" }, []string{"uplink.ca", "/nowhere/ca.pem"}},
	} {
		*g.settings = good
		c.change(g.settings)
		_, complaint, code := run(t, nil, "concentrator", "run", "--config", g.configure())
		if code != 2 {
			t.Errorf("%s: exit code %d, want 2", c.name, code)
		}
		tells(t, c.name, complaint, c.want...)
	}
}

// pretend answers on the center's port in its place until the returned function is called.
func (g *stage) pretend(answer func(net.Conn)) (end func()) {
	g.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		g.t.Fatal(err)
	}
	var inside sync.WaitGroup
	inside.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			inside.Go(func() {
				_ = c.SetDeadline(time.Now().Add(patience)) // it ends with its caller
				answer(c)
				_ = c.Close()
			})
		}
	})
	return func() {
		_ = l.Close()
		inside.Wait()
	}
}

// TestNoCenter (U08): whatever answers in the place of the center, the status says what
// it seems to be, and no redirect or promise of endless octets is followed.
func TestNoCenter(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Password})
	g.plug()
	pair, err := tls.LoadX509KeyPair(filepath.Join(g.dir, "center", pki.CenterCert), filepath.Join(g.dir, "center", pki.CenterKey))
	if err != nil {
		t.Fatal(err)
	}
	secure := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
			_, _ = s.Read(make([]byte, 4096)) // the caller may be gone at any time
			_, _ = io.WriteString(s, text)
			_ = s.Close()
		}
	}
	weak := func(c net.Conn) {
		_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}).Handshake()
	}
	plain := func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }
	started := false
	for _, c := range []struct {
		name   string
		answer func(net.Conn)
		want   string
	}{
		{"hangs up", func(net.Conn) {}, "it hung up during the greeting"},
		{"no TLS", plain, "does not speak TLS"},
		{"less than TLS 1.3", weak, "does not speak TLS 1.3, and less is never used"},
		{"another server", secure("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "is not a Busbar center (404 Not Found)"},
		{"redirect", secure("HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"), "a redirect (302 Found), which is never followed"},
		{"endless header", secure("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20000)), "no connection"},
		{"a terabyte", secure("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + strings.Repeat("z", 1<<20)), "is not a Busbar center (200 OK)"},
	} {
		end := g.pretend(c.answer)
		if !started {
			g.openStation()
			started = true
		}
		g.apart(c.want)
		end()
	}
	g.openCenter("center")
	g.until("connected", func(s web.Status) bool { return s.Uplink.Connected })
	g.finish()
}
