package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"busbar/concentrator/proof"
	"busbar/storage"
)

// screen is an output that may be read meanwhile.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs the command until cancel; how it ended comes on the channel.
func start(t *testing.T, args ...string) (out *screen, cancel func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = &screen{}
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(out)
	result := make(chan error, 1)
	go func() { result <- cmd.ExecuteContext(ctx) }()
	return out, cancel, result
}

// eventually waits until a file is there and has changed since it was old.
func eventually(t *testing.T, path string, old os.FileInfo) os.FileInfo {
	t.Helper()
	for range 3000 {
		if info, err := os.Stat(path); err == nil && !os.SameFile(info, old) {
			return info
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s was not written", path)
	return nil
}

func TestStreet(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	out, cancel, ended := start(t, "--meters", "4", "--speed", "500", "--security", "mixed", "--noise", "quiet",
		"--profiles", "", "--link", file("modem"), "--keys", file("keys.csv"), "--held", file("held.csv"))
	first := eventually(t, file("held.csv"), nil)

	// What a station needs: the modem and the keys.
	f, err := os.OpenFile(file("modem"), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{0x02, 0x05, 0x41, 0x13, 0x00, 0x59, 0x00}); err != nil { // software version
		t.Fatal(err)
	}
	got := make([]byte, 9)
	if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, []byte{0x06, 0x02, 0x06, 0x42, 0x13, 0x00, 0x10, 0x6B, 0x00}) {
		t.Fatalf("the modem says % X, %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys.csv", "held.csv"} {
		if info, err := os.Stat(file(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want one that others cannot read", name, info.Mode(), err)
		}
	}
	checkKeys(t, file("keys.csv"), dir)

	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	second := eventually(t, file("held.csv"), first)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	eventually(t, file("held.csv"), second) // once more at the end
	if _, err := os.Lstat(file("modem")); err == nil {
		t.Error("the link is still there")
	}
	checkHeld(t, file("held.csv"))
	if s := out.String(); !strings.Contains(s, "modem on /dev/pts/") || !strings.Contains(s, "0 of 4 meters registered") {
		t.Errorf("it says %q", s)
	}
	if left, err := filepath.Glob(file(".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// checkKeys lets a station's store import the keys.
func checkKeys(t *testing.T, path, dir string) {
	t.Helper()
	store, err := storage.Open(t.Context(), storage.Options{Dir: filepath.Join(dir, "station")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if n, err := store.ImportKeys(f); err != nil || n != 4 {
		t.Errorf("%d keys imported, %v", n, err)
	}
}

// checkHeld reads the file of what the meters held: two values of each quarter of an hour in 46 hours,
// those of the last 23 a must.
func checkHeld(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all, must := 0, 0
	for h, err := range proof.ReadHeld(f) {
		if err != nil {
			t.Fatal(err)
		}
		all++
		if h.Must {
			must++
		}
	}
	if all < 4*2*2*91 || all > 4*2*2*93 || must < 4*2*88 || must > all/2 {
		t.Errorf("%d values held, %d of them a must", all, must)
	}
}

func TestFaultsAreTold(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"want 1 to 2000":             {"--meters", "0"},
		"one of quiet":               {"--noise", "loud"},
		"want none, lls":             {"--security", "some"},
		"ciphered meters have 8":     {"--title-size", "6"},
		"no recorded load":           {"--profiles", t.TempDir()},
		"is no symbolic link":        {"--link", plain},
		"key file":                   {"--keys", filepath.Join(plain, "keys")},
		"unknown flag":               {"--meter", "3"},
		"unknown command":            {"fast"},
		"bit rate 1":                 {"--bit-rate", "1"},
		"file of what the meters he": {"--held", filepath.Join(plain, "held")},
	} {
		_, cancel, ended := start(t, append([]string{"--profiles", ""}, args...)...)
		err := <-ended // by itself
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q in it", args, err, want)
		}
	}
}
