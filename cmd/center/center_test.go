package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/concentrator/proof"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/storage"
	"busbar/uplink"
	"busbar/uplink/center"
	"busbar/uplink/pki"
	"busbar/uplink/ws"
)

// command runs one command line and returns what it printed.
func command(t *testing.T, args ...string) (code int, out, complaints string) {
	t.Helper()
	var o, c bytes.Buffer
	code = execute(t.Context(), args, &o, &c)
	return code, o.String(), c.String()
}

// must runs a command line that has to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, complaints := command(t, args...)
	if code != exitOK {
		t.Fatalf("center %s: exit code %d: %s", strings.Join(args, " "), code, complaints)
	}
	return out
}

// log is what a running center writes.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

var addressPattern = regexp.MustCompile(`address=(\S+)`)

// start runs `center run` and returns its address and the way to stop it.
func start(t *testing.T, dir string) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var log logged
	done := make(chan int, 1)
	go func() { done <- execute(ctx, []string{"run", "--data", dir, "--listen", "127.0.0.1:0"}, &log, &log) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-done; code != exitOK {
			t.Errorf("center run: exit code %d\n%s", code, log.String())
		}
	})
	t.Cleanup(stop)
	for range 2000 {
		if m := addressPattern.FindStringSubmatch(log.String()); m != nil {
			return m[1], stop
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("center run does not listen:\n%s", log.String())
	return "", nil
}

var (
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	meter    = plc.MustSystemTitle([]byte("BUS\x00\x00\x00\x00\x01"))
	imported = concentrator.Channel{Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
)

func readings(count int) (list []concentrator.Reading) {
	for i := range count {
		list = append(list, concentrator.Reading{
			Meter: meter, Channel: imported, Time: noon.Add(time.Duration(i) * 15 * time.Minute),
			Value: int64(12345 + i), Scaler: -1, Unit: 30, Received: noon.Add(time.Hour),
		})
	}
	return list
}

// station connects a real store to the center; its engine answers orders at once.
func station(t *testing.T, dir, address string) (*storage.Store, *uplink.Courier) {
	t.Helper()
	own := filepath.Join(dir, pki.StationsDir, "TS-0001")
	d, err := ws.New(ws.Config{
		URL: "wss://" + address + center.Path, CA: filepath.Join(own, pki.AuthorityCert),
		Cert: filepath.Join(own, pki.StationCert), Key: filepath.Join(own, pki.StationKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Open(t.Context(), storage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	orders := make(chan struct{}, 10)
	courier := uplink.New(uplink.Config{
		Station: "TS-0001", Version: "9.9", BatchAge: 5 * time.Millisecond, BackoffMin: 5 * time.Millisecond,
		NewOrder: func() { orders <- struct{}{} },
	}, store, store, d)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := courier.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() { engine(ctx, t, store, orders) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, courier
}

// engine answers reads of registers with a value, all others with silence.
func engine(ctx context.Context, t *testing.T, store *storage.Store, orders <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-orders:
		}
		pending, err := store.PendingOrders(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		for _, o := range pending {
			o.State, o.Result = concentrator.OrderDone, &concentrator.OrderResult{Time: noon, Outcome: plc.Answered, Text: "1234.5 Wh", Data: []byte{6, 0, 0, 0x30, 0x39}, Scaler: -1, Unit: 30}
			if o.Ref.Class != cosem.ClassRegister {
				o.State, o.Result = concentrator.OrderExpired, &concentrator.OrderResult{Time: noon, Outcome: plc.Silent, Detail: "no answer after 2 attempts"}
			}
			if err := store.SaveOrder(ctx, o); err != nil {
				t.Error(err)
			}
		}
	}
}

// center1 is a running center with one connected station that has delivered.
func center1(t *testing.T) (dir string, stop func()) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "center")
	must(t, "init", dir, "--host", "127.0.0.1")
	address, stop := start(t, dir)
	store, courier := station(t, dir, address)
	rec := concentrator.VisitRecord{
		Meter: concentrator.Meter{Title: meter, State: concentrator.StateRegistered}, Visit: concentrator.Visit{Meter: meter}, Readings: readings(8),
		Events: []concentrator.Event{{Time: noon, Meter: meter, Code: concentrator.EventMeterRegistered, Text: "address 17"}},
	}
	if _, err := store.RecordVisit(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		b, err := store.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.Readings == 0 && b.Batches == 0 && strings.Contains(must(t, "events", "--data", dir), "address 17") {
			return dir, stop
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("nothing was delivered: %+v", courier.State())
	return "", nil
}

func TestInitTellsWhatNext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	out := must(t, "init", dir, "--host", "center.example.org", "--station", "TS-1", "--station", "TS-2")
	for _, want := range []string{"wss://center.example.org:8443/uplink", "station: TS-1", "station: TS-2", "Next: center run --data " + dir, "stations/TS-2/station.key"} {
		if !strings.Contains(out, want) {
			t.Errorf("init does not say %q:\n%s", want, out)
		}
	}
	code, _, complaints := command(t, "init", dir)
	if code != exitFailure || !strings.Contains(complaints, "--force") {
		t.Errorf("init again: %d %s", code, complaints)
	}
	if out := must(t, "add-station", "TS-3", "--data", dir); !strings.Contains(out, "station: TS-3") {
		t.Errorf("add-station: %s", out)
	}
}

func TestListsWhileTheCenterRuns(t *testing.T) {
	dir, stop := center1(t)
	var stations []map[string]any
	if err := json.Unmarshal([]byte(must(t, "stations", "--json", "--data", dir)), &stations); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"station": "TS-0001", "connected": true, "readings": 8.0, "meters": 1.0, "version": "9.9", "missing": 0.0} {
		if got := stations[0][key]; got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"stations"}, []string{"TS-0001", "yes", "9.9"}},
		{[]string{"meters"}, []string{meter.String(), "2026-03-01T13:45:00Z"}},
		{[]string{"readings", "--limit", "2"}, []string{"1235.2 Wh", "good", "1.0.99.1.0.255"}},
		{[]string{"readings", "--meter", meter.String(), "--obis", "1-0:1.8.0", "--from", "2026-03-01T12:00:00Z", "--to", "2026-03-01T12:15", "--json"}, []string{`"value": 12345`, `"time": "2026-03-01T12:00:00Z"`}},
		{[]string{"conflicts"}, []string{"METER TIME"}},
		{[]string{"events", "--json"}, []string{"meter.registered"}},
	} {
		out := must(t, append(c.args, "--data", dir)...)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v does not say %q:\n%s", c.args, want, out)
			}
		}
	}
	stop()
	if out := must(t, "stations", "--data", dir); !strings.Contains(out, "no") {
		t.Errorf("after the end:\n%s", out)
	}
}

