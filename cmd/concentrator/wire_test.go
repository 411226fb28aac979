package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/cmd/concentrator/config"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/trace"
	"busbar/storage"
)

// TestKeyFileOthersCanRead: neither a check nor a start takes it.
func TestKeyFileOthersCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.csv")
	if err := os.WriteFile(path, []byte(keyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Station, c.Data, c.Meters.Keys = "TS-1", t.TempDir(), path
	start := func() error {
		store, err := openStore(t.Context(), c)
		if err == nil {
			err = store.Close()
		}
		return err
	}
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"check": checkOnly(io.Discard, c), "start": start()} {
			refused := err != nil && strings.Contains(err.Error(), "meters.keys") && strings.Contains(err.Error(), "chmod 600")
			if (err == nil) != want || refused == want {
				t.Errorf("%s with mode %v: %v", what, mode, err)
			}
		}
	}
}

// TestSettingsReachTheLine: what is set for the segment is what the parts are told.
func TestSettingsReachTheLine(t *testing.T) {
	c := config.Default()
	c.Station = "TS-1"
	c.Line.ClientSAP, c.Line.PublicSAP, c.Line.ServerSAP = 2, 17, 3
	c.Line.RepeaterThreshold, c.Line.SlotsForNew = 90, 5
	c.Line.FirstInitiator, c.Line.LastInitiator, c.Line.Initiator = 2400, 2600, 2500
	c.Meters.Deviation, c.Round.MaxEntries = "from-utc", 10000
	s := &station{cfg: c, log: slog.New(slog.DiscardHandler)}

	l := s.lineConfig()
	if l.ClientSAP != 2 || l.PublicSAP != 17 || l.ServerSAP != 3 || l.Threshold != 90 || l.SlotsForNew != 5 || l.Profile != c.Line.Profile() {
		t.Errorf("initiator: %+v", l)
	}
	if err := l.Validate(); err != nil || l.MaxTransfer < 100*c.Round.MaxEntries {
		t.Errorf("room for %d octets of %d entries, %v", l.MaxTransfer, c.Round.MaxEntries, err)
	}
	if m := s.modemConfig(); m.Threshold != 90 || m.Profile.FIMA != 2400 || m.Profile.LIMA != 2600 || m.Profile.Initiator != 2500 {
		t.Errorf("modem: %+v", m)
	}
	e, err := s.engineConfig(0)
	if err != nil || e.Deviation != cosem.DeviationFromUTC || e.Line != c.Line.Profile() {
		t.Errorf("engine: %+v, %v", e, err)
	}
}

// TestBlackBox: what passes between us and the modem reaches the file, and a file that
// cannot be written does not end the station.
func TestBlackBox(t *testing.T) {
	c := config.Default()
	c.Station, c.Line.Trace = "TS-1", filepath.Join(t.TempDir(), "line.trace")
	s := &station{cfg: c, log: slog.New(slog.DiscardHandler)}
	s.modemConfig().Trace(time.Unix(1, 0), true, []byte{0x02, 0x03, 0x21, 0x24, 0x00})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.keepTrace(ctx); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(c.Line.Trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r, err := trace.NewReader(f).Next(); err != nil || !r.Sent || !bytes.Equal(r.Octets, []byte{0x02, 0x03, 0x21, 0x24, 0x00}) {
		t.Errorf("the file holds %+v, %v", r, err)
	}

	s.cfg.Line.Trace = filepath.Join(t.TempDir(), "none", "line.trace")
	s.modemConfig().Trace(time.Unix(1, 0), true, []byte{0x06})
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.keepTrace(ctx); err != nil || ctx.Err() == nil {
		t.Errorf("a file that cannot be written ended the part: %v", err)
	}
}

// TestSpentKeyIsTheMetersTrouble: a meter whose counters are used up must not look like a
// station that cannot work.
func TestSpentKeyIsTheMetersTrouble(t *testing.T) {
	store, err := storage.Open(t.Context(), storage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	title := plc.MustSystemTitle([]byte("BSB00001"))
	if _, _, err := store.RaiseCounter(title, math.MaxUint32); err != nil {
		t.Fatal(err)
	}
	if _, err := (counters{store}).Reserve(title, 64); !errors.Is(err, dlms.ErrCounterSpent) {
		t.Errorf("a spent key: %v", err)
	}
}
