package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"busbar/concentrator"
)

// TestMetersAreSalvaged: a store that begins anew beside a damaged file knows the meters
// that can still be read in it, with their addresses, and nothing of their readings.
func TestMetersAreSalvaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	var meters []concentrator.Meter
	for i := range 200 {
		m := meter(i + 1)
		m.LastReading = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		meters = append(meters, m)
	}
	ctx := context.Background()
	if err := s.SaveMeters(ctx, meters, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // pages of readings, to be damaged below
		if _, err := s.RecordVisit(ctx, visit(i+1, readings(i+1, import_, night, 50))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	damage(t, path)
	if _, err := Open(ctx, Options{Dir: dir}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("opened a damaged file: %v", err)
	}
	fresh := open(t, Options{Dir: dir, SetAsideCorrupt: true})
	got, err := fresh.Meters(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(meters) {
		t.Fatalf("%d meters salvaged of %d", len(got), len(meters))
	}
	for i, m := range got {
		if m.Address != meters[i].Address || m.State != meters[i].State || !m.LastReading.IsZero() {
			t.Errorf("meter %v: %v at %v, last reading %v", m.Title, m.State, m.Address, m.LastReading)
		}
	}
	if st, err := fresh.Stats(ctx); err != nil || st.Readings != 0 {
		t.Errorf("%d readings in a store that begins anew, %v", st.Readings, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*-shm"))
	if err != nil || len(left) > 1 {
		t.Errorf("left behind: %v", left)
	}
}

// damage overwrites the last third of a file, where the newest readings lie.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) * 2 / 3; i < len(b); i++ {
		b[i] ^= 0x55
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
