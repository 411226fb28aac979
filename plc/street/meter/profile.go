package meter

import (
	"bytes"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/street/load"
)

// Logical names of what a meter has.
var (
	nameClock    = cosem.MustOBIS("0.0.1.0.0.255")
	nameProfile  = cosem.MustOBIS("1.0.99.1.0.255")
	nameEvents   = cosem.MustOBIS("0.0.99.98.0.255")
	nameStatus   = cosem.MustOBIS("0.0.96.10.1.255")
	nameEvent    = cosem.MustOBIS("0.0.96.11.0.255")
	nameImported = cosem.MustOBIS("1.0.1.29.0.255") // energy of the last quarter of an hour
	nameExported = cosem.MustOBIS("1.0.2.29.0.255")
)

// table is the buffer of a Profile generic object. Rows count from 1, the oldest first.
type table interface {
	columns() []cosem.CaptureObject
	inUse() int
	// within are the rows from one time of the meter's clock to another, both
	// included; first > last when there are none.
	within(from, to int64) (first, last int)
	// enter makes i the current row. Rows are entered in order.
	enter(i int)
	// cell appends one column of the current row.
	cell(dst []byte, column int) []byte
	// follows reports whether the clock of the current row is one period after that of
	// the row entered before it.
	follows() bool
}

var clockColumn = cosem.CaptureObject{Class: cosem.ClassClock, Object: nameClock, Attribute: 2}

var profileColumns = []cosem.CaptureObject{
	clockColumn,
	{Class: cosem.ClassData, Object: nameStatus, Attribute: 2},
	{Class: cosem.ClassRegister, Object: nameImported, Attribute: 2},
	{Class: cosem.ClassRegister, Object: nameExported, Attribute: 2},
}

// Bits of the status of an entry, as IDIS meters have them.
const (
	statusDoubtful byte = 0x04 // "data not valid"
	statusClockSet byte = 0x20
	statusOutage   byte = 0x80
)

// statusEvery is how often a meter with the option Status raises a bit.
const statusEvery = 16

// entry is one row of the load profile.
type entry struct {
	clock              int64 // of the meter, when captured
	status             byte
	imported, exported uint32
}

// profile walks over the load profile as it is at one moment. It keeps the energy at
// the end of the row before, which begins the next.
type profile struct {
	m      *Meter
	oldest int64 // number of the oldest entry still held
	newest int64
	at     int64 // number of the current entry, 0: none
	real   int64 // when it was captured
	energy load.Energy
	entry  entry
	jumped bool // its clock is not one period after that of the one before
}

func (m *Meter) profile(now int64) *profile {
	n := m.past.captured(now)
	return &profile{m: m, newest: n, oldest: max(1, n-int64(m.cfg.Entries)+1)}
}

func (p *profile) columns() []cosem.CaptureObject { return profileColumns }

func (p *profile) inUse() int { return int(p.newest - p.oldest + 1) }

func (p *profile) within(from, to int64) (first, last int) {
	a := p.m.past.since(floor(from+period-1, period))
	b := p.m.past.since(floor(to, period)+1) - 1
	return int(max(a, p.oldest) - p.oldest + 1), int(min(b, p.newest) - p.oldest + 1)
}

func (p *profile) enter(i int) { p.load(p.oldest + int64(i) - 1) }

// load computes entry n, counted from installation.
func (p *profile) load(n int64) {
	h := &p.m.past
	if p.at == 0 || n != p.at+1 {
		p.real, p.energy, p.entry.clock = h.install, load.Energy{}, 0
		if n > 1 {
			s, q := h.entry(n - 1)
			p.real, p.entry.clock = h.realOf(s, q), q*period
			p.energy = p.m.energy(p.real)
		}
	}
	s, q := h.entry(n)
	before := p.energy
	p.real = h.realOf(s, q)
	p.energy = p.m.energy(p.real)
	p.jumped = p.entry.clock != (q-1)*period
	imported, exported := p.energy.Minus(before).Total()
	p.entry = entry{clock: q * period, imported: uint32(imported), exported: uint32(exported)}
	if n > 1 && q == s.first {
		if s.set {
			p.entry.status |= statusClockSet
		} else {
			p.entry.status |= statusOutage
		}
	}
	if p.m.cfg.Options.Status && q%statusEvery == 0 {
		p.entry.status |= statusDoubtful
	}
	p.at = n
}

func (p *profile) cell(dst []byte, column int) []byte {
	switch column {
	case 0:
		return appendDateTime(dst, p.m.dateTime(p.entry.clock))
	case 1:
		return axdr.AppendUnsigned(dst, p.entry.status)
	case 2:
		return axdr.AppendDoubleLongU(dst, p.entry.imported)
	}
	return axdr.AppendDoubleLongU(dst, p.entry.exported)
}

func (p *profile) follows() bool { return !p.jumped }

