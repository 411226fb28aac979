package archive

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"busbar/concentrator"
	"busbar/plc"
)

// Visitor is what a station says of itself when it connects.
type Visitor struct {
	Station string
	Program string
	Epoch   uint64
	Boot    uint64
	Backlog int // readings without a receipt
}

// Greet records that a station connected, and returns what of its epoch is held:
// per lane the highest sequence up to which every batch has been dealt with.
func (a *Archive) Greet(ctx context.Context, v Visitor) (held [concentrator.Lanes]uint64, err error) {
	now := a.now().UnixMilli()
	err = a.write(ctx, "greet station "+v.Station, func(t *sql.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO station (name, first, seen, program, epoch, boot, backlog) VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)
			ON CONFLICT (name) DO UPDATE SET seen = ?2, program = ?3, epoch = ?4, boot = ?5, backlog = ?6`,
			v.Station, now, v.Program, int64(v.Epoch), int64(v.Boot), v.Backlog) //nolint:gosec // same 64 bits
		if err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT l.lane, l.held FROM lane l JOIN station s ON s.no = l.station
			WHERE s.name = ? AND l.epoch = ?`, v.Station, int64(v.Epoch)) //nolint:gosec // same 64 bits
		return each(rows, err, func(rows *sql.Rows) error {
			var lane concentrator.Lane
			var seq uint64
			if err := rows.Scan(&lane, &seq); err != nil {
				return err
			}
			if lane < concentrator.Lanes {
				held[lane] = seq
			}
			return nil
		})
	})
	return held, err
}

// Stored is what became of a batch. A batch that came before is Repeated, and the
// rest tells what became of it then.
type Stored struct {
	Receipt    concentrator.Receipt // unsigned; to be given only now, after the commit
	Repeated   bool
	Missing    int // batches before it that this archive never saw
	New        int // readings stored
	Duplicates int // readings whose key and value were stored already
	Conflicts  int // readings whose key was stored with another value: kept beside it
}

// StoreBatch stores what a batch of a station holds. It is ErrContent when another
// batch was stored under the same number.
func (a *Archive) StoreBatch(ctx context.Context, station string, b concentrator.Batch, rec concentrator.Records) (s Stored, err error) {
	err = a.write(ctx, "store a batch", func(t *sql.Tx) error {
		s = Stored{Receipt: concentrator.Receipt{ID: b.ID, Hash: b.Hash, CenterAt: moment(a.now().UnixMilli())}}
		d := delivery{ctx: ctx, t: t, stored: &s}
		known, err := d.begin(station, b, "")
		if err != nil || known {
			return err
		}
		return d.records(rec)
	})
	return s, err
}

// RefuseBatch keeps a batch that cannot be taken, so that a person can look at it,
// and gives the receipt that tells the station. Under a number that holds another
// batch only the refused copy is kept.
func (a *Archive) RefuseBatch(ctx context.Context, station string, b concentrator.Batch, reason string) (s Stored, err error) {
	err = a.write(ctx, "refuse a batch", func(t *sql.Tx) error {
		now := a.now().UnixMilli()
		s = Stored{Receipt: concentrator.Receipt{ID: b.ID, Hash: b.Hash, CenterAt: moment(now), Refused: true, Reason: reason}}
		d := delivery{ctx: ctx, t: t, stored: &s}
		known, err := d.begin(station, b, reason)
		if err != nil && !errors.Is(err, ErrContent) || known {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO refused (station, epoch, lane, seq, hash, reason, at, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			d.station, int64(b.ID.Epoch), int64(b.ID.Lane), int64(b.ID.Seq), b.Hash[:], reason, now, b.Body) //nolint:gosec // same 64 bits
		return err
	})
	return s, err
}

// delivery is one batch in an open transaction.
type delivery struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the transaction
	t       *sql.Tx
	stored  *Stored
	station int64
	batch   int64 // its row

	meters   map[plc.SystemTitle]int64
	channels map[concentrator.Channel]int64
}

