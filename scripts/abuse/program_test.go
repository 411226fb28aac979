package abuse

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bin is the directory of the built programs.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait more than they work: four at a time suit two processors.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // the flag has gone
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "abuse-bin-"); err == nil {
		defer func() { _ = os.RemoveAll(bin) }()
		err = build(bin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		return 1
	}
	return m.Run()
}

// build builds the programs with the flags of the Makefile, so that what is abused is
// what is shipped.
func build(dir string) error {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		return err
	}
	value := func(name string) string {
		_, rest, _ := strings.Cut(string(makefile), name+" := ")
		line, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(line)
	}
	flags, tags, found := strings.Cut(value("GOFLAGS_BUILD"), ` -tags "`)
	if !found || value("CGO_CFLAGS") == "" {
		return errors.New("the Makefile's flags are not where they were: correct build in program_test.go")
	}
	cmd := exec.Command("go", "build", flags, "-tags", strings.Trim(tags, `"`), "-o", dir+"/", "../../cmd/concentrator", "../../cmd/center", "../../cmd/demo")
	cmd.Env = append(os.Environ(), "CGO_CFLAGS="+value("CGO_CFLAGS"), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// patience is how long anything may take on the slowest machine.
const patience = 90 * time.Second

// moment is the pause between two looks.
const moment = 20 * time.Millisecond

// await looks again and again until done says yes. Why is asked when it never does.
func await(t *testing.T, what string, done func() bool, why func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(moment) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s\n%s", what, why())
		}
	}
}

// program is a running command with a file of what it says.
type program struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  string
	end  chan struct{} // closed when it has ended
}

// start starts a built command; it ends with the test at the latest.
func start(t *testing.T, dir, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, name: name, log: filepath.Join(dir, name+".log"), end: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(filepath.Join(bin, name), args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its exit code is asked for where it matters
		close(p.end)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the program as a power cut would.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.end
}

// stop ends the program in order: SIGTERM has to end it with exit code 0 whatever it is
// about, soon enough for systemd.
func (p *program) stop() {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name, err, p.said())
	}
	if code := p.ended(); code != 0 {
		p.t.Errorf("SIGTERM ends %s with exit code %d\n%s", p.name, code, p.said())
	}
	p.t.Logf("SIGTERM ended %s in %v", p.name, time.Since(began).Round(10*time.Millisecond))
}

// ended waits for the end and returns the exit code.
func (p *program) ended() int {
	p.t.Helper()
	select {
	case <-p.end:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end\n%s", p.name, p.said())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) alive() bool {
	select {
	case <-p.end:
		return false
	default:
		return true
	}
}

// said is the last of what the program wrote.
func (p *program) said() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return fmt.Sprintf("%s said:\n%s", p.name, b[max(0, len(b)-most):])
}

// run runs a built command to its end.
func run(t *testing.T, in io.Reader, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// tells checks the exit code and that every part stands in what was said.
func tells(t *testing.T, doing string, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s: %q is not in\n%s", doing, p, text)
		}
	}
}