func appendDateTime(dst []byte, d cosem.DateTime) []byte {
	var b [cosem.DateTimeSize]byte
	return axdr.AppendOctets(dst, d.Append(b[:0]))
}

// rowSize is about what a row of the load profile takes.
const rowSize = 2 + 14 + 2 + 5 + 5

// buffer encodes the rows and columns of t that a selection asks for.
func (m *Meter) buffer(t table, s *cosem.Selection) ([]byte, cosem.AccessResult) {
	first, last, columns, access := m.selected(t, s)
	if access != cosem.Success {
		return nil, access
	}
	n := max(0, last-first+1)
	dst := make([]byte, 0, 16+n*rowSize)
	switch o := m.cfg.Options; {
	case o.Compact && n > 0:
		return compact(dst, t, first, last, columns), cosem.Success
	case o.NullData:
		return shortened(axdr.AppendArray(dst, n), t, first, last, columns), cosem.Success
	}
	dst = axdr.AppendArray(dst, n)
	for i := first; i <= last; i++ {
		t.enter(i)
		dst = axdr.AppendStructure(dst, len(columns))
		for _, c := range columns {
			dst = t.cell(dst, c)
		}
	}
	return dst, cosem.Success
}

// shortened leaves out what follows from the row before: a clock that moved on by one
// period, and any cell that did not change.
func shortened(dst []byte, t table, first, last int, columns []int) []byte {
	before := make([][]byte, len(columns)) // cells of the row before
	for i := first; i <= last; i++ {
		t.enter(i)
		dst = axdr.AppendStructure(dst, len(columns))
		for j, c := range columns {
			at := len(dst)
			dst = t.cell(dst, c)
			cell := dst[at:]
			same := bytes.Equal(cell, before[j])
			if t.columns()[c] == clockColumn {
				same = t.follows()
			}
			before[j] = append(before[j][:0], cell...)
			if same && i > first {
				dst = axdr.AppendNull(dst[:at])
			}
		}
	}
	return dst
}

// compact writes one row or more as a compact-array: the types once, then the cells
// without their tags.
func compact(dst []byte, t table, first, last int, columns []int) []byte {
	description := axdr.AppendStructure(nil, len(columns))
	var cell, contents []byte
	for i := first; i <= last; i++ {
		t.enter(i)
		for _, c := range columns {
			cell = t.cell(cell[:0], c)
			contents = append(contents, cell[1:]...)
			if i == first {
				description = append(description, cell[0])
			}
		}
	}
	return axdr.AppendCompact(dst, description, contents)
}

// selected are the rows and columns that a selection asks for; nil asks for all.
func (m *Meter) selected(t table, s *cosem.Selection) (first, last int, columns []int, access cosem.AccessResult) {
	first, last = 1, t.inUse()
	if s == nil {
		return first, last, numbers(1, len(t.columns())), cosem.Success
	}
	q, err := cosem.ParseSelection(*s)
	switch {
	case err != nil:
		return 0, 0, nil, cosem.TypeUnmatched
	case q.Range != nil && m.cfg.Options.NoRange:
		return 0, 0, nil, cosem.ScopeViolated
	case q.Range != nil:
		return m.byRange(t, q.Range)
	}
	e := q.Entries
	width := len(t.columns())
	if e.LastColumn == 0 {
		e.LastColumn = uint16(width)
	}
	if e.From == 0 || e.FirstColumn == 0 || int(e.LastColumn) > width || e.FirstColumn > e.LastColumn {
		return 0, 0, nil, cosem.ScopeViolated
	}
	if e.To != 0 && int64(e.To) < int64(last) {
		last = int(e.To)
	}
	first = int(min(int64(e.From), int64(last)+1))
	return first, last, numbers(int(e.FirstColumn), int(e.LastColumn)), cosem.Success
}

func (m *Meter) byRange(t table, r *cosem.Range) (first, last int, columns []int, access cosem.AccessResult) {
	from, errFrom := r.From.Time(m.cfg.Sign)
	to, errTo := r.To.Time(m.cfg.Sign)
	if r.Clock != clockColumn || errFrom != nil || errTo != nil {
		return 0, 0, nil, cosem.ScopeViolated
	}
	columns = numbers(1, len(t.columns()))
	if len(r.Columns) > 0 {
		columns = columns[:0]
		for _, want := range r.Columns {
			i := index(t.columns(), want)
			if i < 0 {
				return 0, 0, nil, cosem.ScopeViolated
			}
			columns = append(columns, i)
		}
	}
	first, last = t.within(from.UnixMilli(), to.UnixMilli())
	return first, last, columns, cosem.Success
}

func index(columns []cosem.CaptureObject, want cosem.CaptureObject) int {
	for i, c := range columns {
		if c == want {
			return i
		}
	}
	return -1
}

// numbers are the indices of the columns from one number to another, counted from 1.
func numbers(first, last int) []int {
	var out []int
	for i := first; i <= last; i++ {
		out = append(out, i-1)
	}
	return out
}
