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
	apdu.TagAccessRequest: (*Server).access,
}

// serve answers a request that was believed.
func (s *Server) serve(now time.Time, o opened) ([]byte, error) {
	s.counts.Requests++
	p := procedures[apdu.TagOf(o.plain)]
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
		if !s.blocks(apdu.BlockTransferGet, o.via) {
			return nil, refuse(apdu.ServiceUnknown, apdu.ServiceNotSupported)
		}
		return s.nextBlock(false, g.Invoke, g.Block, o.via), nil
	}
	s.forget()
	results := make([]cosem.Result, len(g.Refs))
	for i, ref := range g.Refs {
		results[i] = s.read(now, ref)
	}
	whole := apdu.GetResponse{Invoke: g.Invoke, Results: results, List: g.List}
	if s.fits(whole.Size(), o.via) {
		return whole.Append(make([]byte, 0, whole.Size())), nil
	}
	if !s.blocks(apdu.BlockTransferGet, o.via) {
		return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
	}
	raw := results[0].Data
	if g.List {
		raw = apdu.AppendResults(nil, results)
	}
	return s.begin(&download{invoke: g.Invoke, raw: raw}, o.via), nil
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

// set serves a SET request of any kind.
func (s *Server) set(now time.Time, o opened) ([]byte, error) {
	q, n, err := apdu.ParseSetRequest(o.plain)
	if err != nil || n != len(o.plain) {
		return nil, malformed()
	}
	want := apdu.Set
	if q.Block != nil {
		want |= apdu.BlockTransferSet
	}
	if q.Refs != nil {
		want |= apdu.MultipleReferences
	}
	if err := s.allowed(want); err != nil {
		return nil, err
	}
	if answer, ok := s.again(o.plain); ok {
		return answer, nil
	}
	if q.Block != nil {
		return s.setBlock(now, q, o.plain), nil
	}
	s.forget()
	answer := apdu.SetResponse{Invoke: q.Invoke}
	if q.Refs != nil {
		answer.Kind, answer.List = apdu.SetList, s.writeAll(now, q.Refs, q.Values)
	} else {
		answer.Access = s.write(now, q.Ref, q.Data)
	}
	return s.keep(o.plain, q.Invoke, answer.Append(make([]byte, 0, answer.Size()))), nil
}

// write sets one attribute of the meter.
func (s *Server) write(now time.Time, ref cosem.Ref, data []byte) cosem.AccessResult {
	if ref.Select != nil && !s.granted.Has(apdu.SelectiveAccess) {
		return cosem.OtherReason
	}
	return s.objects.Set(now, ref, data)
}

// writeAll sets attributes in their order.
func (s *Server) writeAll(now time.Time, refs []cosem.Ref, values [][]byte) []cosem.AccessResult {
	list := make([]cosem.AccessResult, len(refs))
	for i, ref := range refs {
		list[i] = s.write(now, ref, values[i])
	}
	return list
}

// keep remembers what was done and returns the answer, nil to an unconfirmed request.
func (s *Server) keep(request []byte, invoke apdu.Invoke, answer []byte) []byte {
	if !invoke.Confirmed() {
		return nil
	}
	s.done = repeated{request: bytes.Clone(request), answer: answer}
	return answer
}

// action serves an ACTION request of any kind, the proof of a client included.
func (s *Server) action(now time.Time, o opened) ([]byte, error) {
	q, n, err := apdu.ParseActionRequest(o.plain)
	if err != nil || n != len(o.plain) {
		return nil, malformed()
	}
	if proves(s.security.Mechanism) && !s.cfg.PreEstablished && q.Ref == replyToHLS && q.Refs == nil && q.Block == nil {
		return s.authenticate(q)
	}
	want := apdu.Action
	if q.Block != nil || q.NextBlock {
		want |= apdu.BlockTransferAction
	}
	if q.Refs != nil {
		want |= apdu.MultipleReferences
	}
	if err := s.allowed(want); err != nil {
		return nil, err
	}
	if q.NextBlock {
		return s.nextBlock(true, q.Invoke, q.Number, o.via), nil
	}
	if answer, ok := s.again(o.plain); ok {
		return answer, nil
	}
	if q.Block != nil {
		return s.actionBlock(now, q, o), nil
	}
	s.forget()
	return s.act(now, q, o), nil
}

// act invokes the methods of q, whose values are whole, and answers.
func (s *Server) act(now time.Time, q apdu.ActionRequest, o opened) []byte {
	if q.Refs != nil {
		return s.actAll(now, q, o)
	}
	one := s.invoke(now, q.Ref, q.Data)
	answer := apdu.ActionResponse{Invoke: q.Invoke, Result: one.Result, Return: one.Return}
	if !s.fits(answer.Size(), o.via) {
		if s.blocks(apdu.BlockTransferAction, o.via) && q.Invoke.Confirmed() {
			d := &download{invoke: q.Invoke, action: true, raw: one.Return.Data}
			return s.keep(o.plain, q.Invoke, s.begin(d, o.via))
		}
		// The method was done: that much must be told even when its result does not fit.
		answer.Return = &cosem.Result{Access: cosem.OtherReason}
	}
	return s.keep(o.plain, q.Invoke, answer.Append(make([]byte, 0, answer.Size())))
}

