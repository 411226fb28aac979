package center

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/storage/archive"
)

// Request asks the API for an order: read one attribute of one meter.
type Request struct {
	Station   string          `json:"station"`
	Meter     plc.SystemTitle `json:"meter"`
	Class     cosem.Class     `json:"class"`
	Object    cosem.OBIS      `json:"object"`
	Attribute int8            `json:"attribute"`
	ExpiresIn float64         `json:"expires_in"` // seconds, default 120, at most a day
}

// Answer is an order as the API tells it. Times are UTC.
type Answer struct {
	ID        string          `json:"id"`
	Station   string          `json:"station"`
	Connected bool            `json:"connected"` // the station, now
	Meter     plc.SystemTitle `json:"meter"`
	Class     cosem.Class     `json:"class"`
	Object    cosem.OBIS      `json:"object"`
	Attribute int8            `json:"attribute"`
	Issued    time.Time       `json:"issued"`
	Expires   time.Time       `json:"expires"`
	State     string          `json:"state"` // "waiting" until the station confirmed, then concentrator.OrderState
	Final     bool            `json:"final"`
	Result    *Result         `json:"result,omitempty"`
}

// Result is what came of an order. Text is the value for people, Data its A-XDR octets.
type Result struct {
	Time    time.Time            `json:"time"`
	Outcome string               `json:"outcome"`
	Detail  string               `json:"detail,omitempty"`
	Text    string               `json:"text,omitempty"`
	Data    []byte               `json:"data,omitempty"`
	Scaler  int8                 `json:"scaler"`
	Unit    uint8                `json:"unit"`
	Quality concentrator.Quality `json:"quality"`
}

// LiveStation is a station with a session.
type LiveStation struct {
	Station string    `json:"station"`
	Since   time.Time `json:"since"`
	Remote  string    `json:"remote"`
}

// ListenLocal opens the local socket, which only the center's user can open. The
// archive's lock makes sure that a socket found there is a left-over.
func ListenLocal(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("center: remove the old local socket: %w", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("center: open the local socket (a path may have 107 octets): %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("center: %w", err), ln.Close())
	}
	return ln, nil
}

// ServeLocal serves the API through ln until ctx ends, and returns nil then. It takes ln over.
func (s *Server) ServeLocal(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: s.api(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // requests end by ctx
	defer stop()
	if err := server.Serve(ln); ctx.Err() == nil {
		return fmt.Errorf("center: local socket: %w", err)
	}
	return nil
}

func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/live", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.live()) })
	mux.HandleFunc("POST /v1/orders", s.postOrder)
	mux.HandleFunc("GET /v1/orders/{id}", s.getOrder)
	return mux
}

func (s *Server) live() []LiveStation {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []LiveStation{}
	for _, l := range s.links {
		list = append(list, LiveStation{Station: l.station, Since: l.since, Remote: l.conn.RemoteAddr().String()})
	}
	return list
}

// answer writes v as JSON; that the asker is gone is not our trouble.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

// postOrder commits an order and wakes the session of its station.
func (s *Server) postOrder(w http.ResponseWriter, r *http.Request) {
	var req Request
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("the request is not understood: %w", err))
		return
	}
	if req.ExpiresIn <= 0 {
		req.ExpiresIn = 120
	}
	if req.Meter.IsZero() || req.Object.IsZero() || req.ExpiresIn > 24*60*60 {
		fail(w, http.StatusBadRequest, errors.New("an order needs a meter, an object and an expiry of at most a day"))
		return
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	o := concentrator.Order{
		ID: orderID(now), Kind: concentrator.OrderRead, Meter: req.Meter,
		Ref:    cosem.Ref{Class: req.Class, Object: req.Object, Attribute: req.Attribute},
		Issued: now, Expires: now.Add(time.Duration(req.ExpiresIn * float64(time.Second))).Truncate(time.Millisecond),
	}
	known, err := s.cfg.Archive.Knows(r.Context(), req.Station)
	switch {
	case err != nil:
		fail(w, http.StatusInternalServerError, err)
		return
	case !known:
		fail(w, http.StatusNotFound, fmt.Errorf("no station %q ever connected to this center: see `center stations`", req.Station))
		return
	}
	if err := s.cfg.Archive.AddOrder(r.Context(), req.Station, o); err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	if l := s.linkOf(req.Station); l != nil {
		l.wakeOrders()
	}
	answer(w, http.StatusCreated, s.answerOf(archive.Order{Station: req.Station, Order: o}))
}

// orderID is unique across restarts and restores, and sorts by time.
func orderID(now time.Time) string { return now.Format("20060102T150405Z-") + rand.Text()[:10] }

// getOrder tells the state of an order; with ?wait=SECONDS it waits that long for its end.
func (s *Server) getOrder(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if text := r.URL.Query().Get("wait"); text != "" {
		wait, err := time.ParseDuration(text + "s")
		if err != nil || wait < 0 || wait > time.Hour {
			fail(w, http.StatusBadRequest, fmt.Errorf("wait=%.20q: want seconds, at most 3600", text))
			return
		}
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		ctx = limited
	}
	for {
		changed := s.next() // before the look, so that no change falls between
		o, found, err := s.cfg.Archive.Order(r.Context(), r.PathValue("id"))
		switch {
		case err != nil:
			fail(w, http.StatusInternalServerError, err)
			return
		case !found:
			fail(w, http.StatusNotFound, errors.New("no such order"))
			return
		}
		_, waits := ctx.Deadline()
		if a := s.answerOf(o); a.Final || !waits || ctx.Err() != nil {
			answer(w, http.StatusOK, a)
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (s *Server) answerOf(o archive.Order) Answer {
	p := o.Order
	a := Answer{
		ID: p.ID, Station: o.Station, Connected: s.linkOf(o.Station) != nil, Meter: p.Meter,
		Class: p.Ref.Class, Object: p.Ref.Object, Attribute: p.Ref.Attribute, Issued: p.Issued, Expires: p.Expires,
		State: p.State.String(), Final: p.State.Final(),
	}
	if p.State == 0 {
		a.State = "waiting"
	}
	if r := p.Result; r != nil {
		a.Result = &Result{
			Time: r.Time, Outcome: r.Outcome.String(), Detail: r.Detail, Text: r.Text, Data: r.Data,
			Scaler: r.Scaler, Unit: r.Unit, Quality: r.Quality,
		}
	}
	return a
}