func held(list []concentrator.Reading) iter.Seq2[proof.Held, error] {
	return func(yield func(proof.Held, error) bool) {
		for _, r := range list {
			if !yield(proof.Held{Reading: r, Must: true}, nil) {
				return
			}
		}
	}
}

func TestExportAndCompare(t *testing.T) {
	dir, _ := center1(t)
	out := filepath.Join(t.TempDir(), "readings.csv")
	must(t, "export", "--csv", "-o", out, "--data", dir)
	b, err := os.ReadFile(out)
	if err != nil || strings.Count(string(b), "\n") != 9 || string(b) != must(t, "export", "--data", dir) {
		t.Errorf("export (%v):\n%s", err, b)
	}
	if code, _, complaints := command(t, "export", "-o", out, "--data", dir); code != exitFailure || !strings.Contains(complaints, "--force") {
		t.Errorf("export again: %d %s", code, complaints)
	}
	write := func(list []concentrator.Reading) string {
		path := filepath.Join(t.TempDir(), "held.csv")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.WriteHeld(f, held(list)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got := must(t, "compare", "--held", write(readings(8)), "--data", dir); got != "8 of 8 values equal, 0 missing, 0 duplicated, 0 different\n" {
		t.Errorf("compare: %q", got)
	}
	wrong := readings(9)
	wrong[3].Value++
	code, got, complaints := command(t, "compare", "--held", write(wrong), "--data", dir)
	if code != exitFailure || got != "7 of 9 values equal, 1 missing, 0 duplicated, 1 different\n" || !strings.Contains(complaints, "missing: meter") {
		t.Errorf("compare: %d %q %s", code, got, complaints)
	}
}

func TestRead(t *testing.T) {
	dir, stop := center1(t)
	out := must(t, "read", "TS-0001", meter.String(), "1.0.1.8.0.255", "--data", dir)
	if !strings.Contains(out, "1234.5 Wh") || !strings.Contains(out, "good") || !strings.Contains(out, "2026-03-01T12:00:00Z") {
		t.Errorf("read: %s", out)
	}
	var a center.Answer
	if err := json.Unmarshal([]byte(must(t, "read", "TS-0001", meter.String(), "1-0:1.8.0", "--json", "--data", dir)), &a); err != nil {
		t.Fatal(err)
	}
	if a.State != "done" || a.Result.Scaler != -1 || len(a.Result.Data) != 5 || a.Class != 3 || a.Attribute != 2 {
		t.Errorf("%+v %+v", a, a.Result)
	}
	code, _, complaints := command(t, "read", "TS-0001", meter.String(), "0.0.1.0.0.255", "--class", "8", "--data", dir)
	if code != exitNoAnswer || !strings.Contains(complaints, "no answer after 2 attempts") {
		t.Errorf("silent meter: %d %s", code, complaints)
	}
	code, _, complaints = command(t, "read", "TS-9", meter.String(), "1.0.1.8.0.255", "--data", dir)
	if code != exitNotFound || !strings.Contains(complaints, "center stations") {
		t.Errorf("unknown station: %d %s", code, complaints)
	}
	if out := must(t, "orders", "--data", dir); strings.Count(out, "done") != 2 || !strings.Contains(out, "expired") {
		t.Errorf("orders:\n%s", out)
	}
	stop()
	code, _, complaints = command(t, "read", "TS-0001", meter.String(), "1.0.1.8.0.255", "--data", dir)
	if code != exitNotFound || !strings.Contains(complaints, "center run --data") {
		t.Errorf("no center: %d %s", code, complaints)
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"frobnicate"}, exitUsage, "unknown command"},
		{[]string{"init"}, exitUsage, "accepts 1 arg"},
		{[]string{"init", dir + "/x", "--station", "../y"}, exitUsage, "station id"},
		{[]string{"add-station", "TS-1", "--data", dir}, exitNotFound, "center init"},
		{[]string{"run", "--data", dir}, exitNotFound, "center init"},
		{[]string{"run", "--data", dir, "--log", "loud"}, exitUsage, "debug, info"},
		{[]string{"stations", "--data", dir}, exitNotFound, "center run"},
		{[]string{"readings", "--meter", "xyz", "--data", dir}, exitNotFound, "no archive"},
		{[]string{"read", "TS-1", "nonsense", "1.0.1.8.0.255"}, exitUsage, "system title"},
		{[]string{"read", "TS-1", "4D4D4D0000BC614E", "1.0.1"}, exitUsage, "OBIS"},
		{[]string{"read", "TS-1", "4D4D4D0000BC614E", "1.0.1.8.0.255", "--timeout", "0s"}, exitUsage, "--timeout"},
		{[]string{"compare"}, exitUsage, "held"},
		{[]string{"compare", "--held", "/nonexistent", "--data", dir}, exitNotFound, "what the meters held"},
	} {
		code, _, complaints := command(t, c.args...)
		if code != c.code || !strings.Contains(complaints, c.want) {
			t.Errorf("%v: exit code %d, %q; want %d, …%s…", c.args, code, complaints, c.code, c.want)
		}
	}
}

