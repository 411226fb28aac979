package storage

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// selectReadings names the columns that scanReading wants. CROSS JOIN keeps the
// readings in front: the order of the join is not left to a guess.
const selectReadings = `SELECT r.arrival, m.title, c.profile, c.class, c.object, c.attribute,
	r.time, r.value, r.scaler, r.unit, r.clock_status, r.row_status, r.quality, r.received
	FROM reading r CROSS JOIN meter m ON m.no = r.meter CROSS JOIN channel c ON c.no = r.channel`

func scanReading(rows *sql.Rows, arrival *uint64) (r concentrator.Reading, err error) {
	var title titleColumn
	var c channelColumns
	dest := append([]any{arrival, &title}, c.dest()...)
	err = rows.Scan(append(dest, secondColumn{&r.Time}, &r.Value, &r.Scaler, &r.Unit,
		&r.ClockStatus, &r.RowStatus, &r.Quality, secondColumn{&r.Received})...)
	r.Meter, r.Channel = title.SystemTitle, c.Channel
	return r, err
}

// Meters returns every known meter, ordered by title.
func (s *Store) Meters(ctx context.Context) (meters []concentrator.Meter, err error) {
	err = s.read(ctx, "list meters", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, "SELECT title, body FROM meter ORDER BY title")
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			var title titleColumn
			var body sql.RawBytes
			if err := rows.Scan(&title, &body); err != nil {
				return err
			}
			m, err := decodeMeter(title.SystemTitle, body)
			meters = append(meters, m)
			return err
		})
	})
	return meters, err
}

// Meter returns one meter, and false when it is not known.
func (s *Store) Meter(ctx context.Context, title plc.SystemTitle) (m concentrator.Meter, found bool, err error) {
	err = s.read(ctx, "read a meter", func(ctx context.Context, view *sql.Tx) error {
		var body []byte
		err := view.QueryRowContext(ctx, "SELECT body FROM meter WHERE title = ?", title.Bytes()).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			m, err = decodeMeter(title, body)
		}
		found = err == nil
		return err
	})
	return m, found, err
}

// Query selects readings of one meter. Zero fields do not restrict, but Limit does.
type Query struct {
	Channel  *concentrator.Channel // nil: every channel
	From, To time.Time             // meter time, From included, To not
	Limit    int                   // 0: none are returned
}

// Readings returns readings of a meter in the order of meter time, then channel.
func (s *Store) Readings(ctx context.Context, title plc.SystemTitle, q Query) (readings []concentrator.Reading, err error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.From.IsZero() {
		from = q.From.Unix()
	}
	if !q.To.IsZero() {
		to = q.To.Unix()
	}
	where := " WHERE r.meter = (SELECT no FROM meter WHERE title = ?1) AND r.time >= ?2 AND r.time < ?3"
	args := []any{title.Bytes(), from, to, max(0, q.Limit)}
	if c := q.Channel; c != nil {
		where += " AND r.channel = (SELECT no FROM channel WHERE profile = ?5 AND class = ?6 AND object = ?7 AND attribute = ?8)"
		args = append(args, c.Profile[:], int64(c.Class), c.Object[:], int64(c.Attribute))
	}
	err = s.read(ctx, "list readings", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, selectReadings+where+" ORDER BY r.time, r.channel LIMIT ?4", args...)
		if err != nil {
			return err
		}
		var arrival uint64
		return drain(rows, func(rows *sql.Rows) error {
			r, err := scanReading(rows, &arrival)
			readings = append(readings, r)
			return err
		})
	})
	return readings, err
}

// Visits returns the latest visits of a meter, newest first, up to limit.
func (s *Store) Visits(ctx context.Context, title plc.SystemTitle, limit int) (visits []concentrator.Visit, err error) {
	err = s.read(ctx, "list visits", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, `SELECT round, outcome, detail, requests, answers, slots, credit, up, down,
			s0, n0, s1, n1, method, gain, began, ended, readings
			FROM visit WHERE meter = (SELECT no FROM meter WHERE title = ?) ORDER BY no DESC LIMIT ?`, title.Bytes(), max(0, limit))
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			v := concentrator.Visit{Meter: title}
			x, g := &v.Exchange, &v.Exchange.Signal
			var round int64
			err := rows.Scan(&round, &x.Outcome, &x.Detail, &x.Requests, &x.Answers, &x.Slots, &x.Credit, &x.Up, &x.Down,
				&g.S0, &g.N0, &g.S1, &g.N1, &g.Method, &g.Gain, milliColumn{&x.Begin}, milliColumn{&x.End}, &v.Readings)
			v.Round = uint64(round) //nolint:gosec // same 64 bits
			visits = append(visits, v)
			return err
		})
	})
	return visits, err
}

