package dlms

import (
	"time"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// blockHeader is what a response with data block puts before the length of its raw octets.
const blockHeader = 9

// download is a long answer on its way out in blocks. It is kept after its last block
// until the next request, because that block may be asked for again.
type download struct {
	invoke     apdu.Invoke
	raw        []byte
	number     uint32 // of the block sent last, 0 before the first
	start, end int    // of that block in raw
}

// block sends the block behind the one sent last.
func (s *Server) block(general bool) []byte {
	d := s.out
	d.number++
	d.start = d.end
	return s.resend(general)
}

// resend sends the current block, as long as the client takes it.
func (s *Server) resend(general bool) []byte {
	d := s.out
	size := min(fit(s.room(general)-blockHeader), len(d.raw)-d.start)
	d.end = d.start + size
	g := apdu.GetResponse{Invoke: d.invoke, Block: &apdu.DataBlock{
		Last: d.end == len(d.raw), Number: d.number, Raw: d.raw[d.start:d.end],
	}}
	return g.Append(make([]byte, 0, g.Size()))
}

// nextBlock serves a GET request for the block after g.Block. The same one asked for
// again is sent again; any other number ends the transfer.
func (s *Server) nextBlock(g apdu.GetRequest, general bool) []byte {
	d := s.out
	switch {
	case d == nil || d.invoke.ID() != g.Invoke.ID():
		return s.breakOff(g, cosem.NoLongGet)
	case g.Block == d.number && d.end < len(d.raw):
		return s.block(general)
	case g.Block+1 == d.number:
		s.counts.Repeats++
		return s.resend(general)
	}
	return s.breakOff(g, cosem.BlockNumberInvalid)
}

// breakOff ends a transfer that cannot go on.
func (s *Server) breakOff(g apdu.GetRequest, why cosem.AccessResult) []byte {
	s.out = nil
	r := apdu.GetResponse{Invoke: g.Invoke, Block: &apdu.DataBlock{Last: true, Number: g.Block, Access: why}}
	return r.Append(make([]byte, 0, r.Size()))
}

// upload is a long value on its way in.
type upload struct {
	invoke apdu.Invoke
	ref    cosem.Ref
	raw    []byte
	number uint32 // of the block taken last
}

// accumulate takes one block of a long SET and writes the value with the last one.
func (s *Server) accumulate(now time.Time, q apdu.SetRequest, request []byte) []byte {
	b := q.Block
	if !q.Next {
		s.forget()
		s.in = &upload{invoke: q.Invoke, ref: q.Ref}
	}
	u := s.in
	if u == nil || u.invoke.ID() != q.Invoke.ID() {
		return s.stopUpload(q, cosem.NoLongSet)
	}
	switch {
	case b.Number != u.number+1:
		return s.stopUpload(q, cosem.BlockNumberInvalid)
	case len(u.raw)+len(b.Raw) > s.cfg.MaxTransfer:
		return s.stopUpload(q, cosem.LongSetAborted)
	}
	u.raw = append(u.raw, b.Raw...)
	u.number = b.Number
	answer := apdu.SetResponse{Invoke: q.Invoke, Kind: apdu.SetBlock, Block: b.Number}
	if b.Last {
		answer.Kind, answer.Access = apdu.SetLastBlock, cosem.TypeUnmatched
		if oneValue(u.raw) == nil {
			answer.Access = s.write(now, u.ref, u.raw)
		}
		s.in = nil
	}
	return s.keep(request, q.Invoke, answer.Append(make([]byte, 0, answer.Size())))
}

// stopUpload ends a transfer that cannot go on.
func (s *Server) stopUpload(q apdu.SetRequest, why cosem.AccessResult) []byte {
	s.forget()
	r := apdu.SetResponse{Invoke: q.Invoke, Kind: apdu.SetLastBlock, Access: why, Block: q.Block.Number}
	return r.Append(make([]byte, 0, r.Size()))
}
