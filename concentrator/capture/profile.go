package capture

import (
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Profile is what must be known to understand a profile's buffer.
type Profile struct {
	Object  cosem.OBIS
	Columns []concentrator.Column
	Period  time.Duration // capture period, 0 for a profile that captures at events or out of order
	After   time.Time     // last entry stored before; zero when there is none
	Present time.Time     // latest time an entry can have; later ones are flagged and not Newest. Zero: not told
}

// Rows is what a buffer brought.
type Rows struct {
	Result
	Count  int
	Newest time.Time // newest plausible row, zero when there is none
}

// Datable reports whether the rows of a profile carry their time. Without it no row
// can become a reading.
func Datable(columns []concentrator.Column) bool { return clockColumn(columns) >= 0 }

// ClockColumn is the capture object that a selection by range restricts.
func ClockColumn(columns []concentrator.Column) cosem.CaptureObject {
	i := clockColumn(columns)
	if i < 0 {
		return cosem.CaptureObject{}
	}
	r := columns[i].Ref
	return cosem.CaptureObject{Class: r.Class, Object: r.Object, Attribute: r.Attribute}
}

// Count reads entries in use (class 7 attribute 7).
func Count(r cosem.Result) (uint32, bool) {
	n, ok := number(r)
	if !ok || n < 0 || n > 1<<32-1 {
		return 0, false
	}
	return uint32(n), true
}

// number is an attribute that is an integer.
func number(r cosem.Result) (int64, bool) {
	if r.Access != cosem.Success {
		return 0, false
	}
	v, _, err := cosem.ParseValue(r.Data)
	if err != nil {
		return 0, false
	}
	return v.Integer()
}

// FirstInFirstOut reads the sort method of a profile (class 7 attribute 5) and reports
// whether its entries stand in the order of their capture, the oldest first. A meter that
// does not tell is believed to keep the usual order.
func FirstInFirstOut(r cosem.Result) bool {
	const fifo = 1
	n, ok := number(r)
	return !ok || n == fifo
}

// scan is the state of one pass over a buffer.
type scan struct {
	source  Source
	profile Profile
	rows    Rows
	last    time.Time // of the row before, or After
	told    map[string]bool
	gap     struct {
		from, to time.Time
		missing  int
	}
}

// Profile turns a profile's buffer into readings, row by row. The rows before an
// error are returned with it. Each kind of event is told once per buffer.
func (s Source) Profile(p Profile, buffer []byte) (Rows, error) {
	c := &scan{source: s, profile: p, last: p.After, told: map[string]bool{}}
	_, err := cosem.ScanProfile(buffer, len(p.Columns), clockColumn(p.Columns), p.Period, c.row)
	if c.gap.missing > 0 {
		c.rows.Events = append(c.rows.Events, s.event(concentrator.EventProfileGap,
			"%d entries of the load profile are missing between %s and %s", c.gap.missing, stamp(c.gap.from), stamp(c.gap.to)))
	}
	if err != nil {
		return c.rows, fmt.Errorf("after %d entries: %w", c.rows.Count, err)
	}
	return c.rows, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func (c *scan) row(row cosem.Row) error {
	c.rows.Count++
	at, ok := time.Time{}, false
	if row.HasTime {
		var err error
		at, err = row.Time.Time(c.source.Sign)
		ok = err == nil
	}
	if !ok {
		c.once(concentrator.EventUnknownColumn, "entries of the load profile have no usable time and are left out")
		return nil
	}
	c.follow(at)
	template := c.source.reading(at, row.Time.Status)
	if c.profile.ahead(at, c.source.Received) {
		template.Quality |= concentrator.TimeImplausible
	}
	if status, ok := c.status(row); ok && status != 0 {
		template.RowStatus = status
		template.Quality |= concentrator.StatusRaised
	}
	for i, col := range c.profile.Columns {
		if RoleOf(col.Ref) == RoleValue && col.Unit != UnitUnknown {
			c.value(template, col, row.Cells[i])
		}
	}
	return nil
}

// ahead reports whether an entry of that time was captured in the future, by the time that
// the engine goes by or by the station's own: the meter's clock was ahead and will be put
// right, if it was not yet. Once that time has come, nothing else would tell such an entry
// from a real one, and reading would go on after it.
func (p Profile) ahead(at, received time.Time) bool {
	return !p.Present.IsZero() && at.After(p.Present) || at.After(Plan{Period: p.Period}.Present(received))
}

// follow keeps the newest time and finds gaps between rows.
func (c *scan) follow(at time.Time) {
	if implausible(at, c.source.Received) {
		return
	}
	if p := c.profile.Present; at.After(c.rows.Newest) && (p.IsZero() || !at.After(p)) {
		c.rows.Newest = at.UTC().Truncate(time.Second)
	}
	if c.profile.Period > 0 && !c.last.IsZero() {
		if missing := int((at.Sub(c.last) - time.Second) / c.profile.Period); missing > 0 {
			if c.gap.missing == 0 {
				c.gap.from = c.last
			}
			c.gap.to = at
			c.gap.missing += missing
		}
	}
	if at.After(c.last) {
		c.last = at
	}
}

// status joins the status columns of a row: all bits that any of them raises.
func (c *scan) status(row cosem.Row) (uint32, bool) {
	var all uint32
	found := false
	for i, col := range c.profile.Columns {
		if RoleOf(col.Ref) != RoleStatus {
			continue
		}
		v := row.Cells[i]
		n, ok := statusBits(v)
		if !ok {
			c.once(concentrator.EventUnknownColumn, "column %v: a status that is no number of 32 bits", col.Ref)
			continue
		}
		all |= n
		found = true
	}
	return all, found
}

func statusBits(v cosem.Value) (uint32, bool) {
	if v.Tag == axdr.BitString && v.Bits <= 32 && len(v.Octets) == (v.Bits+7)/8 {
		var n uint32
		for _, b := range v.Octets {
			n = n<<8 | uint32(b)
		}
		return n, true
	}
	n, ok := integer(v)
	if !ok || n < 0 || n > 1<<32-1 {
		return 0, false
	}
	return uint32(n), true
}

func (c *scan) value(template concentrator.Reading, col concentrator.Column, v cosem.Value) {
	r := template
	r.Channel = concentrator.Channel{Profile: c.profile.Object, Class: col.Ref.Class, Object: col.Ref.Object, Attribute: col.Ref.Attribute}
	r.Scaler, r.Unit = col.Scaler, col.Unit
	n, ok := integer(v)
	if !ok { // nothing is stored: it would stand in the way of the value itself, read again
		c.once(concentrator.EventUnknownColumn, "column %v: a value that is no integer", col.Ref)
		return
	}
	r.Value = n
	c.rows.Readings = append(c.rows.Readings, r)
}

func (c *scan) once(code concentrator.EventCode, format string, args ...any) {
	ev := c.source.event(code, format, args...)
	if !c.told[ev.Text] {
		c.told[ev.Text] = true
		c.rows.Events = append(c.rows.Events, ev)
	}
}