// TestHelp: every command has help with an example, and shells can complete.
func TestHelp(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s has no example", c.Name())
		}
		if out := must(t, c.Name(), "--help"); !strings.Contains(out, "Examples:") {
			t.Errorf("help of %s has no example", c.Name())
		}
	}
	if out := must(t, "completion", "bash"); !strings.Contains(out, "center") {
		t.Error("no completion for bash")
	}
}

// TestSecondCenterIsRefused: one server per directory.
func TestSecondCenterIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "center")
	must(t, "init", dir, "--host", "127.0.0.1")
	start(t, dir)
	code, _, complaints := command(t, "run", "--data", dir, "--listen", "127.0.0.1:0")
	if code != exitFailure || !strings.Contains(complaints, "in use by another center") {
		t.Errorf("%d %s", code, complaints)
	}
}

func TestStamp(t *testing.T) {
	for want, at := range map[string]time.Time{"-": {}, "2026-03-01T12:00:00Z": noon, "36812-02-20T00:36:16Z": time.Unix(1<<40, 0)} {
		if got := fmt.Sprint(stamp(at)); got != want {
			t.Errorf("%v is %s, want %s", at, got, want)
		}
		if b, err := json.Marshal(stamp(at)); err != nil || !at.IsZero() && string(b) != `"`+want+`"` || at.IsZero() && string(b) != "null" {
			t.Errorf("%s (%v)", b, err)
		}
	}
}
