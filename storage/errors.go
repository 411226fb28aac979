package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// What can be wrong with the disk or the file. A returned error wraps one of
// these together with what was being done, where, and what to do about it.
var (
	ErrFull     = errors.New("disk full")
	ErrReadOnly = errors.New("not writable")
	ErrIO       = errors.New("disk failure")
	ErrCorrupt  = errors.New("damaged file")
	ErrInUse    = errors.New("in use by another process")
	ErrNewer    = errors.New("written by a newer version")
	ErrUnsafe   = errors.New("unsafe settings")
	ErrClosed   = errors.New("store is closed")
)

// What can be wrong with a request. Nothing was stored.
var (
	ErrEpoch        = errors.New("receipt is for another epoch of this station's store")
	ErrHash         = errors.New("receipt is for other content than that of our batch")
	ErrUnknownBatch = errors.New("no such batch was ever sealed")
	ErrNothing      = errors.New("nothing waits that could be sealed")
	ErrOrderFinal   = errors.New("the order has already ended differently")
	ErrExhausted    = errors.New("invocation counter used up")
	ErrClock        = errors.New("the clock of this station is not set")
)

var hints = map[error]string{
	ErrFull:     "free space on that file system (df -h) or raise storage.max_megabytes; it goes on by itself",
	ErrReadOnly: "the file system was perhaps remounted read-only after a fault (dmesg), or the owner of the directory is wrong",
	ErrIO:       "the disk may be failing: see dmesg, and replace it",
	ErrCorrupt:  "stop the station and keep a copy of the file; readings come back from the meters",
	ErrInUse:    "one station runs on one directory: stop the other process, or give this one its own directory",
	ErrNewer:    "install that version or a newer one again; the file was not touched",
	ErrUnsafe:   "this build of SQLite cannot keep its promises here, so the station does not start",
}

// Fault is a failure of the store's own side: what it was doing, where, and
// which of the errors above it is.
type Fault struct {
	Doing string // "record a visit"
	Path  string // the database file
	Kind  error  // ErrFull and its like
	Err   error  // what SQLite or the system said
}

// Error says what, where and what to do.
func (f *Fault) Error() string {
	s := fmt.Sprintf("storage: %s: %v: %s", f.Doing, f.Kind, f.Path)
	if f.Err != nil {
		s += fmt.Sprintf(" (%v)", f.Err)
	}
	if hint := hints[f.Kind]; hint != "" {
		s += ": " + hint
	}
	return s
}

// Unwrap gives errors.Is the kind and the cause.
func (f *Fault) Unwrap() []error {
	if f.Err == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Err}
}

// Linux error numbers that SQLite reports as a plain I/O error.
const (
	errnoNoSpace  = 28
	errnoReadOnly = 30
	errnoQuota    = 122
)

// explain turns what went wrong while doing into an error that says what kind it is.
func explain(doing, path string, err error) error {
	var fault *Fault
	if err == nil || errors.As(err, &fault) {
		return err
	}
	if kind := kindOf(err); kind != nil {
		return &Fault{Doing: doing, Path: path, Kind: kind, Err: err}
	}
	return fmt.Errorf("storage: %s: %w", doing, err)
}

func kindOf(err error) error {
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, ErrClosed) {
		return ErrClosed
	}
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case sqlite3.ErrFull:
		return ErrFull
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrCantOpen, sqlite3.ErrAuth:
		return ErrReadOnly
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrFormat:
		return ErrCorrupt
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return ErrInUse
	case sqlite3.ErrInterrupt:
		return context.Canceled
	case sqlite3.ErrIoErr:
		switch e.SystemErrno {
		case errnoNoSpace, errnoQuota:
			return ErrFull
		case errnoReadOnly:
			return ErrReadOnly
		}
		return ErrIO
	}
	return nil
}
