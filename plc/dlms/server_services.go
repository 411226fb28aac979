package dlms

import (
	"bytes"
	"time"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// actionOther is the action result of a method that failed for a reason not told.
const actionOther = apdu.ActionResult(cosem.OtherReason)

// procedure serves one plain request and returns the plain answer, nil for none.
type procedure func(s *Server, now time.Time, o opened) ([]byte, error)

// procedures are the services a Server knows, by the tag of the plain request.
var procedures = map[apdu.Tag]procedure{
	apdu.TagGetRequest:    (*Server).get,
	apdu.TagSetRequest:    (*Server).set,
	apdu.TagActionRequest: (*Server).action,
}

// serve answers a request that was believed.
func (s *Server) serve(now time.Time, o opened) ([]byte, error) {
	s.counts.Requests++
	p := procedures[apdu.Tag(o.plain[0])]
	if p == nil {
		return nil, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	}
	return p(s, now, o)
}

// allowed refuses services that were not granted, and all but the proof to a client
// that has not proved himself.
func (s *Server) allowed(want apdu.Conformance) error {
	switch {
	case s.state != Opened:
		return refuse(apdu.ServiceNotAllowed, apdu.OperationNotPossible)
	case !s.granted.Has(want):
		return refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
	}
	return nil
}

// malformed refuses a request that cannot be read.
func malformed() error { return refuse(apdu.ServiceUnknown, apdu.OtherReason) }

// repeated is a request that changed something, and its answer. The same octets once
// more are the same request, whose answer was lost: it must not be done twice.
type repeated struct{ request, answer []byte }

// again returns the answer given to request before.
func (s *Server) again(request []byte) ([]byte, bool) {
	if s.done.request == nil || !bytes.Equal(request, s.done.request) {
		return nil, false
	}
	s.counts.Repeats++
	return s.done.answer, true
}

// get serves a GET request of any kind.
func (s *Server) get(now time.Time, o opened) ([]byte, error) {
	g, n, err := apdu.ParseGetRequest(o.plain)
	if err != nil || n != len(o.plain) {
		return nil, malformed()
	}
	want := apdu.Get
	if g.List {
		want |= apdu.MultipleReferences
	}
	if err := s.allowed(want); err != nil {
		return nil, err
	}
	if g.Next {
		if !s.blocks(o.general) {
			return nil, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
		}
		return s.nextBlock(g, o.general), nil
	}
	s.forget()
	results := make([]cosem.Result, len(g.Refs))
	for i, ref := range g.Refs {
		results[i] = s.read(now, ref)
	}
	whole := apdu.GetResponse{Invoke: g.Invoke, Results: results, List: g.List}
	if s.fits(whole.Size(), o.general) {
		return whole.Append(make([]byte, 0, whole.Size())), nil
	}
	if !s.blocks(o.general) {
		return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
	}
	s.out = &download{invoke: g.Invoke}
	if g.List {
		s.out.raw = apdu.AppendResults(nil, results)
	} else {
		s.out.raw = results[0].Data
	}
	return s.block(o.general), nil
}

// read is one attribute of the meter.
func (s *Server) read(now time.Time, ref cosem.Ref) cosem.Result {
	if ref.Select != nil && !s.granted.Has(apdu.SelectiveAccess) {
		return cosem.Result{Access: cosem.OtherReason}
	}
	data, access := s.objects.Get(now, ref)
	switch {
	case access != cosem.Success:
		return cosem.Result{Access: access}
	case len(data) == 0:
		return cosem.Result{Access: cosem.OtherReason}
	}
	return cosem.Result{Data: data}
}

// set serves a SET request.
func (s *Server) set(now time.Time, o opened) ([]byte, error) {
	q, n, err := apdu.ParseSetRequest(o.plain)
	if err != nil || n != len(o.plain) {
		return nil, malformed()
	}
	want := apdu.Set
	if q.Block != nil {
		want |= apdu.BlockTransferSet
	}
	if err := s.allowed(want); err != nil {
		return nil, err
	}
	if answer, ok := s.again(o.plain); ok {
		return answer, nil
	}
	if q.Block != nil {
		return s.accumulate(now, q, o.plain), nil
	}
	s.forget()
	answer := apdu.SetResponse{Invoke: q.Invoke, Access: s.write(now, q.Ref, q.Data)}
	return s.keep(o.plain, q.Invoke, answer.Append(make([]byte, 0, answer.Size()))), nil
}

// write sets one attribute of the meter.
func (s *Server) write(now time.Time, ref cosem.Ref, data []byte) cosem.AccessResult {
	if ref.Select != nil && !s.granted.Has(apdu.SelectiveAccess) {
		return cosem.OtherReason
	}
	return s.objects.Set(now, ref, data)
}

// keep remembers what was done and returns the answer, nil to an unconfirmed request.
func (s *Server) keep(request []byte, invoke apdu.Invoke, answer []byte) []byte {
	if !invoke.Confirmed() {
		return nil
	}
	s.done = repeated{request: bytes.Clone(request), answer: answer}
	return answer
}

// action serves an ACTION request, the proof of a client included.
func (s *Server) action(now time.Time, o opened) ([]byte, error) {
	q, n, err := apdu.ParseActionRequest(o.plain)
	if err != nil || n != len(o.plain) {
		return nil, malformed()
	}
	if s.security.Mechanism == HLSGMAC && q.Ref == replyToHLS {
		return s.authenticate(q)
	}
	if err := s.allowed(apdu.Action); err != nil {
		return nil, err
	}
	if answer, ok := s.again(o.plain); ok {
		return answer, nil
	}
	s.forget()
	data, access := s.objects.Action(now, q.Ref, q.Data)
	answer := apdu.ActionResponse{Invoke: q.Invoke, Result: apdu.ActionResult(access)}
	if access == cosem.Success && data != nil {
		answer.Return = octetResult(data)
	}
	if !s.fits(answer.Size(), o.general) {
		// The method was done: that much must be told even when its result does not fit.
		answer.Return = &cosem.Result{Access: cosem.OtherReason}
	}
	return s.keep(o.plain, q.Invoke, answer.Append(make([]byte, 0, answer.Size()))), nil
}

func octetResult(data []byte) *cosem.Result { return &cosem.Result{Data: data} }

// room is the size of the longest plain answer the client takes.
func (s *Server) room(general bool) int {
	limit := s.limit
	if limit == 0 {
		limit = maxPDULimit
	}
	if n := s.cfg.MaxAnswer; n > 0 {
		limit = min(limit, n)
	}
	return s.shield.room(limit, general)
}

// blocks reports whether answers may come in blocks: the service was granted, and in
// the form asked for a block has room for at least one octet.
func (s *Server) blocks(general bool) bool {
	return s.granted.Has(apdu.BlockTransferGet) && s.room(general) >= minRoom
}

func (s *Server) fits(n int, general bool) bool { return n <= s.room(general) }
