package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// titleColumn scans a system title; NULL is no title.
type titleColumn struct{ plc.SystemTitle }

// Scan implements sql.Scanner.
func (c *titleColumn) Scan(v any) error {
	c.SystemTitle = plc.SystemTitle{}
	b, ok := v.([]byte)
	if !ok || len(b) == 0 {
		return nil
	}
	title, err := plc.NewSystemTitle(b)
	c.SystemTitle = title
	return err
}

// obisColumn scans a logical name.
type obisColumn struct{ *cosem.OBIS }

// Scan implements sql.Scanner.
func (c obisColumn) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(c.OBIS) {
		return fmt.Errorf("logical name of %d octets", len(b))
	}
	copy(c.OBIS[:], b)
	return nil
}

// Station is what the archive knows of a station.
type Station struct {
	Name       string
	First      time.Time // connected for the first time
	Seen       time.Time // connected or delivered last
	Program    string
	Backlog    int // readings it held back when it connected last
	Meters     int
	Batches    int
	Refused    int
	Missing    int // batches it has receipts for that are not here
	Repeats    int // batches that came more than once
	Readings   int
	Duplicates int
	Conflicts  int
}

// Stations returns every station, by name.
func (r *Reader) Stations(ctx context.Context) (list []Station, err error) {
	rows, err := r.db.QueryContext(ctx, `SELECT s.name, s.first, s.seen, s.program, s.backlog,
		(SELECT count(*) FROM meter m WHERE m.station = s.no),
		(SELECT coalesce(sum(l.missing), 0) FROM lane l WHERE l.station = s.no),
		(SELECT count(*) FROM refused f WHERE f.station = s.no),
		count(b.no), coalesce(sum(b.repeats), 0), coalesce(sum(b.added), 0), coalesce(sum(b.duplicates), 0), coalesce(sum(b.conflicts), 0)
		FROM station s LEFT JOIN batch b ON b.station = s.no GROUP BY s.no ORDER BY s.name`)
	err = each(rows, err, func(rows *sql.Rows) error {
		var s Station
		var first, seen int64
		err := rows.Scan(&s.Name, &first, &seen, &s.Program, &s.Backlog, &s.Meters, &s.Missing, &s.Refused,
			&s.Batches, &s.Repeats, &s.Readings, &s.Duplicates, &s.Conflicts)
		s.First, s.Seen = moment(first), moment(seen)
		list = append(list, s)
		return err
	})
	if err != nil {
		return nil, r.explain("list stations", err)
	}
	return list, nil
}

// Meter is what the archive knows of a meter. Newest is the last meter time of any
// of its channels, Received when the station got that.
type Meter struct {
	Title     plc.SystemTitle
	Station   string // that delivered it last
	Readings  int
	Conflicts int
	Newest    time.Time
	Received  time.Time
}

// Meters returns every meter, by title.
func (r *Reader) Meters(ctx context.Context) (list []Meter, err error) {
	rows, err := r.db.QueryContext(ctx, `SELECT m.title, s.name, count(x.time),
		(SELECT count(*) FROM conflict c WHERE c.meter = m.no), max(x.time), max(x.received)
		FROM meter m JOIN station s ON s.no = m.station LEFT JOIN reading x ON x.meter = m.no GROUP BY m.no ORDER BY m.title`)
	err = each(rows, err, func(rows *sql.Rows) error {
		var m Meter
		var title titleColumn
		var newest, received sql.NullInt64
		err := rows.Scan(&title, &m.Station, &m.Readings, &m.Conflicts, &newest, &received)
		m.Title = title.SystemTitle
		if newest.Valid {
			m.Newest, m.Received = time.Unix(newest.Int64, 0).UTC(), time.Unix(received.Int64, 0).UTC()
		}
		list = append(list, m)
		return err
	})
	if err != nil {
		return nil, r.explain("list meters", err)
	}
	return list, nil
}

// Query selects readings. Zero fields do not restrict.
type Query struct {
	Meter    plc.SystemTitle
	Object   cosem.OBIS
	From, To time.Time // meter time, From included, To not
	Limit    int
	Newest   bool // newest meter time first, not in the order of the key
}

// Readings streams readings in the order of their key: meter, channel (profile,
// class, object, attribute), meter time. It sees one state of the archive; an error
// comes last, with a zero Reading.
func (r *Reader) Readings(ctx context.Context, q Query) iter.Seq2[concentrator.Reading, error] {
	return r.scan(ctx, "reading", q)
}

// Conflicts streams the values that came for a key which held another one already.
func (r *Reader) Conflicts(ctx context.Context, q Query) iter.Seq2[concentrator.Reading, error] {
	return r.scan(ctx, "conflict", q)
}

var errEnough = errors.New("enough")

// Delivered yields every value that ever arrived under its key: the first, and then those
// that contradicted it.
func (r *Reader) Delivered(ctx context.Context) iter.Seq2[concentrator.Reading, error] {
	return func(yield func(concentrator.Reading, error) bool) {
		for _, list := range []iter.Seq2[concentrator.Reading, error]{r.Readings(ctx, Query{}), r.Conflicts(ctx, Query{})} {
			for reading, err := range list {
				if !yield(reading, err) || err != nil {
					return
				}
			}
		}
	}
}

