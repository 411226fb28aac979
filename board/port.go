package board

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// writeTimeout is how long a port may refuse octets. A real one takes some again in less at any speed; a
// pseudo-terminal whose other side stopped reading never does.
const writeTimeout = 2 * time.Second

// ErrClosed is what a Read or Write says that Close ended.
var ErrClosed = errors.New("port closed")

// Port is a serial port that this process alone holds.
type Port struct {
	path    string
	timeout time.Duration // of a Write that nobody takes
	mode    serial.Mode
	port    serial.Port
	lock    *lock
	closing atomic.Bool
	once    sync.Once
	err     error
}

// open takes the port for this process and sets it up. The lock comes first: it works
// for root too, and go.bug.st/serial's exclusive mode keeps a second open out afterwards.
func open(path string, mode serial.Mode) (*Port, error) {
	if mode.BaudRate <= 0 {
		return nil, fmt.Errorf("port %s: speed %d baud: want a positive number, for example 38400", path, mode.BaudRate)
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if !lock.pseudo && mode.InitialStatusBits == nil {
		mode.InitialStatusBits = &serial.ModemOutputBits{DTR: true, RTS: true}
	}
	if lock.pseudo {
		mode.InitialStatusBits = nil
	}
	port, err := serial.Open(path, &mode)
	if err != nil {
		lock.release()
		return nil, openError(path, err)
	}
	lock.keepFromChildren()
	if err := port.ResetInputBuffer(); err != nil {
		_ = port.Close() // the first error tells more
		lock.release()
		return nil, openError(path, err)
	}
	return &Port{path: path, timeout: writeTimeout, mode: mode, port: port, lock: lock}, nil
}

// Read returns what came, as soon as something did.
func (p *Port) Read(b []byte) (int, error) {
	n, err := p.port.Read(b)
	return n, p.ioError("read", err)
}

// Write writes all of b or says why not.
func (p *Port) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		if err := p.lock.writable(p.timeout); err != nil {
			return done, p.ioError("write", err)
		}
		n, err := p.port.Write(b[done:])
		done += n
		if err != nil {
			return done, p.ioError("write", err)
		}
	}
	return done, nil
}

// Close gives the port back. A Read that waits returns ErrClosed.
func (p *Port) Close() error {
	p.once.Do(func() {
		p.closing.Store(true)
		p.err = p.port.Close()
		p.lock.release()
	})
	return p.err
}

// ioError names the port and tells our own Close from an unplugged device: the library
// says the same of both.
func (p *Port) ioError(what string, err error) error {
	var port *serial.PortError
	switch {
	case err == nil:
		return nil
	case p.closing.Load():
		return fmt.Errorf("%s %s: %w", what, p.path, ErrClosed)
	case errors.As(err, &port) && port.Code() == serial.PortClosed, errors.Is(err, unix.EIO), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%s %s: the device is gone, unplugged or its other side closed: %w", what, p.path, err)
	}
	return fmt.Errorf("%s %s: %w", what, p.path, err)
}
