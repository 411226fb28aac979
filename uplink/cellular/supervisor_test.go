package cellular

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// start runs a supervisor with short waits until the test ends.
func start(t *testing.T, s *simulator, change func(*Config)) *Supervisor {
	t.Helper()
	cfg := Config{
		Open: s.open, Dir: t.TempDir(), Poll: 20 * time.Millisecond, BackoffMin: 20 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
		Dial: Dial{Port: "/dev/ttyData0", Baud: 115200, APN: "internet.test", User: "u", Password: "p4ssw0rd"},
	}
	if change != nil {
		change(&cfg)
	}
	sup := New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return sup
}

// await waits until ok, and fails the test when it never comes.
func await(t *testing.T, sup *Supervisor, what string, ok func(State) bool) State {
	t.Helper()
	for range 3000 {
		if st := sup.Snapshot(); ok(st) {
			return st
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never %s; the bearer is %+v", what, sup.Snapshot())
	return State{}
}

func inPhase(p Phase) func(State) bool { return func(s State) bool { return s.Phase == p } }

func TestRegistersAndTellsOperatorAndSignal(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.pin, sim.locked, sim.garbage = "1234", true, true })
	sup := start(t, sim, func(c *Config) { c.PIN = "1234" })
	st := await(t, sup, "registered", inPhase(PhaseRegistered))
	if st.Operator != (Operator{"Test, Mobile", "LTE"}) || !st.SignalKnown || st.SignalDBm != -79 || st.Registration != Home {
		t.Errorf("state %+v", st)
	}
	if len(st.History) < 3 || st.History[len(st.History)-1].Phase != PhaseUnlocking {
		t.Errorf("history %+v does not begin with unlocking", st.History)
	}
}

func TestWrongPINIsTriedOnce(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.pin, sim.locked = "1234", true })
	dir := t.TempDir()
	change := func(c *Config) { c.PIN, c.Dir = "9999", dir }
	sup := start(t, sim, change)
	await(t, sup, "in fault", func(s State) bool { return s.Phase == PhaseFault && strings.Contains(s.Detail, "refused") })
	// Later sessions, and another run on the same directory, must not try again.
	opened := sim.count(func() int { return len(sim.commands) })
	for range 3000 {
		if sim.count(func() int { return len(sim.commands) }) > opened+20 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	second := start(t, sim, change)
	await(t, second, "in fault", inPhase(PhaseFault))
	if n := sim.count(func() int { return sim.wrong }); n != 1 {
		t.Errorf("the SIM got %d wrong PINs, want 1", n)
	}
	for _, e := range append(sup.Snapshot().History, second.Snapshot().History...) {
		if strings.Contains(e.Text, "9999") {
			t.Errorf("the history shows the PIN: %q", e.Text)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "pin.json"))
	if err != nil || strings.Contains(string(b), "9999") {
		t.Errorf("record %s, %v", b, err)
	}
}

func TestCorrectedPINIsTried(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.pin, sim.locked = "1234", true })
	dir := t.TempDir()
	if err := note(filepath.Join(dir, "pin.json"), "9999", pinRefused); err != nil {
		t.Fatal(err)
	}
	sup := start(t, sim, func(c *Config) { c.PIN, c.Dir = "1234", dir })
	await(t, sup, "registered", inPhase(PhaseRegistered))
}

func TestRefusedPINIsRememberedBeyondAGoodOne(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.pin, sim.locked = "1234", true })
	d, path := talkTo(t, sim), filepath.Join(t.TempDir(), "pin.json")
	told(t, unlock(t.Context(), d, "9999", path), "the SIM refused the PIN")
	told(t, unlock(t.Context(), d, "1234", path), "")
	sim.set(func() { sim.locked = true })
	told(t, unlock(t.Context(), d, "9999", path), "refused this PIN before")
}

