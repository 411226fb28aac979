package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"busbar/concentrator"
)

// States of a batch. The first word about a batch stands.
const (
	batchSealed    = 1 // waits for its receipt
	batchReceipted = 2
	batchRefused   = 3 // in quarantine: the center will never take it
)

// Epoch is the random number made when the database was created.
func (s *Store) Epoch(context.Context) (uint64, error) { return s.epoch, nil }

func checkLane(lane concentrator.Lane) error {
	if lane >= concentrator.Lanes {
		return fmt.Errorf("storage: lane %d: there are lanes 0 to %d", lane, concentrator.Lanes-1)
	}
	return nil
}

// Waiting returns up to limit records of the lane that no batch holds yet, in
// the order of their arrival. LaneUrgent holds events and final orders under one
// numbering, LaneReadings readings. Through is the arrival number of the last one.
func (s *Store) Waiting(ctx context.Context, lane concentrator.Lane, limit int) (rec concentrator.Records, err error) {
	if err := checkLane(lane); err != nil || limit <= 0 {
		return rec, err
	}
	err = s.read(ctx, "list what waits for the center", func(ctx context.Context, view *sql.Tx) error {
		sealed, err := number(ctx, view, laneNumber(numberSealed, lane))
		if err != nil {
			return err
		}
		if lane == concentrator.LaneReadings {
			return waitingReadings(ctx, view, sealed, limit, &rec)
		}
		return waitingUrgent(ctx, view, sealed, limit, &rec)
	})
	return rec, err
}

// number reads one of the writer's numbers as committed.
func number(ctx context.Context, view *sql.Tx, name string) (n int64, err error) {
	err = view.QueryRowContext(ctx, "SELECT value FROM station WHERE name = ?", name).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

func waitingReadings(ctx context.Context, view *sql.Tx, after int64, limit int, rec *concentrator.Records) error {
	rows, err := view.QueryContext(ctx, selectReadings+" WHERE r.arrival > ? ORDER BY r.arrival LIMIT ?", after, limit)
	if err != nil {
		return err
	}
	var arrival uint64
	return drain(rows, func(rows *sql.Rows) error {
		r, err := scanReading(rows, &arrival)
		rec.Readings, rec.Through = append(rec.Readings, r), arrival
		return err
	})
}

// waitingUrgent merges events and final orders by arrival number: of the two
// lists only what belongs to the first limit numbers is kept.
func waitingUrgent(ctx context.Context, view *sql.Tx, after int64, limit int, rec *concentrator.Records) error {
	rows, err := view.QueryContext(ctx, `
		SELECT arrival, time, meter, code, text, NULL FROM event WHERE arrival > ?1
		UNION ALL
		SELECT arrival, changed, NULL, '', '', body FROM order_ WHERE arrival > ?1
		ORDER BY 1 LIMIT ?2`, after, limit)
	if err != nil {
		return err
	}
	return drain(rows, func(rows *sql.Rows) error {
		var e concentrator.Event
		var title titleColumn
		var body []byte
		if err := rows.Scan(&rec.Through, milliColumn{&e.Time}, &title, &e.Code, &e.Text, &body); err != nil {
			return err
		}
		if body == nil {
			e.Meter = title.SystemTitle
			rec.Events = append(rec.Events, e)
			return nil
		}
		o, err := decodeOrder(body)
		rec.Orders = append(rec.Orders, o)
		return err
	})
}

// Seal stores body as the lane's next batch, made of the waiting records through
// the given arrival number. Sequence, batch and cursor change in one transaction:
// sequences have no holes. It is ErrNothing when no record waits up to there.
// It is ErrFull when room has to be left for receipts that are awaited. Only one caller may
// seal a lane.
func (s *Store) Seal(ctx context.Context, lane concentrator.Lane, through uint64, body []byte) (concentrator.Batch, error) {
	if err := checkLane(lane); err != nil {
		return concentrator.Batch{}, err
	}
	hash := sha256.Sum256(body)
	now := s.options.Now()
	kept := append([]byte{}, body...)
	return write(ctx, s, "seal a batch", func(t *tx) (concentrator.Batch, error) {
		cursor := laneNumber(numberSealed, lane)
		sealed, last := t.number(cursor), t.number(laneNumber(numberArrival, lane))
		if through <= uint64(sealed) || through > uint64(last) { //nolint:gosec // both start at 0 and grow
			return concentrator.Batch{}, fmt.Errorf("lane %d through record %d, sealed %d, arrived %d: %w", lane, through, sealed, last, ErrNothing)
		}
		var awaited int64
		if _, err := t.get([]any{&awaited}, "SELECT EXISTS (SELECT 1 FROM batch WHERE state = 1)"); err != nil {
			return concentrator.Batch{}, err
		}
		seq := t.next(laneNumber(numberSequence, lane))
		t.setNumber(cursor, int64(through)) //nolint:gosec // not above last
		_, err := t.exec("INSERT INTO batch (lane, seq, first, through, state, sealed, hash, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			int64(lane), seq, sealed+1, int64(through), batchSealed, now.UnixMilli(), hash[:], kept) //nolint:gosec // see above
		if err == nil && awaited != 0 { // its receipt makes room
			err = t.within(t.w.room.sealLimit(), "seal a batch")
		}
		id := concentrator.BatchID{Epoch: s.epoch, Lane: lane, Seq: uint64(seq)} //nolint:gosec // from 1 up
		return concentrator.Batch{ID: id, Body: kept, Hash: hash}, err
	})
}

// Unreceipted returns sealed batches of the lane with a sequence above after,
// oldest first, up to limit. Quarantined batches are left out.
func (s *Store) Unreceipted(ctx context.Context, lane concentrator.Lane, after uint64, limit int) (batches []concentrator.Batch, err error) {
	if err := checkLane(lane); err != nil || limit <= 0 {
		return nil, err
	}
	err = s.read(ctx, "list batches without a receipt", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, `SELECT seq, hash, body FROM batch
			WHERE lane = ? AND seq > ? AND state = 1 ORDER BY seq LIMIT ?`, int64(lane), int64(min(after, 1<<62)), limit) //nolint:gosec // bounded
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			b := concentrator.Batch{ID: concentrator.BatchID{Epoch: s.epoch, Lane: lane}}
			var hash []byte
			if err := rows.Scan(&b.ID.Seq, &hash, &b.Body); err != nil {
				return err
			}
			copy(b.Hash[:], hash)
			batches = append(batches, b)
			return nil
		})
	})
	return batches, err
}

