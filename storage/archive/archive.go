package archive

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	fileName = "center.db"
	lockName = "center.lock"
)

// What can be wrong when an archive is opened or used.
var (
	ErrInUse   = errors.New("in use by another center")
	ErrNone    = errors.New("there is no archive here")
	ErrContent = errors.New("another batch was stored under this number")
	ErrUnfit   = errors.New("this cannot be stored, now or later")
)

// Reader reads an archive, also while a server writes it.
type Reader struct {
	path string
	db   *sql.DB // read-only connections
}

// Archive is the store of a running center. Its methods may be called from any
// goroutine. What writes returns nil only after the commit reached the disk.
type Archive struct {
	Reader
	now    func() time.Time
	lock   *sql.Conn
	locked *sql.DB
	writer *sql.DB // one connection: writers take turns

	closing sync.Once
	closed  error
}

// connector opens connections to one file.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// careful are the settings for a file that may have been damaged or tampered with.
var careful = []string{"trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"}

// openPool opens path. The write-ahead log persists, so that a reader without the
// right to make files can open the archive when no server runs.
func openPool(path, query string, conns int, pragmas ...string) *sql.DB {
	hook := func(c *sqlite3.SQLiteConn) error {
		for _, p := range pragmas {
			if _, err := c.Exec("PRAGMA "+p, nil); err != nil {
				return err
			}
		}
		return c.SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db := sql.OpenDB(connector{&sqlite3.SQLiteDriver{ConnectHook: hook}, "file:" + escaped + "?" + query})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

// Open opens the archive in dir for the one server, or makes a new one. It is
// ErrInUse when another server has it.
func Open(ctx context.Context, dir string, now func() time.Time) (*Archive, error) {
	if now == nil {
		now = time.Now
	}
	if err := prepare(dir); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	a := &Archive{now: now, Reader: Reader{path: filepath.Join(dir, fileName)}}
	if err := a.open(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("archive: open %s: %w", a.path, err), a.Close())
	}
	return a, nil
}

// prepare makes the directory and empty files that only their owner can read:
// what somebody consumes is private.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{fileName, lockName} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) open(ctx context.Context, dir string) (err error) {
	if err := a.hold(ctx, filepath.Join(dir, lockName)); err != nil {
		return err
	}
	// FULL has to be said: the driver opens with NORMAL, which loses receipted batches in a power cut.
	a.writer = openPool(a.path, "_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=5000&_foreign_keys=on&_cache_size=-8000&_stmt_cache_size=64", 1, careful...)
	if err := migrate(ctx, a.writer, a.path); err != nil {
		return err
	}
	var level int
	var mode string
	err = a.writer.QueryRowContext(ctx, "SELECT s.synchronous, j.journal_mode FROM pragma_synchronous s, pragma_journal_mode j").Scan(&level, &mode)
	if err != nil {
		return err
	}
	if level != 2 || mode != "wal" {
		return fmt.Errorf("synchronous is %d and journal mode %s: want 2 and wal, or a receipt could be given for what a power cut loses", level, mode)
	}
	a.db = openReaders(a.path)
	return nil
}

// hold takes the directory for this process by an open exclusive transaction on a
// file that stays empty: it goes with the process, however that ends.
func (a *Archive) hold(ctx context.Context, path string) (err error) {
	a.locked = openPool(path, "_busy_timeout=0", 1)
	if a.lock, err = a.locked.Conn(ctx); err == nil {
		_, err = a.lock.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrBusy {
		return fmt.Errorf("%w: stop it, or give this one its own directory (%w)", ErrInUse, err)
	}
	return err
}

func openReaders(path string) *sql.DB {
	return openPool(path, "mode=ro&_query_only=on&_busy_timeout=5000&_cache_size=-4000&_stmt_cache_size=32", 4, careful...)
}

// OpenReader opens the archive in dir for reading; a server may run beside. It is
// ErrNone when no center ever ran there.
func OpenReader(ctx context.Context, dir string) (*Reader, error) {
	r := &Reader{path: filepath.Join(dir, fileName)}
	if info, err := os.Stat(r.path); err != nil || info.Size() == 0 {
		return nil, fmt.Errorf("archive: %s: %w: name the center's data directory with --data, or start it with `center run` first", dir, ErrNone)
	}
	r.db = openReaders(r.path)
	if _, err := checkVersion(ctx, r.db, r.path); err != nil {
		return nil, errors.Join(fmt.Errorf("archive: open %s: %w", r.path, err), r.Close())
	}
	return r, nil
}

// Close ends reading.
func (r *Reader) Close() error {
	if r.db == nil {
		return nil
	}
	return r.db.Close()
}

// Close ends the archive's work. It may be called more than once.
func (a *Archive) Close() error {
	a.closing.Do(func() { a.closed = a.close() })
	return a.closed
}

// close closes the readers first, so that the writer is the last and brings the
// log into the file.
func (a *Archive) close() error {
	err := a.Reader.Close()
	if a.writer != nil {
		err = errors.Join(err, a.writer.Close())
	}
	if a.lock != nil {
		err = errors.Join(err, a.lock.Close())
	}
	if a.locked != nil {
		err = errors.Join(err, a.locked.Close())
	}
	return err
}

// within runs fn in a transaction.
func within(ctx context.Context, db *sql.DB, fn func(*sql.Tx) error) error {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Commit()
}

// write runs fn in a transaction of the writer and explains what went wrong.
func (a *Archive) write(ctx context.Context, doing string, fn func(*sql.Tx) error) error {
	err := within(ctx, a.writer, fn)
	if err == nil || errors.Is(err, ErrContent) {
		return err
	}
	return a.explain(doing, err)
}

func (r *Reader) explain(doing string, err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) {
		switch e.Code {
		case sqlite3.ErrConstraint, sqlite3.ErrTooBig, sqlite3.ErrMismatch:
			return fmt.Errorf("archive: %s: %w (%w)", doing, ErrUnfit, err)
		case sqlite3.ErrFull:
			return fmt.Errorf("archive: %s: disk full: free space, then it goes on by itself (%s): %w", doing, r.path, err)
		case sqlite3.ErrReadonly, sqlite3.ErrCantOpen, sqlite3.ErrPerm:
			return fmt.Errorf("archive: %s: no permission or read-only file system: %s: %w", doing, r.path, err)
		case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
			return fmt.Errorf("archive: %s: damaged file: stop the center, keep a copy and restore a backup: %s: %w", doing, r.path, err)
		}
	}
	return fmt.Errorf("archive: %s: %w", doing, err)
}

// each runs fn for every row of a query.
func each(rows *sql.Rows, err error, fn func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err tells
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// milli is a time in milliseconds, 0 for none.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
