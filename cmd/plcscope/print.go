package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"busbar/cmd/plcscope/reader"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dissect"
)

// printer shows readings, as lines for people or as JSON.
type printer struct {
	out  io.Writer
	json bool

	last       cosem.OBIS // object of the line before
	lastClass  cosem.Class
	held       *cosem.Value // value of a register whose unit has not come yet
	read, deny int
}

// row is a reading as JSON.
type row struct {
	Class     cosem.Class `json:"class"`
	Version   uint8       `json:"version"`
	Object    cosem.OBIS  `json:"obis"`
	Attribute int8        `json:"attribute"`
	Name      string      `json:"name"`
	Result    string      `json:"result"`
	Value     any         `json:"value,omitempty"`
	Raw       string      `json:"raw,omitempty"` // the encoded value in hexadecimal
}

func (p *printer) print(r reader.Reading) {
	if r.Access == cosem.Success && r.Fault == nil {
		p.read++
	} else {
		p.deny++
	}
	if p.json {
		p.printJSON(r)
		return
	}
	if r.Object.Name != p.last || r.Object.Class != p.lastClass {
		say(p.out, "%v %s, class %d version %d\n", r.Object.Name, dissect.ClassName(r.Object.Class), r.Object.Class, r.Object.Version)
		p.last, p.lastClass, p.held = r.Object.Name, r.Object.Class, nil
	}
	say(p.out, "  %-2d %-32s %s\n", r.Attribute, dissect.AttributeName(r.Object.Class, r.Attribute), p.text(r))
}

// text is what the meter answered, in words.
func (p *printer) text(r reader.Reading) string {
	switch {
	case r.Fault != nil:
		return "! " + r.Fault.Error()
	case r.Access != cosem.Success:
		return "! " + r.Access.String()
	}
	register := r.Object.Class == cosem.ClassRegister || r.Object.Class == cosem.ClassExtendedRegister
	if register && r.Attribute == 2 {
		if v, _, err := cosem.ParseValue(r.Data); err == nil {
			p.held = &v
		}
	}
	if register && r.Attribute == 3 {
		if s, _, err := cosem.ParseScalerUnit(r.Data); err == nil {
			return p.scaled(s)
		}
	}
	return strings.TrimRight(valueText(r.Data), "\n")
}

// scaled is the unit and, when the value came before it, what both mean.
func (p *printer) scaled(s cosem.ScalerUnit) string {
	unit := dissect.UnitName(s.Unit)
	text := fmt.Sprintf("x 10^%d %s", s.Scaler, unit)
	if p.held == nil {
		return text
	}
	n, ok := p.held.Integer()
	if !ok {
		return text
	}
	return fmt.Sprintf("%s: %s %s", text, decimal(n, s.Scaler), unit)
}

// decimal is n x 10^scaler in full, without the rounding of floating point.
func decimal(n int64, scaler int8) string {
	digits := strconv.FormatInt(n, 10)
	switch {
	case scaler > 18 || scaler < -18:
		return fmt.Sprintf("%de%d", n, scaler)
	case scaler >= 0:
		if n == 0 {
			return "0"
		}
		return digits + strings.Repeat("0", int(scaler))
	}
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	places := -int(scaler)
	for len(digits) <= places {
		digits = "0" + digits
	}
	return sign + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}

// valueText is a value on one line or, when it is a long array, on one line for each element.
func valueText(b []byte) string {
	v, n, err := cosem.ParseValue(b)
	if err == nil && n == len(b) {
		if s := v.String(); len(s) <= 160 || v.Tag != axdr.Array {
			return s
		}
	}
	rows, err := elements(b)
	if err != nil {
		return fmt.Sprintf("! %v; octets %s", err, shortHex(b))
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d elements", len(rows))
	for _, r := range rows {
		s.WriteString("\n       " + r.String())
	}
	return s.String()
}

func shortHex(b []byte) string {
	if len(b) > 64 {
		return fmt.Sprintf("%X... (%d octets)", b[:64], len(b))
	}
	return fmt.Sprintf("%X", b)
}

// elements are those of an array too long for one tree, or the one value that b is.
func elements(b []byte) ([]cosem.Value, error) {
	d := axdr.NewDecoder(b)
	e, err := d.Next()
	if err != nil {
		return nil, err
	}
	at, count := d.Offset(), e.Count
	if e.Tag != axdr.Array {
		at, count = 0, 1
	}
	var rows []cosem.Value
	for range count {
		v, n, err := cosem.ParseValue(b[at:])
		if err != nil {
			return nil, fmt.Errorf("element %d at octet %d: %w", len(rows), at, err)
		}
		rows = append(rows, v)
		at += n
	}
	return rows, nil
}

func (p *printer) printJSON(r reader.Reading) {
	j := row{
		Class: r.Object.Class, Version: r.Object.Version, Object: r.Object.Name, Attribute: r.Attribute,
		Name: dissect.AttributeName(r.Object.Class, r.Attribute), Result: r.Access.String(), Raw: hex.EncodeToString(r.Data),
	}
	if r.Fault != nil {
		j.Result = r.Fault.Error()
	}
	if len(r.Data) > 0 {
		if rows, err := elements(r.Data); err == nil {
			list := make([]any, 0, len(rows))
			for _, v := range rows {
				list = append(list, plainValue(v))
			}
			if j.Value = any(list); axdr.Tag(r.Data[0]) != axdr.Array {
				j.Value = list[0]
			}
		}
	}
	b, err := json.Marshal(j)
	if err != nil {
		b = fmt.Appendf(nil, "%q", err.Error())
	}
	say(p.out, "%s\n", b)
}

// plainValue is a value as JSON knows values: numbers, booleans, null, lists, and texts for
// everything else, written as people read them.
func plainValue(v cosem.Value) any {
	switch v.Tag {
	case axdr.Null, axdr.DontCare:
		return nil
	case axdr.Boolean:
		return v.Int != 0
	case axdr.Array, axdr.Structure, axdr.CompactArray:
		list := make([]any, 0, len(v.Items))
		for _, item := range v.Items {
			list = append(list, plainValue(item))
		}
		return list
	case axdr.Long64U:
		return uint64(v.Int)
	case axdr.Float32:
		return finite(float64(math.Float32frombits(uint32(v.Int))))
	case axdr.Float64:
		return finite(math.Float64frombits(uint64(v.Int)))
	case axdr.OctetString:
		if s := v.String(); !strings.HasPrefix(s, `"`) {
			return s
		}
		return string(v.Octets)
	case axdr.VisibleString, axdr.UTF8String:
		return string(v.Octets)
	}
	if n, ok := v.Integer(); ok {
		return n
	}
	return v.String()
}

// finite keeps what JSON has no number for as a text.
func finite(f float64) any {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return f
}

func (p *printer) end(objects int) {
	if !p.json {
		say(p.out, "%d objects, %d attributes read, %d refused\n", objects, p.read, p.deny)
	}
}
