package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// Names in table station. Those of a lane are followed by its number.
const (
	numberEpoch     = "epoch"
	numberCreated   = "created"
	numberArrival   = "arrival."  // last arrival number given in the lane, never reused
	numberSealed    = "sealed."   // last arrival number that a batch of the lane holds
	numberSequence  = "sequence." // last sequence sealed in the lane
	numberVisit     = "visit"
	numberChanged   = "changed"   // values that differed from the stored ones
	numberDuplicate = "duplicate" // values heard again
)

func laneNumber(name string, lane concentrator.Lane) string { return fmt.Sprintf("%s%d", name, lane) }

// tx is the writer's open transaction.
type tx struct{ w *writer }

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.w.conn.ExecContext(context.Background(), query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// get reads one row, and reports whether there was one.
func (t *tx) get(dest []any, query string, args ...any) (bool, error) {
	err := t.w.conn.QueryRowContext(context.Background(), query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t *tx) number(name string) int64 { return t.w.numbers[name] }

func (t *tx) setNumber(name string, v int64) {
	t.w.numbers[name] = v
	t.w.dirty[name] = true
}

// next counts a number up and returns it: the first is 1.
func (t *tx) next(name string) int64 {
	t.setNumber(name, t.number(name)+1)
	return t.number(name)
}

// saveMeter creates or replaces a meter and returns its number. An unchanged
// meter costs no write.
func (t *tx) saveMeter(m concentrator.Meter) (int64, error) {
	if m.Title.IsZero() {
		return 0, errors.New("meter without a system title")
	}
	body, err := encodeMeter(m)
	if err != nil {
		return 0, err
	}
	if no, ok := t.w.meters[m.Title]; ok {
		_, err := t.exec("UPDATE meter SET body = ? WHERE no = ? AND body <> ?", body, no, body)
		return no, err
	}
	res, err := t.w.conn.ExecContext(context.Background(),
		"INSERT INTO meter (title, body) VALUES (?, ?)", m.Title.Bytes(), body)
	if err != nil {
		return 0, err
	}
	no, err := res.LastInsertId()
	t.w.meters[m.Title] = no
	return no, err
}

// channel returns the number of a channel, giving it one when it is new.
func (t *tx) channel(c concentrator.Channel) (int64, error) {
	if no, ok := t.w.channels[c]; ok {
		return no, nil
	}
	res, err := t.w.conn.ExecContext(context.Background(),
		"INSERT INTO channel (profile, class, object, attribute) VALUES (?, ?, ?, ?)",
		c.Profile[:], int64(c.Class), c.Object[:], int64(c.Attribute))
	if err != nil {
		return 0, err
	}
	no, err := res.LastInsertId()
	t.w.channels[c] = no
	return no, err
}

// addEvents stores events, which then wait for the center.
func (t *tx) addEvents(events ...concentrator.Event) error {
	for _, e := range events {
		var title []byte
		if !e.Meter.IsZero() {
			title = e.Meter.Bytes()
		}
		_, err := t.exec("INSERT INTO event (arrival, time, meter, code, text) VALUES (?, ?, ?, ?, ?)",
			t.next(laneNumber(numberArrival, concentrator.LaneUrgent)), e.Time.UnixMilli(), title, string(e.Code), e.Text)
		if err != nil {
			return err
		}
	}
	return nil
}

// drain calls fn for each row and closes rows.
func drain(rows *sql.Rows, fn func(*sql.Rows) error) error {
	defer func() { _ = rows.Close() }() // Err tells
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

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

// channelColumns scans profile, class, object, attribute.
type channelColumns struct{ concentrator.Channel }

func (c *channelColumns) dest() []any {
	return []any{obisColumn{&c.Profile}, &c.Class, obisColumn{&c.Object}, &c.Attribute}
}

// milliColumn scans a time in milliseconds.
type milliColumn struct{ *time.Time }

// Scan implements sql.Scanner.
func (c milliColumn) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is %T", v)
	}
	*c.Time = time.UnixMilli(n).UTC()
	return nil
}

// secondColumn scans a time in seconds.
type secondColumn struct{ *time.Time }

// Scan implements sql.Scanner.
func (c secondColumn) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is %T", v)
	}
	*c.Time = time.Unix(n, 0).UTC()
	return nil
}
