package web

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"busbar/concentrator"
	"busbar/plc"
)

// fake is a Source whose status a test sets.
type fake struct {
	mu       sync.Mutex
	status   Status
	meters   []Meter
	rounds   []Round
	happened []Event
	changed  chan struct{}
}

func newFake() *fake {
	f := &fake{changed: make(chan struct{})}
	f.status = healthy()
	f.meters = []Meter{MeterOf(concentrator.Meter{
		Title: plc.MustSystemTitle([]byte("BSB\x00\x00\x00\x00\x01")), State: concentrator.StateRegistered,
		Address: 0x2A, Name: `<script>alert(1)</script>`, Credit: 3,
		Signal: plc.Signal{S0: 1000, N0: 10, S1: 1000, N1: 10},
	})}
	return f
}

func healthy() Status {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := Status{Station: "TS-1", Version: "test", Now: now, Line: Line{Ready: true, State: "ready", Port: "/dev/ttyS1"}}
	s.Meters = Counts{Known: 2, Registered: 2}
	s.Round = Round{Number: 4, Phase: "waiting", Total: 2, Done: 2, Started: &now, Finished: &now}
	s.Uplink = Uplink{Enabled: true, Connected: true}
	s.Judge()
	return s
}

func (f *fake) Status(context.Context) (Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, nil
}

func (f *fake) Meters(context.Context) ([]Meter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.meters), nil
}

func (f *fake) Rounds(context.Context) ([]Round, error) { return f.rounds, nil }

func (f *fake) Events(_ context.Context, since time.Time, limit int) (list []Event, _ error) {
	for _, e := range f.happened {
		if !e.Time.Before(since) && len(list) < limit {
			list = append(list, e)
		}
	}
	return list, nil
}

func (f *fake) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fake) set(change func(*Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status)
	f.status.Judge()
	close(f.changed)
	f.changed = make(chan struct{})
}

func serve(t *testing.T, f *fake) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(New(f, slog.New(slog.DiscardHandler)).Handler())
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestPageShowsVerdictAndEscapesMeterText(t *testing.T) {
	s := serve(t, newFake())
	code, body := get(t, s.URL+"/", "")
	if code != 200 || !strings.Contains(body, "All 2 meters read") {
		t.Errorf("status %d, page without its verdict", code)
	}
	if strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert") {
		t.Error("text of a meter reached the page as markup")
	}
	if !strings.Contains(body, `<td class="n">40</td>`) || strings.Contains(body, "%!") {
		t.Error("the signal of 40 dB is not on the page as a number")
	}
	if !strings.Contains(body, "nothing waits") {
		t.Error("an empty outbox is not told in words")
	}
	for _, foreign := range []string{"http://", "https://", "//cdn"} {
		if strings.Contains(body, foreign) {
			t.Errorf("the page refers to %q: a station has no internet", foreign)
		}
	}
}

func TestForeignHostIsRefused(t *testing.T) {
	s := serve(t, newFake())
	if code, _ := get(t, s.URL+"/api/v1/status", "evil.example:80"); code != http.StatusMisdirectedRequest {
		t.Errorf("status %d for a foreign host name, want 421", code)
	}
	if code, _ := get(t, s.URL+"/api/v1/status", ""); code != 200 {
		t.Errorf("status %d for loopback, want 200", code)
	}
}

func TestAPI(t *testing.T) {
	s := serve(t, newFake())
	_, body := get(t, s.URL+"/api/v1/meters", "")
	var meters []Meter
	if err := json.Unmarshal([]byte(body), &meters); err != nil || len(meters) != 1 || meters[0].Address != "02A" {
		t.Errorf("meters %s: %v", body, err)
	}
	if code, _ := get(t, s.URL+"/api/v1/nothing", ""); code != 404 {
		t.Errorf("unknown path answered %d", code)
	}
}

