package dlms

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// set writes as many of the attributes left as fit one request. A value that is too
// long for one goes out in blocks when the server takes those.
func (c *Client) set() (Effects, error) {
	o := c.op
	refs, values := o.rest(), o.restValues()
	if len(refs) == 0 {
		return c.finish(o.results), nil
	}
	if r := c.need(apdu.Set | selects(refs)); r != nil {
		return c.fail(r)
	}
	c.invoke = c.invoke.Next()
	n := c.listable(len(refs), func(k int) int {
		return apdu.SetRequest{Refs: refs[:k], Values: values[:k]}.Size()
	})
	o.begin(n, n > 1)
	s := apdu.SetRequest{Invoke: c.invoke, Ref: refs[0], Data: values[0]}
	if n > 1 {
		s = apdu.SetRequest{Invoke: c.invoke, Refs: refs[:n], Values: values[:n]}
	}
	if !c.fits(s.Size()) && c.granted.Has(apdu.BlockTransferSet) {
		o.out = values[0]
		return c.setBlock()
	}
	return c.send(s.Append(make([]byte, 0, s.Size())))
}

// setBlock sends the next piece of a long value.
func (c *Client) setBlock() (Effects, error) {
	o := c.op
	d := &apdu.DataBlock{Number: o.number + 1}
	s := apdu.SetRequest{Invoke: c.invoke, Ref: o.rest()[0], Next: o.number > 0, Block: d}
	if !c.cut(d, s.Size()) {
		return c.fail(&TooLongError{Size: c.way().sealedSize(s.Size() + 1), Limit: c.reach()})
	}
	return c.send(s.Append(make([]byte, 0, s.Size())))
}

// cut gives d the next piece of what goes out in blocks, in a request that has empty
// octets without it. It reports false when not one octet fits.
func (c *Client) cut(d *apdu.DataBlock, empty int) bool {
	o := c.op
	room := fit(c.way().room(c.reach()) - empty + axdr.LengthSize(0))
	if room <= 0 {
		return false
	}
	d.Raw = o.out[o.sent:min(o.sent+room, len(o.out))]
	o.sent += len(d.Raw)
	o.number++
	d.Last = o.sent == len(o.out)
	return true
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
	all := o.sent == len(o.out)
	switch {
	case s.Kind == apdu.SetBlock && o.number > 0 && s.Block == o.number && !all:
		return c.setBlock()
	case s.Kind == apdu.SetBlock && o.number > 0 && s.Block < o.number:
		return c.ignore(), nil
	case s.Kind == apdu.SetBlock:
		return c.fail(garbled("block %d acknowledged where block %d was sent", s.Block, o.number))
	case s.Kind == apdu.SetList && o.list && len(s.List) == o.asked:
		return c.deliver(accessResults(s.List))
	case s.Kind == apdu.SetList || s.Kind == apdu.SetLastBlockList:
		return c.fail(garbled("%d results where %d were asked for", len(s.List), o.asked))
	case s.Access == cosem.Success && (!all || (s.Kind == apdu.SetLastBlock) != (o.number > 0) || o.list):
		return c.fail(garbled("success told for a value that was not sent whole"))
	}
	return c.repeat(s.Access)
}

func accessResults(list []cosem.AccessResult) []cosem.Result {
	results := make([]cosem.Result, len(list))
	for i, a := range list {
		results[i].Access = a
	}
	return results
}