// Receipt records the center's word. A plain receipt settles every batch of the
// lane up to and including r.ID.Seq; a refusal puts that one batch into quarantine,
// where it stays visible in Backlog and Refused, and the lane goes on. A second
// receipt for a settled batch changes nothing. It is ErrEpoch, ErrUnknownBatch or
// ErrHash when it does not speak of our batch.
func (s *Store) Receipt(ctx context.Context, r concentrator.Receipt) error {
	if err := checkLane(r.ID.Lane); err != nil {
		return err
	}
	if r.ID.Epoch != s.epoch {
		return fmt.Errorf("storage: batch %d of lane %d: %w", r.ID.Seq, r.ID.Lane, ErrEpoch)
	}
	now := s.options.Now()
	return writeOnly(ctx, s, "record a receipt", func(t *tx) error {
		last := t.number(laneNumber(numberSequence, r.ID.Lane))
		if r.ID.Seq == 0 || r.ID.Seq > uint64(last) { //nolint:gosec // from 0 up
			return fmt.Errorf("batch %d of lane %d, the last is %d: %w", r.ID.Seq, r.ID.Lane, last, ErrUnknownBatch)
		}
		return t.receipt(r, now)
	})
}

func (t *tx) receipt(r concentrator.Receipt, now time.Time) error {
	lane, seq := int64(r.ID.Lane), int64(r.ID.Seq) //nolint:gosec // not above the last sequence
	var state int
	var hash []byte
	found, err := t.get([]any{&state, &hash}, "SELECT state, hash FROM batch WHERE lane = ? AND seq = ?", lane, seq)
	if err != nil {
		return err
	}
	if !found {
		return nil // receipted so long ago that it was deleted since
	}
	if !bytes.Equal(hash, r.Hash[:]) {
		return fmt.Errorf("batch %d of lane %d: %w", r.ID.Seq, r.ID.Lane, ErrHash)
	}
	if !r.Refused {
		_, err = t.exec("UPDATE batch SET state = ?, settled = ? WHERE lane = ? AND seq <= ? AND state = 1",
			batchReceipted, now.UnixMilli(), lane, seq)
		if err != nil {
			return err
		}
		for range relieveSteps {
			if n, err := t.relieve(); err != nil || n == 0 {
				return err
			}
		}
		return nil
	}
	n, err := t.exec("UPDATE batch SET state = ?, settled = ?, reason = ? WHERE lane = ? AND seq = ? AND state = 1",
		batchRefused, now.UnixMilli(), r.Reason, lane, seq)
	if err != nil || n == 0 || r.ID.Lane == concentrator.LaneUrgent {
		// An event about a refused batch of events would be refused too, for ever.
		return err
	}
	return t.addEvents(concentrator.Event{
		Time: now, Code: concentrator.EventBatchRefused,
		Text: fmt.Sprintf("batch %d of lane %d is in quarantine: %.200s", r.ID.Seq, r.ID.Lane, r.Reason),
	})
}

