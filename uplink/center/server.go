package center

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"busbar/storage/archive"
	"busbar/uplink/envelope"
	"busbar/uplink/pki"
)

// Path is where stations connect: wss://HOST:PORT + Path.
const Path = "/uplink"

// marker is the header by which a station knows that it reached a center.
const marker = "Busbar-Center"

// Config of a center. Archive and the three files are needed.
type Config struct {
	Archive       *archive.Archive
	CA, Cert, Key string // PEM files: the stations' authority, the center's certificate and key
	// HelloTimeout is how long a new connection may keep silent, default 30 s;
	// WriteTimeout bounds the sending of one message, default 1 min.
	HelloTimeout, WriteTimeout time.Duration
	Log                        *slog.Logger
}

// Server is a center at work. It keeps one session per station: a new one ends the old.
type Server struct {
	cfg    Config
	tls    *tls.Config
	signer crypto.Signer

	mu      sync.Mutex
	links   map[string]*link
	inside  sync.WaitGroup // callers inside; mu guards the way in against the end
	changed chan struct{}  // closed and replaced when an order changed
}

// New reads the certificates.
func New(cfg Config) (*Server, error) {
	if cfg.HelloTimeout <= 0 {
		cfg.HelloTimeout = 30 * time.Second
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	authority, err := os.ReadFile(cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("center: the stations' authority: %w (`center init` makes one)", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("center: %s holds no certificate in PEM form", cfg.CA)
	}
	pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("center: the center's certificate and key: %w (`center init` makes them)", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("center: the key in %s cannot sign receipts", cfg.Key)
	}
	return &Server{
		cfg: cfg, signer: signer, links: map[string]*link{}, changed: make(chan struct{}),
		tls: &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, NextProtos: []string{"http/1.1"},
		},
	}, nil
}

// Listen opens the port for stations. It sends no TCP probes: stations ping at the
// pace they pay for.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, KeepAliveConfig: net.KeepAliveConfig{Enable: false}}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("center: listen on %s: %w: is another center running, or is the address not of this machine?", address, err)
	}
	return ln, nil
}

// Serve lets stations in through ln until ctx ends, and returns nil then. It takes ln over.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: s.door(ctx), ReadHeaderTimeout: s.cfg.HelloTimeout, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(logWriter{s.cfg.Log}, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // sessions end by ctx
	defer stop()
	if err := server.Serve(tls.NewListener(ln, s.tls)); ctx.Err() == nil {
		return fmt.Errorf("center: %w", err)
	}
	s.empty()
	return nil
}

// admit counts a caller in, unless ctx has ended.
func (s *Server) admit(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	s.inside.Add(1)
	return true
}

// empty waits until nobody is inside, after the end of ctx: who is not admitted by
// the time the lock is free will not be.
func (s *Server) empty() {
	s.mu.Lock()
	inside := &s.inside
	s.mu.Unlock()
	inside.Wait()
}

// logWriter takes the words of net/http about failed handshakes: rubbish at the
// door, worth a look only when a station does not get in.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(b []byte) (int, error) {
	w.log.Info("a caller did not get in", "err", string(b[:max(0, len(b)-1)]))
	return len(b), nil
}

// door upgrades a station's connection and runs its session.
func (s *Server) door(ctx context.Context) http.Handler {
	upgrader := websocket.Upgrader{
		HandshakeTimeout: s.cfg.HelloTimeout, Subprotocols: []string{envelope.Subprotocol},
		ReadBufferSize: 16 << 10, WriteBufferSize: 4 << 10,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		if !s.admit(ctx) {
			return
		}
		defer s.inside.Done()
		w.Header().Set(marker, "1")
		station, err := stationOf(r)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		case !websocket.IsWebSocketUpgrade(r):
			http.Error(w, "this is a Busbar center: stations connect here by WebSocket", http.StatusUpgradeRequired)
			return
		case !offers(r, envelope.Subprotocol):
			http.Error(w, "this center speaks "+envelope.Subprotocol+", the caller does not", http.StatusBadRequest)
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		s.serve(ctx, conn, station)
	})
	return mux
}

func offers(r *http.Request, subprotocol string) bool {
	for _, offered := range websocket.Subprotocols(r) {
		if offered == subprotocol {
			return true
		}
	}
	return false
}

// stationOf is the identity in the certificate that TLS has verified.
func stationOf(r *http.Request) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", errors.New("no certificate: a station needs one of this center's authority")
	}
	id := r.TLS.PeerCertificates[0].Subject.CommonName
	if err := pki.CheckID(id); err != nil {
		return "", fmt.Errorf("the common name of this certificate is no station's identity: %w", err)
	}
	return id, nil
}

// enter makes l the session of its station and ends an older one: after a lost
// line the old connection looks alive for a while.
func (s *Server) enter(l *link) {
	s.mu.Lock()
	old := s.links[l.station]
	s.links[l.station] = l
	s.mu.Unlock()
	if old != nil {
		old.end("the station has connected again")
	}
}

func (s *Server) leave(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[l.station] == l {
		delete(s.links, l.station)
	}
}

// linkOf is the live session of a station, or nil.
func (s *Server) linkOf(station string) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[station]
}

// announce wakes all who wait for an order.
func (s *Server) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// next returns a channel that is closed at the next change of any order.
func (s *Server) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}
