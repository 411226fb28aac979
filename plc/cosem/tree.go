package cosem

import "busbar/plc/axdr"

// source is what both cursors of axdr have in common.
type source interface {
	Next() (axdr.Element, error)
	Count(n, limit int) (int, error)
}

// parser builds trees. A value is walked twice: the first walk checks and counts it,
// the second fills the one slice that holds all its items. So nothing is allocated for
// a value that is broken.
type parser struct {
	budget int     // items that it may still make
	free   []Value // items that are counted and not yet used
}

// value reads one value.
func (p *parser) value(s source) (Value, error) {
	e, err := s.Next()
	if err != nil {
		return Value{}, err
	}
	return p.tree(s, e)
}

// tree is the element e with the elements that follow it in s.
func (p *parser) tree(s source, e axdr.Element) (v Value, err error) {
	count := 0
	switch e.Tag {
	case axdr.Array, axdr.Structure:
		count, err = s.Count(e.Count, p.budget)
	case axdr.CompactArray:
		_, count, err = countCompact(e, p.budget)
	}
	if err != nil {
		return v, err
	}
	if count > 0 {
		p.budget -= count
		p.free = make([]Value, count)
	}
	err = p.fill(s, e, &v)
	return v, err
}

func countCompact(e axdr.Element, limit int) (n, all int, err error) {
	c, err := axdr.ParseCompact(e.Octets)
	if err != nil {
		return 0, 0, err
	}
	return c.Count(limit)
}

// fill makes v, which is zero, the element e with the elements that follow it in s. Its
// recursion is bounded by axdr.MaxDepth.
func (p *parser) fill(s source, e axdr.Element, v *Value) error {
	switch e.Tag {
	case axdr.Array, axdr.Structure:
		v.Tag = e.Tag
		return p.items(s, e.Count, v)
	case axdr.CompactArray:
		return p.compact(e, v)
	}
	v.set(e)
	return nil
}

// items reads n values that were counted.
func (p *parser) items(s source, n int, v *Value) error {
	if n == 0 {
		return nil
	}
	v.Items, p.free = p.free[:n:n], p.free[n:]
	for i := range v.Items {
		e, err := s.Next()
		if err != nil {
			return err
		}
		if err = p.fill(s, e, &v.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// compact unpacks a compact-array that was counted.
func (p *parser) compact(e axdr.Element, v *Value) error {
	n, _, err := countCompact(e, len(p.free))
	if err != nil {
		return err
	}
	c, err := axdr.ParseCompact(e.Octets)
	if err != nil {
		return err
	}
	v.Tag, v.Octets = axdr.CompactArray, c.Description
	return p.items(axdr.NewCompactDecoder(c), n, v)
}

// set makes v, which is zero, the element e without the elements below it.
func (v *Value) set(e axdr.Element) {
	v.Tag = e.Tag
	switch e.Tag {
	case axdr.OctetString, axdr.VisibleString, axdr.UTF8String, axdr.DateTime, axdr.Date, axdr.Time:
		v.Octets = e.Octets
	case axdr.BitString:
		v.Bits, v.Octets = e.Count, e.Octets
	default:
		v.Int = e.Integer()
	}
}
