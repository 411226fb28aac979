package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"busbar/concentrator"
)

// Options say where the store lies and how long it keeps what. Only Dir is needed.
type Options struct {
	// Dir is the station's own directory; it is made with mode 0700 when missing.
	Dir string

	// SetAsideCorrupt moves a damaged file aside under a dated name and starts with a new
	// store and a new epoch, which knows the meters that can still be read in the old
	// one. Otherwise Open returns ErrCorrupt.
	SetAsideCorrupt bool

	// RetainReadings is how long readings, events and orders are kept after they
	// were received; only what the center has receipted is ever deleted. 0: 400 days.
	RetainReadings time.Duration
	// RetainBatches is how long the bodies of receipted batches, and visits, are kept. 0: 45 days.
	RetainBatches time.Duration

	// MaxBytes bounds the database file, so that a full store does not fill the
	// disk of its neighbors. At seven eighths of it nothing is taken from the line
	// any more (ErrFull) until deliveries have made room. 0: no bound but the disk.
	MaxBytes int64

	// ReadTimeout ends a read that takes too long: a stuck reader would keep the
	// write-ahead log growing. 0: 10 seconds.
	ReadTimeout time.Duration

	// Now is the wall clock, for stamps and retention. nil: time.Now.
	Now func() time.Time

	// BeforeCommit is called by the writer before each commit. Tests make a slow
	// disk of it; nil otherwise.
	BeforeCommit func()
}

func (o Options) withDefaults() Options {
	const day = 24 * time.Hour
	if o.RetainReadings <= 0 {
		o.RetainReadings = 400 * day
	}
	if o.RetainBatches <= 0 {
		o.RetainBatches = 45 * day
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Store is the station's store. Its methods may be called from any goroutine.
//
// A method that writes returns nil only after the commit reached the disk. When
// it returns the error of its context, nothing is known: the work may be done
// yet. Every such method may be repeated safely. Arguments must not be changed
// by the caller afterwards.
type Store struct {
	options Options
	path    string
	lock    single
	file    single // the writer's
	readers *sql.DB
	writer  *writer
	epoch   uint64

	closing sync.Once
	closed  error
}

// Open opens the store in o.Dir, or makes a new one, and starts its writer. The
// errors are ErrInUse, ErrNewer, ErrCorrupt, ErrReadOnly, ErrFull, ErrIO and
// ErrUnsafe, in words.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if o.Dir == "" {
		return nil, errors.New("storage: no directory given")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("storage: directory %q: %w", o.Dir, err)
	}
	if err := prepareDir(dir); err != nil {
		return nil, err
	}
	held, err := lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, path: filepath.Join(dir, fileName), lock: held}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return s, nil
}

// start opens the file, sets a damaged one aside when that is allowed, and
// starts the writer.
func (s *Store) start(ctx context.Context) error {
	file, err := openFile(ctx, s.path, s.options.Now())
	var damage error
	var aside string
	if errors.Is(err, ErrCorrupt) && s.options.SetAsideCorrupt {
		damage = err
		aside, file, err = s.startFresh(ctx)
	}
	if err != nil {
		return err
	}
	s.file = file
	s.writer = newWriter(file.conn, s.path, s.options.BeforeCommit)
	if err := s.writer.prepare(ctx, s.options.MaxBytes); err != nil {
		return errors.Join(explain("open the store", s.path, err), file.Close())
	}
	s.epoch = uint64(s.writer.numbers[numberEpoch]) //nolint:gosec // same 64 bits
	s.readers = openReaders(s.path)
	go s.writer.run()
	if damage != nil {
		if err := s.noteDamage(ctx, damage, salvage(ctx, aside)); err != nil {
			return errors.Join(err, s.stop())
		}
	}
	return nil
}

func (s *Store) startFresh(ctx context.Context) (aside string, file single, err error) {
	if aside, err = setAside(s.path, s.options.Now()); err != nil {
		return "", single{}, err
	}
	if err := prepareDir(filepath.Dir(s.path)); err != nil {
		return "", single{}, err
	}
	file, err = openFile(ctx, s.path, s.options.Now())
	return aside, file, err
}

// noteDamage records that the store began anew: the center sees a new epoch and
// learns why. Keys have to be imported again.
func (s *Store) noteDamage(ctx context.Context, damage error, meters []concentrator.Meter) error {
	text := fmt.Sprintf("the store was damaged and set aside, a new one was started with the %d meters that could still be read; keys have to be imported again", len(meters))
	var fault *Fault
	if errors.As(damage, &fault) && fault.Err != nil {
		text += fmt.Sprintf(" (%.200s)", fault.Err)
	}
	return s.SaveMeters(ctx, meters, []concentrator.Event{{
		Time: s.options.Now(), Code: concentrator.EventStorage, Text: text,
	}})
}

// Path is the database file.
func (s *Store) Path() string { return s.path }

// Close commits what is queued, ends the writer and closes the file. Work handed
// in later gets ErrClosed. Close may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = errors.Join(s.stop(), s.lock.Close()) })
	return s.closed
}

// stop ends the writer. The readers go first, so that the writer is the last to
// close the file and brings the log into it.
func (s *Store) stop() error {
	s.writer.stop()
	return errors.Join(s.readers.Close(), s.file.Close())
}

// write has the writer do fn in a transaction and returns after its commit. fn
// may run twice, see writer.
func write[T any](ctx context.Context, s *Store, doing string, fn func(*tx) (T, error)) (T, error) {
	return hand(ctx, s, false, doing, fn)
}

// writeBulk is write for what comes from the line: it leaves the reserve alone.
func writeBulk[T any](ctx context.Context, s *Store, doing string, fn func(*tx) (T, error)) (T, error) {
	return hand(ctx, s, true, doing, fn)
}

func hand[T any](ctx context.Context, s *Store, bulk bool, doing string, fn func(*tx) (T, error)) (T, error) {
	var out, zero T
	err := s.writer.do(ctx, bulk, func(t *tx) (err error) {
		out, err = fn(t)
		return err
	})
	if err != nil {
		return zero, explain(doing, s.path, err)
	}
	return out, nil
}

// writeOnly is write without a result.
func writeOnly(ctx context.Context, s *Store, doing string, fn func(*tx) error) error {
	_, err := write(ctx, s, doing, func(t *tx) (struct{}, error) { return struct{}{}, fn(t) })
	return err
}

// read gives fn a consistent view of what is committed, for at most ReadTimeout.
func (s *Store) read(ctx context.Context, doing string, fn func(context.Context, *sql.Tx) error) error {
	return s.readWithin(ctx, s.options.ReadTimeout, doing, fn)
}

func (s *Store) readWithin(ctx context.Context, limit time.Duration, doing string, fn func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := func() error {
		view, err := s.readers.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = view.Rollback() }() // nothing was written
		return fn(ctx, view)
	}()
	switch {
	case err == nil:
		return nil
	case s.writer.hasStopped():
		return explain(doing, s.path, ErrClosed)
	case ctx.Err() != nil:
		return fmt.Errorf("storage: %s: %w", doing, ctx.Err())
	}
	return explain(doing, s.path, err)
}
