package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/web"
	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	households "busbar/plc/street/load"
	"busbar/plc/street/meter"
	"busbar/storage"
)

// lane is a simulated street behind a pseudo-terminal.
type lane struct {
	meters   []*meter.Meter
	keys     string // its key file
	path     string // of the pseudo-terminal
	server   *chip.Server
	terminal *chip.Terminal
}

const speed = 200

// newLane serves a street of n meters, of every kind of security and of every variety.
func newLane(t *testing.T, n int) *lane {
	t.Helper()
	const seed = 7
	homes := households.NewModel(n, seed)
	l := &lane{keys: filepath.Join(t.TempDir(), "keys.csv")}
	var servers []street.Server
	var file strings.Builder
	places := street.Layout(seed, n)
	for i := range n {
		k := meter.SeededKeys([]dlms.Mechanism{dlms.HLSGMAC, dlms.LLS, dlms.None}[i%3], seed, i)
		state := &meter.LineState{Address: plc.New}
		m := meter.New(meter.Config{
			Title: plc.MustSystemTitle([]byte{'B', 'S', 'B', 0, 0, 0, byte(i >> 8), byte(i + 1)}), Home: homes.Home(i), Line: state,
			Installed: time.Now().Add(-30 * 24 * time.Hour), Keys: k, Options: meter.Variety(seed, i),
		})
		l.meters = append(l.meters, m)
		servers = append(servers, street.Server{Title: m.Title(), App: m, State: state, Place: places[i]})
		fmt.Fprintf(&file, "%v,%d,%s,%s,hex:%s\n", m.Title(), uint8(k.Mechanism), hexKey(k.Encryption), hexKey(k.Authentication), hex.EncodeToString(k.Password))
	}
	if err := os.WriteFile(l.keys, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	profile := plc.DefaultProfile()
	profile.Speed = speed
	mains, err := street.New(street.Config{Profile: profile, Seed: seed, Start: time.Now(), Noise: street.Quiet(), Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	if l.terminal, err = chip.OpenTerminal(); err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	l.path = l.terminal.Path()
	l.server = chip.NewServer(chip.New(chip.Config{Timers: chip.FastTimers(speed)}, mains))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = l.server.Serve(ctx, l.terminal) }) // ends with the test
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return l
}

func hexKey(k [16]byte) string { return hex.EncodeToString(k[:]) }

// channel names a value as the station does.
func channel(v meter.Value) concentrator.Channel {
	return concentrator.Channel{Profile: v.Profile, Class: v.Object.Class, Object: v.Object.Object, Attribute: v.Object.Attribute}
}

// served is every register value that the meters answered, by meter and object.
func (l *lane) served(t *testing.T) map[string]int64 {
	t.Helper()
	values := map[string]int64{}
	err := l.server.Do(t.Context(), func(time.Time, *chip.Chip, *street.Mains) {
		for _, m := range l.meters {
			for v := range m.Served() {
				values[fmt.Sprintf("%v %v %d", m.Title(), channel(v), v.Time.Unix())] = v.Value
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// held is every profile entry that the meters captured in a time.
func (l *lane) held(t *testing.T, from, to time.Time) map[string]int64 {
	t.Helper()
	values := map[string]int64{}
	err := l.server.Do(t.Context(), func(time.Time, *chip.Chip, *street.Mains) {
		for _, m := range l.meters {
			for v := range m.Held(from, to) {
				values[fmt.Sprintf("%v %v %d", m.Title(), channel(v), v.Time.Unix())] = v.Value
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// The real daemon reads a street over a real serial port, is killed and goes on; what its
// database holds is what the meters captured, value by value.
func TestStationReadsAStreet(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	l := newLane(t, 9)
	dir := t.TempDir()
	from := time.Now().Add(-6*time.Hour + 20*time.Minute)
	args := []string{"--modem", l.path, "--speed", fmt.Sprint(speed), "--keys", l.keys, "--config", quick(t, "round:\n  period: 5s\n  backfill: 6h\nmeters:\n  allow_unprotected: true\n  expected: 9\n")}
	d := runDaemon(t, dir, args...)
	d.read(1, 9)
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.end
	d.end <- nil
	d = runDaemon(t, dir, args...)
	d.read(2, 9)
	s := d.ready()
	if !s.Healthy || s.Meters.Registered != 9 || s.Meters.Lost != 0 {
		t.Errorf("status %+v", s)
	}
	if code := d.stop(); code != exitOK {
		t.Errorf("exit code %d\n%s", code, d.log())
	}
	compare(t, dir, l.held(t, from, time.Now().Add(-20*time.Minute)), l.served(t))
}

func quick(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "concentrator.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A database that is full stops nothing: the station says so, keeps its meters, and goes
// on where it was when there is room again.
func TestFullDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	l := newLane(t, 4)
	dir := t.TempDir()
	fill(t, dir, 1, 13000, concentrator.StateLost) // of an old meter: nearly all there is room for
	from := time.Now().Add(-9 * 24 * time.Hour)
	file := quick(t, "round:\n  period: 1s\n  backfill: 216h\n  max_entries: 1500\nmeters:\n  allow_unprotected: true\n")
	args := []string{"--modem", l.path, "--speed", fmt.Sprint(speed), "--keys", l.keys, "--config", file}
	environment = []string{"CONCENTRATOR_STORAGE_MAX_MEGABYTES=1"}
	d := runDaemon(t, dir, args...)
	environment = nil
	d.until("storage is full", func(s web.Status) bool {
		return strings.Contains(s.Verdict, "cannot be stored") && strings.Contains(s.Storage.Error, "disk full") && !s.Healthy
	})
	if s := d.ready(); s.Meters.Registered != 4 {
		t.Errorf("meters %+v", s.Meters)
	}
	if code := d.stop(); code != exitOK {
		t.Errorf("exit code %d\n%s", code, d.log())
	}
	d = runDaemon(t, dir, args...)
	d.until("most read", func(s web.Status) bool { return s.Storage.Error == "" && s.Storage.Readings > 13000+4*2*800 })
	d.read(d.ready().Round.Number+3, 4) // and what was still on its way
	d.stop()
	compare(t, dir, l.held(t, from, time.Now().Add(-20*time.Minute)), l.served(t))
}

// read waits until a round of at least the number read every meter.
func (d *daemon) read(number uint64, meters int) {
	d.t.Helper()
	d.until(fmt.Sprintf("round %d or later with %d meters", number, meters), func(web.Status) bool {
		out, complaint, code := d.ask("rounds", "--json")
		var rounds []web.Round
		if err := json.Unmarshal([]byte(out), &rounds); code != exitOK || err != nil {
			d.t.Fatalf("exit code %d, %s, %v", code, complaint, err)
		}
		return slices.ContainsFunc(rounds, func(r web.Round) bool { return r.Number >= number && r.Done == meters })
	})
}

func (d *daemon) until(what string, is func(web.Status) bool) {
	d.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		s := d.ready()
		if is(s) {
			return
		}
		if time.Now().After(deadline) {
			out, _, _ := d.ask("meters")
			d.t.Fatalf("still not: %s\nround %+v\n%s\n%s\n%s", what, s.Round, s.Verdict, out, d.log())
		}
	}
}

// compare looks for each value that the meters captured among those stored, and for each
// stored one among what the meters captured or answered.
func compare(t *testing.T, dir string, held, served map[string]int64) {
	t.Helper()
	store, err := storage.Open(t.Context(), storage.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	stored, unknown := map[string]int64{}, 0
	for r, err := range store.AllReadings(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("%v %v %d", r.Meter, r.Channel, r.Time.Unix())
		stored[key] = r.Value
		if r.Channel.Profile.IsZero() {
			if v, ok := served[key]; !ok || v != r.Value {
				unknown++
			}
		}
		if r.Quality&^concentrator.StatusRaised != 0 {
			t.Errorf("reading %+v", r)
		}
	}
	missing, different := 0, 0
	for key, v := range held {
		got, ok := stored[key]
		switch {
		case !ok:
			missing++
		case got != v:
			different++
		}
	}
	t.Logf("%d stored, %d captured", len(stored), len(held))
	if missing+different+unknown > 0 || len(held) < 9*20 {
		t.Errorf("of %d captured values %d are missing and %d different; %d register values that no meter answered", len(held), missing, different, unknown)
	}
}