// Duplicates is the number of values that arrived again, equal, in another batch.
func (r *Reader) Duplicates(ctx context.Context) (n int, err error) {
	list, err := r.Stations(ctx)
	for _, s := range list {
		n += s.Duplicates
	}
	return n, err
}

func (r *Reader) scan(ctx context.Context, table string, q Query) iter.Seq2[concentrator.Reading, error] {
	return func(yield func(concentrator.Reading, error) bool) {
		err := within(ctx, r.db, func(view *sql.Tx) error {
			if q.Newest {
				_, err := q.run(ctx, view, table, nil, yield)
				return err
			}
			return q.inOrder(ctx, view, table, yield)
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(concentrator.Reading{}, r.explain("list readings", err))
		}
	}
}

// inOrder goes through the meters one by one: sorting one meter's readings takes
// little memory, sorting all of them takes a disk.
func (q Query) inOrder(ctx context.Context, view *sql.Tx, table string, yield func(concentrator.Reading, error) bool) error {
	var meters []int64
	rows, err := view.QueryContext(ctx, "SELECT no FROM meter WHERE ?1 IS NULL OR title = ?1 ORDER BY title", q.Meter.Bytes())
	err = each(rows, err, func(rows *sql.Rows) error {
		var no int64
		err := rows.Scan(&no)
		meters = append(meters, no)
		return err
	})
	limited := q.Limit > 0
	for _, no := range meters {
		if err != nil || limited && q.Limit <= 0 {
			return err
		}
		var n int
		n, err = q.run(ctx, view, table, &no, yield)
		q.Limit -= n
	}
	return err
}

// run yields what the query finds, of one meter or of all, and returns how much that was.
func (q Query) run(ctx context.Context, view *sql.Tx, table string, meter *int64, yield func(concentrator.Reading, error) bool) (n int, err error) {
	query, args := q.sql(table, meter)
	rows, err := view.QueryContext(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		n++
		reading, err := scanReading(rows)
		if err == nil && !yield(reading, nil) {
			err = errEnough
		}
		return err
	})
	return n, err
}

// sql builds the statement of a query; table is ours, everything else an argument.
func (q Query) sql(table string, meter *int64) (query string, args []any) {
	var b strings.Builder
	b.WriteString(`SELECT m.title, c.profile, c.class, c.object, c.attribute, r.time, r.value, r.scaler, r.unit,
		r.clock_status, r.row_status, r.quality, r.received
		FROM ` + table + ` r JOIN meter m ON m.no = r.meter JOIN channel c ON c.no = r.channel WHERE 1`)
	where := func(condition string, arg any) {
		b.WriteString(" AND " + condition)
		args = append(args, arg)
	}
	if meter != nil {
		where("r.meter = ?", *meter)
	} else if !q.Meter.IsZero() {
		where("m.title = ?", q.Meter.Bytes())
	}
	if !q.Object.IsZero() {
		where("c.object = ?", q.Object[:])
	}
	if !q.From.IsZero() {
		where("r.time >= ?", q.From.Unix())
	}
	if !q.To.IsZero() {
		where("r.time < ?", q.To.Unix())
	}
	if q.Newest {
		b.WriteString(" ORDER BY r.time DESC, m.title, c.profile, c.class, c.object, c.attribute")
	} else {
		b.WriteString(" ORDER BY c.profile, c.class, c.object, c.attribute, r.time")
	}
	limit := q.Limit
	if limit <= 0 {
		limit = math.MaxInt32
	}
	b.WriteString(" LIMIT ?")
	return b.String(), append(args, limit)
}

func scanReading(rows *sql.Rows) (r concentrator.Reading, err error) {
	var title titleColumn
	var at, received int64
	err = rows.Scan(&title, obisColumn{&r.Channel.Profile}, &r.Channel.Class, obisColumn{&r.Channel.Object}, &r.Channel.Attribute,
		&at, &r.Value, &r.Scaler, &r.Unit, &r.ClockStatus, &r.RowStatus, &r.Quality, &received)
	r.Meter, r.Time, r.Received = title.SystemTitle, time.Unix(at, 0).UTC(), time.Unix(received, 0).UTC()
	return r, err
}

// Event is an event with the station that told it.
type Event struct {
	Station string
	Event   concentrator.Event
}

// Events returns up to limit events, the last to arrive first.
func (r *Reader) Events(ctx context.Context, limit int) (list []Event, err error) {
	rows, err := r.db.QueryContext(ctx, `SELECT s.name, e.time, e.meter, e.code, e.text FROM event e JOIN station s ON s.no = e.station
		ORDER BY e.no DESC LIMIT ?`, limit)
	err = each(rows, err, func(rows *sql.Rows) error {
		var e Event
		var title titleColumn
		var at int64
		err := rows.Scan(&e.Station, &at, &title, &e.Event.Code, &e.Event.Text)
		e.Event.Time, e.Event.Meter = moment(at), title.SystemTitle
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, r.explain("list events", err)
	}
	return list, nil
}

// Knows reports whether a station ever connected.
func (r *Reader) Knows(ctx context.Context, station string) (bool, error) {
	var n int
	err := r.db.QueryRowContext(ctx, "SELECT count(*) FROM station WHERE name = ?", station).Scan(&n)
	if err != nil {
		return false, r.explain("look up a station", err)
	}
	return n > 0, nil
}
