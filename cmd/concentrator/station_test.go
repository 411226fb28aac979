package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"busbar/cmd/concentrator/config"
	"busbar/concentrator/web"
	"busbar/plc"
	"busbar/storage"
)

// binary is the built command; TestMain makes it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "concentrator")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "concentrator")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// environment is added to that of the stations that a test starts.
var environment []string

// daemon is a running station in a directory of its own.
type daemon struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
	end chan error
}

// log is what the station has written so far.
func (d *daemon) log() string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, "log"))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

func runDaemon(t *testing.T, dir string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: dir, end: make(chan error, 1)}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args = append([]string{"run", "--station", "TS-1", "--data", dir, "--listen", "127.0.0.1:0", "--modem", "/dev/ttyNone"}, args...)
	d.cmd = exec.Command(binary, args...)
	d.cmd.Stderr, d.cmd.Env = log, append(os.Environ(), environment...)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.end <- d.cmd.Wait() }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // it may have ended
		select {
		case <-d.end:
		case <-time.After(10 * time.Second):
		}
	})
	return d
}

// ask runs another command about the station and returns what it said and its exit code.
func (d *daemon) ask(args ...string) (stdout, stderr string, code int) {
	return command(d.t, nil, append(args, "--data", d.dir)...)
}

func command(t *testing.T, in io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &complaint
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// ready waits until the station answers.
func (d *daemon) ready() web.Status {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if out, _, code := d.ask("status", "--json"); code == exitOK {
			var s web.Status
			if err := json.Unmarshal([]byte(out), &s); err != nil {
				d.t.Fatal(err)
			}
			return s
		}
		select {
		case err := <-d.end:
			d.end <- err
			d.t.Fatalf("the station ended: %v\n%s", err, d.log())
		default:
		}
		if time.Now().After(deadline) {
			d.t.Fatal("the station does not answer")
		}
	}
}

// happens waits until an event of the kind is stored.
func (d *daemon) happens(code string) {
	d.t.Helper()
	out := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if out, _, _ = d.ask("events"); strings.Contains(out, code) {
			return
		}
	}
	d.t.Errorf("no event %s\n%s", code, out)
}