// actAll invokes a list of methods and answers.
func (s *Server) actAll(now time.Time, q apdu.ActionRequest, o opened) []byte {
	answer := apdu.ActionResponse{Invoke: q.Invoke, List: make([]apdu.Acted, len(q.Refs))}
	for i, ref := range q.Refs {
		parameter := q.Values[i]
		if bytes.Equal(parameter, nullData) {
			parameter = nil
		}
		answer.List[i] = s.invoke(now, ref, parameter)
	}
	if !s.fits(answer.Size(), o.via) {
		if s.blocks(apdu.BlockTransferAction, o.via) && q.Invoke.Confirmed() {
			d := &download{invoke: q.Invoke, action: true, raw: apdu.AppendActed(nil, answer.List)}
			return s.keep(o.plain, q.Invoke, s.begin(d, o.via))
		}
		for i := range answer.List {
			if answer.List[i].Return != nil {
				answer.List[i].Return = &cosem.Result{Access: cosem.OtherReason}
			}
		}
	}
	return s.keep(o.plain, q.Invoke, answer.Append(make([]byte, 0, answer.Size())))
}

// invoke invokes one method of the meter.
func (s *Server) invoke(now time.Time, ref cosem.Ref, parameter []byte) apdu.Acted {
	data, access := s.objects.Action(now, ref, parameter)
	one := apdu.Acted{Result: apdu.ActionResult(access)}
	if access == cosem.Success && data != nil {
		one.Return = octetResult(data)
	}
	return one
}

func octetResult(data []byte) *cosem.Result { return &cosem.Result{Data: data} }

// access serves an access request, item by item; the first failure ends it when the
// client asked for that.
func (s *Server) access(now time.Time, o opened) ([]byte, error) {
	q, n, err := apdu.ParseAccessRequest(o.plain)
	if err != nil || n != len(o.plain) {
		return nil, malformed()
	}
	if err := s.allowed(apdu.Access); err != nil {
		return nil, err
	}
	if answer, ok := s.again(o.plain); ok {
		return answer, nil
	}
	s.forget()
	answer := apdu.AccessResponse{LongInvoke: q.LongInvoke, Items: make([]apdu.Accessed, len(q.Items))}
	if q.LongInvoke&apdu.LongSelfDescribing != 0 {
		answer.Request = q.Items
	}
	stopped := false
	for i, item := range q.Items {
		answer.Items[i] = apdu.Accessed{Kind: item.Kind, Result: uint8(cosem.OtherReason)}
		if !stopped {
			answer.Items[i] = s.item(now, item)
		}
		stopped = stopped || answer.Items[i].Result != 0 && q.LongInvoke&apdu.LongBreakOnError != 0
	}
	if q.LongInvoke&apdu.LongConfirmed == 0 {
		return nil, nil
	}
	if !s.fits(answer.Size(), o.via) {
		// What was written and done was done: the client must learn it without the data.
		for i := range answer.Items {
			if item := &answer.Items[i]; item.Data != nil {
				item.Data = nil
				if item.Kind == apdu.AccessGet {
					item.Result = uint8(cosem.DataBlockUnavailable)
				}
			}
		}
		answer.Request = nil
		if !s.fits(answer.Size(), o.via) {
			return nil, refuse(apdu.ServiceNotAllowed, apdu.PDUTooLong)
		}
	}
	b := answer.Append(make([]byte, 0, answer.Size()))
	s.done = repeated{request: bytes.Clone(o.plain), answer: b}
	return b, nil
}

// item serves one item of an access request. A service that was not granted is refused
// item by item.
func (s *Server) item(now time.Time, item apdu.AccessItem) apdu.Accessed {
	a := apdu.Accessed{Kind: item.Kind, Result: uint8(cosem.ReadWriteDenied)}
	switch {
	case item.Kind == apdu.AccessGet && s.granted.Has(apdu.Get):
		r := s.read(now, item.Ref)
		a.Result, a.Data = uint8(r.Access), r.Data
	case item.Kind == apdu.AccessSet && s.granted.Has(apdu.Set):
		a.Result = uint8(s.write(now, item.Ref, item.Data))
	case item.Kind == apdu.AccessAction && s.granted.Has(apdu.Action):
		parameter := item.Data
		if bytes.Equal(parameter, nullData) {
			parameter = nil
		}
		one := s.invoke(now, item.Ref, parameter)
		a.Result = uint8(one.Result)
		if one.Return != nil {
			a.Data = one.Return.Data
		}
	}
	return a
}

// room is the size of the longest plain answer the client takes: in one APDU, or in
// general blocks when those were agreed.
func (s *Server) room(v via) int {
	if s.granted.Has(apdu.GeneralBlockTransfer) {
		return v.room(s.cfg.MaxTransfer)
	}
	return v.room(s.reach())
}

// blocks reports whether answers may come in blocks: the service was granted, and in
// the form asked for a block has room for at least one octet.
func (s *Server) blocks(want apdu.Conformance, v via) bool {
	return s.granted.Has(want) && s.room(v) >= minRoom
}

func (s *Server) fits(n int, v via) bool { return n <= s.room(v) }