func dial(t *testing.T, s *httptest.Server, origin string) (*websocket.Conn, int) {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	conn, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/api/v1/live", header)
	if err != nil {
		if res == nil {
			t.Fatal(err)
		}
		return nil, res.StatusCode
	}
	t.Cleanup(func() { conn.Close() })
	return conn, res.StatusCode
}

func TestLiveNeedsOwnOrigin(t *testing.T) {
	s := serve(t, newFake())
	for _, origin := range []string{"", "http://evil.example", "null"} {
		if conn, code := dial(t, s, origin); conn != nil || code != http.StatusForbidden {
			t.Errorf("origin %q: status %d, want 403", origin, code)
		}
	}
}

func TestLiveTellsChanges(t *testing.T) {
	f := newFake()
	s := serve(t, f)
	conn, _ := dial(t, s, s.URL)
	var m message
	if err := conn.ReadJSON(&m); err != nil || m.Seq != 1 || len(m.Meters) != 1 || !m.Status.Healthy {
		t.Fatalf("first message %+v, %v", m, err)
	}
	f.set(func(s *Status) { s.Uplink.Connected = false; s.Outbox.Readings = 12 })
	m = message{}
	if err := conn.ReadJSON(&m); err != nil || m.Seq != 2 || m.Status.Healthy || !strings.Contains(m.Status.Verdict, "12 readings wait") {
		t.Errorf("second message %+v, %v", m.Status, err)
	}
}

// After the first message only rows that changed are sent.
func TestLiveSendsChangedRowsOnly(t *testing.T) {
	f := newFake()
	for n := range 50 {
		f.meters = append(f.meters, MeterOf(concentrator.Meter{
			Title: plc.MustSystemTitle([]byte{'B', 'S', 'B', 0, 0, 0, 1, byte(n)}), LastReading: time.Unix(1e9, 0), Signal: plc.Signal{S0: 9, N0: 1},
		}))
	}
	s := serve(t, f)
	conn, _ := dial(t, s, s.URL)
	var m message
	if err := conn.ReadJSON(&m); err != nil || len(m.Meters) != 51 {
		t.Fatalf("%d rows at first, %v", len(m.Meters), err)
	}
	f.set(func(*Status) {
		row := f.meters[7]
		later := row.LastReading.Add(time.Minute)
		row.LastReading = &later
		f.meters[7] = row
	})
	m = message{}
	if err := conn.ReadJSON(&m); err != nil || len(m.Meters) != 1 || m.Meters[0].Title != f.meters[7].Title {
		t.Errorf("then %+v, %v", m.Meters, err)
	}
}

func TestEventsAndRounds(t *testing.T) {
	f := newFake()
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.rounds = []Round{RoundOf(concentrator.Round{Number: 4, Started: began, Finished: began.Add(time.Minute), Total: 2, Done: 2}, time.Time{})}
	for n := range 20 {
		f.happened = append(f.happened, EventOf(concentrator.Event{Time: began.Add(-time.Duration(n) * time.Hour), Code: concentrator.EventMeterLost, Text: "<b>gone</b>"}))
	}
	s := serve(t, f)
	for _, tt := range []struct {
		path string
		code int
		n    int
	}{
		{"/api/v1/events", 200, 20},
		{"/api/v1/events?limit=3", 200, 3},
		{"/api/v1/events?since=2026-03-01T10:30:00Z", 200, 2},
		{"/api/v1/events?limit=0", 400, 0},
		{"/api/v1/events?limit=1001", 400, 0},
		{"/api/v1/events?since=yesterday", 400, 0},
		{"/api/v1/rounds", 200, 1},
	} {
		code, body := get(t, s.URL+tt.path, "")
		var list []map[string]any
		if err := json.Unmarshal([]byte(body), &list); code != tt.code || code == 200 && (err != nil || len(list) != tt.n) {
			t.Errorf("%s: %d, %s", tt.path, code, body)
		}
	}
	if _, body := get(t, s.URL+"/", ""); strings.Contains(body, "<b>gone") || strings.Count(body, "gone") != pageEvents {
		t.Error("the page does not show the latest events as text")
	}
}

