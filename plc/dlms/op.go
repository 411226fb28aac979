package dlms

import (
	"errors"
	"fmt"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

type opKind uint8

const (
	opOpen opKind = iota + 1
	opGet
	opSet
	opAction
	opRelease
)

// Op is what a client is to do: Open, Get, Set, Action or Release makes one.
type Op struct {
	kind opKind
	refs []cosem.Ref
	data []byte
}

// Open opens the association and does nothing more.
func Open() Op { return Op{kind: opOpen} }

// Get reads attributes. Results come in the order of refs.
func Get(refs ...cosem.Ref) Op { return Op{kind: opGet, refs: refs} }

// Set writes one attribute; data is one encoded value. The one Result tells how it went.
func Set(ref cosem.Ref, data []byte) Op {
	return Op{kind: opSet, refs: []cosem.Ref{ref}, data: data}
}

// Action invokes one method (ref.Attribute); data is its encoded parameter, nil for
// none. The one Result has the action result as Access and what the method returned
// as Data.
func Action(ref cosem.Ref, data []byte) Op {
	return Op{kind: opAction, refs: []cosem.Ref{ref}, data: data}
}

// Release ends the association.
func Release() Op { return Op{kind: opRelease} }

// check finds faults of the caller before anything is sent.
func (o Op) check() error {
	switch o.kind {
	case opOpen, opRelease:
		return nil
	case opGet:
		if len(o.refs) == 0 {
			return errors.New("GET of nothing: want at least one attribute")
		}
		for _, ref := range o.refs {
			if ref.Select == nil {
				continue
			}
			if err := oneValue(ref.Select.Parameters); err != nil {
				return fmt.Errorf("selection of %v: %w", ref, err)
			}
		}
		return nil
	case opSet:
		if err := oneValue(o.data); err != nil {
			return fmt.Errorf("SET %v: %w", o.refs[0], err)
		}
		return nil
	case opAction:
		if o.data == nil {
			return nil
		}
		if err := oneValue(o.data); err != nil {
			return fmt.Errorf("ACTION %v: %w", o.refs[0], err)
		}
		return nil
	}
	return errors.New("operation without a kind: use Open, Get, Set, Action or Release")
}

// oneValue checks that b is exactly one encoded COSEM value.
func oneValue(b []byte) error {
	n, err := apdu.DataSize(b)
	if err != nil {
		return err
	}
	if n != len(b) {
		return fmt.Errorf("%d octets behind the value", len(b)-n)
	}
	return nil
}

// operation is an Op under way.
type operation struct {
	Op
	request []byte         // plain request whose answer is awaited
	asked   int            // attributes asked for in it
	list    bool           // asked in the form with list
	results []cosem.Result // of earlier requests of this operation
	next    uint32         // number of the block awaited, or sent last in a SET; 0 before the first
	raw     []byte         // blocks joined so far
	sent    int            // octets of data sent in blocks
}

// rest are the attributes not answered yet.
func (o *operation) rest() []cosem.Ref { return o.refs[len(o.results):] }
