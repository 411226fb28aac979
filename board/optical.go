package board

import (
	"os"
	"time"

	"go.bug.st/serial"
)

// OpticalPort is the serial port of an optical head or of any other meter interface
// whose speed changes while it is opened (IEC 62056-21).
type OpticalPort struct {
	*Port
	deadline time.Time
}

// OpenOptical opens the port with 8 data bits and no parity.
func OpenOptical(path string, baud int) (*OpticalPort, error) {
	p, err := open(path, serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	if err != nil {
		return nil, err
	}
	return &OpticalPort{Port: p}, nil
}

// Set changes the speed once everything written is gone, with 7 data bits and even parity
// or with 8 and none.
func (p *OpticalPort) Set(baud int, sevenEven bool) error {
	if err := p.port.Drain(); err != nil {
		return p.ioError("drain", err)
	}
	p.mode.BaudRate, p.mode.DataBits, p.mode.Parity = baud, 8, serial.NoParity
	if sevenEven {
		p.mode.DataBits, p.mode.Parity = 7, serial.EvenParity
	}
	mode := p.mode
	mode.InitialStatusBits = nil
	return p.ioError("set the speed of", p.port.SetMode(&mode))
}

// SetReadDeadline bounds the Reads that follow; one that passes it returns
// os.ErrDeadlineExceeded. The zero time takes the bound away.
func (p *OpticalPort) SetReadDeadline(t time.Time) error {
	p.deadline = t
	return nil
}

// Read returns what came, as soon as something did.
func (p *OpticalPort) Read(b []byte) (int, error) {
	wait := serial.NoTimeout
	if !p.deadline.IsZero() {
		if wait = time.Until(p.deadline); wait <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
	}
	if err := p.port.SetReadTimeout(wait); err != nil {
		return 0, p.ioError("read", err)
	}
	n, err := p.Port.Read(b)
	if n == 0 && err == nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}
