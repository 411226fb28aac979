package abuse

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"busbar/concentrator/web"
	"busbar/plc"
	"busbar/plc/street"
	"busbar/plc/street/town"
	"busbar/uplink/center"
)

// order has the center read one value of a meter.
func (g *stage) order(meter string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	args = append([]string{"read", stationID, meter}, args...)
	return run(g.t, nil, "center", append(args, "--data", filepath.Join(g.dir, "center"))...)
}

// TestOrders: an order comes back with value, quality and time while a round is running;
// one that cannot be carried out comes back with the reason and exit code 4.
func TestOrders(t *testing.T) {
	t.Parallel()
	g := raise(t, town.Config{Meters: 8})
	g.read()
	g.until("connected", func(s web.Status) bool { return s.Uplink.Connected })
	titles := g.town.Titles()
	for _, meter := range titles[:3] {
		g.until("a round is running", func(s web.Status) bool { return s.Round.Phase == "reading" && s.Round.Finished == nil })
		out, complaint, code := g.order(meter.String(), "1.0.1.8.0.255", "--json")
		if code != 0 {
			t.Fatalf("exit code %d, %s\n%s", code, complaint, g.station.said())
		}
		g.isTold(meter, out)
	}
	out, complaint, code := g.order(titles[0].String(), "1-0:1.8.0")
	if code != 0 {
		t.Fatalf("exit code %d, %s", code, complaint)
	}
	tells(t, "order", out, "Wh", "read 20", "Z, meter "+titles[0].String(), "good")

	for name, c := range map[string]struct {
		meter, object string
		code          int
		want          []string
	}{
		"unknown meter":  {"4242520000009999", "1.0.1.8.0.255", 4, []string{"no value, the order is refused", "no such meter at this station"}},
		"unknown object": {titles[1].String(), "1.0.99.99.99.255", 4, []string{"no value"}},
		"no title":       {"meter", "1.0.1.8.0.255", 2, []string{"meter"}},
		"no OBIS code":   {titles[1].String(), "energy", 2, []string{"energy"}},
	} {
		_, complaint, code := g.order(c.meter, c.object, "--timeout", "30s")
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
		tells(t, name, complaint, c.want...)
	}

	mute := street.Fault{Kind: street.Mute, Servers: []int{5}}
	var silent plc.SystemTitle
	if err := g.town.Do(t.Context(), func(m *street.Mains) {
		silent = m.Survey()[5].Title
		if err := m.Inject(mute); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	_, complaint, code = g.order(silent.String(), "1.0.1.8.0.255", "--timeout", "4s")
	if code != 4 {
		t.Errorf("silent meter: exit code %d, want 4", code)
	}
	tells(t, "silent meter", complaint, "no value, the order is expired", "without an answer")
	g.verdict("could not be read", "concentrator meters")
	out, _, _ = g.concentrator("meters", "--sort", "failures")
	if first := strings.Split(out, "\n")[1]; !strings.HasPrefix(first, silent.String()) || strings.HasSuffix(strings.TrimSpace(first), "never") {
		t.Errorf("the silent meter is not the first, with a reason:\n%s", out)
	}

	_, complaint, code = run(t, nil, "center", "read", "TS-NONE", titles[0].String(), "1.0.1.8.0.255", "--data", filepath.Join(g.dir, "center"), "--timeout", "2s")
	if code != 3 && code != 4 {
		t.Errorf("unknown station: exit code %d", code)
	}
	tells(t, "unknown station", complaint, "TS-NONE")
	g.station.stop()
	_, complaint, code = g.order(titles[0].String(), "1.0.1.8.0.255", "--timeout", "2s")
	if code != 4 {
		t.Errorf("absent station: exit code %d, want 4", code)
	}
	tells(t, "absent station", complaint, "is not connected", "the order is void")
	g.center.stop()
	_, complaint, code = g.order(titles[0].String(), "1.0.1.8.0.255")
	if code != 3 {
		t.Errorf("no center: exit code %d, want 3", code)
	}
	tells(t, "no center", complaint, "no center is running", "center run")
}

// isTold makes sure that an answer is a value with its time that the meter really told.
func (g *stage) isTold(title plc.SystemTitle, out string) {
	g.t.Helper()
	var a center.Answer
	if err := json.Unmarshal([]byte(out), &a); err != nil || a.Result == nil || a.Meter != title {
		g.t.Fatalf("%v: %s", err, out)
	}
	r := a.Result
	if r.Outcome != "answered" || r.Quality != 0 || r.Unit != 30 || len(r.Data) == 0 || r.Text == "" || time.Since(r.Time).Abs() > patience {
		g.t.Errorf("result %+v", r)
	}
	told := false
	if err := g.town.Do(g.t.Context(), func(*street.Mains) {
		for _, m := range g.town.Meters() {
			for v := range m.Served() {
				told = told || m.Title() == title && v.Object.Object == a.Object && strings.HasPrefix(r.Text, wattHours(v.Value))
			}
		}
	}); err != nil {
		g.t.Fatal(err)
	}
	if !told {
		g.t.Errorf("the meter never told %s", r.Text)
	}
}

// wattHours is how an energy is written for people.
func wattHours(v int64) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b) + " Wh"
}

