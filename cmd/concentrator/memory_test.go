package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/storage"
)

// maxResident is what a station of 1,024 meters may take, measured from outside.
const maxResident = 96 << 20

// TestMemoryOfALargeStation fills a database with a large station, lets the daemon take
// it up and looks at its memory while pages are open.
func TestMemoryOfALargeStation(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	dir := t.TempDir()
	fill(t, dir, 1024, 96, concentrator.StateRegistered)
	d := runDaemon(t, dir)
	for d.ready().Meters.Known != 1024 {
		time.Sleep(20 * time.Millisecond)
	}
	url := d.url()
	for range 8 {
		header := http.Header{"Origin": {url}}
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/api/v1/live", header)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, b, err := conn.ReadMessage(); err != nil || len(b) < 1024*100 {
			t.Fatalf("first message of %d octets, %v", len(b), err)
		}
	}
	for range 20 {
		for _, path := range []string{"/", "/api/v1/meters", "/api/v1/status", "/api/v1/events?limit=1000"} {
			res, err := http.Get(url + path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s, %v", path, res.Status, err)
			}
			_ = res.Body.Close()
		}
	}
	peak := resident(t, d.cmd.Process.Pid)
	t.Logf("peak of resident memory: %.1f MiB", float64(peak)/(1<<20))
	if peak > maxResident {
		t.Errorf("%d octets of resident memory, want at most %d", peak, maxResident)
	}
}

// url is where the page is.
func (d *daemon) url() string {
	d.t.Helper()
	_, url, found := strings.Cut(d.log(), "url=")
	if !found {
		d.t.Fatalf("no address in the log\n%s", d.log())
	}
	url, _, _ = strings.Cut(url, "\n")
	return url
}

// resident is the largest resident memory that a process has had.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc here")
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Skip("no peak of memory in /proc")
	return 0
}

// fill makes a database of so many meters with so many profile entries each.
func fill(t *testing.T, dir string, meters, entries int, state concentrator.LineState) {
	t.Helper()
	store, err := storage.Open(t.Context(), storage.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now().UTC().Truncate(15 * time.Minute)
	object := cosem.MustOBIS("1.0.1.8.0.255")
	ref := cosem.Ref{Class: cosem.ClassRegister, Object: object, Attribute: 2}
	for n := range meters {
		m := concentrator.Meter{
			Title: plc.MustSystemTitle([]byte{'B', 'S', 'B', 0, 0, 0, byte(n >> 8), byte(n)}), Name: fmt.Sprintf("BSB%013d", n),
			State: state, Address: plc.Address(n + 1), Credit: plc.Credit(n % 6), LastReading: now, LastHeard: now, LastAsked: now,
			Signal: plc.Signal{S0: 400, N0: 20, S1: 380, N1: 30, Method: 2, Gain: 5}, LastOutcome: plc.Silent, LastDetail: "no answer in 3 attempts",
			Layout: make([]concentrator.Column, 8), CapturePeriod: 15 * time.Minute,
		}
		for range 6 {
			m.Registers = append(m.Registers, concentrator.RegisterInfo{Ref: ref, Unit: 30})
		}
		r := concentrator.VisitRecord{Meter: m, Visit: concentrator.Visit{Round: 1, Meter: m.Title, Exchange: plc.Exchange{Outcome: plc.Answered, Begin: now, End: now}}}
		for i := range entries {
			r.Readings = append(r.Readings, concentrator.Reading{
				Meter: m.Title, Channel: concentrator.Channel{Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: 3, Object: object, Attribute: 2},
				Time: now.Add(-time.Duration(i) * 15 * time.Minute), Value: int64(n*1000 + i), Unit: 30, Received: now,
			})
		}
		if _, err := store.RecordVisit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}
