package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"busbar/cmd/truth"
	"busbar/concentrator/proof"
)

// writeHeld writes what the meters held. Entries reach back twice as far as the station
// must read, because it may read more.
func (w *watch) writeHeld(ctx context.Context) error {
	if w.held == "" {
		return nil
	}
	err := replaceFile(w.held, func(out io.Writer) error { return proof.WriteHeld(out, w.truth(ctx, time.Now())) })
	if err != nil {
		return fmt.Errorf("file of what the meters held: %w", err)
	}
	return nil
}

// slack is how far the clocks of meters and station may be apart.
const slack = time.Minute

// truth is what the meters held by now. An entry is a must when the station had to read
// it: within the time it reads back, and long enough ago.
func (w *watch) truth(ctx context.Context, now time.Time) iter.Seq2[proof.Held, error] {
	all := truth.Window{From: w.begun.Add(-2 * w.back), To: now.Add(slack)}
	must := truth.Window{From: w.begun.Add(slack - w.back), To: now.Add(-w.grace)}
	return truth.Held(ctx, w.town, all, must)
}

// replaceFile writes a file readable by its owner alone, whole or not at all.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// link makes path a symbolic link to the terminal. Only a link is replaced.
func link(terminal, path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("link %s: there is something that is no symbolic link; remove it or give another --link", path)
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Symlink(terminal, fresh); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(fmt.Errorf("link: %w", err), os.Remove(fresh))
	}
	return nil
}

// unlink takes the link away if it is still ours.
func unlink(terminal, path string) {
	if to, err := os.Readlink(path); err == nil && to == terminal {
		_ = os.Remove(path) // at worst it points to nothing
	}
}
