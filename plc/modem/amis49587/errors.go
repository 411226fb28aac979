package amis49587

import (
	"errors"
	"fmt"

	"busbar/plc"
	"busbar/plc/modem"
)

// errNotSet tells that the modem lost its configuration; it is handled inside.
var errNotSet = errors.New("the modem lost its configuration")

// errBusy tells that the modem takes no request now; it is handled inside.
var errBusy = errors.New("the modem is busy")

// lineError is a plc.ErrLineDown: what happened, where, what to do.
type lineError struct {
	port, what, hint string
	cause            error
	alive            bool // the port and the dialog are well: the life goes on
}

// Error is a sentence for the technician.
func (e *lineError) Error() string {
	s := fmt.Sprintf("modem on %s: %s", e.port, e.what)
	if e.cause != nil {
		s += fmt.Sprintf(" (%v)", e.cause)
	}
	if e.hint != "" {
		s += ": " + e.hint
	}
	return s
}

// Unwrap makes it a plc.ErrLineDown.
func (e *lineError) Unwrap() []error {
	if e.cause == nil {
		return []error{plc.ErrLineDown}
	}
	return []error{plc.ErrLineDown, e.cause}
}

const (
	hintSilent  = "check its power, the cable, and that line.baud is the speed its BR pins are set to"
	hintMains   = "check the mains supply and the zero-crossing input of the modem"
	hintUnplug  = "check the cable; the port is opened again by itself"
	hintOpen    = "the port is tried again by itself"
	hintRefused = "check that its firmware is IEC 61334-5-1, and addresses and tones in the configuration"
	hintFrames  = "octets arrive damaged: check line.baud and the cable"
	hintLater   = "tried again by itself"
)

// lost is a failure that ends the life: the port is opened again.
func (l *life) lost(what, hint string, cause error) error {
	return &lineError{port: l.cfg.Name, what: what, hint: hint, cause: cause}
}

// fault is a failure of one request.
func (l *life) fault(what, hint string, cause error) error {
	return &lineError{port: l.cfg.Name, what: what, hint: hint, cause: cause, alive: true}
}

// fatal reports whether err ends the life.
func fatal(err error) bool {
	var e *lineError
	return errors.As(err, &e) && !e.alive
}

// RefusedError is the modem's no to one entry of its database.
type RefusedError struct {
	Ident modem.Ident
	Code  modem.ErrorCode
}

// Error names entry and code.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the modem refuses %v: %v", e.Ident, e.Code)
}

func isRefused(err error) bool {
	var e *RefusedError
	return errors.As(err, &e)
}
