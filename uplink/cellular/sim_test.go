package cellular

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// simulator is an AT modem behind a real pseudo-terminal.
type simulator struct {
	t      *testing.T
	master *os.File
	path   string

	mu       sync.Mutex
	pin      string // the SIM's PIN; empty: none wanted
	locked   bool
	tries    int
	stat     int // +CEREG state
	deaf     bool
	noCPINR  bool
	wrong    int // wrong PINs received
	pins     int // PINs received
	commands []string
	garbage  bool
	fault    string // answer to PINs that are not judged; empty: they are judged
	unlocks  bool   // a PIN unlocks the SIM although fault is answered
}

func newSimulator(t *testing.T) *simulator {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := &simulator{t: t, master: master, tries: 3, stat: 1}
	err = conn.Control(func(fd uintptr) {
		if err := unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			t.Error(err)
		}
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		if err != nil {
			t.Error(err)
		}
		s.path = fmt.Sprintf("/dev/pts/%d", n)
	})
	if err != nil {
		t.Fatal(err)
	}
	// Our own handle keeps the terminal alive while the station closes and opens it.
	keep, err := os.OpenFile(s.path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.run() }()
	t.Cleanup(func() { keep.Close(); master.Close(); <-done })
	return s
}

func (s *simulator) run() {
	buf := make([]byte, 256)
	var line strings.Builder
	for {
		n, err := s.master.Read(buf)
		if err != nil {
			return
		}
		for _, c := range buf[:n] {
			if c != '\r' {
				line.WriteByte(c)
				continue
			}
			if answer := s.answer(strings.TrimSpace(line.String())); answer != "" {
				if _, err := s.master.Write([]byte(answer)); err != nil {
					return
				}
			}
			line.Reset()
		}
	}
}

func (s *simulator) answer(cmd string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, cmd)
	if s.deaf || cmd == "" {
		return ""
	}
	noise := ""
	if s.garbage {
		noise = "\xff\x00{~\r\nRING\r\n+CREG: x\r\n"
	}
	body, err := s.execute(cmd)
	if err != "" {
		return noise + "\r\n" + err + "\r\n"
	}
	if body != "" {
		body = "\r\n" + body + "\r\n"
	}
	return noise + body + "\r\nOK\r\n"
}

func (s *simulator) execute(cmd string) (body, fault string) {
	switch {
	case cmd == "AT+CPIN?":
		return "+CPIN: " + s.simState(), ""
	case strings.HasPrefix(cmd, "AT+CPINR"):
		if s.noCPINR {
			return "", "ERROR"
		}
		return fmt.Sprintf("+CPINR: SIM PIN,%d,3", s.tries), ""
	case strings.HasPrefix(cmd, `AT+CPIN="`):
		return "", s.enter(strings.Trim(cmd[len("AT+CPIN="):], `"`))
	case cmd == "AT+CEREG?":
		return fmt.Sprintf("+CEREG: 0,%d", s.stat), ""
	case cmd == "AT+CREG?", cmd == "AT+CGREG?":
		return "", "+CME ERROR: 4"
	case cmd == "AT+COPS?":
		return `+COPS: 0,0,"Test, Mobile",7`, ""
	case cmd == "AT+CSQ":
		return "+CSQ: 17,99", ""
	}
	return "", ""
}

func (s *simulator) simState() string {
	switch {
	case s.tries == 0:
		return "SIM PUK"
	case s.locked:
		return "SIM PIN"
	}
	return "READY"
}

func (s *simulator) enter(pin string) string {
	s.pins++
	if s.fault != "" {
		s.locked = s.locked && !s.unlocks
		return s.fault
	}
	if pin == s.pin {
		s.locked, s.tries = false, 3
		return ""
	}
	s.wrong++
	s.tries--
	return "+CME ERROR: 16"
}

func (s *simulator) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *simulator) count(read func() int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return read()
}

// open is what cmd/concentrator gives the supervisor: the port over go.bug.st/serial.
func (s *simulator) open() (Port, error) {
	p, err := serial.Open(s.path, &serial.Mode{BaudRate: 115200})
	if err != nil {
		return nil, err
	}
	return p, p.SetReadTimeout(50 * time.Millisecond)
}