func TestTryWithUnknownEndIsNotRepeated(t *testing.T) {
	for _, tt := range []struct {
		name    string
		tries   int
		noCPINR bool
		want    Phase
	}{
		{"all tries left", 3, false, PhaseRegistered},
		{"one try used", 2, false, PhaseFault},
		{"tries not told", 3, true, PhaseFault},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(t)
			sim.set(func() { sim.pin, sim.locked, sim.tries, sim.noCPINR = "1234", true, tt.tries, tt.noCPINR })
			dir := t.TempDir()
			if err := note(filepath.Join(dir, "pin.json"), "1234", pinSent); err != nil {
				t.Fatal(err)
			}
			sup := start(t, sim, func(c *Config) { c.PIN, c.Dir = "1234", dir })
			await(t, sup, string(tt.want), inPhase(tt.want))
			if n := sim.count(func() int { return sim.pins }); tt.want == PhaseFault && n != 0 {
				t.Errorf("%d PINs sent, want none", n)
			}
		})
	}
}

// TestSIMIsNeverLocked lets a person correct the PIN again and again, wrongly: whatever the
// modem tells of the tries left, the SIM gets two wrong PINs and never the third.
func TestSIMIsNeverLocked(t *testing.T) {
	for _, noCPINR := range []bool{false, true} {
		t.Run(fmt.Sprintf("tries not told %v", noCPINR), func(t *testing.T) {
			sim := newSimulator(t)
			sim.set(func() { sim.pin, sim.locked, sim.noCPINR = "1234", true, noCPINR })
			d, path := talkTo(t, sim), filepath.Join(t.TempDir(), "pin.json")
			for _, pin := range []string{"0000", "0001", "0000", "0002", "0003", "1234"} {
				var fault errPIN
				if err := unlock(t.Context(), d, pin, path); !errors.As(err, &fault) {
					t.Errorf("PIN %s: %v", pin, err)
				}
			}
			if n := sim.count(func() int { return sim.wrong }); n != 2 {
				t.Errorf("the SIM got %d wrong PINs, want 2", n)
			}
			sim.set(func() { sim.tries, sim.noCPINR = 3, false }) // unlocked once in a telephone
			if err := unlock(t.Context(), d, "1234", path); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKnownPINIsNoException: a PIN that was right once may have been changed since.
func TestKnownPINIsNoException(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.pin, sim.locked = "1234", true })
	d, path := talkTo(t, sim), filepath.Join(t.TempDir(), "pin.json")
	if err := unlock(t.Context(), d, "1234", path); err != nil {
		t.Fatal(err)
	}
	sim.set(func() { sim.pin, sim.locked, sim.tries = "5678", true, 1 })
	if err := unlock(t.Context(), d, "1234", path); err == nil || !strings.Contains(err.Error(), "one try left") {
		t.Error(err)
	}
	if n := sim.count(func() int { return sim.wrong }); n != 0 {
		t.Errorf("the SIM got %d wrong PINs, want none", n)
	}
}

// TestBusySIMCondemnsNoPIN: an error that is no judgment leaves the PIN as it is, and it is
// sent once more when the SIM says that all its tries are left.
func TestBusySIMCondemnsNoPIN(t *testing.T) {
	for _, tt := range []struct {
		name, fault string
		sim         func(*simulator)
		first, then string // in the errors; empty: none
		pins        int
	}{
		{"busy once", "+CME ERROR: 14", func(s *simulator) { s.fault = "" }, "SIM busy", "", 2},
		{"failed once", "+CME ERROR: 13", func(s *simulator) { s.fault = "" }, "SIM failure", "", 2},
		{"busy, tries not told", "+CME ERROR: 14", func(s *simulator) { s.fault, s.noCPINR = "", true }, "SIM busy", "delete", 1},
		{"busy, a try lost", "+CME ERROR: 14", func(s *simulator) { s.fault, s.tries = "", 2 }, "SIM busy", "delete", 1},
		{"ready all the same", "ERROR", func(s *simulator) { s.locked = true; s.fault, s.noCPINR = "", true }, "", "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(t)
			sim.set(func() { sim.pin, sim.locked, sim.fault, sim.unlocks = "1234", true, tt.fault, tt.first == "" })
			d, path := talkTo(t, sim), filepath.Join(t.TempDir(), "pin.json")
			told(t, unlock(t.Context(), d, "1234", path), tt.first)
			sim.set(func() { tt.sim(sim) })
			told(t, unlock(t.Context(), d, "1234", path), tt.then)
			if n := sim.count(func() int { return sim.pins }); n != tt.pins {
				t.Errorf("%d PINs sent, want %d", n, tt.pins)
			}
		})
	}
}

// TestEndlesslyBusySIM: a modem that always names three tries is not believed forever.
func TestEndlesslyBusySIM(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.pin, sim.locked, sim.fault = "1234", true, "ERROR" })
	d, path := talkTo(t, sim), filepath.Join(t.TempDir(), "pin.json")
	for range 5 {
		if err := unlock(t.Context(), d, "1234", path); err == nil {
			t.Fatal("unlocked")
		}
	}
	if n := sim.count(func() int { return sim.pins }); n != 2 {
		t.Errorf("%d PINs sent, want 2", n)
	}
}

