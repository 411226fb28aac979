package cellular

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// pppdGrace is how long pppd may take to hang up before it is killed.
const pppdGrace = 5 * time.Second

// dial writes pppd's files, runs it until it ends, and says why it ended.
func (s *Supervisor) dial(ctx context.Context, d *dialog) error {
	peers, err := s.cfg.Dial.writeFiles(s.cfg.Dir, s.cfg.Chat)
	if err != nil {
		return errPIN{err.Error()} // a person must correct the configuration
	}
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(runCtx, s.cfg.Pppd, "file", peers)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = pppdGrace
	// A station that is killed takes the call with it: the next one needs the port. The
	// kernel does not do this for a pppd that runs with more rights than the station.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started, done, ended := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the signal comes when the thread that started pppd ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if started <- err; err == nil {
			done <- pppdError(cmd.Wait())
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("pppd cannot be started: %w: is the package ppp installed?", err)
	}
	s.observe(func(st *State) { st.Dials++ })
	s.set(PhaseDialing, "")
	err = s.watch(ctx, d, done)
	stop()
	<-ended // at most pppdGrace after stop
	return err
}

// pppdError turns pppd's end into words. The end of a call is always worth telling.
func pppdError(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return errors.New(pppExit(0))
	case errors.As(err, &exit):
		return errors.New(pppExit(exit.ExitCode()))
	}
	return err
}
