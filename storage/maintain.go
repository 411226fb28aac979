package storage

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"os"
	"time"

	"busbar/concentrator"
)

const (
	// maintainRows bounds one step of deleting, so that it holds the writer no
	// longer than a visit does.
	maintainRows    = 500
	maintainBatches = 16
	// relieveSteps with a receipt delete more from a full store than a batch brings.
	relieveSteps = 8
	// vacuumPages are given back to the file system per step, when more than a
	// quarter of the file is free. In steady life free pages are used again.
	vacuumPages = 256
)

// Maintenance counts what one Maintain deleted.
type Maintenance struct {
	Readings, Events, Orders, Batches, Visits int64
	Relieved                                  int64 // batches and readings deleted before their time because the store was full
	Pages                                     int64 // given back to the file system
}

// Maintain deletes what was kept long enough: readings, events and ended orders
// that the center has receipted, bodies of receipted batches, and visits. A full
// store deletes of the first and the third before their time. It works in small
// steps between other work and returns when nothing is left to delete or ctx
// ends. Its owner calls it about every hour. What has no receipt, and batches in
// quarantine, are never deleted.
func (s *Store) Maintain(ctx context.Context) (m Maintenance, err error) {
	now := s.options.Now()
	old, older := now.Add(-s.options.RetainBatches), now.Add(-s.options.RetainReadings)
	for _, step := range []struct {
		count *int64
		do    func(*tx) (int64, error)
	}{
		{&m.Readings, func(t *tx) (int64, error) { return t.trimReadings(older) }},
		{&m.Events, func(t *tx) (int64, error) { return t.trimEvents(older) }},
		{&m.Orders, func(t *tx) (int64, error) { return t.trimOrders(older) }},
		{&m.Batches, func(t *tx) (int64, error) { return t.trimBatches(old) }},
		{&m.Relieved, func(t *tx) (int64, error) { return t.relieve() }},
		{&m.Visits, func(t *tx) (int64, error) { return t.trimVisits(old) }},
		{&m.Pages, func(t *tx) (int64, error) { return t.vacuum() }},
	} {
		for {
			n, err := write(ctx, s, "delete what was kept long enough", step.do)
			if err != nil {
				return m, err
			}
			*step.count += n
			if n == 0 {
				break
			}
		}
	}
	return m, nil
}

// settledThrough is the last arrival number of the lane below which everything
// lies in a batch the center has spoken about.
func (t *tx) settledThrough(lane concentrator.Lane) (int64, error) {
	var first int64
	open, err := t.get([]any{&first}, "SELECT first FROM batch WHERE lane = ? AND state = 1 ORDER BY seq LIMIT 1", int64(lane))
	if err != nil || open {
		return first - 1, err
	}
	return t.number(laneNumber(numberSealed, lane)), nil
}

// trimReadings cuts off the low end of the readings: those received before cut
// and settled. The first reading that is younger ends it; one that was stamped by
// an untrusted clock does not, it goes with its neighbors.
func (t *tx) trimReadings(cut time.Time) (int64, error) {
	settled, err := t.settledThrough(concentrator.LaneReadings)
	if err != nil {
		return 0, err
	}
	rows, err := t.w.conn.QueryContext(context.Background(),
		"SELECT arrival, received, quality FROM reading WHERE arrival <= ? ORDER BY arrival LIMIT ?", settled, maintainRows)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }() // Err tells
	var last, end int64                 // of the old ones, and of the step
	dated := false
	for rows.Next() {
		var received int64
		var quality concentrator.Quality
		if err := rows.Scan(&end, &received, &quality); err != nil {
			return 0, err
		}
		if quality&concentrator.StationClock != 0 {
			continue
		}
		dated = true
		if received >= cut.Unix() {
			break
		}
		last = end
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, err
	}
	if !dated && end > 0 {
		old, err := t.oldAfter(end, cut)
		if err != nil || !old {
			return 0, err
		}
		last = end
	}
	if last == 0 {
		return 0, nil
	}
	return t.exec("DELETE FROM reading WHERE arrival <= ?", last)
}

// oldAfter reports whether the first reading after one of that arrival whose stamp can be
// trusted was received before cut. Then all that came before it was, too.
func (t *tx) oldAfter(arrival int64, cut time.Time) (bool, error) {
	var received int64
	found, err := t.get([]any{&received}, "SELECT received FROM reading WHERE arrival > ? AND quality & ? = 0 ORDER BY arrival LIMIT 1",
		arrival, int64(concentrator.StationClock))
	return found && received < cut.Unix(), err
}

