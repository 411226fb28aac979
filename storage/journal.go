package storage

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// SaveMeters creates or replaces meters and records events, in one transaction.
func (s *Store) SaveMeters(ctx context.Context, meters []concentrator.Meter, events []concentrator.Event) error {
	_, err := writeBulk(ctx, s, "save meters", func(t *tx) (struct{}, error) {
		for _, m := range meters {
			if _, err := t.saveMeter(m); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, t.addEvents(events...)
	})
	return err
}

// RecordVisit stores a visit, its readings, the meter's new state and events in
// one transaction, and returns how many readings were new. A reading whose
// (meter, channel, time) is stored already is not stored again: when its value
// differs, the first stays and one event value.changed per visit tells. Times
// keep their seconds, those of the visit their milliseconds.
func (s *Store) RecordVisit(ctx context.Context, r concentrator.VisitRecord) (stored int, err error) {
	for _, reading := range r.Readings {
		if reading.Meter != r.Meter.Title {
			return 0, fmt.Errorf("storage: record a visit of meter %v: it holds a reading of meter %v", r.Meter.Title, reading.Meter)
		}
	}
	now := s.options.Now()
	return writeBulk(ctx, s, "record a visit", func(t *tx) (int, error) {
		no, err := t.saveMeter(r.Meter)
		if err != nil {
			return 0, err
		}
		n, changed, err := t.addReadings(no, r.Readings)
		if err != nil {
			return 0, err
		}
		if changed.count > 0 {
			if err := t.addEvents(changed.event(r.Meter.Title, now)); err != nil {
				return 0, err
			}
		}
		if err := t.addEvents(r.Events...); err != nil {
			return 0, err
		}
		return n, t.addVisit(no, r.Visit, n)
	})
}

// changes are values of one visit that contradict stored ones.
type changes struct {
	count   int
	channel concentrator.Channel // of the first
	time    time.Time
}

// event tells of the changes, without values: what somebody consumes is private.
func (c changes) event(title plc.SystemTitle, now time.Time) concentrator.Event {
	text := fmt.Sprintf("%v at %s came again with another value; the first was kept", c.channel, c.time.UTC().Format(time.RFC3339))
	if c.count > 1 {
		text = fmt.Sprintf("%d values came again with other values, the first of them %v at %s; those stored first were kept",
			c.count, c.channel, c.time.UTC().Format(time.RFC3339))
	}
	return concentrator.Event{Time: now, Meter: title, Code: concentrator.EventValueChanged, Text: text}
}

// addReadings stores what is new of readings and gives it arrival numbers.
func (t *tx) addReadings(meter int64, readings []concentrator.Reading) (stored int, changed changes, err error) {
	name := laneNumber(numberArrival, concentrator.LaneReadings)
	first := t.number(name)
	arrival, duplicates := first, 0
	for i := range readings {
		r := &readings[i]
		channel, err := t.channel(r.Channel)
		if err != nil {
			return 0, changed, err
		}
		n, err := t.exec(`INSERT INTO reading
			(arrival, meter, channel, time, value, scaler, unit, clock_status, row_status, quality, received)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (meter, channel, time) DO NOTHING`,
			arrival+1, meter, channel, r.Time.Unix(), r.Value, int64(r.Scaler), int64(r.Unit),
			int64(r.ClockStatus), int64(r.RowStatus), int64(r.Quality), r.Received.Unix())
		if err != nil {
			return 0, changed, err
		}
		if n == 1 {
			arrival++
			continue
		}
		duplicates++
		differs, err := t.differs(meter, channel, r)
		if err != nil {
			return 0, changed, err
		}
		if differs {
			if changed.count++; changed.count == 1 {
				changed.channel, changed.time = r.Channel, r.Time
			}
		}
	}
	if arrival > first {
		t.setNumber(name, arrival)
	}
	if duplicates > 0 {
		t.setNumber(numberDuplicate, t.number(numberDuplicate)+int64(duplicates))
	}
	if changed.count > 0 {
		t.setNumber(numberChanged, t.number(numberChanged)+int64(changed.count))
	}
	return int(arrival - first), changed, nil
}

// differs reports whether r says something else than what is stored for its key.
func (t *tx) differs(meter, channel int64, r *concentrator.Reading) (bool, error) {
	var value int64
	var scaler int8
	var unit uint8
	found, err := t.get([]any{&value, &scaler, &unit},
		"SELECT value, scaler, unit FROM reading WHERE meter = ? AND channel = ? AND time = ?", meter, channel, r.Time.Unix())
	if err == nil && !found {
		err = errors.New("a reading is neither new nor stored")
	}
	return value != r.Value || scaler != r.Scaler || unit != r.Unit, err
}

func (t *tx) addVisit(meter int64, v concentrator.Visit, stored int) error {
	x, g := v.Exchange, v.Exchange.Signal
	_, err := t.exec(`INSERT INTO visit (no, meter, round, outcome, detail, requests, answers, slots,
		credit, up, down, s0, n0, s1, n1, method, gain, began, ended, readings, stored)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.next(numberVisit), meter, int64(v.Round), int64(x.Outcome), x.Detail, x.Requests, x.Answers, x.Slots, //nolint:gosec // same 64 bits
		int64(x.Credit), int64(x.Up), int64(x.Down), int64(g.S0), int64(g.N0), int64(g.S1), int64(g.N1), int64(g.Method), int64(g.Gain),
		x.Begin.UnixMilli(), x.End.UnixMilli(), v.Readings, stored)
	return err
}

// LastEntry returns the newest stored meter time of any channel of a profile,
// and false when there is none. Times that the meter did not give, or that
// cannot be (TimeImplausible), do not count: one entry of the year 2099 must not
// end the reading of a profile.
func (s *Store) LastEntry(ctx context.Context, meter plc.SystemTitle, profile cosem.OBIS) (last time.Time, found bool, err error) {
	err = s.read(ctx, "find the last entry of a profile", func(ctx context.Context, view *sql.Tx) error {
		var newest sql.NullInt64
		err := view.QueryRowContext(ctx, `SELECT max((
			SELECT r.time FROM reading r WHERE r.meter = m.no AND r.channel = c.no AND r.quality & ? = 0
			ORDER BY r.time DESC LIMIT 1))
			FROM meter m CROSS JOIN channel c WHERE m.title = ? AND c.profile = ?`,
			int64(concentrator.TimeImplausible|concentrator.NoMeterTime), meter.Bytes(), profile[:]).Scan(&newest)
		if err == nil && newest.Valid {
			last, found = time.Unix(newest.Int64, 0).UTC(), true
		}
		return err
	})
	return last, found, err
}

// AcceptOrder commits a new order; a known ID is a no-op and returns false.
func (s *Store) AcceptOrder(ctx context.Context, o concentrator.Order) (isNew bool, err error) {
	if o.State == 0 {
		o.State = concentrator.OrderAccepted
	}
	now := s.options.Now()
	return write(ctx, s, "accept an order", func(t *tx) (bool, error) {
		known, err := t.get([]any{new(int64)}, "SELECT no FROM order_ WHERE id = ?", o.ID)
		if err != nil || known {
			return false, err
		}
		return true, t.saveOrder(o, now)
	})
}

// SaveOrder commits the state of an order, known or new; a final one is queued
// for the center in the same transaction. An order that has ended stays as it
// ended: saving the same again does nothing, anything else is ErrOrderFinal.
func (s *Store) SaveOrder(ctx context.Context, o concentrator.Order) error {
	now := s.options.Now()
	return writeOnly(ctx, s, "save an order", func(t *tx) error { return t.saveOrder(o, now) })
}

func (t *tx) saveOrder(o concentrator.Order, now time.Time) error {
	if o.ID == "" {
		return errors.New("order without an identity")
	}
	body, err := encodeOrder(o)
	if err != nil {
		return err
	}
	var arrival sql.NullInt64
	var stored []byte
	known, err := t.get([]any{&arrival, &stored}, "SELECT arrival, body FROM order_ WHERE id = ?", o.ID)
	switch {
	case err != nil:
		return err
	case arrival.Valid && bytes.Equal(stored, body):
		return nil
	case arrival.Valid:
		return fmt.Errorf("order %.80q: %w", o.ID, ErrOrderFinal)
	}
	if o.State.Final() {
		arrival.Int64, arrival.Valid = t.next(laneNumber(numberArrival, concentrator.LaneUrgent)), true
	}
	if known {
		_, err = t.exec("UPDATE order_ SET state = ?, arrival = ?, changed = ?, body = ? WHERE id = ?",
			int64(o.State), arrival, now.UnixMilli(), body, o.ID)
	} else {
		_, err = t.exec("INSERT INTO order_ (id, state, arrival, changed, body) VALUES (?, ?, ?, ?, ?)",
			o.ID, int64(o.State), arrival, now.UnixMilli(), body)
	}
	return err
}

// PendingOrders returns accepted and running orders, oldest first.
func (s *Store) PendingOrders(ctx context.Context) ([]concentrator.Order, error) {
	return s.orders(ctx, "list pending orders", "SELECT body FROM order_ WHERE arrival IS NULL ORDER BY no")
}

// Orders returns up to limit orders in any state, newest first.
func (s *Store) Orders(ctx context.Context, limit int) ([]concentrator.Order, error) {
	return s.orders(ctx, "list orders", "SELECT body FROM order_ ORDER BY no DESC LIMIT ?", max(0, limit))
}

func (s *Store) orders(ctx context.Context, doing, query string, args ...any) (orders []concentrator.Order, err error) {
	err = s.read(ctx, doing, func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			var body sql.RawBytes
			if err := rows.Scan(&body); err != nil {
				return err
			}
			o, err := decodeOrder(body)
			orders = append(orders, o)
			return err
		})
	})
	return orders, err
}
