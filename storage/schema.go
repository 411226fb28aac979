package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"fmt"
	"time"
)

// applicationID marks the file as ours ("BUSB"), so that no other program's
// database is taken for a station.
const applicationID = 0x42555342

// migrations are the steps from an empty file to the present schema. A step that
// was released is never edited; a new one is appended. PRAGMA user_version counts
// the steps done and changes in the same transaction as they do, so a power cut
// leaves either the old schema or the new one.
//
// Readings are numbered as they arrive (reading.arrival, without holes) and lie
// in that order: the table itself is the outbox, a cursor separates what is
// sealed from what waits, and retention cuts off its oldest end. Rows hold small
// integers only: titles and channels are numbers of their own tables.
// reading.time and received are Unix seconds, all other times milliseconds.
var migrations = []string{`
CREATE TABLE station (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meter (
	no    INTEGER PRIMARY KEY,
	title BLOB NOT NULL UNIQUE,
	body  BLOB NOT NULL
) STRICT;

CREATE TABLE channel (
	no        INTEGER PRIMARY KEY,
	profile   BLOB NOT NULL,
	class     INTEGER NOT NULL,
	object    BLOB NOT NULL,
	attribute INTEGER NOT NULL,
	UNIQUE (profile, class, object, attribute)
) STRICT;

CREATE TABLE reading (
	arrival      INTEGER PRIMARY KEY,
	meter        INTEGER NOT NULL REFERENCES meter (no),
	channel      INTEGER NOT NULL REFERENCES channel (no),
	time         INTEGER NOT NULL,
	value        INTEGER NOT NULL,
	scaler       INTEGER NOT NULL,
	unit         INTEGER NOT NULL,
	clock_status INTEGER NOT NULL,
	row_status   INTEGER NOT NULL,
	quality      INTEGER NOT NULL,
	received     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX reading_key ON reading (meter, channel, time);

CREATE TABLE visit (
	no       INTEGER PRIMARY KEY,
	meter    INTEGER NOT NULL REFERENCES meter (no),
	round    INTEGER NOT NULL,
	outcome  INTEGER NOT NULL,
	detail   TEXT NOT NULL,
	requests INTEGER NOT NULL,
	answers  INTEGER NOT NULL,
	slots    INTEGER NOT NULL,
	credit   INTEGER NOT NULL,
	up       INTEGER NOT NULL,
	down     INTEGER NOT NULL,
	s0       INTEGER NOT NULL,
	n0       INTEGER NOT NULL,
	s1       INTEGER NOT NULL,
	n1       INTEGER NOT NULL,
	method   INTEGER NOT NULL,
	gain     INTEGER NOT NULL,
	began    INTEGER NOT NULL,
	ended    INTEGER NOT NULL,
	readings INTEGER NOT NULL,
	stored   INTEGER NOT NULL
) STRICT;
CREATE INDEX visit_meter ON visit (meter, no);

CREATE TABLE event (
	arrival INTEGER PRIMARY KEY,
	time    INTEGER NOT NULL,
	meter   BLOB,
	code    TEXT NOT NULL,
	text    TEXT NOT NULL
) STRICT;

CREATE TABLE order_ (
	no      INTEGER PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE,
	state   INTEGER NOT NULL,
	arrival INTEGER UNIQUE,
	changed INTEGER NOT NULL,
	body    BLOB NOT NULL
) STRICT;
CREATE INDEX order_pending ON order_ (no) WHERE arrival IS NULL;

CREATE TABLE batch (
	no      INTEGER PRIMARY KEY,
	lane    INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	first   INTEGER NOT NULL,
	through INTEGER NOT NULL,
	state   INTEGER NOT NULL,
	sealed  INTEGER NOT NULL,
	settled INTEGER,
	reason  TEXT NOT NULL DEFAULT '',
	hash    BLOB NOT NULL,
	body    BLOB NOT NULL,
	UNIQUE (lane, seq)
) STRICT;
CREATE INDEX batch_open ON batch (lane, seq) WHERE state = 1;

CREATE TABLE meter_key (
	title          BLOB PRIMARY KEY,
	mechanism      INTEGER NOT NULL,
	encryption     BLOB NOT NULL,
	authentication BLOB NOT NULL,
	password       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
	title   BLOB PRIMARY KEY,
	ceiling INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`, `
ALTER TABLE counter ADD COLUMN lead INTEGER NOT NULL DEFAULT 1048576;
`}

// migrate brings the file to the present schema in one immediate transaction.
// A file of a newer program is refused untouched.
func migrate(ctx context.Context, conn *sql.Conn, path string, steps []string, now time.Time) (err error) {
	if err := checkVersion(ctx, conn, path, len(steps)); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK") // the first error is the one that tells
		}
	}()
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	for i := version; i < len(steps); i++ {
		if _, err := conn.ExecContext(ctx, steps[i]); err != nil {
			return fmt.Errorf("schema step %d: %w", i+1, err)
		}
	}
	if version == 0 {
		if err := christen(ctx, conn, now); err != nil {
			return err
		}
	}
	if version < len(steps) {
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(steps))); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// checkVersion refuses files that are not ours or of a newer program.
func checkVersion(ctx context.Context, conn *sql.Conn, path string, known int) error {
	var version, id, tables int
	for query, dest := range map[string]*int{
		"PRAGMA user_version":                &version,
		"PRAGMA application_id":              &id,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := conn.QueryRowContext(ctx, query).Scan(dest); err != nil {
			return err
		}
	}
	switch {
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return fmt.Errorf("%s is a database of another program, not a station's store: it was not touched; give the station a directory of its own", path)
	case version > known:
		return &Fault{
			Doing: "open the store", Path: path, Kind: ErrNewer,
			Err: fmt.Errorf("schema %d, this program knows up to %d", version, known),
		}
	}
	return nil
}

// christen gives a new file its epoch: a random number by which the center tells
// this store from an earlier one that also counted its batches from 1.
func christen(ctx context.Context, conn *sql.Conn, now time.Time) error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return fmt.Errorf("draw an epoch: %w", err)
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "INSERT INTO station (name, value) VALUES (?, ?), (?, ?)",
		numberEpoch, int64(binary.BigEndian.Uint64(b[:])), numberCreated, now.UnixMilli()) //nolint:gosec // same 64 bits
	return err
}
