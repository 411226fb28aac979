package web

import (
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"
)

//go:embed assets
var assets embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"age": Age, "decibels": decibels, "waiting": Waiting}).ParseFS(assets, "assets/page.html"))

// Server serves the page, the API and the live connection of one Source.
type Server struct {
	source Source
	log    *slog.Logger
	mux    *http.ServeMux
	live   *hub
}

// New returns a server over source.
func New(source Source, log *slog.Logger) *Server {
	s := &Server{source: source, log: log, mux: http.NewServeMux(), live: newHub()}
	for _, r := range s.routes() {
		s.mux.HandleFunc(r.pattern, r.handler)
	}
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the embedded directory is part of the program
	}
	s.mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(static)))
	return s
}

// route is one row of the table: everything the server answers, and nothing else.
type route struct {
	pattern string
	handler http.HandlerFunc
}

func (s *Server) routes() []route {
	return []route{
		{"GET /{$}", s.page},
		{"GET /api/v1/status", s.status},
		{"GET /api/v1/meters", s.meters},
		{"GET /api/v1/rounds", s.rounds},
		{"GET /api/v1/events", s.events},
		{"GET /api/v1/live", s.serveLive},
		{"GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }},
	}
}

// Local is the handler for the unix socket: whoever may open the socket may ask.
func (s *Server) Local() http.Handler { return s.mux }

// Handler is the handler for a loopback address. It answers only requests that
// name a loopback host, so that a foreign page cannot reach it by a name that it
// makes point to this machine, and sets the headers that keep foreign script out.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackHost(r.Host) {
			problem(w, http.StatusMisdirectedRequest, "this page answers on localhost only", "Open http://127.0.0.1 with the port it listens on.")
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		s.mux.ServeHTTP(w, r)
	})
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// view is what the page template sees.
type view struct {
	Status Status
	Meters []Meter
	Events []Event
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	v, err := s.view(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, v); err != nil {
		s.log.Warn("page not sent", "err", err)
	}
}

func (s *Server) view(ctx context.Context) (view, error) {
	status, err := s.source.Status(ctx)
	if err != nil {
		return view{}, err
	}
	meters, err := s.source.Meters(ctx)
	if err != nil {
		return view{}, err
	}
	events, err := s.source.Events(ctx, time.Time{}, pageEvents)
	return view{status, meters, events}, err
}

// pageEvents is how many events the page shows.
const pageEvents = 12

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	status, err := s.source.Status(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	reply(w, status)
}

func (s *Server) meters(w http.ResponseWriter, r *http.Request) {
	meters, err := s.source.Meters(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	if meters == nil {
		meters = []Meter{}
	}
	reply(w, meters)
}

func (s *Server) rounds(w http.ResponseWriter, r *http.Request) {
	rounds, err := s.source.Rounds(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	if rounds == nil {
		rounds = []Round{}
	}
	reply(w, rounds)
}

// Bounds of one answer with events.
const (
	defaultEvents = 100
	maxEvents     = 1000
)

// events answers with the newest events; since (RFC 3339) and limit choose which.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	since, limit := time.Time{}, defaultEvents
	var err error
	if v := r.URL.Query().Get("since"); v != "" {
		if since, err = time.Parse(time.RFC3339, v); err != nil {
			problem(w, http.StatusBadRequest, "since is not a time", "Write it as 2026-03-01T12:00:00Z.")
			return
		}
	}
	if v := r.URL.Query().Get("limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > maxEvents {
			problem(w, http.StatusBadRequest, "limit is not a number of events", "Ask for 1 to 1000.")
			return
		}
	}
	events, err := s.source.Events(r.Context(), since, limit)
	if err != nil {
		s.fail(w, err)
		return
	}
	if events == nil {
		events = []Event{}
	}
	reply(w, events)
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	s.log.Warn("request failed", "err", err)
	problem(w, http.StatusServiceUnavailable, "the station cannot tell right now", "Try again; the log says why.")
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the only error is a client that has gone
}

// problem answers with a problem document (RFC 9457).
func problem(w http.ResponseWriter, status int, title, hint string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": title, "status": status, "hint": hint})
}

// Serve answers on l with h until ctx ends; slow and idle clients are cut off.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		_ = server.Close()
		<-done
		return nil
	}
}
