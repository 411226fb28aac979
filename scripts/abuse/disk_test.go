package abuse

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"busbar/concentrator/web"
	"busbar/plc/street/town"
)

// small mounts a file system of a few megabytes at dir, where that is allowed.
func small(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("abuse", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes all the room that is left beside a file system's files, and returns what
// gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStationDiskFull (S04): a disk that is full stops neither the daemon nor its view of
// the meters. It says so; nothing is acknowledged that was not stored; with room again
// it reads what it could not keep.
func TestStationDiskFull(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Mixed})
	small(t, g.data)
	g.plug()
	g.openCenter("center")
	g.openStation()
	g.until("in the middle of the first round", func(s web.Status) bool { return s.Round.Done > 1 })
	free := fill(t, g.data)
	g.verdict("Readings cannot be stored", "disk full", "Free space on the disk that holds", g.data)
	if _, complaint, code := g.concentrator("status", "--check"); code != 4 {
		t.Errorf("status --check exits with %d, %s", code, complaint)
	}
	free()
	g.until("it works again", func(s web.Status) bool { return s.Storage.Error == "" && s.Healthy })
	s := g.read()
	if s.Meters.Lost > 0 {
		t.Errorf("meters were blamed: %+v", s.Meters)
	}
	g.happened("storage.fault", "nothing could be stored")

	free = fill(t, g.data)
	g.verdict("Readings cannot be stored")
	g.station.stop()
	// What the end gave back may be enough to start; if not, that is told.
	g.station = g.launch()
	await(t, "the station runs, or says why not", func() bool {
		_, err := g.ask()
		return err == nil || !g.station.alive()
	}, g.station.said)
	if g.station.alive() {
		g.station.stop()
	} else if code := g.station.ended(); code != 1 {
		t.Errorf("start on a full disk: exit code %d, want 1", code)
	}
	tells(t, "a full disk", g.station.said(), "disk full", g.data, "free space")
	free()
	g.openStation()
	g.read()
	g.counters()
	g.finish()
}

// TestCenterDiskFull: a center that cannot store gives no receipt, and the station keeps
// everything until it can.
func TestCenterDiskFull(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Mixed})
	if err := os.Rename(filepath.Join(g.dir, "center"), filepath.Join(g.dir, "files")); err != nil {
		t.Fatal(err)
	}
	small(t, filepath.Join(g.dir, "center"))
	if err := os.CopyFS(filepath.Join(g.dir, "center"), os.DirFS(filepath.Join(g.dir, "files"))); err != nil {
		t.Fatal(err)
	}
	g.plug()
	g.openCenter("center")
	free := fill(t, filepath.Join(g.dir, "center"))
	g.openStation()
	s := g.read()
	s = g.until("nothing is receipted", func(s web.Status) bool { return s.Outbox.Readings >= 8*2*20 && s.Uplink.Error != "" })
	t.Logf("the station says: %s; %s", s.Verdict, s.Uplink.Error)
	if !g.center.alive() {
		t.Fatalf("the center gave up\n%s", g.center.said())
	}
	tells(t, "center", g.center.said(), "full")
	free()
	g.until("delivered", func(s web.Status) bool { return s.Uplink.Connected && s.Outbox.Readings < 100 })
	g.finish()
}