// stop ends the station in order and returns its exit code.
func (d *daemon) stop() int {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	select {
	case err := <-d.end:
		d.end <- err
	case <-time.After(30 * time.Second):
		d.t.Fatal("the station does not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

func TestStationWithoutModemRunsAndSaysSo(t *testing.T) {
	d := runDaemon(t, t.TempDir())
	s := d.ready()
	if s.Healthy || s.Line.Ready || !strings.Contains(s.Verdict, "The power line cannot be used") || !strings.Contains(s.Verdict, "/dev/ttyNone") {
		t.Errorf("status %+v", s)
	}
	if s.Station != "TS-1" || s.Uplink.Enabled || s.Storage.Path != filepath.Join(d.dir, "station.db") {
		t.Errorf("status %+v", s)
	}
	out, _, code := d.ask("status")
	if code != exitOK || !strings.HasPrefix(out, s.Verdict) {
		t.Errorf("exit code %d, words\n%s", code, out)
	}
	if _, complaint, code := d.ask("status", "--check"); code != exitTrouble || !strings.Contains(complaint, "power line") {
		t.Errorf("exit code %d, %q", code, complaint)
	}
	for _, args := range [][]string{{"meters"}, {"meters", "--json"}, {"rounds"}, {"rounds", "--json"}, {"events"}, {"events", "--since", "1h", "--json"}} {
		if out, complaint, code := d.ask(args...); code != exitOK || complaint != "" || out == "" {
			t.Errorf("%v: exit code %d, %q", args, code, complaint)
		}
	}
	d.happens("station.started")
	d.happens("modem.down")
	if code := d.stop(); code != exitOK {
		t.Errorf("exit code %d at the end\n%s", code, d.log())
	}
	if _, complaint, code := d.ask("status"); code != exitNotFound || !strings.Contains(complaint, "concentrator run") {
		t.Errorf("after the end: exit code %d, %q", code, complaint)
	}
	if n := strings.Count(d.log(), "modem is not ready"); n != 1 {
		t.Errorf("a port that stays away is logged %d times\n%s", n, d.log())
	}
}

func TestKilledStationStartsAgain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		d := runDaemon(t, dir)
		d.ready()
		if err := d.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-d.end
		d.end <- nil
	}
	d := runDaemon(t, dir)
	d.ready()
	d.happens("station.started")
}

func TestTwoStationsNeverShareADirectory(t *testing.T) {
	d := runDaemon(t, t.TempDir())
	d.ready()
	_, complaint, code := command(t, nil, "run", "--station", "TS-1", "--data", d.dir, "--listen", "")
	if code != exitFailure || !strings.Contains(complaint, "in use by another process") || !strings.Contains(complaint, "stop the other") {
		t.Errorf("exit code %d, %q", code, complaint)
	}
	if code := d.stop(); code != exitOK {
		t.Errorf("the first one ended with %d", code)
	}
}

func TestSocketOfALivingStationIsNotTaken(t *testing.T) {
	d := runDaemon(t, t.TempDir())
	d.ready()
	_, complaint, code := command(t, nil, "run", "--station", "TS-2", "--data", t.TempDir(), "--socket", filepath.Join(d.dir, "concentrator.sock"), "--listen", "")
	if code != exitFailure || !strings.Contains(complaint, "another station answers") {
		t.Errorf("exit code %d, %q", code, complaint)
	}
	d.ready()
}

func TestTakenPageAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, complaint, code := command(t, nil, "run", "--station", "TS-2", "--data", t.TempDir(), "--listen", l.Addr().String())
	if code != exitFailure || !strings.Contains(complaint, "web.listen") {
		t.Errorf("exit code %d, %q", code, complaint)
	}
}