func talkTo(t *testing.T, sim *simulator) *dialog {
	t.Helper()
	port, err := sim.open()
	if err != nil {
		t.Fatal(err)
	}
	d := newDialog(port)
	t.Cleanup(d.close)
	return d
}

// told checks that the error says want, or that there is none.
func told(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

func TestFaultsInWords(t *testing.T) {
	tests := []struct {
		name   string
		sim    func(*simulator)
		config func(*Config)
		phase  Phase
		want   string
	}{
		{"no PIN configured", func(s *simulator) { s.locked = true }, nil, PhaseFault, "none is configured"},
		{"PIN not digits", func(s *simulator) { s.locked = true }, func(c *Config) { c.PIN = "12a4" }, PhaseFault, "not 4 to 8 digits"},
		{"last try", func(s *simulator) { s.locked, s.tries = true, 1 }, func(c *Config) { c.PIN = "1234" }, PhaseFault, "one try left"},
		{"PUK", func(s *simulator) { s.tries = 0 }, func(c *Config) { c.PIN = "1234" }, PhaseFault, "PUK"},
		{"roaming not allowed", func(s *simulator) { s.stat = 5 }, nil, PhaseRegistering, "roaming is not allowed"},
		{"denied", func(s *simulator) { s.stat = 3 }, nil, PhaseRegistering, "denied"},
		{"no port", func(*simulator) {}, func(c *Config) { c.Open = func() (Port, error) { return nil, os.ErrNotExist } }, PhaseClosed, "AT port"},
		{"APN with a quote", func(*simulator) {}, func(c *Config) { c.Pppd, c.Dial.APN = "/bin/true", `x"` }, PhaseFault, "APN"},
		{"no pppd", func(*simulator) {}, func(c *Config) { c.Pppd = "/nonexistent/pppd" }, PhaseClosed, "package ppp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(t)
			sim.set(func() { tt.sim(sim) })
			sup := start(t, sim, tt.config)
			await(t, sup, tt.want, func(s State) bool { return s.Phase == tt.phase && strings.Contains(s.Detail, tt.want) })
		})
	}
}

func TestRegistrationComesLate(t *testing.T) {
	sim := newSimulator(t)
	sim.set(func() { sim.stat = 2 })
	sup := start(t, sim, nil)
	await(t, sup, "searching", func(s State) bool { return s.Detail == "searching" })
	sim.set(func() { sim.stat = 5 })
	await(t, sup, "roaming", func(s State) bool { return strings.Contains(s.Detail, "roaming") })
	sim.set(func() { sim.stat = 1 })
	await(t, sup, "registered", inPhase(PhaseRegistered))
}

