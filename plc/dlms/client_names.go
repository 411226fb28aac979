package dlms

import (
	"bytes"
	"fmt"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// Read reads variables by short names, in an association with ClientConfig.ShortNames.
// Results come in the order of vars.
func Read(vars ...apdu.Variable) Op { return Op{kind: opRead, vars: vars} }

// Write writes variables by short names; values has one encoded value for each of vars.
// Results come in the order of vars.
func Write(vars []apdu.Variable, values [][]byte) Op {
	return Op{kind: opWrite, vars: vars, values: values}
}

// checkVariables finds faults of a Read or Write.
func (o Op) checkVariables() error {
	if len(o.vars) == 0 || o.kind == opWrite && len(o.vars) != len(o.values) {
		return fmt.Errorf("%d values for %d variables: want one for each", len(o.values), len(o.vars))
	}
	for i, v := range o.vars {
		switch {
		case v.Kind == apdu.Parameterized && v.Select != nil:
			if err := oneValue(v.Select.Parameters); err != nil {
				return fmt.Errorf("selection of variable %04Xh: %w", v.Name, err)
			}
		case v.Kind != apdu.VariableName:
			return fmt.Errorf("variable %04Xh: want a name, or a name with a selection", v.Name)
		}
		if o.kind == opRead {
			continue
		}
		if err := oneValue(o.values[i]); err != nil {
			return fmt.Errorf("write of variable %04Xh: %w", v.Name, err)
		}
	}
	return nil
}

// names asks for as many of the variables left as fit one request. Answers carry no
// invoke id: the client never has two requests under way, and a late answer is
// told by the number of its items alone.
func (c *Client) names() (Effects, error) {
	o := c.op
	vars := o.vars[len(o.results):]
	if len(vars) == 0 {
		return c.finish(o.results), nil
	}
	want := apdu.Read
	if o.kind == opWrite {
		want = apdu.Write
	}
	for _, v := range vars {
		if v.Kind == apdu.Parameterized {
			want |= apdu.ParameterizedAccess
		}
	}
	if r := c.need(want); r != nil {
		return c.fail(r)
	}
	n := c.listable(len(vars), func(k int) int { return len(o.named(k)) })
	o.begin(n, true)
	return c.send(o.named(n))
}

// named is the request for the first n variables left.
func (o *operation) named(n int) []byte {
	vars := o.vars[len(o.results):][:n]
	if o.kind == opRead {
		return apdu.ReadRequest{Variables: vars}.Append(nil)
	}
	return apdu.WriteRequest{Variables: vars, Values: o.restValues()[:n]}.Append(nil)
}

// readNames takes a read response, whole or one block of it.
func (c *Client) readNames(b []byte) (Effects, error) {
	p, n, err := apdu.ParseReadResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	o := c.op
	if o.kind != opRead {
		return c.ignore(), nil
	}
	if len(p.Items) == 1 && p.Items[0].Kind == apdu.ReadPiece {
		return c.readPiece(p.Items[0].Block)
	}
	if o.next > 1 {
		return c.fail(garbled("a whole answer in the middle of a block transfer"))
	}
	return c.readItems(p.Items)
}

// readPiece takes one block of a long read response.
func (c *Client) readPiece(s *apdu.ShortBlock) (Effects, error) {
	d := apdu.DataBlock{Last: s.Last, Number: uint32(s.Number), Raw: s.Raw}
	return c.gather(d, func() []byte {
		v := apdu.Variable{Kind: apdu.BlockNumber, Block: &apdu.ShortBlock{Number: s.Number}}
		return apdu.ReadRequest{Variables: []apdu.Variable{v}}.Append(nil)
	}, c.joinRead)
}

// joinRead reads the blocks as the list that they are.
func (c *Client) joinRead() (Effects, error) {
	joined := append([]byte{byte(apdu.TagReadResponse)}, c.op.raw...)
	p, n, err := apdu.ParseReadResponse(joined)
	if err := whole(joined, n, err); err != nil {
		return c.fail(err)
	}
	return c.readItems(p.Items)
}

func (c *Client) readItems(items []apdu.ReadItem) (Effects, error) {
	if len(items) != c.op.asked {
		return c.fail(garbled("%d results where %d were asked for", len(items), c.op.asked))
	}
	results := make([]cosem.Result, len(items))
	for i, item := range items {
		if item.Kind > apdu.ReadError {
			return c.fail(garbled("a block among %d results", len(items)))
		}
		results[i] = cosem.Result{Data: bytes.Clone(item.Data), Access: item.Access}
	}
	c.op.results = append(c.op.results, results...)
	return c.advance()
}

// wroteNames takes a write response.
func (c *Client) wroteNames(b []byte) (Effects, error) {
	p, n, err := apdu.ParseWriteResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	o := c.op
	if o.kind != opWrite {
		return c.ignore(), nil
	}
	if len(p.Items) != o.asked {
		return c.fail(garbled("%d results where %d were asked for", len(p.Items), o.asked))
	}
	for _, item := range p.Items {
		if item.Kind == apdu.WriteNumber {
			return c.fail(garbled("a block acknowledged where none was sent"))
		}
		o.results = append(o.results, cosem.Result{Access: item.Access})
	}
	return c.advance()
}
