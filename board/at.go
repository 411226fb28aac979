package board

import (
	"fmt"
	"io"
	"time"

	"go.bug.st/serial"
)

// atSilence is how long a Read of an AT port waits before it returns 0, nil.
const atSilence = 200 * time.Millisecond

// OpenAT opens the AT port of a cellular modem, 8N1, with DTR and RTS asserted. Read
// returns 0, nil when nothing came for a while.
func OpenAT(path string, baud int) (io.ReadWriteCloser, error) {
	p, err := open(path, serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	if err != nil {
		return nil, err
	}
	if err := p.port.SetReadTimeout(atSilence); err != nil {
		_ = p.Close() // the first error tells more
		return nil, fmt.Errorf("port %s: %w", path, err)
	}
	return p, nil
}
