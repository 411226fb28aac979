package board

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

func openModem(t testing.TB, path string) *ModemPort {
	t.Helper()
	p, err := OpenModem(path, 38400)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// TestRequestLineOverPseudoTerminal holds the dialog of the modem a thousand times: the edge
// of T_REQ is seen before the status is sent, the frame after it comes whole and unchanged, the
// release is seen, and neither an octet nor an edge that the dialog waits for is lost.
func TestRequestLineOverPseudoTerminal(t *testing.T) {
	m := newMaster(t)
	p := openModem(t, m.slave)
	frames := make(chan error, 1)
	const rounds = 1000
	go func() {
		status := make([]byte, 4)
		for i := range rounds {
			if err := p.SetTREQ(true); err != nil {
				frames <- err
				return
			}
			if _, err := io.ReadFull(p, status); err != nil {
				frames <- err
				return
			}
			if _, err := p.Write(testFrame(i)); err != nil {
				frames <- err
				return
			}
			if err := p.SetTREQ(false); err != nil {
				frames <- err
				return
			}
			if _, err := io.ReadFull(p, status[:1]); err != nil || status[0] != 6 {
				frames <- fmt.Errorf("round %d: answer %02X, %v", i, status[0], err)
				return
			}
		}
		frames <- nil
	}()
	early := 0
	for i := range rounds {
		m.until(t, true)
		if _, err := m.Write([]byte{0x3F, 0, 1, 0}); err != nil {
			t.Fatal(err)
		}
		var got []byte
		released := false
		for want := testFrame(i); len(got) < len(want) || !released; {
			switch e := m.next(t); {
			case !e.changed:
				got = append(got, e.octets...)
			case !e.treq:
				released = true
				if len(got) < len(want) {
					early++
				}
			}
		}
		if want := testFrame(i); !bytes.Equal(got, want) {
			t.Fatalf("round %d: % X, want % X", i, got, want)
		}
		if _, err := m.Write([]byte{6}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-frames; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d releases were seen before the last octets of the frame written before them", early, rounds)
}

// testFrame holds every octet value sooner or later, so that nothing on the way may change one.
func testFrame(i int) []byte {
	b := make([]byte, 3+i%250)
	for k := range b {
		b[k] = byte(i*7 + k*31)
	}
	return b
}

// TestLevelIsWhatCountsInTheEnd: edges that follow each other faster than the other side
// looks melt together, but the level it then finds is the last one.
func TestLevelIsWhatCountsInTheEnd(t *testing.T) {
	m := newMaster(t)
	p := openModem(t, m.slave)
	for i := range 101 {
		if err := p.SetTREQ(i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if e := m.next(t); !e.changed || !e.treq {
		t.Errorf("%+v, want T_REQ asserted", e)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if m.treq(t) {
		t.Error("T_REQ stays asserted after Close")
	}
}

func TestEightBitsBothWays(t *testing.T) {
	m := newMaster(t)
	p := openModem(t, m.slave)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if _, err := m.Write(all); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(all))
	if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, all) {
		t.Errorf("read % X, %v", got, err)
	}
	if n, err := p.Write(all); n != len(all) || err != nil {
		t.Fatal(n, err)
	}
	got = got[:0]
	for len(got) < len(all) {
		got = append(got, m.next(t).octets...)
	}
	if !bytes.Equal(got, all) {
		t.Errorf("written % X", got)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMaster(t)
	openModem(t, m.slave)
	unknown := newMaster(t)
	for _, c := range []struct {
		name, path string
		baud       int
		want       string
		is         error
	}{
		{"missing", "/dev/ttyNONE0", 38400, "no such port", fs.ErrNotExist},
		{"half a path", "ttyNONE0", 38400, "give the whole path", fs.ErrNotExist},
		{"file", file, 38400, "not a serial port", nil},
		{"directory", dir, 38400, "not a serial port", nil},
		{"fifo", fifo, 38400, "not a serial port", nil},
		{"/dev/null", "/dev/null", 38400, "not a serial port", nil},
		{"held", m.slave, 38400, "busy: only one program", nil},
		{"no speed", unknown.slave, 0, "speed 0 baud", nil},
	} {
		p, err := OpenModem(c.path, c.baud)
		if err == nil {
			_ = p.Close()
			t.Errorf("%s: opened", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
		t.Log(err)
	}
	// A failed open leaves no lock behind.
	openModem(t, unknown.slave)
}

// TestNoPermission needs a user that is not root: it runs the test binary as nobody.
func TestNoPermission(t *testing.T) {
	if path := os.Getenv("BOARD_TEST_PATH"); path != "" {
		_, err := OpenModem(path, 38400)
		fmt.Println("ERROR:", err)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become nobody")
	}
	m := newMaster(t)
	if err := os.Chmod(m.slave, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(os.TempDir(), fmt.Sprintf("board-test-%d", os.Getpid()))
	image, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, image, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(binary) })
	out := runAsNobody(t, binary, m.slave)
	if !strings.Contains(out, "no permission: add the station's user to the group") {
		t.Errorf("%s", out)
	}
	// Exclusive even where the permissions are not in the way.
	if err := os.Chmod(m.slave, 0o666); err != nil {
		t.Fatal(err)
	}
	openModem(t, m.slave)
	if out := runAsNobody(t, binary, m.slave); !strings.Contains(out, "busy: only one program") {
		t.Errorf("%s", out)
	}
}

func runAsNobody(t *testing.T, binary, path string) string {
	t.Helper()
	cmd := exec.Command(binary, "-test.run", "^TestNoPermission$")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "BOARD_TEST_PATH="+path)
	asNobody(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestLockFileOfAnotherProgram(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	old := lockDirs
	lockDirs = []string{dir}
	t.Cleanup(func() { lockDirs = old })
	file := filepath.Join(dir, "LCK.."+filepath.Base(m.slave))
	if err := os.WriteFile(file, fmt.Appendf(nil, "%10d\n", os.Getppid()), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAT(m.slave, 115200); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getppid())) {
		t.Errorf("%v", err)
	}
	for _, stale := range []string{"    999999999\n", "rubbish", ""} {
		if err := os.WriteFile(file, []byte(stale), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := OpenAT(m.slave, 115200)
		if err != nil {
			t.Errorf("stale lock file %q: %v", stale, err)
			continue
		}
		_ = p.Close()
	}
}

// TestCloseEndsRead: our own Close is told from a device that went away.
func TestCloseEndsRead(t *testing.T) {
	m := newMaster(t)
	p := openModem(t, m.slave)
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 1))
		read <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := p.Write([]byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	openModem(t, m.slave)
}

func TestUnplugged(t *testing.T) {
	m := newMaster(t)
	p := openModem(t, m.slave)
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 1))
		read <- err
	}()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	err := <-read
	if err == nil || errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "the device is gone") {
		t.Errorf("%v", err)
	}
	if _, err := p.Write([]byte{1}); err == nil || !strings.Contains(err.Error(), "the device is gone") {
		t.Errorf("%v", err)
	}
	if err := p.SetTREQ(true); err == nil || !strings.Contains(err.Error(), "the device is gone") {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err != nil {
		t.Log("close:", err)
	}
}

// TestChildrenDoNotInheritThePort: pppd, started by the station, must not hold the modem's port.
func TestChildrenDoNotInheritThePort(t *testing.T) {
	m := newMaster(t)
	openModem(t, m.slave)
	out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), m.slave) {
		t.Errorf("a child has the port open:\n%s", out)
	}
}

// TestOtherSideThatStopsReading: a write that nobody takes ends with an error.
func TestOtherSideThatStopsReading(t *testing.T) {
	m := newMaster(t)
	p := openModem(t, m.slave)
	p.timeout = 20 * time.Millisecond
	for range 1000 {
		if _, err := p.Write(make([]byte, 250)); err != nil {
			if !strings.Contains(err.Error(), "nobody takes the octets") {
				t.Error(err)
			}
			return
		}
	}
	t.Error("250,000 octets written that nobody read")
}

func TestATPort(t *testing.T) {
	m := newMaster(t)
	p, err := OpenAT(m.slave, 115200)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := p.Read(b); n != 0 || err != nil {
		t.Errorf("silence gives %d, %v; want 0, nil", n, err)
	}
	if _, err := m.Write([]byte("OK\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(b); err != nil || string(b[:n]) != "OK\r\n" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if _, err := p.Write([]byte("AT\r")); err != nil {
		t.Fatal(err)
	}
	for e := m.next(t); e.octets != "AT\r"; e = m.next(t) {
		if e.octets != "" {
			t.Fatalf("%q", e.octets)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(b); err == nil {
		t.Error("an unplugged port reads like a silent one")
	}
	_ = p.Close() // gone already
}

// lines is a serial port with modem lines, as far as SetTREQ sees it.
type lines struct {
	serial.Port
	set []string
	err error
}

func (l *lines) SetRTS(on bool) error {
	l.set = append(l.set, fmt.Sprint("RTS ", on))
	return l.err
}

func (l *lines) SetMode(*serial.Mode) error {
	l.set = append(l.set, "mode")
	return l.err
}

func (l *lines) Close() error { return l.err }

// TestRequestLineIsRTS: on a real port T_REQ is RTS and nothing else is touched; Close
// releases it.
func TestRequestLineIsRTS(t *testing.T) {
	l := &lines{}
	p := &ModemPort{&Port{path: "/dev/ttyUSB0", port: l, lock: &lock{fd: -1}}}
	for _, level := range []bool{true, false, true} {
		if err := p.SetTREQ(level); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.set, ", "); got != "RTS true, RTS false, RTS true, RTS false" {
		t.Error(got)
	}
	broken := &ModemPort{&Port{path: "/dev/ttyUSB0", port: &lines{err: unix.EIO}, lock: &lock{fd: -1}}}
	if err := broken.SetTREQ(true); err == nil || !strings.Contains(err.Error(), "set T_REQ true on /dev/ttyUSB0: the device is gone") {
		t.Error(err)
	}
}