// TestCommands: what a person or a script asks the station for comes as words or as
// JSON, with the exit codes of the manual.
func TestCommands(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Mixed})
	for _, command := range []string{"status", "meters", "events", "rounds"} {
		if _, complaint, code := g.concentrator(command, "--json"); code != 3 || !strings.Contains(complaint, "no station is running") {
			t.Errorf("%s without a station: exit code %d, %s", command, code, complaint)
		}
	}
	g.openStation()
	if _, complaint, code := g.concentrator("status", "--check"); code != 4 || !strings.Contains(complaint, "power line") {
		t.Errorf("status --check without a modem: exit code %d, %s", code, complaint)
	}
	g.plug()
	g.openCenter("center")
	g.ready()
	g.until("healthy", func(s web.Status) bool { return s.Healthy && s.Storage.Readings >= 8*2*20 })
	if out, complaint, code := g.concentrator("status", "--check"); code != 0 || out == "" {
		t.Errorf("status --check: exit code %d, %s", code, complaint)
	}
	var s web.Status
	g.asJSON(&s, "status", "--json")
	if s.Station != stationID || s.Meters.Registered != 8 || s.Storage.Readings < 8*2*20 || !s.Uplink.Connected {
		t.Errorf("status %+v", s)
	}
	var meters []web.Meter
	g.asJSON(&meters, "meters", "--json")
	titles := map[string]bool{}
	for _, m := range meters {
		titles[m.Title] = true
		if m.State != "registered" || m.LastReading == nil || m.Name == "" || m.Failures > 0 {
			t.Errorf("meter %+v", m)
		}
	}
	if len(titles) != 8 {
		t.Errorf("%d meters", len(titles))
	}
	var events []web.Event
	g.asJSON(&events, "events", "--json", "--limit", "1000")
	seen := map[string]int{}
	for _, e := range events {
		seen[e.Code]++
	}
	if seen["station.started"] != 1 || seen["meter.registered"] != 8 || seen["modem.down"] == 0 || seen["modem.up"] == 0 {
		t.Errorf("events %v", seen)
	}
	for _, args := range [][]string{{"meters", "--sort", "luck"}, {"events", "--since", "yesterday"}, {"events", "--limit", "0"}, {"status", "now"}} {
		if _, complaint, code := g.concentrator(args...); code == 0 || code > 2 || complaint == "" {
			t.Errorf("%v: exit code %d, %q", args, code, complaint)
		}
	}
	g.finish()
}

func (g *stage) asJSON(v any, args ...string) {
	g.t.Helper()
	out, complaint, code := g.concentrator(args...)
	if code != 0 {
		g.t.Fatalf("%v: exit code %d, %s", args, code, complaint)
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		g.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// TestPage (L02, L03): the page answers on loopback and for loopback names only, and its
// live connection shows a round on its way.
func TestPage(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Password})
	port := freePort(t)
	g.page = "127.0.0.1:" + port
	g.plug()
	g.openCenter("center")
	g.openStation()
	get := func(host, path string) (status int, h http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.page+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, res.Header
	}
	for _, host := range []string{g.page, "localhost:" + port, "[::1]:" + port} {
		if code, h := get(host, "/"); code != http.StatusOK || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("host %s: %d %v", host, code, h)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:" + port, "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil.example"} {
		for _, path := range []string{"/", "/api/v1/status", "/api/v1/live", "/assets/"} {
			if code, _ := get(host, path); code != http.StatusMisdirectedRequest {
				t.Errorf("host %s, %s: %d, want %d", host, path, code, http.StatusMisdirectedRequest)
			}
		}
	}
	for _, path := range []string{"/api/v1/keys", "/../station.db", "/assets/../../go.mod", "/debug/pprof/"} {
		if code, _ := get(g.page, path); code != http.StatusNotFound {
			t.Errorf("%s: %d, want %d", path, code, http.StatusNotFound)
		}
	}
	live := "ws://" + g.page + "/api/v1/live"
	for _, origin := range []string{"", "http://evil.example", "http://localhost:1"} {
		if c, res, err := websocket.DefaultDialer.DialContext(t.Context(), live, http.Header{"Origin": {origin}}); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q was let in: %v", origin, err)
			if c != nil {
				_ = c.Close()
			}
		}
	}
	g.watch(live)
	g.finish()
}

// watch follows the live connection until it has shown a round on its way and its end.
func (g *stage) watch(url string) {
	g.t.Helper()
	c, _, err := websocket.DefaultDialer.DialContext(g.t.Context(), url, http.Header{"Origin": {"http://" + g.page}})
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	var last struct {
		Seq    uint64      `json:"seq"`
		Status web.Status  `json:"status"`
		Meters []web.Meter `json:"meters"`
	}
	seen := map[string]bool{}
	states := map[string]bool{}
	for seq := uint64(1); len(states) < 2 || len(seen) < 8; seq++ {
		if err := c.ReadJSON(&last); err != nil {
			g.t.Fatalf("message %d: %v; rounds %v, %d meters", seq, err, states, len(seen))
		}
		if last.Seq != seq {
			g.t.Fatalf("message %d has number %d", seq, last.Seq)
		}
		for _, m := range last.Meters {
			seen[m.Title] = true
		}
		switch r := last.Status.Round; {
		case r.Started != nil && r.Finished == nil:
			states["running"] = true
		case r.Finished != nil && r.Done == 8:
			states["finished"] = true
		}
	}
}
