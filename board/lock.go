package board

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockDirs hold the lock files that pppd, minicom and others write: LCK..name with a process id.
var lockDirs = []string{"/run/lock", "/var/lock"}

// errNotTerminal tells that a path is no terminal at all.
var errNotTerminal = errors.New("it has no terminal settings")

// busyError tells who has a port, as far as known.
type busyError struct{ holder string }

func (e *busyError) Error() string { return "in use by " + e.holder }

// lock is a second descriptor of a terminal. It carries an advisory lock, which holds against
// root too, and is asked whether the terminal takes octets.
type lock struct {
	fd     int
	device uint64
	pseudo bool // a pseudo-terminal: no modem lines
}

// acquire locks the terminal at path.
func acquire(path string) (*lock, error) {
	if holder := lockFileHolder(path); holder != 0 {
		return nil, &busyError{fmt.Sprintf("process %d, says its lock file", holder)}
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	l := &lock{fd: fd}
	if err := l.take(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *lock) take() error {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return err
	}
	if _, err := unix.IoctlGetTermios(l.fd, unix.TCGETS); err != nil {
		return errNotTerminal
	}
	if err := unix.Flock(l.fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return &busyError{"another process"}
		}
		return err
	}
	l.device = st.Rdev
	l.pseudo = isPseudo(st.Rdev)
	return nil
}

// isPseudo reports whether the device is the slave of a Unix 98 pseudo-terminal: the kernel's
// list of devices gives it the major numbers 136 to 143.
func isPseudo(device uint64) bool {
	major := unix.Major(device)
	return major >= 136 && major <= 143
}

func (l *lock) release() { _ = unix.Close(l.fd) }

// writable waits until the terminal takes octets.
func (l *lock) writable(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, max(int(time.Until(deadline)/time.Millisecond), 0))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("nobody takes the octets for %v", timeout)
		case fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0:
			return unix.EIO
		}
		return nil
	}
}

// keepFromChildren marks this process's other descriptors of the terminal close-on-exec, which
// the library leaves out: pppd would inherit the modem's port and hold it, exclusively, beyond our end.
func (l *lock) keepFromChildren() {
	const own = "/proc/self/fd"
	entries, err := os.ReadDir(own)
	if err != nil {
		return // no /proc: the port works all the same
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		var st unix.Stat_t
		if err != nil || unix.Fstat(fd, &st) != nil {
			continue
		}
		if st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == l.device {
			unix.CloseOnExec(fd)
		}
	}
}

// lockFileHolder returns the process that holds a lock file for the port and lives, or 0.
func lockFileHolder(path string) int {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for _, dir := range lockDirs {
		text, err := os.ReadFile(filepath.Join(dir, "LCK.."+filepath.Base(path)))
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || pid <= 0 || pid == os.Getpid() {
			continue
		}
		if err := unix.Kill(pid, 0); err == nil || errors.Is(err, unix.EPERM) {
			return pid
		}
	}
	return 0
}
