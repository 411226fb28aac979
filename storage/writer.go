package storage

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

const (
	// queueBound is how much work may wait for the writer. Who comes when it is
	// full waits at the door until its context ends: nothing is dropped.
	queueBound = 256
	// groupBound and groupTime end a group that would never find the queue empty.
	groupBound = 64
	groupTime  = 50 * time.Millisecond
)

// job is one piece of work for the writer.
type job struct {
	ctx  context.Context //nolint:containedctx // it travels with the job through the queue
	work func(*tx) error
	bulk bool       // it leaves the reserve alone, see room
	err  error      // of this job alone; nil: decided by the commit
	done chan error // holds one answer
}

// writer owns the only connection that writes. It takes work from a queue of
// queueBound jobs (a full queue makes callers wait until their context ends),
// does what is waiting in one transaction, and answers after the commit: as soon
// as the queue is empty, or after groupBound jobs, or groupTime. One flush of the
// disk then serves them all.
//
// A group in which one job fails is undone, and its jobs are done again one by
// one: a job that cannot be done harms no other.
type writer struct {
	conn   *sql.Conn
	path   string
	before func() // see Options.BeforeCommit
	room   *room

	queue   chan *job
	closing chan struct{}
	stopped chan struct{}
	once    sync.Once

	stale    bool // the maps below have to be read again
	dirty    map[string]bool
	numbers  map[string]int64 // table station
	meters   map[plc.SystemTitle]int64
	channels map[concentrator.Channel]int64

	figures figures
}

// figures are what the writer counts, for Stats.
type figures struct {
	commits, jobs, failures atomic.Int64
	slowest                 atomic.Int64 // nanoseconds of the slowest commit
}

func newWriter(conn *sql.Conn, path string, before func()) *writer {
	return &writer{
		conn: conn, path: path, before: before, stale: true, room: newRoom(path),
		queue: make(chan *job, queueBound), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// prepare sets the bound of the file and reads the dictionaries.
func (w *writer) prepare(ctx context.Context, maxBytes int64) error {
	if maxBytes > 0 {
		var size int64
		if err := w.conn.QueryRowContext(ctx, "PRAGMA page_size").Scan(&size); err != nil {
			return err
		}
		w.room.pages = max(1, maxBytes/size)
	}
	return w.load()
}

// do hands work to the writer and waits for its commit or the end of ctx.
func (w *writer) do(ctx context.Context, bulk bool, work func(*tx) error) error {
	j := &job{ctx: ctx, work: work, bulk: bulk, done: make(chan error, 1)}
	select {
	case <-w.closing:
		return ErrClosed
	default:
	}
	select {
	case w.queue <- j:
	case <-w.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
	}
	select {
	case err := <-j.done:
		return err
	default:
		return ErrClosed // it came after the writer's last look into the queue
	}
}

// stop ends the writer after what is queued now, and waits for that.
func (w *writer) stop() {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
}

func (w *writer) hasStopped() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case j := <-w.queue:
			w.group(j)
		case <-w.closing:
			for j := w.waiting(); j != nil; j = w.waiting() {
				w.group(j)
			}
			return
		}
	}
}

// waiting returns the next job that is already there, or nil.
func (w *writer) waiting() *job {
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// group does first and what waits behind it in one transaction.
func (w *writer) group(first *job) {
	start := time.Now()
	jobs := []*job{first}
	err := w.begin()
	if err == nil {
		err = w.perform(first)
	}
	for err == nil && len(jobs) < groupBound && time.Since(start) < groupTime {
		j := w.waiting()
		if j == nil {
			break
		}
		jobs = append(jobs, j)
		err = w.perform(j)
	}
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		w.rollback()
		if len(jobs) > 1 || w.eased(first, err) {
			w.oneByOne(jobs)
			return
		}
	}
	w.answer(err, jobs...)
}

// oneByOne does every job in a transaction of its own.
func (w *writer) oneByOne(jobs []*job) {
	for _, j := range jobs {
		err := w.alone(j)
		if w.eased(j, err) {
			err = w.alone(j)
		}
		w.answer(err, j)
	}
}

func (w *writer) alone(j *job) error {
	j.err = nil
	err := w.begin()
	if err == nil {
		err = w.perform(j)
	}
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		w.rollback()
	}
	return err
}

// eased reports whether a job that found the disk full may find room now.
func (w *writer) eased(j *job, err error) bool {
	return !j.bulk && kindOf(err) == ErrFull && w.room.release()
}

