package dlms

import (
	"bytes"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// maxListed bounds one request with list, since some meters keep a table of that size.
const maxListed = 32

// advance takes the operation one request further in an open association.
func (c *Client) advance() (Effects, error) {
	switch c.op.kind {
	case opGet:
		return c.get()
	case opSet:
		return c.set()
	case opAction:
		return c.action()
	case opRelease:
		c.state = Releasing
		down, err := c.rlrq()
		if err != nil {
			return c.lose(err)
		}
		return Effects{Down: down}, nil
	}
	return c.finish(nil), nil
}

// need refuses a request for which the association was not opened.
func (c *Client) need(want apdu.Conformance) *RefusedError {
	if c.granted.Has(want) {
		return nil
	}
	return &RefusedError{
		Refusal: RefusedConformance, Reason: "not granted in this association: " + (want &^ c.granted).String(),
		Hint: "use a client with more rights",
	}
}

// get asks for as many of the attributes left as fit one request: several when the
// server takes lists, else one.
func (c *Client) get() (Effects, error) {
	o := c.op
	rest := o.rest()
	if len(rest) == 0 {
		return c.finish(o.results), nil
	}
	want := apdu.Get
	for _, ref := range rest {
		if ref.Select != nil {
			want |= apdu.SelectiveAccess
		}
	}
	if r := c.need(want); r != nil {
		return c.fail(r)
	}
	c.invoke = c.invoke.Next()
	g := apdu.GetRequest{Invoke: c.invoke, Refs: rest[:1]}
	for n := 2; n <= min(len(rest), maxListed) && c.granted.Has(apdu.MultipleReferences); n++ {
		longer := apdu.GetRequest{Invoke: c.invoke, Refs: rest[:n], List: true}
		if c.limit > 0 && c.shield.sealedSize(longer.Size(), false) > c.limit {
			break
		}
		g = longer
	}
	o.asked, o.list, o.next, o.raw = len(g.Refs), g.List, 1, nil
	return c.send(g.Append(make([]byte, 0, g.Size())))
}

// got takes a GET response.
func (c *Client) got(b []byte) (Effects, error) {
	g, n, err := apdu.ParseGetResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	o := c.op
	if o.kind != opGet || g.Invoke.ID() != c.invoke.ID() {
		return c.ignore(), nil
	}
	switch {
	case g.Block != nil:
		return c.gotBlock(*g.Block)
	case o.next > 1:
		return c.fail(garbled("a whole answer in the middle of a block transfer"))
	case g.List != o.list || len(g.Results) != o.asked:
		return c.fail(garbled("%d results where %d were asked for", len(g.Results), o.asked))
	}
	return c.deliver(g.Results)
}

// deliver keeps copies of results and goes on with what is left.
func (c *Client) deliver(results []cosem.Result) (Effects, error) {
	for _, r := range results {
		r.Data = bytes.Clone(r.Data)
		c.op.results = append(c.op.results, r)
	}
	return c.advance()
}

// gotBlock takes one block. The block before it once more is a repeat; any other
// number breaks the transfer, because rows would be lost or doubled.
func (c *Client) gotBlock(d apdu.DataBlock) (Effects, error) {
	o := c.op
	switch {
	case d.Access != cosem.Success:
		results := make([]cosem.Result, o.asked)
		for i := range results {
			results[i].Access = d.Access
		}
		return c.deliver(results)
	case o.next > 1 && d.Number == o.next-1:
		return c.ignore(), nil
	case d.Number != o.next:
		return c.fail(garbled("block %d where block %d should come", d.Number, o.next))
	case len(d.Raw) == 0 && !d.Last:
		return c.fail(garbled("block %d is empty", d.Number))
	case len(o.raw)+len(d.Raw) > c.cfg.MaxTransfer:
		return c.fail(garbled("more than %d octets in blocks: ask for less at a time", c.cfg.MaxTransfer))
	}
	o.raw = append(o.raw, d.Raw...)
	o.next++
	if !d.Last {
		g := apdu.GetRequest{Invoke: c.invoke, Next: true, Block: d.Number}
		return c.send(g.Append(make([]byte, 0, g.Size())))
	}
	return c.join()
}

// join reads the blocks as the one value or result list that they are.
func (c *Client) join() (Effects, error) {
	o := c.op
	if !o.list {
		if err := oneValue(o.raw); err != nil {
			return c.fail(garbled("blocks joined: %v", err))
		}
		return c.deliver([]cosem.Result{{Data: o.raw}})
	}
	results, n, err := apdu.ParseResults(o.raw)
	if err := whole(o.raw, n, err); err != nil {
		return c.fail(err)
	}
	if len(results) != o.asked {
		return c.fail(garbled("%d results where %d were asked for", len(results), o.asked))
	}
	return c.deliver(results)
}

// set writes the value in one request, or in blocks when the server takes those and
// the whole is too long for it.
func (c *Client) set() (Effects, error) {
	if r := c.need(apdu.Set); r != nil {
		return c.fail(r)
	}
	o := c.op
	c.invoke = c.invoke.Next()
	s := apdu.SetRequest{Invoke: c.invoke, Ref: o.refs[0], Data: o.data}
	n := c.shield.sealedSize(s.Size(), false)
	if c.limit > 0 && n > c.limit && c.granted.Has(apdu.BlockTransferSet) {
		return c.setBlock()
	}
	return c.send(s.Append(make([]byte, 0, s.Size())))
}

// setBlock sends the next piece of a long value.
func (c *Client) setBlock() (Effects, error) {
	o := c.op
	o.next++
	s := apdu.SetRequest{Invoke: c.invoke, Ref: o.refs[0], Next: o.next > 1, Block: &apdu.DataBlock{Number: o.next}}
	room := fit(c.shield.room(c.limit, false) - s.Size() + axdr.LengthSize(0))
	if room <= 0 {
		return c.fail(&TooLongError{Size: c.shield.sealedSize(s.Size()+1, false), Limit: c.limit})
	}
	s.Block.Raw = o.data[o.sent:min(o.sent+room, len(o.data))]
	o.sent += len(s.Block.Raw)
	s.Block.Last = o.sent == len(o.data)
	return c.send(s.Append(make([]byte, 0, s.Size())))
}

// written takes a SET response.
func (c *Client) written(b []byte) (Effects, error) {
	s, n, err := apdu.ParseSetResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	o := c.op
	if o.kind != opSet || s.Invoke.ID() != c.invoke.ID() {
		return c.ignore(), nil
	}
	all := o.next == 0 || o.sent == len(o.data)
	switch {
	case s.Kind == apdu.SetBlock && o.next > 0 && s.Block == o.next && !all:
		return c.setBlock()
	case s.Kind == apdu.SetBlock && o.next > 0 && s.Block < o.next:
		return c.ignore(), nil
	case s.Kind == apdu.SetBlock:
		return c.fail(garbled("block %d acknowledged where block %d was sent", s.Block, o.next))
	case s.Access == cosem.Success && (!all || (s.Kind == apdu.SetLastBlock) != (o.next > 0)):
		return c.fail(garbled("success told for a value that was not sent whole"))
	}
	return c.finish([]cosem.Result{{Access: s.Access}}), nil
}

func (c *Client) action() (Effects, error) {
	if r := c.need(apdu.Action); r != nil {
		return c.fail(r)
	}
	c.invoke = c.invoke.Next()
	a := apdu.ActionRequest{Invoke: c.invoke, Ref: c.op.refs[0], Data: c.op.data}
	return c.send(a.Append(make([]byte, 0, a.Size())))
}

// acted takes an ACTION response. Whether the method was done is told by the action
// result alone; a return value that could not be read does not undo it.
func (c *Client) acted(b []byte) (Effects, error) {
	a, n, err := apdu.ParseActionResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	if c.op.kind != opAction || a.Invoke.ID() != c.invoke.ID() {
		return c.ignore(), nil
	}
	res := cosem.Result{Access: cosem.AccessResult(a.Result)}
	if a.Return != nil && a.Return.Access == cosem.Success {
		res.Data = bytes.Clone(a.Return.Data)
	}
	return c.finish([]cosem.Result{res}), nil
}
