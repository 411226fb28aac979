package abuse

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/concentrator/web"
	"busbar/plc"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	"busbar/plc/street/town"
	"busbar/uplink/center"
	"busbar/uplink/pki"
)

// stationID is the common name of the station's certificate.
const stationID = "TS-ABUSE"

// settings are those of the station's configuration that cases differ in.
type settings struct {
	modem    string
	data     string
	speed    float64
	period   time.Duration // of rounds
	backfill time.Duration
	search   time.Duration // between two searches for meters
	batch    int           // readings in a batch
	host     string
	certs    string // directory of certificate and key
	ca       string
	expected int
	// notAddressed is after how long a meter that nobody addresses forgets its address.
	notAddressed time.Duration
	maxMB        int
	page         string
}

func (s settings) yaml(keys, port string) string {
	return fmt.Sprintf(`station: %s
data: %s
line:
  modem: %s
  speed: %g
  not_addressed: %v
meters:
  keys: %s
  expected: %d
  allow_unprotected: true
round:
  period: %v
  backfill: %v
  discovery_interval: %v
uplink:
  url: wss://%s%s
  ca: %s
  cert: %s
  key: %s
  batch_size: %d
  batch_age: 100ms
  backoff_min: 100ms
  backoff_max: 500ms
storage:
  max_megabytes: %d
web:
  listen: %q
`, stationID, s.data, s.modem, s.speed, s.notAddressed, keys, s.expected, s.period, s.backfill, s.search,
		net.JoinHostPort(s.host, port), center.Path, s.ca, filepath.Join(s.certs, pki.StationCert), filepath.Join(s.certs, pki.StationKey),
		s.batch, s.maxMB, s.page)
}

// stage is a town, a center and a station.
type stage struct {
	*settings
	t       *testing.T
	dir     string
	begun   time.Time
	town    *town.Town
	unplug  func() // takes the modem's port away
	keys    string
	center  *program
	port    string // of the center; it keeps it
	station *program
	client  http.Client
}

// newStage builds the town, and the files of center and station; neither runs yet.
func newStage(t *testing.T, cfg town.Config) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "abuse-") // short: a socket's path has 107 octets at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &stage{t: t, dir: dir, begun: time.Now(), keys: filepath.Join(dir, "keys.csv")}
	g.settings = &settings{
		modem: filepath.Join(dir, "modem"), data: filepath.Join(dir, "station"), speed: 300, period: 2 * time.Second,
		backfill: 6 * time.Hour, search: time.Hour, batch: 500, host: "127.0.0.1", page: "127.0.0.1:0", expected: cfg.Meters,
		certs: filepath.Join(dir, "center", pki.StationsDir, stationID), ca: filepath.Join(dir, "center", pki.AuthorityCert),
	}
	if g.notAddressed = cfg.Timeouts.NotAddressed; g.notAddressed == 0 {
		g.notAddressed = 6 * time.Hour
	}
	cfg.Seed, cfg.Profile, cfg.Noise = 11, plc.DefaultProfile(), street.Quiet()
	cfg.Profile.Speed = g.speed
	if g.town, err = town.New(cfg); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(g.keys, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := g.town.WriteKeys(f); err != nil {
		t.Fatal(err)
	}
	g.port = freePort(t)
	g.mustInit("center")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(g.data, "concentrator.sock"))
	}
	g.client = http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	return g
}

