package dlms

import (
	"bytes"
	"errors"
	"time"

	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

func (s *Server) receive(now time.Time, b []byte) ([]byte, error) {
	tag := apdu.Tag(b[0])
	switch {
	case answers[tag]:
		return nil, nil
	case isBroadcast(b):
		s.receiveBroadcast(now, b)
		return nil, nil
	case tag == apdu.TagAARQ: // of any length: no limit is agreed yet
		return s.associate(b)
	case len(b) > s.cfg.MaxPDU:
		return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
	case s.state == Closed:
		return nil, refuse(apdu.ServiceNotAllowed, apdu.OperationNotPossible)
	case tag == apdu.TagRLRQ:
		return s.release(b)
	case tag == apdu.TagGeneralBlockTransfer:
		return s.receiveBlock(now, b)
	}
	s.block, s.joined = general{}, repeated{}
	answer, err := s.receiveWhole(now, b)
	return s.dispatch(answer, err, false)
}

// receiveWhole takes an APDU that is no block of another and returns the protected answer.
func (s *Server) receiveWhole(now time.Time, b []byte) ([]byte, error) {
	o, err := s.unveil(b)
	if err != nil {
		return nil, err
	}
	plain, err := s.serve(now, o)
	if plain == nil || err != nil {
		return nil, err
	}
	return s.protect(plain, o.via)
}

// dispatch sends an answer as it is, or in general blocks when it is longer than the
// client takes or when his request came in blocks.
func (s *Server) dispatch(answer []byte, err error, blocks bool) ([]byte, error) {
	long := len(answer) > s.reach() && s.granted.Has(apdu.GeneralBlockTransfer)
	if err != nil || answer == nil || !blocks && !long {
		return answer, err
	}
	if !s.block.send(answer, s.reach()) {
		return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
	}
	return s.block.block(s.cfg.Window), nil
}

// More is the next block to send right behind the one that Receive, Push or More
// returned, nil when there is none or it is the client's turn.
func (s *Server) More() []byte {
	if !s.block.more() {
		return nil
	}
	return s.block.block(s.cfg.Window)
}

// receiveBlock takes a block of a general block transfer: a piece of a request, or the
// word that pieces of the answer arrived.
func (s *Server) receiveBlock(now time.Time, b []byte) ([]byte, error) {
	block, n, err := apdu.ParseGeneralBlock(b)
	switch {
	case !s.granted.Has(apdu.GeneralBlockTransfer):
		return nil, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	case err != nil || n != len(b):
		return nil, malformed()
	case block.Data == nil && s.block.sending():
		s.block.heard(block)
		if s.block.acknowledged(block) {
			return s.block.block(s.cfg.Window), nil
		}
		return nil, nil
	case block.Data == nil:
		return nil, nil // everything was acknowledged before
	case block.Number == 1:
		s.block = general{}
	}
	switch s.block.receive(block, s.cfg.MaxTransfer) {
	case overflow:
		return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
	case complete:
		return s.receiveJoined(now, s.block.take())
	}
	switch {
	case block.Streaming:
		return nil, nil
	case s.block.sending(): // the end of a request that was answered: its answer was lost
		s.counts.Repeats++
		s.block.again()
		return s.block.block(s.cfg.Window), nil
	}
	return s.block.acknowledge(s.cfg.Window), nil
}

// receiveJoined takes the request that blocks made together. The same one once more gets
// the same answer.
func (s *Server) receiveJoined(now time.Time, whole []byte) ([]byte, error) {
	if s.joined.request != nil && bytes.Equal(s.joined.request, whole) {
		s.counts.Repeats++
		return s.dispatch(s.joined.answer, nil, true)
	}
	switch t := apdu.TagOf(whole); {
	case t == 0, t == apdu.TagGeneralBlockTransfer, t == apdu.TagAARQ, t == apdu.TagRLRQ, answers[t]:
		return nil, malformed()
	}
	answer, err := s.receiveWhole(now, whole)
	if err == nil {
		s.joined = repeated{request: whole, answer: answer}
	}
	return s.dispatch(answer, err, true)
}

// reach is the longest APDU sent to the client.
func (s *Server) reach() int {
	limit := s.limit
	if limit == 0 {
		limit = maxPDULimit
	}
	if n := s.cfg.MaxAnswer; n > 0 {
		limit = min(limit, n)
	}
	return limit
}

// answers are the tags that a client never sends; a meter that answered them could
// talk to another meter for ever.
var answers = map[apdu.Tag]bool{
	apdu.TagAARE: true, apdu.TagRLRE: true, apdu.TagExceptionResponse: true,
	apdu.TagConfirmedServiceError: true, apdu.TagGloConfirmedServiceError: true, apdu.TagDedConfirmedServiceError: true,
	apdu.TagGetResponse: true, apdu.TagSetResponse: true, apdu.TagActionResponse: true, apdu.TagAccessResponse: true,
	apdu.TagGloGetResponse: true, apdu.TagGloSetResponse: true, apdu.TagGloActionResponse: true,
	apdu.TagDedGetResponse: true, apdu.TagDedSetResponse: true, apdu.TagDedActionResponse: true,
	apdu.TagDataNotification: true, apdu.TagEventNotification: true, apdu.TagInformationReport: true,
	apdu.TagGloEventNotification: true, apdu.TagGloInformationReport: true,
	apdu.TagDedEventNotification: true, apdu.TagDedInformationReport: true,
}

// unveil opens a request, or takes it as it is in an association without ciphering.
func (s *Server) unveil(b []byte) (opened, error) {
	tag := apdu.TagOf(b)
	sealed := tag.Protected()
	var o opened
	switch {
	case s.shield == nil && sealed:
		return o, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	case s.shield == nil:
		o.plain = b
	case !sealed && procedures[tag] == nil && tag != apdu.TagGeneralSigning:
		return o, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	case !sealed:
		s.counts.Forged++
		return o, refuse(apdu.ServiceNotAllowed, apdu.DecipheringError)
	default:
		var err error
		if o, err = s.open(s.keys(), b); err != nil {
			return o, s.disbelieve(err)
		}
	}
	if s.state != Opened {
		return o, nil
	}
	o, err := s.unsign(o)
	if err != nil {
		return o, s.disbelieve(err)
	}
	return o, nil
}

// believe opens what was sealed to sh.
func (s *Server) believe(sh *shield, b []byte) (opened, error) {
	o, err := s.admit(sh, b)
	if err != nil {
		return opened{}, s.disbelieve(err)
	}
	return o, nil
}

// disbelieve puts a failure to open a request into the words of an exception.
func (s *Server) disbelieve(err error) error {
	switch {
	case errors.Is(err, ErrReplayed):
		s.counts.Replayed++
		return refusal{apdu.ExceptionResponse{
			State: apdu.ServiceNotAllowed, Service: apdu.InvocationCounter, Counter: s.peer.next(),
		}}
	case errors.Is(err, ErrForged):
		s.counts.Forged++
		return refuse(apdu.ServiceNotAllowed, apdu.DecipheringError)
	}
	return refuse(apdu.ServiceNotAllowed, apdu.OtherReason)
}

// isBroadcast reports whether b is under the key of many meters.
func isBroadcast(b []byte) bool {
	if !apdu.TagOf(b).Protected() {
		return false
	}
	w, err := unwrap(b)
	return err == nil && w.Control&cipher.Broadcast != 0
}

// receiveBroadcast obeys an unconfirmed SET or ACTION that was sealed for many meters.
// It is never answered, and what it is not believed for is only counted: everybody on
// the line would answer at once. The association under way does not notice.
func (s *Server) receiveBroadcast(now time.Time, b []byte) {
	w, err := unwrap(b)
	if err != nil || s.cast == nil || len(b) > s.cfg.MaxPDU {
		s.counts.Forged++
		return
	}
	o, err := s.believed(s.cast, &s.castPeer, w)
	switch {
	case errors.Is(err, ErrReplayed):
		s.counts.Replayed++
		return
	case err != nil:
		s.counts.Forged++
		return
	}
	switch apdu.TagOf(o.plain) {
	case apdu.TagSetRequest:
		q, n, err := apdu.ParseSetRequest(o.plain)
		if err != nil || n != len(o.plain) || q.Invoke.Confirmed() || q.Block != nil || q.Refs != nil || q.Ref.Select != nil {
			return
		}
		s.objects.Set(now, q.Ref, q.Data)
	case apdu.TagActionRequest:
		q, n, err := apdu.ParseActionRequest(o.plain)
		if err != nil || n != len(o.plain) || q.Invoke.Confirmed() || q.Block != nil || q.NextBlock || q.Refs != nil {
			return
		}
		s.objects.Action(now, q.Ref, q.Data)
	default:
		return
	}
	s.counts.Broadcasts++
}
