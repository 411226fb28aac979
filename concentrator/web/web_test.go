package web

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	mu      sync.Mutex
	status  Status
	meters  []Meter
	changed chan struct{}
}

func newFake() *fake {
	f := &fake{changed: make(chan struct{})}
	f.status = healthy()
	f.meters = []Meter{MeterOf(concentrator.Meter{
		Title: plc.MustSystemTitle([]byte("BSB\x00\x00\x00\x00\x01")), State: concentrator.StateRegistered,
		Address: 0x2A, Name: `<script>alert(1)</script>`, Credit: 3,
	})}
	return f
}

func healthy() Status {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := Status{Station: "TS-1", Version: "test", Now: now, Line: Line{Ready: true, State: "ready", Port: "/dev/ttyS1"}}
	s.Meters = Counts{Known: 2, Registered: 2}
	s.Round = Round{Number: 4, Phase: "waiting", Total: 2, Done: 2, Finished: &now}
	s.Uplink = Uplink{Enabled: true, Connected: true}
	s.Judge()
	return s
}

func (f *fake) Status(context.Context) (Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, nil
}

func (f *fake) Meters(context.Context) ([]Meter, error) { return f.meters, nil }

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
		{"in a round", func(s *Status) { s.Round.Finished, s.Round.Done = nil, 1 }, "Round 4: 1 of 2 meters read", true},
		{"lost meter", func(s *Status) { s.Meters.Lost = 1 }, "1 of 2 meters could not be read", false},
		{"no modem", func(s *Status) { s.Line = Line{State: "closed", Detail: "no such device"} }, "The power line cannot be used: no such device", false},
		{"disk full beats the rest", func(s *Status) { s.Line.Ready = false; s.Storage.Error = "disk full" }, "Readings cannot be stored: disk full", false},
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