// TestPppdIsSupervised stands a shell script in for pppd, because the machines the
// tests run on have no PPP in their kernel: it shows what it was started with and
// ends with the codes of pppd(8).
func TestPppdIsSupervised(t *testing.T) {
	sim := newSimulator(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "pppd")
	text := "#!/bin/sh\n[ \"$1\" = file ] || exit 2\ncp \"$2\" " + dir + "/seen\n[ -e " + dir + "/hangup ] && exit 16\ntrap 'exit 5' TERM\nwhile :; do sleep 0.01; done\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	sup := start(t, sim, func(c *Config) { c.Pppd = script })
	await(t, sup, "dialing", inPhase(PhaseDialing))
	var peers []byte
	await(t, sup, "with a peers file", func(State) bool { peers, _ = os.ReadFile(dir + "/seen"); return len(peers) > 0 })
	for _, want := range []string{"/dev/ttyData0 115200", "lcp-echo-failure 4", `user "u"`, `password "p4ssw0rd"`, "nodetach"} {
		if !strings.Contains(string(peers), want) {
			t.Errorf("the peers file lacks %q:\n%s", want, peers)
		}
	}
	info, err := os.Stat(filepath.Join(sup.cfg.Dir, "peers"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("peers file: %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestHangUpIsToldAndDialedAgain(t *testing.T) {
	sim := newSimulator(t)
	script := filepath.Join(t.TempDir(), "pppd")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 16\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	sup := start(t, sim, func(c *Config) { c.Pppd = script })
	st := await(t, sup, "dialed again", func(s State) bool { return s.Dials >= 2 })
	told := false
	for _, e := range st.History {
		told = told || strings.Contains(e.Text, "the modem hung up")
	}
	if !told {
		t.Errorf("history %+v does not say why the call ended", st.History)
	}
}

// TestSlowATPortKeepsTheCall: the AT port stops answering during a call on another port.
func TestSlowATPortKeepsTheCall(t *testing.T) {
	sim := newSimulator(t)
	script := longCall(t, t.TempDir())
	var broken atomic.Bool
	sup := start(t, sim, func(c *Config) {
		c.Pppd = script
		c.Open = func() (Port, error) {
			p, err := sim.open()
			return &failingPort{p, &broken}, err
		}
	})
	await(t, sup, "dialing", inPhase(PhaseDialing))
	broken.Store(true)
	st := await(t, sup, "without an answer", func(s State) bool { return s.Unanswered >= 3 })
	if st.Phase != PhaseDialing || st.Dials != 1 || st.SignalKnown {
		t.Errorf("a call that went on: %+v", st)
	}
	broken.Store(false)
	st = await(t, sup, "with a signal again", func(s State) bool { return s.SignalKnown })
	if st.Phase != PhaseDialing || st.Dials != 1 {
		t.Errorf("a call that went on: %+v", st)
	}
}

// failingPort takes no octets while broken.
type failingPort struct {
	Port
	broken *atomic.Bool
}

func (p *failingPort) Write(b []byte) (int, error) {
	if p.broken.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	return p.Port.Write(b)
}

// longCall writes a script that stands in for pppd: it leaves the file called in dir,
// goes on until it is told to end, and renames the file to ended. A killed parent tells it
// as many times as it had threads. Without the file it ends too.
func longCall(t *testing.T, dir string) string {
	t.Helper()
	script := filepath.Join(dir, "pppd")
	text := "#!/bin/sh\ncd " + dir + "\ntrap 'mv called ended; exit 5' TERM\ntouch called\nwhile [ -e called ]; do sleep 0.01; done\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return script
}

// TestPppdEndsWithAKilledStation kills a process that supervises a call.
func TestPppdEndsWithAKilledStation(t *testing.T) {
	const variable = "BUSBAR_TEST_PPPD"
	if script := os.Getenv(variable); script != "" { // the process that is killed
		sup := New(Config{Pppd: script, Dir: filepath.Dir(script), SharedPort: true, Dial: Dial{Port: "/dev/ttyData0", Baud: 115200, APN: "internet.test"}})
		t.Fatal(sup.dial(t.Context(), nil))
	}
	dir := t.TempDir()
	station := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	station.Env = append(os.Environ(), variable+"="+longCall(t, dir))
	if err := station.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, filepath.Join(dir, "called"))
	if err := station.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = station.Wait() // killed
	awaitFile(t, filepath.Join(dir, "ended"))
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	for range 2000 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s never came", path)
}

func TestHistoryIsBounded(t *testing.T) {
	sup := New(Config{})
	for i := range 3 * maxHistory {
		sup.set(PhaseClosed, strings.Repeat("x", i+1))
	}
	if n := len(sup.Snapshot().History); n != maxHistory {
		t.Errorf("%d events kept, want %d", n, maxHistory)
	}
}
