package envelope

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/uplink/envelope/wire"
)

// status is what neighboring readings have in common.
type status struct {
	clock   uint8
	row     uint32
	quality concentrator.Quality
	scaler  int8
	unit    uint8
}

func statusOf(r *concentrator.Reading) status {
	return status{r.ClockStatus, r.RowStatus, r.Quality, r.Scaler, r.Unit}
}

// dictionary numbers what repeats, in the order of its first use.
type dictionary[T comparable] struct {
	place map[T]uint32
	list  []T
}

func (d *dictionary[T]) add(v T) uint32 {
	if n, ok := d.place[v]; ok {
		return n
	}
	if d.place == nil {
		d.place = map[T]uint32{}
	}
	n := uint32(len(d.list)) //nolint:gosec // at most MaxRecords
	d.place[v] = n
	d.list = append(d.list, v)
	return n
}

// seriesKey is the identity of a series.
type seriesKey struct {
	meter   plc.SystemTitle
	channel concentrator.Channel
}

// wireReadings lays readings out in series and columns.
func wireReadings(list []concentrator.Reading) *wire.Records {
	w := &wire.Records{}
	if len(list) == 0 {
		return w
	}
	w.Base = list[0].Time.Unix()
	var keys dictionary[seriesKey]
	var members [][]*concentrator.Reading
	for i := range list {
		r := &list[i]
		n := keys.add(seriesKey{r.Meter, r.Channel})
		if int(n) == len(members) {
			members = append(members, nil)
		}
		members[n] = append(members[n], r)
	}
	var meters dictionary[plc.SystemTitle]
	var channels dictionary[concentrator.Channel]
	var statuses dictionary[status]
	cols := columns{w: w}
	for n, key := range keys.list {
		s := &wire.Series{Meter: meters.add(key.meter), Channel: channels.add(key.channel), Value: make([]int64, len(members[n]))}
		var times, received, state runs
		var last int64
		for i, r := range members[n] {
			s.Value[i] = r.Value - last // wraps around, as the sum of the reader does
			last = r.Value
			times.addTime(r.Time, w.Base)
			received.addTime(r.Received, w.Base)
			state.add(int64(statuses.add(statusOf(r))))
		}
		s.Time, s.Received, s.Status = cols.place(times), cols.place(received), cols.place(state)
		w.Series = append(w.Series, s)
	}
	for _, t := range meters.list {
		w.Meter = append(w.Meter, t.Bytes())
	}
	for _, c := range channels.list {
		w.Channel = append(w.Channel, wireChannel(c))
	}
	for _, s := range statuses.list {
		w.Status = append(w.Status, &wire.Status{
			ClockStatus: uint32(s.clock), RowStatus: s.row, Quality: uint32(s.quality), Scaler: int32(s.scaler), Unit: uint32(s.unit),
		})
	}
	return w
}

func wireChannel(c concentrator.Channel) *wire.Channel {
	w := &wire.Channel{Class: uint32(c.Class), Object: c.Object[:], Attribute: int32(c.Attribute)}
	if !c.Profile.IsZero() {
		w.Profile = c.Profile[:]
	}
	return w
}

// runs collects a column: counts[i] entries of steps[i].
type runs struct {
	counts []uint32
	steps  []int64
	last   int64 // time before, in seconds
	any    bool
}

func (r *runs) add(step int64) {
	if n := len(r.steps); n > 0 && r.steps[n-1] == step {
		r.counts[n-1]++
		return
	}
	r.counts, r.steps = append(r.counts, 1), append(r.steps, step)
}

func (r *runs) addTime(t time.Time, base int64) {
	if !r.any {
		r.any, r.last = true, base
	}
	now := t.Unix()
	r.add(now - r.last)
	r.last = now
}

// columns are the columns of a batch. Equal ones are written once: the meters of
// a street have their quarter hours in common.
type columns struct {
	w     *wire.Records
	known map[string]uint32
}

func (c *columns) place(r runs) uint32 {
	if c.known == nil {
		c.known = map[string]uint32{}
	}
	var key []byte
	for i := range r.counts {
		key = strconv.AppendUint(key, uint64(r.counts[i]), 36)
		key = append(key, '*')
		key = strconv.AppendInt(key, r.steps[i], 36)
		key = append(key, ' ')
	}
	if n, ok := c.known[string(key)]; ok {
		return n
	}
	n := uint32(len(c.w.Column)) //nolint:gosec // at most 3 MaxRecords
	c.known[string(key)] = n
	c.w.Column = append(c.w.Column, &wire.Column{Count: r.counts, Step: r.steps})
	return n
}

// readings takes the series of a batch apart. Every list is checked against the
// values, of which each has at least one octet of its own.
func readings(w *wire.Records) ([]concentrator.Reading, error) {
	total := 0
	for _, s := range w.GetSeries() {
		total += len(s.GetValue())
	}
	if total > MaxRecords {
		return nil, fmt.Errorf("%d readings: want at most %d", total, MaxRecords)
	}
	if total == 0 && len(w.GetSeries()) == 0 {
		return nil, nil
	}
	t, err := tablesOf(w)
	if err != nil {
		return nil, err
	}
	list := make([]concentrator.Reading, 0, total)
	for i, s := range w.GetSeries() {
		if list, err = t.series(list, s); err != nil {
			return nil, fmt.Errorf("series %d: %w", i, err)
		}
	}
	return list, nil
}

