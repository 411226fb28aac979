package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	fileName = "station.db"
	lockName = "station.lock"

	// walLimit is what the write-ahead log is cut back to after a stuck reader
	// made it grow. It is not cut in normal life: a log that keeps its size
	// needs no metadata flush per commit.
	walLimit = 4 << 20

	// checkTime bounds the check of the whole file at start, so that a very
	// large file does not keep the station from reading meters.
	checkTime = 20 * time.Second
)

// connector opens connections to one file with settings that the driver's
// connection string cannot carry.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// openPool opens path with the given query string. The "file:" prefix matters:
// without it the driver cuts the query off, and mode=ro would open for writing.
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

// openWriter opens the one connection that writes. FULL has to be said: the
// driver opens with NORMAL, which loses acknowledged commits in a power cut.
func openWriter(path string) *sql.DB {
	return openPool(path, "_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=5000"+
		"&_foreign_keys=on&_cache_size=-2000&_stmt_cache_size=64&_auto_vacuum=incremental", 1,
		"trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "secure_delete = FAST",
		fmt.Sprintf("journal_size_limit = %d", walLimit))
}

func openReaders(path string) *sql.DB {
	return openPool(path, "mode=ro&_query_only=on&_busy_timeout=5000&_cache_size=-2000&_stmt_cache_size=32", 2,
		"trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0")
}

// prepareDir makes the directory of the store, for its owner only, and an empty
// database file that nobody else can read (SQLite gives the log the same mode).
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &Fault{Doing: "make the directory of the store", Path: dir, Kind: ErrReadOnly, Err: err}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("storage: %s can be written by everybody (mode %v): it will hold keys; give the station a directory of its own", dir, info.Mode())
	}
	for _, name := range []string{fileName, lockName} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			err = errors.Join(f.Chmod(0o600), f.Close())
		}
		if err != nil {
			return &Fault{Doing: "make the files of the store", Path: dir, Kind: kindOfFile(err), Err: err}
		}
	}
	return nil
}

func kindOfFile(err error) error {
	if strings.Contains(err.Error(), "no space") || strings.Contains(err.Error(), "quota") {
		return ErrFull
	}
	return ErrReadOnly
}

// single is a pool with its only connection checked out: pools close what is
// idle, so the connection has to be given back first.
type single struct {
	pool *sql.DB
	conn *sql.Conn
}

func newSingle(ctx context.Context, pool *sql.DB) (single, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return single{}, errors.Join(err, pool.Close())
	}
	return single{pool, conn}, nil
}

func (s single) Close() error { return errors.Join(s.conn.Close(), s.pool.Close()) }

// lock takes the directory for this process. The lock is SQLite's own, held by
// an open exclusive transaction on a file that stays empty: it goes with the
// process, however that ends.
func lock(ctx context.Context, dir string) (single, error) {
	path := filepath.Join(dir, lockName)
	held, err := newSingle(ctx, openPool(path, "_busy_timeout=0", 1))
	if err != nil {
		return single{}, explain("lock the store", path, err)
	}
	if _, err = held.conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return single{}, errors.Join(explain("lock the store", path, err), held.Close())
	}
	return held, nil
}

// openFile opens, checks and migrates the database.
func openFile(ctx context.Context, path string, now time.Time) (file single, err error) {
	file, err = newSingle(ctx, openWriter(path))
	if err != nil {
		return single{}, explain("open the store", path, err)
	}
	err = assertSettings(ctx, file.conn, path)
	if err == nil {
		err = checkVersion(ctx, file.conn, path, len(migrations))
	}
	if err == nil {
		err = quickCheck(ctx, file.conn, path)
	}
	if err == nil {
		err = migrate(ctx, file.conn, path, migrations, now)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return single{}, errors.Join(explain("open the store", path, err), file.Close())
	}
	return file, nil
}

// assertSettings refuses to run on settings under which an acknowledged commit
// could be lost.
func assertSettings(ctx context.Context, conn *sql.Conn, path string) error {
	for _, want := range []struct{ pragma, value string }{
		{"synchronous", "2"},
		{"journal_mode", "wal"},
		{"foreign_keys", "1"},
		{"trusted_schema", "0"},
		{"cell_size_check", "1"},
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return err
		}
		if got != want.value {
			return &Fault{
				Doing: "open the store", Path: path, Kind: ErrUnsafe,
				Err: fmt.Errorf("PRAGMA %s is %q, want %q", want.pragma, got, want.value),
			}
		}
	}
	return nil
}

// quickCheck looks through the whole file, for at most checkTime: what it could
// not reach in that time counts as sound.
func quickCheck(ctx context.Context, conn *sql.Conn, path string) error {
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var verdict string
	err := conn.QueryRowContext(limited, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return nil
	case err != nil:
		return err
	case verdict != "ok":
		return &Fault{Doing: "check the store", Path: path, Kind: ErrCorrupt, Err: errors.New(verdict)}
	}
	return nil
}

// setAside renames a damaged database and its log, so that it can be examined
// and a fresh one can take its place. It returns the new name.
func setAside(path string, now time.Time) (string, error) {
	aside := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
	for i := 2; exists(aside); i++ {
		aside = fmt.Sprintf("%s.damaged-%s-%d", path, now.UTC().Format("20060102T150405Z"), i)
	}
	for _, suffix := range []string{"-wal", ""} { // the log first: a log must never meet a foreign database
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("storage: set the damaged file aside: %w", err)
		}
	}
	if err := os.Remove(path + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("storage: set the damaged file aside: %w", err)
	}
	return aside, syncDir(filepath.Dir(path))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// syncDir makes new names in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
