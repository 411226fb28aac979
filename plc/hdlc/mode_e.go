package hdlc

import (
	"bytes"
	"fmt"
)

// Octets of the opening of IEC 62056-21 (clause 6.3).
const (
	modeACK       byte = 0x06
	modeHDLC      byte = '2' // protocol control and mode control: HDLC
	maxDevice          = 32
	maxIdentifier      = 16
	maxNoise           = 64 // octets passed over before the identification
)

// OpeningBaud is the speed at which mode E begins, with 7 data bits and even parity.
const OpeningBaud = 300

// AppendSignOn appends the request message "/?device!" to dst. An empty device address
// means the only meter on the line.
func AppendSignOn(dst []byte, device string) ([]byte, error) {
	if len(device) > maxDevice {
		return nil, fmt.Errorf("device address of %d characters: at most %d fit", len(device), maxDevice)
	}
	for _, r := range device {
		if r > 'z' || r < '0' && r != ' ' {
			return nil, fmt.Errorf("device address %q: want letters, digits and blanks", device)
		}
	}
	return append(append(append(dst, "/?"...), device...), "!\r\n"...), nil
}

// Identification is what a meter answers to the sign-on.
type Identification struct {
	Maker    string // three letters; the third in lower case tells a reaction time of 20 ms
	BaudCode byte   // '0' to '6'
	Modes    []byte // letters behind the backslashes that follow the speed: 'W' and '2' for HDLC
	Name     string // of the meter, at most 16 characters
}

// ParseIdentification reads an identification message with its end of line; noise before the
// slash is passed over. With ErrIncomplete the caller waits for more octets.
func ParseIdentification(b []byte) (Identification, int, error) {
	start := bytes.IndexByte(b, '/')
	if start < 0 && len(b) <= maxNoise {
		return Identification{}, 0, fmt.Errorf("identification: %w", ErrIncomplete)
	}
	if start < 0 || start > maxNoise {
		return Identification{}, 0, fmt.Errorf("no slash in the first %d octets: %w", maxNoise, ErrNotFrame)
	}
	line := b[start+1:]
	end := bytes.Index(line, []byte("\r\n"))
	if end < 0 {
		if len(line) > 3+1+2*maxIdentifier+maxIdentifier {
			return Identification{}, 0, fmt.Errorf("identification without an end: %w", ErrNotFrame)
		}
		return Identification{}, 0, fmt.Errorf("identification: %w", ErrIncomplete)
	}
	n := start + 1 + end + 2
	line = line[:end]
	if len(line) < 4 {
		return Identification{}, 0, fmt.Errorf("identification of %d characters: want a maker and a speed: %w", len(line), ErrNotFrame)
	}
	for i, c := range line {
		if c < ' ' || c > '~' {
			return Identification{}, 0, fmt.Errorf("octet %02Xh in an identification, at offset %d: wrong parity or speed? %w", c, start+1+i, ErrNotFrame)
		}
	}
	id := Identification{Maker: string(line[:3]), BaudCode: line[3]}
	line = line[4:]
	for len(line) >= 2 && line[0] == '\\' {
		id.Modes = append(id.Modes, line[1])
		line = line[2:]
	}
	if len(line) > maxIdentifier {
		return Identification{}, 0, fmt.Errorf("name of %d characters, at most %d: %w", len(line), maxIdentifier, ErrNotFrame)
	}
	id.Name = string(line)
	return id, n, nil
}

// HDLC reports whether the meter offers mode E with HDLC.
func (i Identification) HDLC() bool { return bytes.IndexByte(i.Modes, modeHDLC) >= 0 }

// bauds are the speeds that a code stands for in mode E.
var bauds = [...]int{300, 600, 1200, 2400, 4800, 9600, 19200}

// Baud is the speed that the meter proposes, and false when its code is none.
func (i Identification) Baud() (int, bool) {
	n := int(i.BaudCode) - '0'
	if n < 0 || n >= len(bauds) {
		return 0, false
	}
	return bauds[n], true
}

// AppendSelect appends the option select message that takes the meter's speed and asks
// for HDLC. The meter sends it back; then both change to the speed, 8 data bits, no parity.
func (i Identification) AppendSelect(dst []byte) []byte {
	return append(dst, modeACK, modeHDLC, i.BaudCode, modeHDLC, '\r', '\n')
}
