package chip

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal whose slave a host opens as if it were a serial port.
//
// The master is in packet mode with EXTPROC set: each Read begins with an octet that
// tells whether data follows or the slave's settings changed. Two stop bits on the
// slave mean that T_REQ is asserted. We keep the slave open ourselves, so that a host may come and
// go, as it may with a chip that is soldered in.
type Terminal struct {
	master *os.File
	fd     int // of master
	slave  *os.File
	path   string
}

// OpenTerminal makes a pseudo-terminal.
func OpenTerminal() (*Terminal, error) {
	t, err := openTerminal()
	if err != nil {
		return nil, fmt.Errorf("pseudo-terminal: %w", err)
	}
	return t, nil
}

func openTerminal() (*Terminal, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/ptmx: %w", err)
	}
	t := &Terminal{master: os.NewFile(uintptr(fd), "/dev/ptmx"), fd: fd}
	if err := t.prepare(); err != nil {
		_ = t.Close() // the first error tells more
		return nil, err
	}
	return t, nil
}

func (t *Terminal) prepare() error {
	if err := unix.IoctlSetPointerInt(t.fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock: %w", err)
	}
	n, err := unix.IoctlGetInt(t.fd, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("ask for its number: %w", err)
	}
	t.path = fmt.Sprintf("/dev/pts/%d", n)
	if t.slave, err = os.OpenFile(t.path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return err
	}
	if err := t.raw(); err != nil {
		return fmt.Errorf("make %s raw: %w", t.path, err)
	}
	if err := unix.IoctlSetPointerInt(t.fd, unix.TIOCPKT, 1); err != nil {
		return fmt.Errorf("packet mode: %w", err)
	}
	return nil
}

// raw takes away everything that a terminal does to octets and sets EXTPROC, which
// makes changes of the slave's settings visible to us. Hosts leave that flag as it is.
func (t *Terminal) raw() error {
	s, err := unix.IoctlGetTermios(t.fd, unix.TCGETS)
	if err != nil {
		return err
	}
	s.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	s.Oflag &^= unix.OPOST
	s.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	s.Lflag |= unix.EXTPROC
	s.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB
	s.Cflag |= unix.CS8
	s.Cc[unix.VMIN], s.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(t.fd, unix.TCSETS, s)
}

// Path is what a host opens.
func (t *Terminal) Path() string { return t.path }

// Close gives the pseudo-terminal back: a host reads that its port is gone.
func (t *Terminal) Close() error {
	err := t.master.Close()
	if t.slave != nil {
		err = errors.Join(err, t.slave.Close())
	}
	return err
}

// Serve moves the chip with the time until ctx ends and serves a host behind t,
// which it closes at the end.
func (s *Server) Serve(ctx context.Context, t *Terminal) error {
	ctx, cancel := context.WithCancelCause(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		cancel(s.read(t))
	}()
	err := s.run(ctx, t.write)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, os.ErrClosed) {
		err = cause
	}
	if closing := t.Close(); err == nil {
		err = closing
	}
	<-read
	return err
}

// read passes on what the host does until the terminal is closed.
func (s *Server) read(t *Terminal) error {
	b := make([]byte, 4096)
	asserted := false
	for {
		n, err := t.master.Read(b)
		if err != nil {
			return fmt.Errorf("read %s: %w", t.path, err)
		}
		if n == 0 {
			continue
		}
		if b[0] == unix.TIOCPKT_DATA {
			if n > 1 && !s.offer(input{octets: append([]byte(nil), b[1:n]...)}) {
				return os.ErrClosed
			}
			continue
		}
		if b[0]&unix.TIOCPKT_IOCTL == 0 {
			continue // flow control and flushes, which mean nothing here
		}
		now, err := t.settings()
		if err != nil {
			return fmt.Errorf("settings of %s: %w", t.path, err)
		}
		// Of two changes we may see the second alone: T_REQ that still is asserted may have been
		// released in between.
		again := now && asserted
		if (now || asserted) && !s.offer(input{edge: true, treq: now, again: again}) {
			return os.ErrClosed
		}
		asserted = now
	}
}

// settings tells whether T_REQ is asserted. A host that was killed leaves the slave
// exclusive as long as we hold it open: take that back, its lock keeps others out.
func (t *Terminal) settings() (asserted bool, err error) {
	s, err := unix.IoctlGetTermios(t.fd, unix.TCGETS)
	if err != nil {
		return false, err
	}
	_ = unix.IoctlSetInt(int(t.slave.Fd()), unix.TIOCNXCL, 0) // at worst a killed host cannot come back
	if s.Lflag&unix.EXTPROC == 0 {
		s.Lflag |= unix.EXTPROC
		if err := unix.IoctlSetTermios(t.fd, unix.TCSETS, s); err != nil {
			return false, err
		}
	}
	return s.Cflag&unix.CSTOPB != 0, nil
}

// write sends octets to the host. Nobody waits for a host that does not read: what
// does not fit into the kernel's buffer is lost, as on a serial line.
func (t *Terminal) write(b []byte) {
	for len(b) > 0 {
		n, err := unix.Write(t.fd, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		b = b[n:]
	}
}