// begin numbers the batch, or finds that it came before: then known is true and
// the receipt is that of the first time. A reason makes it a refused one.
func (d *delivery) begin(station string, b concentrator.Batch, reason string) (known bool, err error) {
	if d.station, err = d.stationNo(station); err != nil {
		return false, err
	}
	s := d.stored
	if _, err = d.t.ExecContext(d.ctx, "UPDATE station SET seen = ? WHERE no = ?", s.Receipt.CenterAt.UnixMilli(), d.station); err != nil {
		return false, err
	}
	epoch, lane, seq := int64(b.ID.Epoch), int64(b.ID.Lane), int64(b.ID.Seq) //nolint:gosec // same 64 bits
	var hash []byte
	var at int64
	var first concentrator.Receipt
	err = d.t.QueryRowContext(d.ctx, `SELECT no, hash, stored, refused, reason, added, duplicates, conflicts FROM batch
		WHERE station = ? AND epoch = ? AND lane = ? AND seq = ?`, d.station, epoch, lane, seq).
		Scan(&d.batch, &hash, &at, &first.Refused, &first.Reason, &s.New, &s.Duplicates, &s.Conflicts)
	switch {
	case err == nil && !bytes.Equal(hash, b.Hash[:]):
		return false, fmt.Errorf("archive: station %s, lane %d, batch %d: %w", station, lane, seq, ErrContent)
	case err == nil:
		first.ID, first.Hash, first.CenterAt = b.ID, b.Hash, moment(at)
		s.Receipt, s.Repeated = first, true
		_, err = d.t.ExecContext(d.ctx, "UPDATE batch SET repeats = repeats + 1 WHERE no = ?", d.batch)
		return true, err
	case !errors.Is(err, sql.ErrNoRows):
		return false, err
	}
	if err := d.advance(epoch, lane, seq); err != nil {
		return false, err
	}
	res, err := d.t.ExecContext(d.ctx, `INSERT INTO batch (station, epoch, lane, seq, hash, bytes, stored, refused, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.station, epoch, lane, seq, b.Hash[:], len(b.Body), s.Receipt.CenterAt.UnixMilli(), reason != "", reason)
	if err == nil {
		d.batch, err = res.LastInsertId()
	}
	return false, err
}

func (d *delivery) stationNo(name string) (no int64, err error) {
	err = d.t.QueryRowContext(d.ctx, "SELECT no FROM station WHERE name = ?", name).Scan(&no)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("station %s never said hello", name)
	}
	return no, err
}

// advance moves the mark of the lane. A number beyond the next one means that
// batches were receipted that this archive does not have, as after the restore of
// a backup: they count as missing and the lane goes on. One of them that comes
// yet is missing no longer.
func (d *delivery) advance(epoch, lane, seq int64) error {
	var held, missing int64
	err := d.t.QueryRowContext(d.ctx, "SELECT held, missing FROM lane WHERE station = ? AND epoch = ? AND lane = ?", d.station, epoch, lane).
		Scan(&held, &missing)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if seq > held {
		d.stored.Missing = int(seq - held - 1)
		missing += seq - held - 1
		held = seq
	} else {
		missing = max(0, missing-1)
	}
	_, err = d.t.ExecContext(d.ctx, `INSERT INTO lane (station, epoch, lane, held, missing) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (station, epoch, lane) DO UPDATE SET held = excluded.held, missing = excluded.missing`,
		d.station, epoch, lane, held, missing)
	return err
}

// records stores what the batch holds and notes the figures beside it.
func (d *delivery) records(rec concentrator.Records) error {
	d.meters, d.channels = map[plc.SystemTitle]int64{}, map[concentrator.Channel]int64{}
	for i := range rec.Readings {
		if err := d.reading(&rec.Readings[i]); err != nil {
			return err
		}
	}
	for _, e := range rec.Events {
		var title []byte
		if !e.Meter.IsZero() {
			title = e.Meter.Bytes()
		}
		_, err := d.t.ExecContext(d.ctx, "INSERT INTO event (station, batch, time, meter, code, text) VALUES (?, ?, ?, ?, ?, ?)",
			d.station, d.batch, milli(e.Time), title, string(e.Code), e.Text)
		if err != nil {
			return err
		}
	}
	for _, o := range rec.Orders {
		if err := d.order(o); err != nil {
			return err
		}
	}
	_, err := d.t.ExecContext(d.ctx, "UPDATE batch SET added = ?, duplicates = ?, conflicts = ? WHERE no = ?",
		d.stored.New, d.stored.Duplicates, d.stored.Conflicts, d.batch)
	return err
}

// reading stores one reading. The first value of a key stands; another one goes
// to the conflicts, once.
func (d *delivery) reading(r *concentrator.Reading) error {
	meter, err := d.meter(r.Meter)
	if err != nil {
		return err
	}
	channel, err := d.channel(r.Channel)
	if err != nil {
		return err
	}
	row := []any{
		meter, channel, r.Time.Unix(), r.Value, int64(r.Scaler), int64(r.Unit),
		int64(r.ClockStatus), int64(r.RowStatus), int64(r.Quality), r.Received.Unix(), d.batch,
	}
	if added, err := d.insert("reading", row); err != nil || added {
		if added {
			d.stored.New++
		}
		return err
	}
	var value int64
	var scaler int8
	var unit uint8
	err = d.t.QueryRowContext(d.ctx, "SELECT value, scaler, unit FROM reading WHERE meter = ? AND channel = ? AND time = ?",
		meter, channel, r.Time.Unix()).Scan(&value, &scaler, &unit)
	if err != nil {
		return err
	}
	if value == r.Value && scaler == r.Scaler && unit == r.Unit {
		d.stored.Duplicates++
		return nil
	}
	added, err := d.insert("conflict", row)
	if added {
		d.stored.Conflicts++
	} else {
		d.stored.Duplicates++
	}
	return err
}

// insert adds a row to reading or conflict and reports whether its key was new.
func (d *delivery) insert(table string, row []any) (added bool, err error) {
	res, err := d.t.ExecContext(d.ctx, "INSERT INTO "+table+
		" (meter, channel, time, value, scaler, unit, clock_status, row_status, quality, received, batch)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// meter returns the number of a meter and remembers which station delivers it.
func (d *delivery) meter(title plc.SystemTitle) (no int64, err error) {
	if no, ok := d.meters[title]; ok {
		return no, nil
	}
	err = d.t.QueryRowContext(d.ctx, `INSERT INTO meter (title, station) VALUES (?, ?)
		ON CONFLICT (title) DO UPDATE SET station = excluded.station RETURNING no`, title.Bytes(), d.station).Scan(&no)
	d.meters[title] = no
	return no, err
}

func (d *delivery) channel(c concentrator.Channel) (no int64, err error) {
	if no, ok := d.channels[c]; ok {
		return no, nil
	}
	err = d.t.QueryRowContext(d.ctx, `INSERT INTO channel (profile, class, object, attribute) VALUES (?, ?, ?, ?)
		ON CONFLICT (profile, class, object, attribute) DO UPDATE SET class = excluded.class RETURNING no`,
		c.Profile[:], int64(c.Class), c.Object[:], int64(c.Attribute)).Scan(&no)
	d.channels[c] = no
	return no, err
}

// Receipts returns again the receipts of the batches of a lane with sequences from
// first to last, oldest first, up to limit: for a station that did not hear them.
func (a *Archive) Receipts(ctx context.Context, station string, epoch uint64, lane concentrator.Lane, first, last uint64, limit int) (list []concentrator.Receipt, err error) {
	rows, err := a.db.QueryContext(ctx, `SELECT b.seq, b.hash, b.refused, b.reason, b.stored FROM batch b JOIN station s ON s.no = b.station
		WHERE s.name = ? AND b.epoch = ? AND b.lane = ? AND b.seq BETWEEN ? AND ? ORDER BY b.seq LIMIT ?`,
		station, int64(epoch), int64(lane), int64(min(first, 1<<62)), int64(min(last, 1<<62)), limit) //nolint:gosec // same 64 bits, bounded
	err = each(rows, err, func(rows *sql.Rows) error {
		r := concentrator.Receipt{ID: concentrator.BatchID{Epoch: epoch, Lane: lane}}
		var hash []byte
		var at int64
		if err := rows.Scan(&r.ID.Seq, &hash, &r.Refused, &r.Reason, &at); err != nil {
			return err
		}
		copy(r.Hash[:], hash)
		r.CenterAt = moment(at)
		list = append(list, r)
		return nil
	})
	if err != nil {
		return nil, a.explain("look up receipts", err)
	}
	return list, nil
}
