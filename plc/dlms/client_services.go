package dlms

import (
	"bytes"

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
	case opAccess:
		return c.access()
	case opRead, opWrite:
		return c.names()
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

// listable is how many of the first n objects left fit a request with list, whose size
// for k of them is size(k); at least 1.
func (c *Client) listable(n int, size func(k int) int) int {
	if !c.granted.Has(apdu.MultipleReferences) {
		return 1
	}
	k := 1
	for k < min(n, maxListed) && c.fits(size(k+1)) {
		k++
	}
	return k
}

// selects is the conformance that selections among refs need.
func selects(refs []cosem.Ref) apdu.Conformance {
	for _, ref := range refs {
		if ref.Select != nil {
			return apdu.SelectiveAccess
		}
	}
	return 0
}

// get asks for as many of the attributes left as fit one request: several when the
// server takes lists, else one.
func (c *Client) get() (Effects, error) {
	o := c.op
	rest := o.rest()
	if len(rest) == 0 {
		return c.finish(o.results), nil
	}
	if r := c.need(apdu.Get | selects(rest)); r != nil {
		return c.fail(r)
	}
	c.invoke = c.invoke.Next()
	n := c.listable(len(rest), func(k int) int {
		return apdu.GetRequest{Refs: rest[:k], List: true}.Size()
	})
	g := apdu.GetRequest{Invoke: c.invoke, Refs: rest[:n], List: n > 1}
	o.begin(n, n > 1)
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

// repeat delivers one result for each of what was asked for.
func (c *Client) repeat(a cosem.AccessResult) (Effects, error) {
	results := make([]cosem.Result, c.op.asked)
	for i := range results {
		results[i].Access = a
	}
	return c.deliver(results)
}

// gotBlock takes one block of a GET response.
func (c *Client) gotBlock(d apdu.DataBlock) (Effects, error) {
	if d.Access != cosem.Success {
		return c.repeat(d.Access)
	}
	return c.gather(d, func() []byte {
		return apdu.GetRequest{Invoke: c.invoke, Next: true, Block: d.Number}.Append(nil)
	}, c.join)
}

// gather keeps one block, asks for the next, and calls join after the last. The block
// before it once more is a repeat; any other number breaks the transfer, because rows
// would be lost or doubled.
func (c *Client) gather(d apdu.DataBlock, next func() []byte, join func() (Effects, error)) (Effects, error) {
	o := c.op
	switch {
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
		return c.send(next())
	}
	return join()
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
