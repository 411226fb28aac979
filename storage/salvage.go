package storage

import (
	"context"
	"database/sql"
	"os"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// maxSalvaged bounds what is taken over from a damaged file.
const maxSalvaged = 4096

// salvage returns the meters that can still be read in a damaged file, as far as they
// make sense. They keep their addresses on the line for hours and answer no search
// meanwhile: without this a station that begins anew would find nobody. Readings come
// back from the meters, and counters keep up with the clock.
func salvage(ctx context.Context, path string) (meters []concentrator.Meter) {
	db := openReaders(path)
	defer func() {
		_ = db.Close()               // it was opened for reading
		_ = os.Remove(path + "-shm") // made by reading
	}()
	rows, err := db.QueryContext(ctx, "SELECT title, body FROM meter LIMIT ?", maxSalvaged)
	if err != nil {
		return nil
	}
	_ = drain(rows, func(rows *sql.Rows) error { // what was read before the damage counts
		var title titleColumn
		var body []byte
		if err := rows.Scan(&title, &body); err != nil {
			return err
		}
		m, err := decodeMeter(title.SystemTitle, body)
		if err == nil && sensible(m) {
			m.LastReading = time.Time{} // nothing of it is stored any more
			meters = append(meters, m)
		}
		return nil
	})
	return meters
}

// sensible reports whether a salvaged meter can be believed: a ping will prove it.
func sensible(m concentrator.Meter) bool {
	return !m.Title.IsZero() && m.Address.Valid() && m.Address != plc.NoBody && m.Address != plc.AllPhysical &&
		m.State >= concentrator.StateNew && m.State <= concentrator.StateLost && m.Credit <= plc.MaxCredit
}
