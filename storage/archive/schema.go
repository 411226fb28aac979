package archive

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks the file as ours ("BUSC").
const applicationID = 0x42555343

// migrations are the steps from an empty file to the present schema, as in
// package storage: a released step is never edited.
//
// A reading's key is what it measures, not who delivered it: a meter that moves
// to another station keeps its series. Rows hold numbers of their own tables in
// place of titles, channels and stations. Times of readings are Unix seconds, all
// others milliseconds. An epoch is an unsigned 64-bit number stored as signed.
var migrations = []string{`
CREATE TABLE station (
	no       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	first    INTEGER NOT NULL,
	seen     INTEGER NOT NULL,
	program  TEXT NOT NULL DEFAULT '',
	epoch    INTEGER NOT NULL DEFAULT 0,
	boot     INTEGER NOT NULL DEFAULT 0,
	backlog  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE lane (
	station INTEGER NOT NULL REFERENCES station (no),
	epoch   INTEGER NOT NULL,
	lane    INTEGER NOT NULL,
	held    INTEGER NOT NULL,
	missing INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (station, epoch, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
	no         INTEGER PRIMARY KEY,
	station    INTEGER NOT NULL REFERENCES station (no),
	epoch      INTEGER NOT NULL,
	lane       INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	hash       BLOB NOT NULL,
	bytes      INTEGER NOT NULL,
	stored     INTEGER NOT NULL,
	refused    INTEGER NOT NULL DEFAULT 0,
	reason     TEXT NOT NULL DEFAULT '',
	added      INTEGER NOT NULL DEFAULT 0,
	duplicates INTEGER NOT NULL DEFAULT 0,
	conflicts  INTEGER NOT NULL DEFAULT 0,
	repeats    INTEGER NOT NULL DEFAULT 0,
	UNIQUE (station, epoch, lane, seq)
) STRICT;

CREATE TABLE refused (
	no      INTEGER PRIMARY KEY,
	station INTEGER NOT NULL REFERENCES station (no),
	epoch   INTEGER NOT NULL,
	lane    INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	hash    BLOB NOT NULL,
	reason  TEXT NOT NULL,
	at      INTEGER NOT NULL,
	body    BLOB NOT NULL,
	UNIQUE (station, epoch, lane, seq, hash)
) STRICT;

CREATE TABLE meter (
	no      INTEGER PRIMARY KEY,
	title   BLOB NOT NULL UNIQUE,
	station INTEGER NOT NULL REFERENCES station (no)
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
	meter        INTEGER NOT NULL REFERENCES meter (no),
	channel      INTEGER NOT NULL REFERENCES channel (no),
	time         INTEGER NOT NULL,
	value        INTEGER NOT NULL,
	scaler       INTEGER NOT NULL,
	unit         INTEGER NOT NULL,
	clock_status INTEGER NOT NULL,
	row_status   INTEGER NOT NULL,
	quality      INTEGER NOT NULL,
	received     INTEGER NOT NULL,
	batch        INTEGER NOT NULL REFERENCES batch (no),
	PRIMARY KEY (meter, channel, time)
) STRICT, WITHOUT ROWID;

CREATE TABLE conflict (
	meter        INTEGER NOT NULL REFERENCES meter (no),
	channel      INTEGER NOT NULL REFERENCES channel (no),
	time         INTEGER NOT NULL,
	value        INTEGER NOT NULL,
	scaler       INTEGER NOT NULL,
	unit         INTEGER NOT NULL,
	clock_status INTEGER NOT NULL,
	row_status   INTEGER NOT NULL,
	quality      INTEGER NOT NULL,
	received     INTEGER NOT NULL,
	batch        INTEGER NOT NULL REFERENCES batch (no),
	PRIMARY KEY (meter, channel, time, value, scaler, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
	no      INTEGER PRIMARY KEY,
	station INTEGER NOT NULL REFERENCES station (no),
	batch   INTEGER NOT NULL REFERENCES batch (no),
	time    INTEGER NOT NULL,
	meter   BLOB,
	code    TEXT NOT NULL,
	text    TEXT NOT NULL
) STRICT;

CREATE TABLE order_ (
	no         INTEGER PRIMARY KEY,
	id         TEXT NOT NULL UNIQUE,
	station    INTEGER NOT NULL REFERENCES station (no),
	kind       TEXT NOT NULL,
	meter      BLOB NOT NULL,
	class      INTEGER NOT NULL,
	object     BLOB NOT NULL,
	attribute  INTEGER NOT NULL,
	selector   INTEGER,
	parameters BLOB,
	issued     INTEGER NOT NULL,
	expires    INTEGER NOT NULL,
	confirmed  INTEGER NOT NULL DEFAULT 0,
	state      INTEGER NOT NULL DEFAULT 0,
	attempt    INTEGER NOT NULL DEFAULT 0,
	answered   INTEGER NOT NULL DEFAULT 0,
	outcome    INTEGER NOT NULL DEFAULT 0,
	detail     TEXT NOT NULL DEFAULT '',
	data       BLOB,
	text       TEXT NOT NULL DEFAULT '',
	scaler     INTEGER NOT NULL DEFAULT 0,
	unit       INTEGER NOT NULL DEFAULT 0,
	quality    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX order_open ON order_ (station, no) WHERE confirmed = 0;
`}

// migrate brings the file to the present schema in one transaction.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	version, err := checkVersion(ctx, db, path)
	if err != nil || version == len(migrations) {
		return err
	}
	return within(ctx, db, func(t *sql.Tx) error {
		for i := version; i < len(migrations); i++ {
			if _, err := t.ExecContext(ctx, migrations[i]); err != nil {
				return fmt.Errorf("schema step %d: %w", i+1, err)
			}
		}
		_, err := t.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(migrations)))
		return err
	})
}

// checkVersion refuses files that are not ours or of a newer program.
func checkVersion(ctx context.Context, db *sql.DB, path string) (version int, err error) {
	var id, tables int
	err = db.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`).Scan(&version, &id, &tables)
	switch {
	case err != nil:
		return 0, err
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return 0, fmt.Errorf("%s is a database of another program, not a center's archive: it was not touched", path)
	case version > len(migrations):
		return 0, fmt.Errorf("%s was written by a newer version (schema %d, this program knows %d): install that version; the file was not touched",
			path, version, len(migrations))
	}
	return version, nil
}