// tables are the decoded dictionaries of a batch.
type tables struct {
	meters   []plc.SystemTitle
	channels []concentrator.Channel
	statuses []status
	columns  []*wire.Column
	base     int64
}

func tablesOf(w *wire.Records) (t tables, err error) {
	t.base, t.columns = w.GetBase(), w.GetColumn()
	for i, b := range w.GetMeter() {
		m, err := plc.NewSystemTitle(b)
		if err != nil {
			return t, fmt.Errorf("meter %d: %w", i, err)
		}
		t.meters = append(t.meters, m)
	}
	for i, c := range w.GetChannel() {
		channel, err := channel(c)
		if err != nil {
			return t, fmt.Errorf("channel %d: %w", i, err)
		}
		t.channels = append(t.channels, channel)
	}
	for i, s := range w.GetStatus() {
		status, err := statusFrom(s)
		if err != nil {
			return t, fmt.Errorf("status %d: %w", i, err)
		}
		t.statuses = append(t.statuses, status)
	}
	for i, c := range t.columns {
		if len(c.GetCount()) != len(c.GetStep()) {
			return t, fmt.Errorf("column %d has %d counts and %d steps", i, len(c.GetCount()), len(c.GetStep()))
		}
	}
	return t, nil
}

func channel(w *wire.Channel) (c concentrator.Channel, err error) {
	if c.Profile, err = obis(w.GetProfile()); err != nil {
		return c, err
	}
	if c.Object, err = obis(w.GetObject()); err != nil {
		return c, err
	}
	if c.Class, err = narrow[cosem.Class]("class", w.GetClass()); err != nil {
		return c, err
	}
	c.Attribute, err = narrow[int8]("attribute", w.GetAttribute())
	return c, err
}

func statusFrom(w *wire.Status) (s status, err error) {
	s.row = w.GetRowStatus()
	if s.clock, err = narrow[uint8]("clock status", w.GetClockStatus()); err != nil {
		return s, err
	}
	if s.quality, err = narrow[concentrator.Quality]("quality", w.GetQuality()); err != nil {
		return s, err
	}
	if s.scaler, err = narrow[int8]("scaler", w.GetScaler()); err != nil {
		return s, err
	}
	s.unit, err = narrow[uint8]("unit", w.GetUnit())
	return s, err
}

// series appends the readings of one series to list.
func (t *tables) series(list []concentrator.Reading, s *wire.Series) ([]concentrator.Reading, error) {
	n := len(s.GetValue())
	if n == 0 {
		return nil, errors.New("it has no values")
	}
	meter, err := pick("meter", t.meters, s.GetMeter())
	if err != nil {
		return nil, err
	}
	channel, err := pick("channel", t.channels, s.GetChannel())
	if err != nil {
		return nil, err
	}
	begin := len(list)
	list = append(list, make([]concentrator.Reading, n)...)
	added := list[begin:]
	var last int64
	for i, v := range s.GetValue() {
		last += v
		added[i].Meter, added[i].Channel, added[i].Value = meter, channel, last
	}
	err = t.each("times", s.GetTime(), n, t.base, func(i int, sum, _ int64) error {
		added[i].Time = time.Unix(sum, 0).UTC()
		return nil
	})
	if err == nil {
		err = t.each("times of receipt", s.GetReceived(), n, t.base, func(i int, sum, _ int64) error {
			added[i].Received = time.Unix(sum, 0).UTC()
			return nil
		})
	}
	if err == nil {
		err = t.each("statuses", s.GetStatus(), n, 0, func(i int, _, step int64) error {
			if step < 0 || step > math.MaxUint32 {
				return fmt.Errorf("status %d of %d", step, len(t.statuses))
			}
			st, err := pick("status", t.statuses, uint32(step))
			r := &added[i]
			r.ClockStatus, r.RowStatus, r.Quality, r.Scaler, r.Unit = st.clock, st.row, st.quality, st.scaler, st.unit
			return err
		})
	}
	return list, err
}

// each walks a column, which must have n entries. It stops at the first entry
// too many, so that a hostile column costs no more than the values it is for.
func (t *tables) each(what string, place uint32, n int, base int64, fn func(i int, sum, step int64) error) error {
	column, err := pick("column", t.columns, place)
	if err != nil {
		return err
	}
	i, sum := 0, base
	for k, step := range column.GetStep() {
		entries := column.GetCount()[k]
		if entries == 0 || uint64(entries) > uint64(n-i) { //nolint:gosec // not negative
			return fmt.Errorf("the column of its %s does not have %d entries", what, n)
		}
		for range entries {
			sum += step
			if err := fn(i, sum, step); err != nil {
				return err
			}
			i++
		}
	}
	if i != n {
		return fmt.Errorf("the column of its %s has %d entries: want %d", what, i, n)
	}
	return nil
}

// pick takes an entry of a dictionary.
func pick[T any](what string, list []T, place uint32) (v T, err error) {
	if uint64(place) >= uint64(len(list)) {
		return v, fmt.Errorf("%s %d of %d", what, place, len(list))
	}
	return list[place], nil
}