// mustInit makes the directory of a center with a certificate for the station.
func (g *stage) mustInit(name string, args ...string) string {
	g.t.Helper()
	dir := filepath.Join(g.dir, name)
	if _, complaint, code := run(g.t, nil, "center", append([]string{"init", dir, "--station", stationID}, args...)...); code != 0 {
		g.t.Fatal(complaint)
	}
	return dir
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// plug serves the modem behind a new pseudo-terminal, and makes its path one of it.
func (g *stage) plug() {
	g.t.Helper()
	terminal, err := g.town.OpenTerminal()
	if err != nil {
		g.t.Skip("no pseudo-terminals here: ", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		_ = g.town.Serve(ctx, terminal) // ends by cancel
		close(ended)
	}()
	g.unplug = func() { cancel(); <-ended }
	g.t.Cleanup(g.unplug)
	g.link(terminal.Path())
}

// link makes the modem's path lead to target.
func (g *stage) link(target string) {
	g.t.Helper()
	next := filepath.Join(g.dir, "modem.next")
	if err := os.Symlink(target, next); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(g.dir, "modem")); err != nil {
		g.t.Fatal(err)
	}
}

// chip does something to the modem.
func (g *stage) chip(do func(now time.Time, c *chip.Chip)) {
	g.t.Helper()
	if err := g.town.Chip(g.t.Context(), do); err != nil {
		g.t.Fatal(err)
	}
}

// openCenter starts the center of a directory on the port.
func (g *stage) openCenter(name string) {
	g.t.Helper()
	g.center = start(g.t, g.dir, "center", "run", "--data", filepath.Join(g.dir, name), "--listen", "127.0.0.1:"+g.port)
	await(g.t, "center listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+g.port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil || !g.center.alive()
	}, g.center.said)
	if !g.center.alive() {
		g.t.Fatal(g.center.said())
	}
}

// openStation writes the configuration and starts the station.
func (g *stage) openStation(args ...string) {
	g.t.Helper()
	g.station = g.launch(args...)
	await(g.t, "the station answers", func() bool {
		_, err := g.ask()
		return err == nil || !g.station.alive()
	}, g.station.said)
	if !g.station.alive() {
		g.t.Fatal(g.station.said())
	}
}

// launch starts the station and does not wait for it.
func (g *stage) launch(args ...string) *program {
	g.t.Helper()
	return start(g.t, g.dir, "concentrator", append([]string{"run", "--config", g.configure()}, args...)...)
}

func (g *stage) configure() string {
	g.t.Helper()
	path := filepath.Join(g.dir, "station.yaml")
	if err := os.WriteFile(path, []byte(g.yaml(g.keys, g.port)), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// ask asks the station for its status.
func (g *stage) ask() (s web.Status, err error) {
	res, err := g.client.Get("http://station/api/v1/status")
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the station answered %s", res.Status)
	}
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// until waits until the status is as wanted.
func (g *stage) until(what string, is func(web.Status) bool) web.Status {
	g.t.Helper()
	var s web.Status
	await(g.t, what, func() bool {
		var err error
		if s, err = g.ask(); err != nil && !g.station.alive() {
			g.t.Fatalf("the station ended\n%s", g.station.said())
		}
		return err == nil && is(s)
	}, func() string {
		out, _, _ := g.concentrator("status")
		meters, _, _ := g.concentrator("meters")
		return out + meters + g.station.said()
	})
	return s
}

// verdict waits until the station's verdict and hint have every part in them.
func (g *stage) verdict(parts ...string) web.Status {
	g.t.Helper()
	return g.until("status says "+strings.Join(parts, ", "), func(s web.Status) bool {
		for _, p := range parts {
			if !strings.Contains(s.Verdict+"; "+s.Hint, p) {
				return false
			}
		}
		return true
	})
}

// read waits until a later round than the one now has read every meter.
func (g *stage) read() web.Status {
	g.t.Helper()
	now, err := g.ask()
	if err != nil {
		g.t.Fatal(err)
	}
	return g.until("another round has read all meters", func(s web.Status) bool {
		return s.Round.Number > now.Round.Number && s.Round.Finished != nil && s.Round.Done == len(g.town.Meters())
	})
}

// concentrator runs a command about the station.
func (g *stage) concentrator(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	return run(g.t, nil, "concentrator", append(args, "--data", g.data)...)
}

// happened waits until the station tells an event with every part in it.
func (g *stage) happened(parts ...string) {
	g.t.Helper()
	out := ""
	await(g.t, "event "+strings.Join(parts, ", "), func() bool {
		out, _, _ = g.concentrator("events", "--limit", "1000")
		for _, line := range strings.Split(out, "\n") {
			all := true
			for _, p := range parts {
				all = all && strings.Contains(line, p)
			}
			if all {
				return true
			}
		}
		return false
	}, func() string { return out })
}