// Events returns events that happened at or after since, newest arrival first, up to limit.
func (s *Store) Events(ctx context.Context, since time.Time, limit int) (events []concentrator.Event, err error) {
	err = s.read(ctx, "list events", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, "SELECT time, meter, code, text FROM event WHERE time >= ? ORDER BY arrival DESC LIMIT ?",
			since.UnixMilli(), max(0, limit))
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			var e concentrator.Event
			var title titleColumn
			err := rows.Scan(milliColumn{&e.Time}, &title, &e.Code, &e.Text)
			e.Meter = title.SystemTitle
			events = append(events, e)
			return err
		})
	})
	return events, err
}

// LastRound is the number of the round of the newest visit, 0 when there is none.
func (s *Store) LastRound(ctx context.Context) (number uint64, err error) {
	err = s.read(ctx, "find the last round", func(ctx context.Context, view *sql.Tx) error {
		var last sql64
		err := view.QueryRowContext(ctx, "SELECT (SELECT round FROM visit ORDER BY no DESC LIMIT 1)").Scan(&last)
		number = uint64(last)
		return err
	})
	return number, err
}

// Stats are figures of the store.
type Stats struct {
	Path     string
	Readings int64 // stored now
	Visits   int64
	Meters   int64
	Events   int64
	Orders   int64
	Batches  int64
	Keys     int64 // meters that have keys

	Duplicates int64 // values heard again, ever
	Changed    int64 // of them with another value than the stored one

	FileBytes, WALBytes        int64
	PageSize, Pages, FreePages int64

	// Since Open: commits, pieces of work they held, pieces of work that failed,
	// the slowest commit, and work waiting for the writer now.
	Commits, Jobs, Failures int64
	SlowestCommit           time.Duration
	Queued                  int
}

// Stats counts what is stored. It is cheap enough for every view of a page.
func (s *Store) Stats(ctx context.Context) (st Stats, err error) {
	st.Path = s.path
	err = s.read(ctx, "count", func(ctx context.Context, view *sql.Tx) error {
		for _, q := range []struct {
			dest  *int64
			query string
		}{
			// Readings and visits are numbered without holes and deleted from the low end.
			{&st.Readings, "SELECT ifnull((SELECT max(arrival) FROM reading) - (SELECT min(arrival) FROM reading) + 1, 0)"},
			{&st.Visits, "SELECT ifnull((SELECT max(no) FROM visit) - (SELECT min(no) FROM visit) + 1, 0)"},
			{&st.Meters, "SELECT count(*) FROM meter"},
			{&st.Events, "SELECT count(*) FROM event"},
			{&st.Orders, "SELECT count(*) FROM order_"},
			{&st.Batches, "SELECT count(*) FROM batch"},
			{&st.Keys, "SELECT count(*) FROM meter_key"},
			{&st.PageSize, "PRAGMA page_size"},
			{&st.Pages, "PRAGMA page_count"},
			{&st.FreePages, "PRAGMA freelist_count"},
		} {
			if err := view.QueryRowContext(ctx, q.query).Scan(q.dest); err != nil {
				return err
			}
		}
		if st.Duplicates, err = number(ctx, view, numberDuplicate); err != nil {
			return err
		}
		st.Changed, err = number(ctx, view, numberChanged)
		return err
	})
	st.FileBytes, st.WALBytes = fileSize(s.path), fileSize(s.path+"-wal")
	f := &s.writer.figures
	st.Commits, st.Jobs, st.Failures = f.commits.Load(), f.jobs.Load(), f.failures.Load()
	st.SlowestCommit, st.Queued = time.Duration(f.slowest.Load()), len(s.writer.queue)
	return st, err
}
