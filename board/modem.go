package board

import (
	"fmt"

	"go.bug.st/serial"
)

// ModemPort is the serial port of the power-line modem with its request line.
type ModemPort struct{ *Port }

// OpenModem opens the serial port of the power-line modem, 8N1, with T_REQ released.
//
// On a serial port T_REQ is RTS (asserted: low at the chip). A pseudo-terminal has no
// modem lines; there two stop bits assert it, which the other side is told in packet mode and which
// has no effect on the octets.
func OpenModem(path string, baud int) (*ModemPort, error) {
	p, err := open(path, serial.Mode{
		BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit,
		InitialStatusBits: &serial.ModemOutputBits{DTR: true, RTS: false},
	})
	if err != nil {
		return nil, err
	}
	return &ModemPort{p}, nil
}

// SetTREQ asserts or releases T_REQ.
func (p *ModemPort) SetTREQ(asserted bool) error {
	var err error
	if p.lock.pseudo {
		mode := p.mode
		if asserted {
			mode.StopBits = serial.TwoStopBits
		}
		err = p.port.SetMode(&mode)
	} else {
		err = p.port.SetRTS(asserted)
	}
	if err != nil {
		return p.ioError(fmt.Sprintf("set T_REQ %t on", asserted), err)
	}
	return nil
}

// Close releases T_REQ and gives the port back.
func (p *ModemPort) Close() error {
	if !p.closing.Load() {
		_ = p.SetTREQ(false) // an unplugged port cannot
	}
	return p.Port.Close()
}
