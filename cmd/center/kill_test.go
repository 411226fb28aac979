package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/storage"
	"busbar/storage/archive"
)

// asCenter makes the test binary run as the command itself.
const asCenter = "CENTER_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asCenter) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// process starts the center as a process of its own, and waits until its port is open.
func process(t *testing.T, dir, address string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--data", dir, "--listen", address)
	cmd.Env = append(os.Environ(), asCenter+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 2000 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return cmd
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the center does not listen")
	return nil
}

// TestCenterIsKilled kills the center's process again and again while a station
// delivers: at the end it holds every reading once.
func TestCenterIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := filepath.Join(t.TempDir(), "center")
	must(t, "init", dir, "--host", "127.0.0.1")
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a free port, the same for every process
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	cmd := process(t, dir, address)
	store, courier := station(t, dir, address)
	const kills = 6
	for n := range kills {
		for m := range 10 {
			title := plc.MustSystemTitle([]byte{'B', 'U', 'S', byte(n), byte(m)})
			list := readings(96)
			for i := range list {
				list[i].Meter = title
			}
			rec := concentrator.VisitRecord{Meter: concentrator.Meter{Title: title}, Visit: concentrator.Visit{Meter: title}, Readings: list}
			if _, err := store.RecordVisit(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(n*7) * time.Millisecond) // real: the kill falls elsewhere each time
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cmd = process(t, dir, address)
	}
	for range 6000 {
		b, err := store.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.Readings == 0 && b.Batches == 0 {
			compareStores(t, store, dir)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("nothing arrived: %+v", courier.State())
}

func compareStores(t *testing.T, store *storage.Store, dir string) {
	t.Helper()
	want, count, err := store.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := archive.OpenReader(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []concentrator.Reading
	for reading, err := range r.Readings(t.Context(), archive.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, reading)
	}
	if storage.DigestReadings(all) != want || len(all) != count || count != 6*10*96 {
		t.Errorf("the center holds %d readings, the station %d", len(all), count)
	}
	stations, err := r.Stations(t.Context())
	if err != nil || stations[0].Missing != 0 || stations[0].Duplicates != 0 || stations[0].Conflicts != 0 {
		t.Errorf("%+v (%v)", stations, err)
	}
}
