package dlms

import (
	"errors"

	"busbar/plc/dlms/apdu"
)

// ErrClosed says that nothing can be said unasked: there is no association.
var ErrClosed = errors.New("no association is open")

// Push is a data notification as the client of the open association must get it:
// protected like an answer and, when it is longer than he takes, the first of a row
// of blocks whose others More returns. Nobody acknowledges them.
func (s *Server) Push(d apdu.DataNotification) ([]byte, error) {
	return s.push(d.Append(make([]byte, 0, d.Size())))
}

// Event is an event notification; it is otherwise like Push.
func (s *Server) Event(e apdu.EventNotification) ([]byte, error) {
	return s.push(e.Append(make([]byte, 0, e.Size())))
}

func (s *Server) push(plain []byte) ([]byte, error) {
	if s.state != Opened {
		return nil, ErrClosed
	}
	s.pushes++
	v := via{sh: s.shield, signet: s.signet, transaction: transaction(s.pushes)}
	if s.ded != nil {
		v.sh = s.ded
	}
	if v.sh != nil {
		if _, ok := v.sh.tag(apdu.TagOf(plain)); !ok {
			v.form = GeneralForm
		}
	}
	b, err := s.protect(plain, v)
	if err != nil || len(b) <= s.reach() {
		return b, err
	}
	if !s.granted.Has(apdu.GeneralBlockTransfer) {
		return nil, &TooLongError{Size: len(b), Limit: s.reach()}
	}
	s.block = general{stream: true, window: 1}
	if !s.block.send(b, s.reach()) {
		s.block = general{}
		return nil, &TooLongError{Size: len(b), Limit: s.reach()}
	}
	s.block.left = int(s.block.final())
	return s.block.block(0), nil
}
