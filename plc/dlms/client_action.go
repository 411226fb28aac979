package dlms

import (
	"bytes"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// nullData is the parameter of a method in a list that has none.
var nullData = []byte{0}

// action invokes as many of the methods left as fit one request. A parameter that is too
// long for one goes out in blocks when the server takes those.
func (c *Client) action() (Effects, error) {
	o := c.op
	refs, values := o.rest(), o.restValues()
	if len(refs) == 0 {
		return c.finish(o.results), nil
	}
	if r := c.need(apdu.Action); r != nil {
		return c.fail(r)
	}
	c.invoke = c.invoke.Next()
	n := c.listable(len(refs), func(k int) int {
		return apdu.ActionRequest{Refs: refs[:k], Values: parameters(values[:k])}.Size()
	})
	o.begin(n, n > 1)
	a := apdu.ActionRequest{Invoke: c.invoke, Ref: refs[0], Data: values[0]}
	if n > 1 {
		a = apdu.ActionRequest{Invoke: c.invoke, Refs: refs[:n], Values: parameters(values[:n])}
	}
	if !c.fits(a.Size()) && values[0] != nil && c.granted.Has(apdu.BlockTransferAction) {
		o.out = values[0]
		return c.actionBlock()
	}
	return c.send(a.Append(make([]byte, 0, a.Size())))
}

// parameters are values as a list carries them.
func parameters(values [][]byte) [][]byte {
	all := make([][]byte, len(values))
	for i, v := range values {
		if all[i] = v; v == nil {
			all[i] = nullData
		}
	}
	return all
}

// actionBlock sends the next piece of a long parameter.
func (c *Client) actionBlock() (Effects, error) {
	o := c.op
	d := &apdu.DataBlock{Number: o.number + 1}
	a := apdu.ActionRequest{Invoke: c.invoke, Ref: o.rest()[0], Next: o.number > 0, Block: d}
	if !c.cut(d, a.Size()) {
		return c.fail(&TooLongError{Size: c.way().sealedSize(a.Size() + 1), Limit: c.reach()})
	}
	return c.send(a.Append(make([]byte, 0, a.Size())))
}

// acted takes an ACTION response.
func (c *Client) acted(b []byte) (Effects, error) {
	a, n, err := apdu.ParseActionResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	o := c.op
	if o.kind != opAction || a.Invoke.ID() != c.invoke.ID() {
		return c.ignore(), nil
	}
	all := o.sent == len(o.out)
	switch {
	case a.NextBlock && o.number > 0 && a.Number == o.number && !all:
		return c.actionBlock()
	case a.NextBlock && o.number > 0 && a.Number < o.number:
		return c.ignore(), nil
	case a.NextBlock:
		return c.fail(garbled("block %d acknowledged where block %d was sent", a.Number, o.number))
	case a.Block != nil && all:
		return c.actedBlock(*a.Block)
	case o.next > 1:
		return c.fail(garbled("a whole answer in the middle of a block transfer"))
	case a.List != nil && o.list && len(a.List) == o.asked:
		return c.deliver(actedResults(a.List))
	case a.Block != nil || a.List != nil || o.list && a.Result == 0:
		return c.fail(garbled("%d results where %d were asked for", len(a.List), o.asked))
	case a.Result == 0 && !all:
		return c.fail(garbled("success told for a parameter that was not sent whole"))
	case o.list:
		return c.repeat(cosem.AccessResult(a.Result))
	}
	return c.deliver(actedResults([]apdu.Acted{{Result: a.Result, Return: a.Return}}))
}

// actedResults are the results of methods. Whether a method was done is told by its
// action result alone; a return value that could not be read does not undo it.
func actedResults(list []apdu.Acted) []cosem.Result {
	results := make([]cosem.Result, len(list))
	for i, a := range list {
		results[i].Access = cosem.AccessResult(a.Result)
		if a.Return != nil && a.Return.Access == cosem.Success {
			results[i].Data = a.Return.Data
		}
	}
	return results
}

// actedBlock takes one block of what a method returned. That there is one says that
// the method was done.
func (c *Client) actedBlock(d apdu.DataBlock) (Effects, error) {
	return c.gather(d, func() []byte {
		return apdu.ActionRequest{Invoke: c.invoke, NextBlock: true, Number: d.Number}.Append(nil)
	}, c.joinActed)
}

// joinActed reads the blocks as the one value or result list that they are. Programs
// differ on what the blocks of one method make: its value, as the Gurux family writes,
// or a result around it, as that of OpenMUC does. Both begin differently; the second is
// counted.
func (c *Client) joinActed() (Effects, error) {
	o := c.op
	if o.list {
		list, n, err := apdu.ParseActed(o.raw)
		if err := whole(o.raw, n, err); err != nil {
			return c.fail(err)
		}
		if len(list) != o.asked {
			return c.fail(garbled("%d results where %d were asked for", len(list), o.asked))
		}
		return c.deliver(actedResults(list))
	}
	if err := oneValue(o.raw); err == nil {
		return c.deliver([]cosem.Result{{Data: o.raw}})
	}
	if len(o.raw) > 1 && o.raw[0] == 0 && oneValue(o.raw[1:]) == nil {
		c.counts.LooseActions++
		return c.deliver([]cosem.Result{{Data: o.raw[1:]}})
	}
	return c.fail(garbled("blocks joined: neither a value nor a result"))
}

// access asks for all items in one request.
func (c *Client) access() (Effects, error) {
	o := c.op
	want := apdu.Access
	for _, item := range o.items {
		want |= map[apdu.AccessKind]apdu.Conformance{apdu.AccessGet: apdu.Get, apdu.AccessSet: apdu.Set, apdu.AccessAction: apdu.Action}[item.Kind]
		want |= selects([]cosem.Ref{item.Ref})
	}
	if r := c.need(want); r != nil {
		return c.fail(r)
	}
	c.long = (c.long + 1) & apdu.LongIDMask
	o.long = c.long
	q := apdu.AccessRequest{LongInvoke: apdu.LongConfirmed | apdu.LongHighPriority | o.long, Items: o.items}
	return c.send(q.Append(make([]byte, 0, q.Size())))
}

// accessed takes an access response.
func (c *Client) accessed(b []byte) (Effects, error) {
	a, n, err := apdu.ParseAccessResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	o := c.op
	if o.kind != opAccess || a.LongInvoke&apdu.LongIDMask != o.long {
		return c.ignore(), nil
	}
	if len(a.Items) != len(o.items) {
		return c.fail(garbled("%d results where %d were asked for", len(a.Items), len(o.items)))
	}
	results := make([]cosem.Result, len(a.Items))
	for i, item := range a.Items {
		if item.Kind != o.items[i].Kind {
			return c.fail(garbled("result %d is of another service than was asked for", i+1))
		}
		results[i].Access = cosem.AccessResult(item.Result)
		if item.Result == 0 && !bytes.Equal(item.Data, nullData) {
			results[i].Data = bytes.Clone(item.Data)
		}
	}
	return c.finish(results), nil
}
