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
	opAccess
	opRead
	opWrite
	opRelease
)

// Op is what a client is to do: Open, Get, Set, SetAll, Action, ActionAll, Access or
// Release makes one.
type Op struct {
	kind   opKind
	refs   []cosem.Ref
	values [][]byte // one for each of refs; nil in an ACTION: no parameter
	items  []apdu.AccessItem
	vars   []apdu.Variable
}

// Open opens the association and does nothing more.
func Open() Op { return Op{kind: opOpen} }

// Get reads attributes. Results come in the order of refs.
func Get(refs ...cosem.Ref) Op { return Op{kind: opGet, refs: refs} }

// Set writes one attribute; data is one encoded value. The one Result tells how it went.
func Set(ref cosem.Ref, data []byte) Op { return SetAll([]cosem.Ref{ref}, [][]byte{data}) }

// SetAll writes attributes, as many at once as the meter takes; values has one encoded
// value for each of refs. Results come in the order of refs.
func SetAll(refs []cosem.Ref, values [][]byte) Op {
	return Op{kind: opSet, refs: refs, values: values}
}

// Action invokes one method (ref.Attribute); data is its encoded parameter, nil for
// none. The one Result has the action result as Access and what the method returned
// as Data.
func Action(ref cosem.Ref, data []byte) Op { return ActionAll([]cosem.Ref{ref}, [][]byte{data}) }

// ActionAll invokes methods, as many at once as the meter takes; values has one encoded
// parameter, or nil, for each of refs. Results come in the order of refs, like those of
// Action.
func ActionAll(refs []cosem.Ref, values [][]byte) Op {
	return Op{kind: opAction, refs: refs, values: values}
}

// Access reads, writes and acts in one request of the access service. Results come in
// the order of items; Data is nil where the meter gave null-data.
func Access(items ...apdu.AccessItem) Op { return Op{kind: opAccess, items: items} }

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
		return checkSelections(o.refs)
	case opSet:
		return o.checkValues("SET")
	case opAction:
		return o.checkValues("ACTION")
	case opAccess:
		return o.checkItems()
	case opRead, opWrite:
		return o.checkVariables()
	}
	return errors.New("operation without a kind: use Open, Get, Set, Action or Release")
}

func checkSelections(refs []cosem.Ref) error {
	for _, ref := range refs {
		if ref.Select == nil {
			continue
		}
		if err := oneValue(ref.Select.Parameters); err != nil {
			return fmt.Errorf("selection of %v: %w", ref, err)
		}
	}
	return nil
}

func (o Op) checkValues(service string) error {
	if len(o.refs) == 0 || len(o.refs) != len(o.values) {
		return fmt.Errorf("%s of %d values for %d objects: want one for each", service, len(o.values), len(o.refs))
	}
	for i, v := range o.values {
		if v == nil && o.kind == opAction {
			continue
		}
		if err := oneValue(v); err != nil {
			return fmt.Errorf("%s %v: %w", service, o.refs[i], err)
		}
	}
	return checkSelections(o.refs)
}

func (o Op) checkItems() error {
	if n := len(o.items); n == 0 || n > apdu.MaxList {
		return fmt.Errorf("access of %d items: want 1 to %d", n, apdu.MaxList)
	}
	for _, item := range o.items {
		if item.Kind < apdu.AccessGet || item.Kind > apdu.AccessAction {
			return fmt.Errorf("access %v: kind %d", item.Ref, item.Kind)
		}
		if item.Data != nil || item.Kind == apdu.AccessSet {
			if err := oneValue(item.Data); err != nil {
				return fmt.Errorf("access %v: %w", item.Ref, err)
			}
		}
		if err := checkSelections([]cosem.Ref{item.Ref}); err != nil {
			return err
		}
	}
	return nil
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
	asked   int            // attributes or methods asked for in it
	list    bool           // asked in the form with list
	results []cosem.Result // of earlier requests of this operation

	next uint32 // number of the block awaited; 0 before the first
	raw  []byte // blocks joined so far

	out    []byte // value or values that go out in blocks; nil: none do
	sent   int    // octets of out sent in blocks
	number uint32 // of the block sent last; 0 before the first
	long   uint32 // identity of an access request
}

// rest are the attributes or methods not answered yet.
func (o *operation) rest() []cosem.Ref { return o.refs[len(o.results):] }

// restValues are the values of rest.
func (o *operation) restValues() [][]byte { return o.values[len(o.results):] }

// begin forgets the blocks of the request before.
func (o *operation) begin(asked int, list bool) {
	o.asked, o.list, o.next, o.raw = asked, list, 1, nil
	o.out, o.sent, o.number = nil, 0, 0
}
