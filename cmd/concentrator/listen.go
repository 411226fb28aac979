package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"busbar/plc"
)

// listen opens the local socket and the page's address.
func (s *station) listen(ctx context.Context) error {
	var err error
	if s.socket, err = listenLocal(ctx, socketPath(s.cfg)); err != nil {
		return err
	}
	if s.cfg.Web.Listen == "" {
		return nil
	}
	var c net.ListenConfig
	if s.http, err = c.Listen(ctx, "tcp", s.cfg.Web.Listen); err != nil {
		_ = s.socket.Close() // the first error tells more
		return fmt.Errorf("local page: %w: another station or program may have this address; set web.listen to another one, or to \"\" for no page", err)
	}
	s.log.Info("local page", "url", "http://"+s.http.Addr().String())
	return nil
}

// listenLocal listens on a unix socket that the owner and the group may open. A socket
// that a killed station left behind is removed; that of a living one is not.
func listenLocal(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("local socket: %s exists and is no socket: remove it or set another path (socket)", path)
		}
		d := net.Dialer{Timeout: time.Second}
		if conn, err := d.DialContext(ctx, "unix", path); err == nil {
			_ = conn.Close() // only its existence mattered
			return nil, fmt.Errorf("local socket: another station answers at %s: stop it, or set another path (socket)", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("local socket: %w", err)
		}
	}
	old := syscall.Umask(0o117) // no moment at which others could open it
	defer syscall.Umask(old)
	var c net.ListenConfig
	l, err := c.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("local socket: %w: its directory must exist and the path be shorter than 108 octets (socket)", err)
	}
	return l, nil
}

// local is what the socket answers: all that the page's address does, and the keys,
// for whoever may open the socket is the station's own user.
func (s *station) local() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.page.Local())
	mux.HandleFunc("GET /api/v1/keys", s.listKeys)
	mux.HandleFunc("POST /api/v1/keys", s.takeKeys)
	mux.HandleFunc("POST /api/v1/keys/{title}/counter", s.raiseCounter)
	return mux
}

// keyRow names a meter that has keys.
type keyRow struct {
	Title     string `json:"title"`
	Mechanism string `json:"mechanism"`
}

func (s *station) listKeys(w http.ResponseWriter, r *http.Request) {
	rows, err := keyRows(r.Context(), s.store)
	if err != nil {
		complain(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, http.StatusOK, rows)
}

// maxKeyFile bounds what one import reads.
const maxKeyFile = 32 << 20

// imported is the answer to an import.
type imported struct {
	Meters int `json:"meters"`
}

func (s *station) takeKeys(w http.ResponseWriter, r *http.Request) {
	n, err := s.store.ImportKeys(http.MaxBytesReader(w, r.Body, maxKeyFile))
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	s.log.Info("keys imported", "meters", n)
	answer(w, http.StatusOK, imported{n})
}

// raised is the next invocation counter of a meter, before and after it was raised.
type raised struct {
	Before uint32 `json:"before"` // 0: none was ever used
	After  uint32 `json:"after"`
}

// renewTime bounds the wait for a pause on the line.
const renewTime = 5 * time.Second

// raiseCounter raises the next invocation counter of a meter and makes the line use it.
func (s *station) raiseCounter(w http.ResponseWriter, r *http.Request) {
	title, next, err := parseCounter(r.PathValue("title"), r.FormValue("next"))
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	var res raised
	if res.Before, res.After, err = s.store.RaiseCounter(title, next); err != nil {
		complain(w, http.StatusServiceUnavailable, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), renewTime)
	defer cancel()
	if err := s.line.Link().Urgent().Renew(ctx, title); err != nil {
		complain(w, http.StatusServiceUnavailable,
			fmt.Errorf("the counter is stored, but the line is busy and still uses counters reserved before: give the command once more (%w)", err))
		return
	}
	s.log.Info("invocation counter raised", "meter", title, "before", res.Before, "after", res.After)
	answer(w, http.StatusOK, res)
}

// parseCounter reads a meter's title and the invocation counter to use next.
func parseCounter(title, next string) (plc.SystemTitle, uint32, error) {
	t, err := plc.ParseSystemTitle(title)
	if err != nil {
		return t, 0, err
	}
	n, err := strconv.ParseUint(next, 10, 32)
	if err != nil || n == 0 {
		return t, 0, fmt.Errorf("invocation counter %q: want 1 to %d", next, uint32(math.MaxUint32))
	}
	return t, uint32(n), nil
}

// complaint is a problem document (RFC 9457).
type complaint struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Hint   string `json:"hint,omitempty"`
}

func complain(w http.ResponseWriter, status int, err error) {
	answer(w, status, complaint{Title: err.Error(), Status: status})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the only error is a client that has gone
}

// told is the error of an answer that was not OK.
func told(res *http.Response) error {
	var c complaint
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil || c.Title == "" {
		return fmt.Errorf("the station answered %s", res.Status)
	}
	if c.Hint != "" {
		return fmt.Errorf("%s: %s", c.Title, c.Hint)
	}
	return errors.New(c.Title)
}