// The names of the status never change: scripts of others read them.
func TestStatusIsStable(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dBm := -87
	s := healthy()
	s.Hint, s.Meters.Expected, s.Meters.Reason, s.Line.Detail, s.Uplink.Error, s.Storage.Error = "x", 3, "x", "x", "x", "x"
	s.Round.Started, s.Round.EndsAt, s.Round.Current, s.Uplink.Since, s.Uplink.LastReceipt, s.Uplink.NextAttempt, s.Outbox.Oldest = &now, &now, "x", &now, &now, &now, &now
	s.Cellular = &Cellular{Detail: "x", Operator: "x", Technology: "x", SignalDBm: &dBm, History: []CellularEvent{{}}}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	var names []string
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, child := range v {
				walk(prefix+"."+name, child)
			}
		case []any:
			walk(prefix, v[0])
		default:
			names = append(names, prefix[1:])
		}
	}
	walk("", tree)
	slices.Sort(names)
	want := strings.Fields(`cellular.detail cellular.history.state cellular.history.text cellular.history.time cellular.operator cellular.signal_dbm
		cellular.state cellular.technology healthy hint line.detail line.port line.ready line.since line.state meters.expected meters.known meters.lost
		meters.new meters.reason meters.registered meters.searching meters.unread now outbox.batches outbox.bytes outbox.oldest outbox.readings outbox.refused round.current round.done
		round.ends_at round.failed round.finished round.number round.phase round.started round.total started station storage.bytes storage.error
		storage.path storage.readings uplink.connected uplink.enabled uplink.error uplink.last_receipt uplink.next_attempt uplink.since verdict version`)
	if !slices.Equal(names, want) {
		t.Errorf("the status has\n%v\nwant\n%v", names, want)
	}
}

func TestLiveIsBounded(t *testing.T) {
	s := serve(t, newFake())
	for range maxLive {
		if conn, code := dial(t, s, s.URL); conn == nil {
			t.Fatalf("refused below the bound: %d", code)
		}
	}
	if conn, code := dial(t, s, s.URL); conn != nil || code != http.StatusServiceUnavailable {
		t.Errorf("connection %d: status %d, want 503", maxLive+1, code)
	}
}

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*Status)
		want    string
		healthy bool
	}{
		{"all well", func(*Status) {}, "All 2 meters read", true},
		{"no meter yet", func(s *Status) { s.Meters = Counts{} }, "Looking for meters", true},
		{"after a restart", func(s *Status) { s.Round.Started, s.Round.Finished = nil, nil }, "2 meters registered, none read yet", true},
		{"in a round", func(s *Status) { s.Round.Finished, s.Round.Done = nil, 1 }, "Round 4: 1 of 2 meters read", true},
		{"lost meter", func(s *Status) { s.Meters.Lost = 1 }, "1 of 2 meters could not be read", false},
		{"no modem", func(s *Status) { s.Line = Line{State: "closed", Detail: "no such device"} }, "The power line cannot be used: no such device", false},
		{"disk full beats the rest", func(s *Status) { s.Line.Ready = false; s.Storage.Error = "disk full" }, "Readings cannot be stored: disk full", false},
		{"never heard", func(s *Status) { s.Meters.Expected = 5 }, "3 meters of 5 expected never heard", false},
		{"expected, still looking", func(s *Status) { s.Meters.Expected, s.Meters.Searching, s.Round.Phase = 5, true, "discovering" }, "2 meters found, looking for more", true},
		{"refused batch", func(s *Status) { s.Outbox.Refused = 1 }, "The center refused 1 batch", false},
		{"no center wanted", func(s *Status) { s.Uplink = Uplink{} }, "All 2 meters read", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := healthy()
			tt.change(&s)
			s.Judge()
			if s.Verdict != tt.want || s.Healthy != tt.healthy {
				t.Errorf("verdict %q, healthy %v; want %q, %v", s.Verdict, s.Healthy, tt.want, tt.healthy)
			}
		})
	}
}