// RefusedBatch is a batch in quarantine.
type RefusedBatch struct {
	ID      concentrator.BatchID
	Reason  string // the center's, printable
	Bytes   int    // of its body
	Records int    // numbers of the records it was made of
	Settled time.Time
}

// Refused returns the batches in quarantine, newest first, up to limit.
func (s *Store) Refused(ctx context.Context, limit int) (refused []RefusedBatch, err error) {
	err = s.read(ctx, "list batches in quarantine", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, `SELECT lane, seq, reason, length(body), through - first + 1, settled
			FROM batch WHERE state = ? ORDER BY no DESC LIMIT ?`, batchRefused, max(0, limit))
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			b := RefusedBatch{ID: concentrator.BatchID{Epoch: s.epoch}}
			err := rows.Scan(&b.ID.Lane, &b.ID.Seq, &b.Reason, &b.Bytes, &b.Records, milliColumn{&b.Settled})
			refused = append(refused, b)
			return err
		})
	})
	return slices.Clip(refused), err
}

// Backlog counts what has no receipt. Arrival numbers have no holes, so nothing
// but batches has to be looked at.
func (s *Store) Backlog(ctx context.Context) (b concentrator.Backlog, err error) {
	err = s.read(ctx, "count what has no receipt", func(ctx context.Context, view *sql.Tx) error {
		arrived, err := number(ctx, view, laneNumber(numberArrival, concentrator.LaneReadings))
		if err != nil {
			return err
		}
		sealed, err := number(ctx, view, laneNumber(numberSealed, concentrator.LaneReadings))
		if err != nil {
			return err
		}
		oldest := sealed + 1
		rows, err := view.QueryContext(ctx, "SELECT lane, first, through, length(body) FROM batch WHERE state = 1")
		if err != nil {
			return err
		}
		b.Readings = int(arrived - sealed)
		err = drain(rows, func(rows *sql.Rows) error {
			var lane concentrator.Lane
			var first, through, size int64
			if err := rows.Scan(&lane, &first, &through, &size); err != nil {
				return err
			}
			b.Batches++
			b.Bytes += size
			if lane == concentrator.LaneReadings {
				b.Readings += int(through - first + 1)
				oldest = min(oldest, first)
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = view.QueryRowContext(ctx, "SELECT count(*) FROM batch WHERE state = ?", batchRefused).Scan(&b.Refused)
		if err != nil || b.Readings == 0 {
			return err
		}
		return view.QueryRowContext(ctx, "SELECT received FROM reading WHERE arrival >= ? ORDER BY arrival LIMIT 1", oldest).
			Scan(secondColumn{&b.Oldest})
	})
	return b, err
}
