package abuse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/concentrator/web"
	"busbar/plc/street"
	"busbar/plc/street/town"
)

// TestDamagedDatabase (S06): a damaged database is never used and never deleted. The
// message says the way out, and that brings the readings back from the meters.
func TestDamagedDatabase(t *testing.T) {
	long(t)
	t.Parallel()
	// The station forgets its addresses with the database, and a meter that has one is silent
	// to a search until nobody has addressed it for long.
	g := newStage(t, town.Config{Meters: 8, Timeouts: street.Timeouts{
		SearchInitiator: 10 * time.Minute, SynchroConfirm: time.Minute, NotAddressed: 12 * time.Second,
	}})
	g.period, g.search = 10*time.Second, 2*time.Second
	g.plug()
	g.openCenter("center")
	g.openStation()
	g.read()
	g.station.stop()
	path := filepath.Join(g.data, "station.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	for i := 4096; i < len(damaged); i++ {
		damaged[i] ^= 0x55
	}
	zeroed := bytes.Clone(whole)
	clear(zeroed[:100])
	for name, b := range map[string][]byte{"pages": damaged, "header": zeroed, "rubbish": bytes.Repeat([]byte("no database "), 1000)} {
		g.replace(path, b)
		_, complaint, code := run(t, nil, "concentrator", "run", "--config", g.configure())
		if code != 1 {
			t.Errorf("%s: exit code %d, want 1", name, code)
		}
		tells(t, name, complaint, "damaged file", path, "readings come back from the meters", "--set-aside-corrupt")
		if kept, err := os.Stat(path); err != nil || kept.Size() < int64(len(b)) {
			t.Errorf("%s: the damaged file is not there any more: %v, %v", name, kept, err)
		}
	}
	g.openStation("--set-aside-corrupt")
	g.happened("storage.fault", "set aside")
	aside, err := filepath.Glob(path + ".damaged-*")
	if err != nil || len(aside) == 0 {
		t.Errorf("the damaged file is not beside it: %v", aside)
	}
	g.read()
	g.until("read again", func(s web.Status) bool { return s.Healthy && s.Storage.Readings >= 8*2*20 })
	g.counters()       // they went on where the lost store had left them
	g.proveTwice(true) // the new store knows nothing of what the old one delivered
	g.station.stop()
	g.center.stop()
}

// TestForeignDatabase (S07): a database of a newer version, or of another program, is
// refused untouched, with what to do.
func TestForeignDatabase(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 1})
	g.openStation()
	g.station.stop()
	path := filepath.Join(g.data, "station.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const userVersion, applicationID = 60, 68 // of the header of an SQLite file
	for _, c := range []struct {
		name   string
		offset int
		want   []string
	}{
		{"newer", userVersion, []string{"written by a newer version", path, "install that version", "was not touched"}},
		{"another program's", applicationID, []string{path, "is a database of another program", "was not touched", "a directory of its own"}},
	} {
		b := bytes.Clone(whole)
		binary.BigEndian.PutUint32(b[c.offset:], 99)
		g.replace(path, b)
		for _, args := range [][]string{nil, {"--set-aside-corrupt"}} {
			_, complaint, code := run(t, nil, "concentrator", append([]string{"run", "--config", g.configure()}, args...)...)
			if code != 1 {
				t.Errorf("%s, %v: exit code %d, want 1", c.name, args, code)
			}
			tells(t, c.name, complaint, c.want...)
		}
		if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(uncounted(kept), uncounted(b)) {
			t.Errorf("%s: the file was touched, %v", c.name, err)
		}
	}
	g.replace(path, whole)
	g.openStation()
	g.station.stop()
}

// uncounted is an SQLite file without the numbers in which its library counts changes.
func uncounted(b []byte) []byte {
	const counter, validFor = 24, 92
	b = bytes.Clone(b)
	clear(b[counter : counter+4])
	clear(b[validFor : validFor+4])
	return b
}

// replace puts other octets in the place of a database.
func (g *stage) replace(path string, b []byte) {
	g.t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		g.t.Fatal(err)
	}
	// The write-ahead log would heal what it still holds.
	if err := os.Remove(path + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.t.Fatal(err)
	}
}

// TestTwoStationsOnOneDirectory (P07, S08): the second one refuses and the first does not notice.
func TestTwoStationsOnOneDirectory(t *testing.T) {
	long(t)
	t.Parallel()
	g := raise(t, town.Config{Meters: 8, Security: town.Password})
	g.until("reading", func(s web.Status) bool { return s.Round.Done > 0 })
	for range 3 {
		_, complaint, code := run(t, nil, "concentrator", "run", "--config", g.configure())
		if code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		tells(t, "the second station", complaint, "in use by another process", g.data, "stop the other process")
	}
	// With a directory of its own it still cannot have the modem.
	second := filepath.Join(g.dir, "second")
	p := start(t, t.TempDir(), "concentrator", "run", "--config", g.configure(), "--data", second)
	await(t, "the second one says why", func() bool {
		out, _, _ := run(t, nil, "concentrator", "status", "--data", second)
		return strings.Contains(out, "busy: only one program at a time may have it")
	}, p.said)
	p.stop()
	g.read()
	g.finish()
}

// TestReadOnlyData (S08): a directory that cannot be written is told with what to do.
func TestReadOnlyData(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 1})
	file := filepath.Join(g.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(g.dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		filepath.Join(file, "data"): "not writable",
		"/proc/abuse":               "not writable",
		open:                        "can be written by everybody",
	} {
		g.data = dir
		_, complaint, code := run(t, nil, "concentrator", "run", "--config", g.configure())
		if code != 1 {
			t.Errorf("%s: exit code %d, want 1", dir, code)
		}
		tells(t, dir, complaint, dir, want)
	}
}
