package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// VariableKind is how a read or write request names what it wants (short names).
type VariableKind uint8

// The kinds, as they are numbered on the wire.
const (
	VariableName  VariableKind = 2 // Name
	Parameterized VariableKind = 4 // Name and Select
	BlockNumber   VariableKind = 5 // Block.Number: the block after it
	ReadBlock     VariableKind = 6 // Block: a piece of a long read request
	WriteBlock    VariableKind = 7 // Block: a piece of a long write request
)

// Variable is what is read or written: one attribute or method by its short name, or a
// piece of a longer request.
type Variable struct {
	Kind   VariableKind
	Name   uint16
	Select *cosem.Selection
	Block  *ShortBlock
}

// ShortBlock is one piece of a long request or answer by short names.
type ShortBlock struct {
	Last   bool
	Number uint16
	Raw    []byte
}

// Named is the variable with the given short name.
func Named(name uint16) Variable { return Variable{Kind: VariableName, Name: name} }

func (r *reader) variable() Variable {
	v := Variable{Kind: VariableKind(r.u8())}
	switch v.Kind {
	case VariableName:
		v.Name = r.u16()
	case Parameterized:
		v.Name = r.u16()
		v.Select = &cosem.Selection{Selector: r.u8(), Parameters: r.data()}
	case BlockNumber:
		v.Block = &ShortBlock{Number: r.u16()}
	case ReadBlock, WriteBlock:
		v.Block = r.shortBlock()
	default:
		r.fail("variable of kind %d: want 2, 4, 5, 6 or 7", v.Kind)
	}
	return v
}

func (r *reader) shortBlock() *ShortBlock {
	return &ShortBlock{Last: r.boolean(), Number: r.u16(), Raw: r.octets()}
}

func (r *reader) variables() []Variable {
	n := r.count(3)
	list := make([]Variable, 0, n)
	for len(list) < n && r.err == nil {
		list = append(list, r.variable())
	}
	return list
}

func (v Variable) size() int {
	switch v.Kind {
	case Parameterized:
		return 1 + 2 + 1 + len(v.Select.Parameters)
	case ReadBlock, WriteBlock:
		return 1 + v.Block.size()
	}
	return 1 + 2
}

func (b *ShortBlock) size() int { return 3 + octetsSize(b.Raw) }

func (b *ShortBlock) append(dst []byte) []byte {
	return appendOctets(binary.BigEndian.AppendUint16(appendBool(dst, b.Last), b.Number), b.Raw)
}

func (v Variable) append(dst []byte) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case Parameterized:
		dst = append(binary.BigEndian.AppendUint16(dst, v.Name), v.Select.Selector)
		return append(dst, v.Select.Parameters...)
	case BlockNumber:
		return binary.BigEndian.AppendUint16(dst, v.Block.Number)
	case ReadBlock, WriteBlock:
		return v.Block.append(dst)
	}
	return binary.BigEndian.AppendUint16(dst, v.Name)
}

func variablesSize(list []Variable) int {
	n := axdr.LengthSize(len(list))
	for _, v := range list {
		n += v.size()
	}
	return n
}

func appendVariables(dst []byte, list []Variable) []byte {
	dst = axdr.AppendLength(dst, len(list))
	for _, v := range list {
		dst = v.append(dst)
	}
	return dst
}

// ReadRequest reads variables by their short names.
type ReadRequest struct{ Variables []Variable }

// ParseReadRequest reads a read request. Selections and pieces share memory with b.
func ParseReadRequest(b []byte) (ReadRequest, int, error) {
	r := read(b, TagReadRequest)
	q := ReadRequest{Variables: r.variables()}
	n, err := r.end()
	if err != nil {
		return ReadRequest{}, 0, err
	}
	return q, n, nil
}

// Size is the number of octets Append writes.
func (q ReadRequest) Size() int { return 1 + variablesSize(q.Variables) }

// Append appends the encoded request to dst.
func (q ReadRequest) Append(dst []byte) []byte {
	return appendVariables(append(dst, byte(TagReadRequest)), q.Variables)
}

// WriteRequest writes variables by their short names; Unconfirmed ones are not answered.
type WriteRequest struct {
	Unconfirmed bool
	Variables   []Variable
	Values      [][]byte // one encoded value for each
}

// ParseWriteRequest reads a write request or an unconfirmed one. Its fields share
// memory with b.
func ParseWriteRequest(b []byte) (WriteRequest, int, error) {
	tag := TagWriteRequest
	if TagOf(b) == TagUnconfirmedWriteRequest {
		tag = TagUnconfirmedWriteRequest
	}
	r := read(b, tag)
	q := WriteRequest{Unconfirmed: tag == TagUnconfirmedWriteRequest, Variables: r.variables()}
	q.Values = r.values(len(q.Variables))
	n, err := r.end()
	if err != nil {
		return WriteRequest{}, 0, err
	}
	return q, n, nil
}

// Size is the number of octets Append writes.
func (q WriteRequest) Size() int { return 1 + variablesSize(q.Variables) + ValuesSize(q.Values) }

// Append appends the encoded request to dst.
func (q WriteRequest) Append(dst []byte) []byte {
	tag := TagWriteRequest
	if q.Unconfirmed {
		tag = TagUnconfirmedWriteRequest
	}
	return AppendValues(appendVariables(append(dst, byte(tag)), q.Variables), q.Values)
}

// InformationReport is the value of variables that a meter sends unasked.
type InformationReport struct {
	Time      []byte // GeneralizedTime, nil when the meter gives none
	Variables []Variable
	Values    [][]byte
}

// ParseInformationReport reads an information report. Its fields share memory with b.
func ParseInformationReport(b []byte) (InformationReport, int, error) {
	r := read(b, TagInformationReport)
	var i InformationReport
	if r.flag("presence of a time") {
		i.Time = r.octets()
	}
	i.Variables = r.variables()
	i.Values = r.values(len(i.Variables))
	n, err := r.end()
	if err != nil {
		return InformationReport{}, 0, err
	}
	return i, n, nil
}

// Size is the number of octets Append writes.
func (i InformationReport) Size() int {
	n := 2 + variablesSize(i.Variables) + ValuesSize(i.Values)
	if i.Time != nil {
		n += octetsSize(i.Time)
	}
	return n
}

// Append appends the encoded report to dst.
func (i InformationReport) Append(dst []byte) []byte {
	dst = append(dst, byte(TagInformationReport))
	if i.Time == nil {
		dst = append(dst, absent)
	} else {
		dst = appendOctets(append(dst, present), i.Time)
	}
	return AppendValues(appendVariables(dst, i.Variables), i.Values)
}
