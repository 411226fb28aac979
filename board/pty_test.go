package board

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// master is the other side of a pseudo-terminal, set up as the modem emulator does: packet
// mode, and EXTPROC so that it is told of changed settings.
type master struct {
	*os.File
	slave string
}

func newMaster(t testing.TB) *master {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	must(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(err)
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	must(err)
	settings.Lflag |= unix.EXTPROC
	must(unix.IoctlSetTermios(fd, unix.TCSETS, settings))
	must(unix.IoctlSetPointerInt(fd, unix.TIOCPKT, 1))
	m := &master{File: os.NewFile(uintptr(fd), "master"), slave: fmt.Sprintf("/dev/pts/%d", n)}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// event is what one read of the master gives: octets, or that the settings changed.
type event struct {
	octets  string
	changed bool
	treq    bool // stop bits after the change
}

// next reads one event.
func (m *master) next(t testing.TB) event {
	t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	for {
		n, err := m.Read(b)
		if err != nil {
			t.Fatalf("master: %v", err)
		}
		switch {
		case b[0] == unix.TIOCPKT_DATA:
			return event{octets: string(b[1:n])}
		case b[0]&unix.TIOCPKT_IOCTL != 0:
			return event{changed: true, treq: m.treq(t)}
		}
	}
}

func (m *master) treq(t testing.TB) bool {
	t.Helper()
	raw, err := m.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var settings *unix.Termios
	if cerr := raw.Control(func(fd uintptr) { settings, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if settings.Lflag&unix.EXTPROC == 0 {
		t.Fatal("EXTPROC is gone")
	}
	return settings.Cflag&unix.CSTOPB != 0
}

// until reads events until T_REQ has the level.
func (m *master) until(t testing.TB, level bool) {
	t.Helper()
	for e := m.next(t); !e.changed || e.treq != level; e = m.next(t) {
	}
}
