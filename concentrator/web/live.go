package web

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxLive      = 16                     // open live connections; one more is refused
	liveInterval = 250 * time.Millisecond // shortest time between two messages of one connection
	livePing     = 15 * time.Second
	liveDeadline = 5 * time.Second // a reader that does not read this long is cut off
)

// hub counts live connections.
type hub struct {
	mu   sync.Mutex
	open int
}

func newHub() *hub { return &hub{} }

func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open >= maxLive {
		return false
	}
	h.open++
	return true
}

func (h *hub) leave() {
	h.mu.Lock()
	h.open--
	h.mu.Unlock()
}

var upgrader = websocket.Upgrader{
	HandshakeTimeout: liveDeadline, ReadBufferSize: 1024, WriteBufferSize: 4096,
	// The library accepts a missing Origin and any that equals Host; a browser always
	// sends one, so it must be there and be a loopback name.
	CheckOrigin: func(r *http.Request) bool {
		u, err := url.Parse(r.Header.Get("Origin"))
		return err == nil && u.Host != "" && loopbackHost(u.Host) && u.Host == r.Host
	},
}

// serveLive sends the status whenever it changes, at most every liveInterval, and with
// it the rows of the meter table that changed.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	if !s.live.enter() {
		problem(w, http.StatusServiceUnavailable, "too many open pages", "Close other tabs of this page.")
		return
	}
	defer s.live.leave()
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go discard(conn, cancel)
	s.stream(ctx, conn)
}

// discard reads and drops what the page sends, so that pings and closes are seen.
func discard(conn *websocket.Conn, gone context.CancelFunc) {
	defer gone()
	conn.SetReadLimit(1024)
	extend := func(string) error { return conn.SetReadDeadline(time.Now().Add(3 * livePing)) }
	conn.SetPongHandler(extend)
	_ = extend("")
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// message is one live message; Seq rises by one so that a page notices a gap. The first
// one has every meter, later ones those that changed.
type message struct {
	Seq    uint64  `json:"seq"`
	Status Status  `json:"status"`
	Meters []Meter `json:"meters,omitempty"`
}

// table is what one page has been told of the meters.
type table map[string]Meter

// news returns the rows that differ from what was told, and takes them as told.
func (t table) news(meters []Meter) (changed []Meter) {
	for _, m := range meters {
		if old, ok := t[m.Title]; !ok || !old.same(m) {
			t[m.Title] = m
			changed = append(changed, m)
		}
	}
	return changed
}

func (s *Server) stream(ctx context.Context, conn *websocket.Conn) {
	ping := time.NewTicker(livePing)
	defer ping.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	told := table{}
	for seq := uint64(1); ; seq++ {
		changed := s.source.Changed() // before the snapshot, so that no change is missed
		if err := s.sendLive(ctx, conn, seq, told); err != nil {
			return
		}
		pause.Reset(liveInterval)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-ping.C:
				if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(liveDeadline)) != nil {
					return
				}
			case <-changed:
				waiting = false
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

func (s *Server) sendLive(ctx context.Context, conn *websocket.Conn, seq uint64, told table) error {
	status, err := s.source.Status(ctx)
	if err != nil {
		return err
	}
	meters, err := s.source.Meters(ctx)
	if err != nil {
		return err
	}
	m := message{Seq: seq, Status: status, Meters: told.news(meters)}
	if err := conn.SetWriteDeadline(time.Now().Add(liveDeadline)); err != nil {
		return err
	}
	return conn.WriteJSON(m)
}