func (t *tx) trimEvents(cut time.Time) (int64, error) {
	settled, err := t.settledThrough(concentrator.LaneUrgent)
	if err != nil {
		return 0, err
	}
	return t.exec(`DELETE FROM event WHERE arrival IN
		(SELECT arrival FROM event WHERE arrival <= ? AND time < ? ORDER BY arrival LIMIT ?)`, settled, cut.UnixMilli(), maintainRows)
}

func (t *tx) trimOrders(cut time.Time) (int64, error) {
	settled, err := t.settledThrough(concentrator.LaneUrgent)
	if err != nil {
		return 0, err
	}
	return t.exec(`DELETE FROM order_ WHERE no IN
		(SELECT no FROM order_ WHERE arrival <= ? AND changed < ? ORDER BY arrival LIMIT ?)`, settled, cut.UnixMilli(), maintainRows)
}

// trimBatches goes by sequence: a batch is not deleted before those below it,
// those in quarantine excepted.
func (t *tx) trimBatches(cut time.Time) (int64, error) {
	var total int64
	for lane := range concentrator.Lanes {
		n, err := t.exec(`DELETE FROM batch WHERE no IN
			(SELECT no FROM batch WHERE lane = ?1 AND state = 2 AND settled < ?2 AND seq <
				ifnull((SELECT min(seq) FROM batch WHERE lane = ?1 AND (state = 1 OR state = 2 AND settled >= ?2)), 1 << 62)
			ORDER BY seq LIMIT ?3)`, int64(lane), cut.UnixMilli(), maintainBatches)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// relieve makes room in a full store, one step at a time: first bodies of receipted
// batches, whose readings are kept, then the oldest readings that the center has. A disk
// that others have filled is not worth readings. It goes by sequence and arrival, for times
// may be of a clock that was wrong.
func (t *tx) relieve() (int64, error) {
	full, err := t.full()
	if err != nil || !full && t.w.room.held {
		return 0, err
	}
	n, err := t.trimBatches(time.UnixMilli(math.MaxInt64))
	if err != nil || n > 0 || !full {
		return n, err
	}
	return t.dropReadings()
}

// dropReadings deletes the oldest readings that the center has, whatever their stamps say.
func (t *tx) dropReadings() (int64, error) {
	settled, err := t.settledThrough(concentrator.LaneReadings)
	if err != nil {
		return 0, err
	}
	return t.exec("DELETE FROM reading WHERE arrival IN (SELECT arrival FROM reading WHERE arrival <= ? ORDER BY arrival LIMIT ?)",
		settled, maintainRows)
}

// full reports whether little is left below the bound of the file but the reserve.
func (t *tx) full() (bool, error) {
	limit := t.w.room.limit(true)
	if limit == 0 {
		return false, nil
	}
	used, err := t.used()
	return used >= limit-limit/reserveShare, err
}

func (t *tx) trimVisits(cut time.Time) (int64, error) {
	var last sql64
	_, err := t.get([]any{&last}, `SELECT max(no) FROM (SELECT no, ended FROM visit ORDER BY no LIMIT ?) WHERE ended < ?`,
		maintainRows, cut.UnixMilli())
	if err != nil || last == 0 {
		return 0, err
	}
	return t.exec("DELETE FROM visit WHERE no <= ?", int64(last))
}

// sql64 scans an integer; NULL is 0.
type sql64 int64

// Scan implements sql.Scanner.
func (n *sql64) Scan(v any) error {
	i, _ := v.(int64)
	*n = sql64(i)
	return nil
}

func (t *tx) vacuum() (int64, error) {
	var pages, free, after int64
	if _, err := t.get([]any{&pages}, "PRAGMA page_count"); err != nil {
		return 0, err
	}
	if _, err := t.get([]any{&free}, "PRAGMA freelist_count"); err != nil {
		return 0, err
	}
	if free < vacuumPages || free < pages/4 && t.w.room.held { // a full disk needs every page
		return 0, nil
	}
	// The pragma gives back one page per step of its cursor, so its rows have to be walked.
	if err := t.w.each("PRAGMA incremental_vacuum(256)", func(*sql.Rows) error { return nil }); err != nil {
		return 0, err
	}
	_, err := t.get([]any{&after}, "PRAGMA page_count")
	return pages - after, err
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
