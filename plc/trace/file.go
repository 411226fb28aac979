package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// file is the one being written, with older ones behind it.
type file struct {
	path  string
	limit int64
	keep  int
	f     *os.File
	size  int64
}

// openFile goes on with a file that is there. A record that a power cut tore stays; readers
// pass over it.
func openFile(path string, limit int64, keep int) (*file, error) {
	f := &file{path: path, limit: limit, keep: keep}
	return f, f.open()
}

func (f *file) open() error {
	// Frames tell when a household uses energy: only the station's own user reads them.
	h, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("trace file: %w", err)
	}
	info, err := h.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("trace file: %w", err), h.Close())
	}
	f.f, f.size = h, info.Size()
	return nil
}

// write appends whole records and changes to a new file when this one is full.
func (f *file) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if f.size > 0 && f.size+int64(len(b)) > f.limit {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(b)
	f.size += int64(n)
	if err != nil {
		return fmt.Errorf("trace file: %w", err)
	}
	return nil
}

// rotate moves every file one number up; the last falls off.
func (f *file) rotate() error {
	if err := f.close(); err != nil {
		return err
	}
	for i := f.keep; i > 0; i-- {
		from := f.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", f.path, i-1)
		}
		err := os.Rename(from, fmt.Sprintf("%s.%d", f.path, i))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("trace file: %w", err)
		}
	}
	return f.open()
}

func (f *file) close() error {
	if err := f.f.Close(); err != nil {
		return fmt.Errorf("trace file: %w", err)
	}
	return nil
}

// Reader reads records from a file, past octets that are none.
type Reader struct {
	Skipped int64 // octets that belong to no whole record

	r    io.Reader
	held []byte
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// readSize is how much is asked for at once; no record is longer than two of them.
const readSize = 4096

// Next is the next whole record; io.EOF after the last. Its Octets are valid for ever. After
// io.EOF it may be called again, for a file that still grows: a record that is not whole yet waits.
func (r *Reader) Next() (Record, error) {
	for {
		rec, n, err := ParseRecord(r.held)
		switch {
		case err == nil:
			rec.Octets = append([]byte(nil), rec.Octets...)
			r.held = r.held[n:]
			return rec, nil
		case errors.Is(err, ErrNotRecord):
			r.skip(1)
			continue
		}
		if err := r.fill(); err != nil && !r.past() {
			return Record{}, err
		}
	}
}

// past looks at the end of the file for a whole record behind one that is not: then that was
// torn and does not get whole any more.
func (r *Reader) past() bool {
	for i := 1; i < len(r.held); i++ {
		if _, _, err := ParseRecord(r.held[i:]); err == nil {
			r.Skipped += int64(i)
			r.held = r.held[i:]
			return true
		}
	}
	return false
}

// skip passes over n octets and on to where a record may begin.
func (r *Reader) skip(n int) {
	for n < len(r.held) && r.held[n] != byte(mark>>8) {
		n++
	}
	r.Skipped += int64(n)
	r.held = r.held[n:]
}

func (r *Reader) fill() error {
	buffer := make([]byte, readSize)
	n, err := r.r.Read(buffer)
	r.held = append(r.held, buffer[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// Torn is the number of octets at the end that are not a whole record.
func (r *Reader) Torn() int { return len(r.held) }