func TestDamagedDatabaseIsExplained(t *testing.T) {
	dir := t.TempDir()
	d := runDaemon(t, dir)
	d.ready()
	d.stop()
	path := filepath.Join(dir, "station.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(b); i++ {
		b[i] ^= 0x55
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, complaint, code := command(t, nil, "run", "--station", "TS-1", "--data", dir, "--listen", "")
	if code != exitFailure || !strings.Contains(complaint, "damaged") || !strings.Contains(complaint, "--set-aside-corrupt") {
		t.Fatalf("exit code %d, %q", code, complaint)
	}
	d = runDaemon(t, dir, "--set-aside-corrupt")
	d.ready()
	d.happens("storage.fault")
}

const keyFile = "title,mechanism,encryption,authentication,password\n" +
	"4253420000000001,hls-gmac,000102030405060708090A0B0C0D0E0F,D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF,\n4253420000000002,lls,,,open sesame\n"

func TestKeysOfARunningAndOfAStoppedStation(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "keys.csv")
	if err := os.WriteFile(file, []byte(keyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(out, complaint string, code int) {
		t.Helper()
		if code != exitOK {
			t.Errorf("exit code %d, %q", code, complaint)
		}
		for _, secret := range []string{"0A0B0C", "D7D8", "sesame"} {
			if strings.Contains(strings.ToUpper(out+complaint), strings.ToUpper(secret)) {
				t.Errorf("a secret is shown: %s%s", out, complaint)
			}
		}
	}
	out, complaint, code := command(t, nil, "keys", "import", file, "--data", dir) // nothing runs
	check(out, complaint, code)
	d := runDaemon(t, dir)
	d.ready()
	out, complaint, code = command(t, strings.NewReader(keyFile), "keys", "import", "-", "--data", dir)
	check(out, complaint, code)
	if !strings.Contains(out, "keys of 2 meters imported") {
		t.Errorf("said %q", out)
	}
	out, complaint, code = d.ask("keys", "list")
	check(out, complaint, code)
	if !strings.Contains(out, "4253420000000001  hls-gmac") || !strings.Contains(out, "2 meters have keys") {
		t.Errorf("said %q", out)
	}
	_, complaint, code = command(t, strings.NewReader("4253420000000003,lls,,,\n"), "keys", "import", "-", "--data", dir)
	if code != exitFailure || !strings.Contains(complaint, "line 1: password is missing") {
		t.Errorf("exit code %d, %q", code, complaint)
	}
	d.stop()
	out, complaint, code = command(t, nil, "keys", "list", "--json", "--data", dir)
	check(out, complaint, code)
	check(d.log(), "", exitOK)
}

// A counter is raised in the store of a running and of a stopped station, and never lowered.
func TestRaiseCounter(t *testing.T) {
	dir := t.TempDir()
	raise := func(next, want string) {
		t.Helper()
		out, complaint, code := command(t, nil, "keys", "raise", "4253420000000001", next, "--data", dir)
		if code != exitOK || !strings.Contains(out, "4253420000000001 is "+want) {
			t.Errorf("exit code %d, said %q %q, want %q", code, out, complaint, want)
		}
	}
	refuse := func(title, next string) {
		t.Helper()
		if out, _, code := command(t, nil, "keys", "raise", title, next, "--data", dir); code != exitUsage {
			t.Errorf("raise %s %s: exit code %d, said %q", title, next, code, out)
		}
	}
	raise("3000000000", "3000000000, none was used before")
	d := runDaemon(t, dir)
	d.ready()
	raise("3000000100", "3000000100, it was 3000000000")
	raise("7", "3000000100, it was 3000000100")
	refuse("4253420000000001", "0")
	refuse("4253420000000001", "4294967296")
	refuse("meter", "5")
	d.stop()
	raise("3000000101", "3000000101, it was 3000000100")
	store, err := storage.Open(t.Context(), storage.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if first, err := store.Reserve(plc.MustSystemTitle([]byte("BSB\x00\x00\x00\x00\x01")), 1); first != 3000000101 || err != nil {
		t.Errorf("the next counter is %d, %v", first, err)
	}
}

// Keys are for whoever may open the socket, never for the page's address.
func TestPageKnowsNoKeys(t *testing.T) {
	d := runDaemon(t, t.TempDir())
	d.ready()
	url := d.url()
	for path, want := range map[string]int{"/": 200, "/api/v1/status": 200, "/healthz": 200, "/api/v1/keys": 404, "/api/v1/keys/4253420000000001/counter": 404} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
	info, err := os.Stat(filepath.Join(d.dir, "concentrator.sock"))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("socket %v, %v", info.Mode(), err)
	}
}

func TestExitCodesOfWrongUse(t *testing.T) {
	empty := t.TempDir()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"fly"}, exitUsage, "unknown command"},
		{[]string{"status", "--data", empty}, exitNotFound, "no station is running"},
		{[]string{"run", "--data", empty, "--check"}, exitUsage, "station: is missing"},
		{[]string{"run", "--station", "TS-1", "--data", empty, "--speed", "fast", "--check"}, exitUsage, "line.speed"},
		{[]string{"run", "--station", "TS-1", "--data", empty, "--keys", "/nowhere", "--check"}, exitUsage, "meters.keys"},
		{[]string{"run", "--station", "TS-1", "--data", empty, "--keys", "/nowhere"}, exitFailure, "meters.keys"},
		{[]string{"run", "--station", "TS-1", "--data", empty, "--check"}, exitOK, ""},
		{[]string{"events", "--data", empty, "--since", "yesterday"}, exitUsage, "--since"},
		{[]string{"meters", "--data", empty, "--sort", "color"}, exitUsage, "cannot sort"},
		{[]string{"keys", "import"}, exitUsage, "accepts 1 arg"},
		{[]string{"keys", "import", "/nowhere", "--data", empty}, exitFailure, "/nowhere"},
		{[]string{"completion", "bash"}, exitOK, ""},
	} {
		_, complaint, code := command(t, nil, tt.args...)
		if code != tt.code || !strings.Contains(complaint, tt.want) {
			t.Errorf("%v: exit code %d, want %d, %q", tt.args, code, tt.code, complaint)
		}
	}
}

func TestSystemdIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	environment = []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=150000"}
	defer func() { environment = nil }()
	d := runDaemon(t, t.TempDir())
	hear := func(want string) {
		t.Helper()
		b := make([]byte, 64)
		for {
			if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := l.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if got := string(b[:n]); got == want {
				return
			}
		}
	}
	hear("READY=1")
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hear("STOPPING=1")
}

func TestSupervise(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	waits := part{"waits", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	t.Run("told to end", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := supervise(ctx, quiet, []part{waits, waits}); err != nil {
			t.Error(err)
		}
	})
	t.Run("one fails", func(t *testing.T) {
		broken := errors.New("broken")
		err := supervise(t.Context(), quiet, []part{waits, {"bad", func(context.Context) error { return broken }}})
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "bad: ") {
			t.Error(err)
		}
	})
	t.Run("one ends by itself", func(t *testing.T) {
		if err := supervise(t.Context(), quiet, []part{waits, {"short", func(context.Context) error { return nil }}}); !errors.Is(err, errEnded) {
			t.Error(err)
		}
	})
	t.Run("one does not end", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		stuck := make(chan struct{})
		defer close(stuck)
		if err := supervise(ctx, quiet, []part{waits, {"stuck", func(context.Context) error { <-stuck; return nil }}}); err != nil {
			t.Error(err)
		}
	})
}

func TestReadSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("# of the operator\npin=1234\n\npassword=a=b\n", 0o600)
	if s, err := readSecrets(path); err != nil || s.pin != "1234" || s.password != "a=b" {
		t.Errorf("%v", err)
	}
	write("pin=1234\n", 0o640)
	if _, err := readSecrets(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("error %v for a file that others can read", err)
	}
	write("PIN 1234\n", 0o600)
	if _, err := readSecrets(path); err == nil || strings.Contains(err.Error(), "1234") {
		t.Errorf("error %v", err)
	}
	if s, err := readSecrets(""); err != nil || s != (secrets{}) {
		t.Errorf("no file: %v", err)
	}
}

func TestKeyRing(t *testing.T) {
	store, err := storage.Open(t.Context(), storage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.ImportKeys(strings.NewReader(keyFile)); err != nil {
		t.Fatal(err)
	}
	list, err := store.Keys(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, record := range list {
		k, found, err := keyRing{store}.Keys(record.Title)
		if err != nil || !found || k.Validate() != nil || uint8(k.Mechanism) != record.Mechanism {
			t.Errorf("keys of %v: %v, %v, %v", record.Title, k, found, err)
		}
	}
	if _, found, err := (keyRing{store}).Keys(ownTitle(configLine(), "TS-1")); found || err != nil {
		t.Errorf("a stranger: found %v, %v", found, err)
	}
}

func TestOwnTitle(t *testing.T) {
	l := configLine()
	one, other := ownTitle(l, "TS-1"), ownTitle(l, "TS-2")
	if one == other || one != ownTitle(l, "TS-1") || one.Size() != 8 || !strings.HasPrefix(one.String(), "425553") {
		t.Errorf("titles %v and %v", one, other)
	}
	l.TitleSize = 6
	if n := ownTitle(l, "TS-1").Size(); n != 6 {
		t.Errorf("%d octets on a segment with 6", n)
	}
	l.Title = "4D4D4D000001"
	if got := ownTitle(l, "TS-1").String(); got != l.Title {
		t.Errorf("title %s", got)
	}
}

func configLine() config.Line { return config.Default().Line }
