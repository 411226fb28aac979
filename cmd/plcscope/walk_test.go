package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/street/door"
	"busbar/plc/street/load"
	"busbar/plc/street/meter"
)

// stage is a row of meters behind doors on the loopback.
type stage struct {
	meters []*meter.Meter
	doors  *door.Doors
	keys   string // file
	ctx    context.Context
	t      *testing.T
}

// newStage makes one meter for each mechanism.
func newStage(t *testing.T, mechanisms ...dlms.Mechanism) *stage {
	t.Helper()
	s := &stage{t: t, ctx: t.Context(), keys: filepath.Join(t.TempDir(), "keys.csv")}
	homes := load.NewModel(4, 1)
	cfg := door.Config{}
	file := "title,mechanism,encryption,authentication,password\n"
	for i, m := range mechanisms {
		title := plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, 0x27, byte(0x11 + i)})
		keys := meter.SeededKeys(m, 1, i)
		one := meter.New(meter.Config{
			Title: title, Home: homes.Home(i), Installed: time.Now().Add(-48 * time.Hour), Keys: keys,
			Options: meter.Options{NullData: i == 1, NoList: i == 2},
		})
		s.meters = append(s.meters, one)
		cfg.Meters = append(cfg.Meters, one)
		name := map[dlms.Mechanism]string{dlms.None: "none", dlms.LLS: "lls", dlms.HLSGMAC: "hls-gmac"}[m]
		file += fmt.Sprintf("%v,%s,%s,%s,%s\n", title, name, digits(m == dlms.HLSGMAC, keys.Encryption[:]),
			digits(m == dlms.HLSGMAC, keys.Authentication[:]), string(keys.Password))
	}
	if err := os.WriteFile(s.keys, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var owner sync.Mutex // stands for the street's goroutine
	cfg.Do = func(_ context.Context, f func()) error {
		owner.Lock()
		defer owner.Unlock()
		f()
		return nil
	}
	var err error
	if s.doors, err = door.New(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

func digits(some bool, b []byte) string {
	if !some {
		return ""
	}
	return fmt.Sprintf("%X", b)
}

// open opens a door and returns where it is.
func (s *stage) open(kind door.Kind, which int) string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.doors.Serve(ctx, l, kind, which) // ends with ctx
	}()
	s.t.Cleanup(func() {
		stop()
		<-ended
	})
	return l.Addr().String()
}

// scope runs a command and returns what it printed.
func scope(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, trouble bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&trouble)
	err := cmd.ExecuteContext(t.Context())
	if t.Failed() {
		t.Log(trouble.String())
	}
	return out.String(), err
}

// carriers are the ways to a meter, with the flags that name meter i on a door onto all.
var carriers = []struct {
	scheme string
	kind   door.Kind
	which  func(i int) []string
}{
	{"tcp", door.Wrapper, func(i int) []string { return []string{"--server", fmt.Sprint(i + 1)} }},
	{"hdlc", door.HDLC, func(i int) []string { return []string{"--device", fmt.Sprint(i + 16)} }},
}

// TestWalk reads everything of three meters over each carrier, and wants the same whatever
// the longest APDU is.
func TestWalk(t *testing.T) {
	names := []string{"none", "lls", "hls-gmac"}
	for _, carrier := range carriers {
		s := newStage(t, dlms.None, dlms.LLS, dlms.HLSGMAC)
		at := carrier.scheme + "://" + s.open(carrier.kind, door.All)
		for i, mechanism := range names {
			objects := map[int]int{}
			for _, size := range []int{134, 242, 65535} {
				out, err := scope(t, append(carrier.which(i), "walk", at, "--mechanism", mechanism, "--keys", s.keys,
					"--meter-title", s.meters[i].Title().String(), "--max-pdu", fmt.Sprint(size), "--json")...)
				if err != nil {
					t.Fatalf("%s, %s, %d: %v", carrier.scheme, mechanism, size, err)
				}
				objects[size] = checkWalk(t, out, s.meters[i].Name())
			}
			if objects[134] != objects[242] || objects[242] != objects[65535] || objects[134] < 50 {
				t.Errorf("%s, %s: attributes read by size: %v", carrier.scheme, mechanism, objects)
			}
		}
		if c := s.doors.Counts(); c.Unanswered != 0 || c.Broken != 0 {
			t.Errorf("%+v", c)
		}
	}
}

// TestWalkLearns: of a ciphered meter nothing but its keys need be known.
func TestWalkLearns(t *testing.T) {
	s := newStage(t, dlms.HLSGMAC)
	for _, c := range carriers {
		at := c.scheme + "://" + s.open(c.kind, 0)
		out, err := scope(t, "walk", at, "--keys", s.keys, "--json", "--window", "7", "--frame", "500")
		if err != nil {
			t.Fatalf("%s: %v", c.scheme, err)
		}
		checkWalk(t, out, s.meters[0].Name())
	}
	at := "tcp://" + s.open(door.Wrapper, 0)
	if out, err := scope(t, "walk", at, "--client", "16", "--class", "1"); err != nil || !strings.Contains(out, s.meters[0].Name()) {
		t.Errorf("the public client: %v\n%s", err, out)
	}
	if out, err := scope(t, "walk", at); err == nil || !strings.Contains(err.Error(), "the meter refuses") {
		t.Errorf("without keys: %v\n%s", err, out)
	}
}

// checkWalk counts the attributes in what a walk printed; all must have been read.
func checkWalk(t *testing.T, out, name string) int {
	t.Helper()
	n, named, rows := 0, false, 0
	for line := range strings.Lines(out) {
		var r struct {
			row
			Value any `json:"value"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r.Result != "success" {
			t.Errorf("%s", line)
		}
		if r.Object.String() == "0.0.42.0.0.255" && r.Attribute == 2 {
			named = r.Value == name
		}
		if r.Class == 7 && r.Attribute == 2 {
			if list, ok := r.Value.([]any); ok {
				rows = max(rows, len(list))
			}
		}
		n++
	}
	if !named || rows < 190 {
		t.Errorf("%d attributes, device name %v, %d rows in the longest profile", n, named, rows)
	}
	return n
}
