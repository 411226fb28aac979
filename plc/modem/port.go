package modem

import "io"

// Port is the serial line to a modem together with T_REQ, the line that the host
// pulls before it may send.
//
// Read blocks until at least one octet came, the port is lost or it is closed.
// Write writes a whole frame without a gap inside (tIC, sfsk.md 7.2). One goroutine may
// read while another writes; Close ends both.
type Port interface {
	io.ReadWriteCloser
	// SetTREQ asserts T_REQ (low at the chip) or releases it.
	SetTREQ(asserted bool) error
}
