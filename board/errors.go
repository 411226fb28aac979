package board

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// openError says why a port cannot be opened and what to do. It wraps the cause; a missing port is fs.ErrNotExist.
func openError(path string, err error) error {
	var busy *busyError
	var port *serial.PortError
	code := serial.PortErrorCode(-1)
	if errors.As(err, &port) {
		code = port.Code()
	}
	hint := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = "no such port: check the path, and the cable of an adapter"
		if !strings.HasPrefix(path, "/") {
			hint = "no such port: give the whole path, for example /dev/ttyUSB0"
		}
	case errors.Is(err, fs.ErrPermission), code == serial.PermissionDenied:
		hint = "no permission: add the station's user to the group that owns it (often dialout)"
	case errors.As(err, &busy), errors.Is(err, unix.EBUSY), code == serial.PortBusy:
		hint = "busy: only one program at a time may have it; stop the other one"
	case errors.Is(err, errNotTerminal), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOTTY):
		hint = "not a serial port: check the path"
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EIO):
		hint = "no device behind it: plug it in or start what is to be its other side"
	case code == serial.InvalidSpeed:
		hint = "the port does not know this speed"
	case code == serial.InvalidSerialPort:
		hint = "the port cannot be set up: T_REQ and the AT dialog need one with RTS and DTR"
	default:
		return fmt.Errorf("port %s: %w", path, err)
	}
	return fmt.Errorf("port %s: %s (%w)", path, hint, err)
}
