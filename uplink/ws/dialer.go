package ws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"busbar/uplink"
	"busbar/uplink/envelope"
)

// Config of the way to the center. The files are read anew at every dial, so that a
// renewed certificate is used without a restart.
type Config struct {
	URL              string // wss://HOST:PORT/PATH
	CA, Cert, Key    string // PEM files: the center's authority, the station's certificate and key
	KeepAlive        time.Duration
	HandshakeTimeout time.Duration // of TCP, TLS and WebSocket together, default 30 s
	WriteTimeout     time.Duration // of one message, default 1 min: a batch over 2G takes its time
	AnswerTimeout    time.Duration // how long a ping or a hello may go unanswered, default 30 s
	Log              *slog.Logger
}

// Dialer opens sessions with the center; it is the courier's uplink.Center.
type Dialer struct {
	cfg Config
	url *url.URL
}

// New checks the configuration, the certificate and its key. KeepAlive defaults to 4 minutes.
func New(cfg Config) (*Dialer, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "wss" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("uplink: center URL %q: want wss://HOST:PORT/PATH", cfg.URL)
	}
	for _, d := range []struct {
		value *time.Duration
		to    time.Duration
	}{
		{&cfg.KeepAlive, 4 * time.Minute},
		{&cfg.HandshakeTimeout, 30 * time.Second},
		{&cfg.WriteTimeout, time.Minute},
		{&cfg.AnswerTimeout, 30 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.to
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Dialer{cfg: cfg, url: u}
	_, err = d.tls()
	return d, err
}

// Station is the identity in the station's certificate, its common name.
func (d *Dialer) Station() (string, error) {
	pair, err := tls.LoadX509KeyPair(d.cfg.Cert, d.cfg.Key)
	if err != nil {
		return "", fmt.Errorf("uplink: station certificate: %w", err)
	}
	return pair.Leaf.Subject.CommonName, nil
}

// tls makes the settings of one connection from the files.
func (d *Dialer) tls() (*tls.Config, error) {
	authority, err := os.ReadFile(d.cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("uplink: the center's authority (uplink.ca): %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("uplink: %s holds no certificate: give the PEM file of the center's authority (uplink.ca)", d.cfg.CA)
	}
	pair, err := tls.LoadX509KeyPair(d.cfg.Cert, d.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("uplink: the station's certificate and key (uplink.cert %s, uplink.key %s): %w", d.cfg.Cert, d.cfg.Key, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: d.url.Hostname(),
		// Named by a function, because with a list the client sends no certificate at
		// all when it finds none that the center asks for, and the error misleads.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
		NextProtos:           []string{"http/1.1"},
	}, nil
}

// Dial opens a session, or says in words why it could not.
func (d *Dialer) Dial(ctx context.Context) (uplink.Session, error) {
	settings, err := d.tls()
	if err != nil {
		return nil, err
	}
	// No probes of TCP: Go would send one every 15 s, 27 MB a month, for what our own
	// pings do at the pace that the bearer is paid for.
	plain := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	dialer := websocket.Dialer{
		NetDialContext:  plain.DialContext,
		TLSClientConfig: settings, HandshakeTimeout: d.cfg.HandshakeTimeout,
		Subprotocols:   []string{envelope.Subprotocol},
		ReadBufferSize: 4 << 10, WriteBufferSize: 16 << 10,
	}
	conn, res, err := dialer.DialContext(ctx, d.url.String(), nil)
	if err != nil {
		return nil, d.explain(err, res)
	}
	// gorilla dials once and hands the connection over; the body is empty after a success.
	secure, ok := conn.NetConn().(*tls.Conn)
	if !ok || conn.Subprotocol() != envelope.Subprotocol {
		_ = conn.Close()
		return nil, fmt.Errorf("uplink: %s speaks WebSocket but is not a Busbar center: check uplink.url", d.url.Host)
	}
	peer := secure.ConnectionState().PeerCertificates[0]
	return newSession(conn, peer.PublicKey, d.cfg), nil
}

// explain turns why dialing failed into words with a next step.
func (d *Dialer) explain(err error, res *http.Response) error {
	if errors.Is(err, websocket.ErrBadHandshake) && res != nil {
		return d.explainAnswer(res)
	}
	return fmt.Errorf("uplink: no connection to %s: %s (%w)", d.url.Host, d.hint(err), err)
}

// explainAnswer reads the first words of what answered instead of a WebSocket.
func (d *Dialer) explainAnswer(res *http.Response) error {
	words, _ := io.ReadAll(io.LimitReader(res.Body, 200)) // what there is helps
	_ = res.Body.Close()
	text := strings.TrimSpace(printable(string(words)))
	switch {
	case res.Header.Get("Busbar-Center") != "":
		return fmt.Errorf("uplink: the center at %s refused: %s", d.url.Host, text)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("uplink: %s answered with a redirect (%s), which is never followed: check uplink.url", d.url.Host, res.Status)
	}
	return fmt.Errorf("uplink: what answers at %s is not a Busbar center (%s): check host, port and path in uplink.url", d.url.Host, res.Status)
}

func (d *Dialer) hint(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	text := err.Error()
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return hintDates(invalid.Cert, time.Now())
	case errors.As(err, &unknown):
		return fmt.Sprintf("its certificate was not issued by the authority in %s: give the center's own authority as uplink.ca", d.cfg.CA)
	case errors.As(err, &name):
		return fmt.Sprintf("its certificate is for another name than %s: use the name in the certificate in uplink.url", d.url.Hostname())
	case errors.As(err, &invalid):
		return "its certificate may not be used by a center: issue it anew with `center init`"
	case errors.As(err, &record):
		return "what answers does not speak TLS: check host and port in uplink.url"
	case strings.Contains(text, alertPrefix):
		return hintAlert(text)
	case strings.Contains(text, "connection refused"):
		return "nothing listens there: is the center running, is the port right?"
	case strings.Contains(text, "no such host"), strings.Contains(text, "server misbehaving"):
		return "its name cannot be resolved: check uplink.url and the network"
	case strings.Contains(text, "unreachable"):
		return "no route there: is the bearer up?"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), strings.Contains(text, "i/o timeout"):
		return "it did not answer in time: is the bearer up, does a firewall drop the port?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(text, "connection reset"):
		return "it hung up during the greeting: is it a Busbar center, or did something between cut the line?"
	}
	return "it could not be reached"
}

// hintDates tells an expired certificate from a clock that is wrong: a certificate
// that is not valid yet was hardly issued in the future.
func hintDates(cert *x509.Certificate, now time.Time) string {
	if cert == nil {
		return "its certificate is expired or not valid yet: check the clock of this station, then the certificate"
	}
	if now.Before(cert.NotBefore) {
		return fmt.Sprintf("its certificate is valid from %s, and here it is %s: the clock of this station is probably wrong",
			cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("its certificate expired on %s, and here it is %s: renew it at the center, unless the clock of this station is wrong",
		cert.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

// alertPrefix begins the text of an alert from the other side; crypto/tls gives it no type.
const alertPrefix = "remote error: tls: "

// hintAlert explains the center's refusal of our certificate.
func hintAlert(text string) string {
	switch {
	case strings.Contains(text, "expired certificate"):
		return "it says that this station's certificate is expired or not valid yet: renew it (`center add-station`), or check the clocks of both sides"
	case strings.Contains(text, "unknown certificate authority"), strings.Contains(text, "bad certificate"), strings.Contains(text, "unknown certificate"):
		return "it does not accept this station's certificate: use one that its own authority issued (`center add-station`)"
	case strings.Contains(text, "certificate required"):
		return "it wants a certificate and got none: check uplink.cert and uplink.key"
	case strings.Contains(text, "protocol version"):
		return "it does not speak TLS 1.3, and less is never used"
	}
	return "it refused the TLS connection"
}

// printable replaces what does not belong on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r == '\uFFFD' {
			return ' '
		}
		return r
	}, s)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
