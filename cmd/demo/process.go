package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// program is a real command of the product that the demo started.
type program struct {
	name string
	cmd  *exec.Cmd
	log  string // file with everything it said
	done chan error
}

// stopTime is how long a program may take to end by itself.
const stopTime = 5 * time.Second

// start runs a command beside our own executable and lets it write to a log file. It
// runs until it is stopped, or until we end.
func start(dir, name string, args ...string) (*program, error) {
	path, err := beside(name)
	if err != nil {
		return nil, err
	}
	p := &program{name: name, log: filepath.Join(dir, name+".log"), done: make(chan error, 1)}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// Its own group: an interrupt at the keyboard reaches the demo, which stops its
	// programs in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// beside finds a command in the directory of our own executable.
func beside(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not beside %s: run `make demo`, which builds all commands into bin/", name, filepath.Base(self))
	}
	return path, nil
}

// run runs a command beside our own executable to its end and returns what it printed.
func run(ctx context.Context, name string, args ...string) (string, error) {
	path, err := beside(name)
	if err != nil {
		return "", err
	}
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", name, args[0], err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// alive returns an error with the end of the log when the program has ended.
func (p *program) alive() error {
	select {
	case err := <-p.done:
		p.done <- err
		return fmt.Errorf("%s ended by itself (%v); it said last:\n%s", p.name, err, p.tail())
	default:
		return nil
	}
}

// stop ends the program in order.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(stopTime):
		_ = p.cmd.Process.Kill()
		err := <-p.done
		p.done <- err
		return fmt.Errorf("%s did not stop within %v: %w", p.name, stopTime, err)
	}
}

// kill ends the program as a power cut would, and waits until it is gone.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	p.done <- <-p.done
}

// tail is the end of the program's log.
func (p *program) tail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 2000
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	} else {
		_, _ = f.Seek(0, io.SeekStart)
	}
	text, _ := io.ReadAll(f)
	return strings.TrimSpace(string(text))
}

// memory is the resident memory of the program in octets, as the system counts it.
func (p *program) memory() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(text), &total, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// said waits until the program's log holds a word that begins with mark, and returns
// what follows it.
func (p *program) said(ctx context.Context, mark string) (string, error) {
	for {
		text, err := os.ReadFile(p.log)
		if err != nil {
			return "", err
		}
		if _, after, found := strings.Cut(string(text), mark); found {
			if word, _, whole := strings.Cut(after, "\n"); whole {
				return strings.Trim(strings.Fields(word)[0], `"`), nil
			}
		}
		if err := p.alive(); err != nil {
			return "", err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return "", err
		}
	}
}
