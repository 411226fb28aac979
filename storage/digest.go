package storage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"time"

	"busbar/concentrator"
)

// scanTimeout bounds a pass over every reading.
const scanTimeout = 10 * time.Minute

// errEnough ends a pass that its caller has left.
var errEnough = errors.New("enough")

// AllReadings streams every reading in the order of its key: meter title,
// channel (profile, class, object, attribute), meter time. It sees one state of
// the store however long it takes; an error comes last, with a zero Reading. It
// holds back the write-ahead log: leave the loop soon.
func (s *Store) AllReadings(ctx context.Context) iter.Seq2[concentrator.Reading, error] {
	return func(yield func(concentrator.Reading, error) bool) {
		err := s.readWithin(ctx, scanTimeout, "list every reading", func(ctx context.Context, view *sql.Tx) error {
			return scanAll(ctx, view, yield)
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(concentrator.Reading{}, err)
		}
	}
}

// scanAll walks the index meter by meter and channel by channel, which needs no
// sorting of the whole table.
func scanAll(ctx context.Context, view *sql.Tx, yield func(concentrator.Reading, error) bool) error {
	meters, err := numbers(ctx, view, "SELECT no FROM meter ORDER BY title")
	if err != nil {
		return err
	}
	channels, err := numbers(ctx, view, "SELECT no FROM channel ORDER BY profile, class, object, attribute")
	if err != nil {
		return err
	}
	read, err := view.PrepareContext(ctx, selectReadings+" WHERE r.meter = ? AND r.channel = ? ORDER BY r.time")
	if err != nil {
		return err
	}
	defer func() { _ = read.Close() }() // the view ends with it
	var arrival uint64
	for _, meter := range meters {
		for _, channel := range channels {
			rows, err := read.QueryContext(ctx, meter, channel)
			if err != nil {
				return err
			}
			err = drain(rows, func(rows *sql.Rows) error {
				r, err := scanReading(rows, &arrival)
				if err == nil && !yield(r, nil) {
					err = errEnough
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func numbers(ctx context.Context, view *sql.Tx, query string) (list []int64, err error) {
	rows, err := view.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	err = drain(rows, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		list = append(list, n)
		return err
	})
	return list, err
}

// Digest is a SHA-256 over every reading as DigestReadings makes it, and their
// number. Two stores that heard the same from the same meters have the same
// digest, whenever and in whatever order they heard it.
func (s *Store) Digest(ctx context.Context) (sum [32]byte, count int, err error) {
	h := sha256.New()
	var buf []byte
	for r, err := range s.AllReadings(ctx) {
		if err != nil {
			return sum, 0, err
		}
		buf = appendDigest(buf[:0], r)
		_, _ = h.Write(buf) // a hash never fails
		count++
	}
	return [32]byte(h.Sum(nil)), count, nil
}

// DigestReadings is the digest of readings that lie in no store, for example of
// what was sent by the simulated meters. It sorts readings by their key, and
// leaves out Received: that is ours, not the meter's.
func DigestReadings(readings []concentrator.Reading) [32]byte {
	readings = slices.Clone(readings)
	slices.SortFunc(readings, func(a, b concentrator.Reading) int {
		return cmp.Or(a.Meter.Compare(b.Meter),
			slices.Compare(a.Channel.Profile[:], b.Channel.Profile[:]),
			cmp.Compare(a.Channel.Class, b.Channel.Class),
			slices.Compare(a.Channel.Object[:], b.Channel.Object[:]),
			cmp.Compare(a.Channel.Attribute, b.Channel.Attribute),
			cmp.Compare(a.Time.Unix(), b.Time.Unix()))
	})
	h := sha256.New()
	var buf []byte
	for _, r := range readings {
		buf = appendDigest(buf[:0], r)
		_, _ = h.Write(buf)
	}
	return [32]byte(h.Sum(nil))
}

func appendDigest(dst []byte, r concentrator.Reading) []byte {
	dst = append(dst, byte(r.Meter.Size())) //nolint:gosec // at most 10
	dst = r.Meter.Append(dst)
	dst = append(dst, r.Channel.Profile[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Channel.Class))
	dst = append(dst, r.Channel.Object[:]...)
	dst = append(dst, byte(r.Channel.Attribute))                    //nolint:gosec // same 8 bits
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time.Unix())) //nolint:gosec // same 64 bits
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Value))       //nolint:gosec // same 64 bits
	dst = append(dst, byte(r.Scaler), r.Unit, r.ClockStatus)        //nolint:gosec // same 8 bits
	dst = binary.BigEndian.AppendUint32(dst, r.RowStatus)
	return binary.BigEndian.AppendUint16(dst, uint16(r.Quality))
}