// perform does one job, unless its caller has given up before it began.
func (w *writer) perform(j *job) error {
	if err := j.ctx.Err(); err != nil {
		j.err = err
		return nil
	}
	if err := w.bound(j.bulk); err != nil {
		return err
	}
	t := &tx{w}
	if err := j.work(t); err != nil || !j.bulk {
		return err
	}
	return t.within(w.room.limit(true), "store what came from the line")
}

// within is ErrFull when more pages are used than limit. SQLite's own bound does not tell:
// free pages of a file that has grown to its bound are used without asking.
func (t *tx) within(limit int64, doing string) error {
	if t.w.room.pages == 0 {
		return nil
	}
	used, err := t.used()
	if err == nil && used > limit {
		err = &Fault{Doing: doing, Path: t.w.path, Kind: ErrFull}
	}
	return err
}

// used is how many pages of the file hold something.
func (t *tx) used() (int64, error) {
	var pages, free int64
	if _, err := t.get([]any{&pages}, "PRAGMA page_count"); err != nil {
		return 0, err
	}
	_, err := t.get([]any{&free}, "PRAGMA freelist_count")
	return pages - free, err
}

// bound sets how far the file may grow now.
func (w *writer) bound(bulk bool) error {
	if bulk && !w.room.spare() {
		return &Fault{Doing: "store what came from the line", Path: w.path, Kind: ErrFull}
	}
	limit := w.room.limit(bulk)
	if limit == w.room.set {
		return nil
	}
	w.room.set = limit
	return w.run1(fmt.Sprintf("PRAGMA max_page_count = %d", limit))
}

func (w *writer) answer(err error, jobs ...*job) {
	for _, j := range jobs {
		w.figures.jobs.Add(1)
		if err != nil {
			w.figures.failures.Add(1)
		}
		if j.err != nil {
			j.done <- j.err
			continue
		}
		j.done <- err
	}
}

func (w *writer) begin() error {
	if err := w.run1("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if w.stale {
		return w.load()
	}
	return nil
}

func (w *writer) commit() error {
	if err := w.bound(false); err != nil {
		return err
	}
	if err := w.saveNumbers(); err != nil {
		return err
	}
	start := time.Now()
	if w.before != nil {
		w.before()
	}
	if err := w.run1("COMMIT"); err != nil {
		return err
	}
	w.figures.commits.Add(1)
	if d := int64(time.Since(start)); d > w.figures.slowest.Load() {
		w.figures.slowest.Store(d)
	}
	return nil
}

// rollback undoes the open transaction. SQLite may have done so itself after a
// full disk; then there is nothing to undo.
func (w *writer) rollback() {
	_ = w.run1("ROLLBACK")
	w.stale = true
}

// run1 runs a statement without arguments. The writer never passes a context
// that can end: the driver would start a goroutine per statement to watch it.
func (w *writer) run1(query string) error {
	_, err := w.conn.ExecContext(context.Background(), query)
	return err
}

// load reads the numbers and dictionaries from the file.
func (w *writer) load() error {
	w.dirty = map[string]bool{}
	w.numbers = map[string]int64{}
	w.meters = map[plc.SystemTitle]int64{}
	w.channels = map[concentrator.Channel]int64{}
	err := w.each("SELECT name, value FROM station", func(rows *sql.Rows) error {
		var name string
		var value int64
		err := rows.Scan(&name, &value)
		w.numbers[name] = value
		return err
	})
	if err == nil {
		err = w.each("SELECT no, title FROM meter", func(rows *sql.Rows) error {
			var no int64
			var title titleColumn
			err := rows.Scan(&no, &title)
			w.meters[title.SystemTitle] = no
			return err
		})
	}
	if err == nil {
		err = w.each("SELECT no, profile, class, object, attribute FROM channel", func(rows *sql.Rows) error {
			var no int64
			var c channelColumns
			err := rows.Scan(append([]any{&no}, c.dest()...)...)
			w.channels[c.Channel] = no
			return err
		})
	}
	w.stale = err != nil
	return err
}

func (w *writer) each(query string, fn func(*sql.Rows) error) error {
	rows, err := w.conn.QueryContext(context.Background(), query)
	if err != nil {
		return err
	}
	return drain(rows, fn)
}

// saveNumbers writes the numbers that changed, once per transaction.
func (w *writer) saveNumbers() error {
	for name := range w.dirty {
		_, err := w.conn.ExecContext(context.Background(),
			"INSERT INTO station (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			name, w.numbers[name])
		if err != nil {
			return err
		}
	}
	clear(w.dirty)
	return nil
}
