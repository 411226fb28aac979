package dlms

import (
	"time"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// blockHeader is what a GET response with data block puts before the length of its raw
// octets. That of ACTION has one octet less.
const blockHeader = 9

// download is a long answer on its way out in blocks. It is kept after its last block
// until the next request, because that block may be asked for again.
type download struct {
	invoke     apdu.Invoke
	action     bool // of an ACTION, else of a GET
	raw        []byte
	number     uint32 // of the block sent last, 0 before the first
	start, end int    // of that block in raw
}

// answer is the current block.
func (d *download) answer() []byte {
	b := &apdu.DataBlock{Last: d.end == len(d.raw), Number: d.number, Raw: d.raw[d.start:d.end]}
	if d.action {
		return apdu.ActionResponse{Invoke: d.invoke, Block: b}.Append(nil)
	}
	return apdu.GetResponse{Invoke: d.invoke, Block: b}.Append(nil)
}

// begin sends the first block of a long answer.
func (s *Server) begin(d *download, v via) []byte {
	s.out = d
	return s.advance(v)
}

// advance sends the block behind the one sent last.
func (s *Server) advance(v via) []byte {
	s.out.number++
	s.out.start = s.out.end
	return s.resend(v)
}

// resend sends the current block, as long as the client takes it.
func (s *Server) resend(v via) []byte {
	d := s.out
	d.end = d.start + min(fit(s.room(v)-blockHeader), len(d.raw)-d.start)
	return d.answer()
}

// nextBlock serves a request for the block after the one of the given number. The same
// one asked for again is sent again; any other number ends the transfer.
func (s *Server) nextBlock(action bool, invoke apdu.Invoke, number uint32, v via) []byte {
	d := s.out
	none := d == nil || d.invoke.ID() != invoke.ID() || d.action != action
	switch {
	case none:
	case number == d.number && d.end < len(d.raw):
		return s.advance(v)
	case number+1 == d.number:
		s.counts.Repeats++
		return s.resend(v)
	}
	s.out = nil
	if action {
		return stopAction(invoke, none)
	}
	why := cosem.BlockNumberInvalid
	if none {
		why = cosem.NoLongGet
	}
	b := &apdu.DataBlock{Last: true, Number: number, Access: why}
	return apdu.GetResponse{Invoke: invoke, Block: b}.Append(nil)
}

// stopAction ends a transfer of an ACTION that cannot go on: none was under way, or the
// number is wrong.
func stopAction(invoke apdu.Invoke, none bool) []byte {
	why := apdu.LongActionAborted
	if none {
		why = apdu.NoLongAction
	}
	return apdu.ActionResponse{Invoke: invoke, Result: why}.Append(nil)
}

// upload is a long value, or the list of several, on its way in.
type upload struct {
	invoke apdu.Invoke
	action bool
	ref    cosem.Ref
	refs   []cosem.Ref // of a list; nil: only ref
	raw    []byte
	number uint32 // of the block taken last
}

// accumulate joins one block and reports why it cannot.
func (s *Server) accumulate(u *upload, b *apdu.DataBlock) cosem.AccessResult {
	switch {
	case u == nil:
		return cosem.NoLongSet
	case b.Number != u.number+1:
		return cosem.BlockNumberInvalid
	case len(u.raw)+len(b.Raw) > s.cfg.MaxTransfer:
		return cosem.LongSetAborted
	}
	u.raw = append(u.raw, b.Raw...)
	u.number = b.Number
	return cosem.Success
}

// values takes the joined blocks apart: one value for each object.
func (u *upload) values() ([][]byte, bool) {
	if u.refs == nil {
		return [][]byte{u.raw}, oneValue(u.raw) == nil
	}
	values, n, err := apdu.ParseValues(u.raw)
	return values, err == nil && n == len(u.raw) && len(values) == len(u.refs)
}

// under returns the upload that a block with the given invoke id belongs to.
func (s *Server) under(invoke apdu.Invoke, action bool) *upload {
	if u := s.in; u != nil && u.invoke.ID() == invoke.ID() && u.action == action {
		return u
	}
	return nil
}

// setBlock takes one block of a long SET and writes the values with the last one.
func (s *Server) setBlock(now time.Time, q apdu.SetRequest, request []byte) []byte {
	if !q.Next {
		s.forget()
		s.in = &upload{invoke: q.Invoke, ref: q.Ref, refs: q.Refs}
	}
	u := s.under(q.Invoke, false)
	answer := apdu.SetResponse{Invoke: q.Invoke, Kind: apdu.SetBlock, Block: q.Block.Number}
	switch why := s.accumulate(u, q.Block); {
	case why != cosem.Success:
		s.forget()
		answer.Kind, answer.Access = apdu.SetLastBlock, why
		return answer.Append(make([]byte, 0, answer.Size()))
	case q.Block.Last:
		s.in = nil
		values, ok := u.values()
		switch {
		case !ok:
			answer.Kind, answer.Access = apdu.SetLastBlock, cosem.TypeUnmatched
		case u.refs != nil:
			answer.Kind, answer.List = apdu.SetLastBlockList, s.writeAll(now, u.refs, values)
		default:
			answer.Kind, answer.Access = apdu.SetLastBlock, s.write(now, u.ref, values[0])
		}
	}
	return s.keep(request, q.Invoke, answer.Append(make([]byte, 0, answer.Size())))
}

// actionBlock takes one block of a long parameter and acts with the last one.
func (s *Server) actionBlock(now time.Time, q apdu.ActionRequest, o opened) []byte {
	if !q.Next {
		s.forget()
		s.in = &upload{invoke: q.Invoke, action: true, ref: q.Ref, refs: q.Refs}
	}
	u := s.under(q.Invoke, true)
	answer := apdu.ActionResponse{Invoke: q.Invoke, NextBlock: true, Number: q.Block.Number}
	switch why := s.accumulate(u, q.Block); {
	case why != cosem.Success:
		s.forget()
		return stopAction(q.Invoke, why == cosem.NoLongSet)
	case q.Block.Last:
		s.in = nil
		values, ok := u.values()
		if ok {
			whole := apdu.ActionRequest{Invoke: q.Invoke, Ref: u.ref, Refs: u.refs, Values: values}
			if u.refs == nil {
				whole.Data = values[0]
			}
			return s.act(now, whole, o)
		}
		answer = apdu.ActionResponse{Invoke: q.Invoke, Result: apdu.ActionResult(cosem.TypeUnmatched)}
	}
	return s.keep(o.plain, q.Invoke, answer.Append(make([]byte, 0, answer.Size())))
}
