package reader

import (
	"errors"
	"fmt"
	"time"

	"busbar/board"
	"busbar/plc/hdlc"
)

// Serial says how a serial port is opened.
type Serial struct {
	Baud   int    // of HDLC; with ModeE the meter proposes one and this is not used
	ModeE  bool   // begin with IEC 62056-21 at 300 baud
	Device string // device address in the sign-on of mode E
}

// port is what mode E needs of a serial port.
type port interface {
	conn
	Set(baud int, sevenEven bool) error
}

func openSerial(path string, s Serial, timeout time.Duration) (conn, error) {
	p, err := board.OpenOptical(path, s.Baud)
	if err != nil {
		return nil, err
	}
	if s.ModeE {
		if err := modeE(p, s.Device, timeout); err != nil {
			return nil, errors.Join(fmt.Errorf("mode E on %s: %w", path, err), p.Close())
		}
	}
	return p, nil
}

// modeE asks the meter to change to HDLC (IEC 62056-21, annex E).
func modeE(p port, device string, timeout time.Duration) error {
	hello, err := hdlc.AppendSignOn(nil, device)
	if err != nil {
		return err
	}
	if err := p.Set(hdlc.OpeningBaud, true); err != nil {
		return err
	}
	if _, err := p.Write(hello); err != nil {
		return err
	}
	id, err := identification(p, hello, timeout)
	if err != nil {
		return err
	}
	baud, ok := id.Baud()
	if !id.HDLC() || !ok {
		return fmt.Errorf("meter %s%s offers no HDLC at speed code %q", id.Maker, id.Name, id.BaudCode)
	}
	if _, err := p.Write(id.AppendSelect(nil)); err != nil {
		return err
	}
	return p.Set(baud, false)
}

// identification reads the meter's answer. Heads that see their own light send back
// what was written first.
func identification(p port, hello []byte, timeout time.Duration) (hdlc.Identification, error) {
	if err := p.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return hdlc.Identification{}, err
	}
	var got []byte
	buffer := make([]byte, 128)
	for {
		n, err := p.Read(buffer)
		got = append(got, buffer[:n]...)
		if len(got) >= len(hello) && string(got[:len(hello)]) == string(hello) {
			got = got[len(hello):]
		}
		id, _, wrong := hdlc.ParseIdentification(got)
		switch {
		case wrong == nil:
			return id, nil
		case !errors.Is(wrong, hdlc.ErrIncomplete):
			return hdlc.Identification{}, wrong
		case err != nil:
			return hdlc.Identification{}, silent(err, timeout)
		}
	}
}
