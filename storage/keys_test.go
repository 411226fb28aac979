package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	secretKey  = "000102030405060708090A0B0C0D0E0F"
	otherKey   = "F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"
	secretWord = "open sesame"
)

func keyLine(n int, rest string) string { return title(n).String() + "," + rest + "\n" }

func TestImportKeys(t *testing.T) {
	s := open(t, Options{})
	file := "title,mechanism,encryption,authentication,password\n# a comment\n\n" +
		keyLine(1, "hls-gmac,"+secretKey+","+otherKey+",") + keyLine(2, "lls,,,"+secretWord) + keyLine(3, "none,,,") + keyLine(4, "1,,,hex:0001")
	for range 2 { // importing at every start changes nothing
		if n, err := s.ImportKeys(strings.NewReader(file)); n != 4 || err != nil {
			t.Fatalf("%d imported, %v", n, err)
		}
	}
	s = reopen(t, s)
	k, found, err := s.Key(title(1))
	encryption, authentication, password := k.Reveal()
	if !found || err != nil || k.Mechanism != MechanismHLSGMAC || fmt.Sprintf("%X", encryption) != secretKey || fmt.Sprintf("%X", authentication) != otherKey || len(password) != 0 {
		t.Errorf("keys of meter 1: %v, found %v, %v", k, found, err)
	}
	if k, _, _ := s.Key(title(2)); k.Mechanism != MechanismLLS {
		t.Errorf("meter 2: %v", k)
	} else if _, _, password := k.Reveal(); string(password) != secretWord {
		t.Error("meter 2 has another password")
	}
	if k, _, _ := s.Key(title(4)); k.Title != title(4) {
		t.Errorf("meter 4: %v", k)
	} else if _, _, password := k.Reveal(); string(password) != "\x00\x01" {
		t.Error("meter 4 has another password")
	}
	if _, found, err := s.Key(title(9)); found || err != nil {
		t.Errorf("a meter without keys: found %v, %v", found, err)
	}
	list, err := s.Keys(t.Context())
	if err != nil || len(list) != 4 || list[2].Title != title(3) || list[0].Mechanism != MechanismHLSGMAC {
		t.Errorf("list %v, %v", list, err)
	}
}

func TestNoFormShowsSecrets(t *testing.T) {
	s := open(t, Options{})
	if _, err := s.ImportKeys(strings.NewReader(keyLine(1, "hls-gmac,"+secretKey+","+otherKey+","+secretWord))); err != nil {
		t.Fatal(err)
	}
	k, _, err := s.Key(title(1))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %x %s %d", k, k, k, k, &k, []KeyRecord{k}) + string(text) + k.LogValue().String()
	for _, secret := range []string{secretKey, strings.ToLower(secretKey), otherKey, secretWord, "0 1 2 3 4", fmt.Sprintf("%x", secretWord)} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown: %s", secret, shown)
		}
	}
}

func TestFaultyKeyFileImportsNothing(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"short key", keyLine(1, "hls-gmac,"+secretKey[1:]+","+otherKey+","), "line 1: encryption key is not 32 hexadecimal digits"},
		{"missing key", keyLine(1, "hls-gmac,"+secretKey+",,"), "line 1: authentication key"},
		{"missing password", keyLine(1, "lls,,,"), "line 1: password is missing"},
		{"mechanism", keyLine(1, "hls-md5,,,"), "line 1: mechanism is not"},
		{"title", secretKey + "00,none,,,\n", "line 1: title is not"},
		{"columns", keyLine(1, "none,,"), "line 1: 4 fields"},
		{"twice", keyLine(1, "none,,,") + keyLine(1, "lls,,,x"), "line 2: the same meter as in line 1"},
		{"two faults", keyLine(1, "none,,,") + keyLine(2, "x,,,") + keyLine(3, "lls,,,"), "line 3: password is missing"},
		{"empty", "# nothing\n", "no line with keys"},
		{"quote", keyLine(1, "lls,,,\""+secretWord), "line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Options{})
			_, err := s.ImportKeys(strings.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v does not say %q", err, tt.want)
			}
			for _, secret := range []string{secretKey[1:], otherKey, secretWord} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
			if list, err := s.Keys(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("imported %v, %v", list, err)
			}
		})
	}
}

// TestCountersOutliveTheStore: a store that begins anew, and one restored from an old
// copy, give out no counter again, and a wrong clock spends no key.
func TestCountersOutliveTheStore(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	reserve := func(s *Store) uint32 {
		t.Helper()
		first, err := s.Reserve(title(1), 64)
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	clock := func() time.Time { return now }
	lost := open(t, Options{Now: clock})
	first := reserve(lost)
	if next := reserve(lost); next != first+64 {
		t.Errorf("the next row begins at %d, want %d", next, first+64)
	}
	now = now.Add(2 * time.Minute)
	fresh := open(t, Options{Now: clock})
	last := reserve(fresh)
	if last < first+128 {
		t.Errorf("a new store begins at %d, where %d to %d were used", last, first, first+127)
	}
	for _, wrong := range []time.Time{{}, time.Unix(0, 0), now.AddDate(-1, 0, 0), time.Date(2399, 1, 1, 0, 0, 0, 0, time.UTC), now} {
		now = wrong
		next := reserve(fresh)
		if next < last+64 || next > math.MaxUint32-1<<28 {
			t.Errorf("at %v a row begins at %d, the one before at %d", wrong, next, last)
		}
		last = next
	}
}

// lostTime is the clock of a board whose battery is empty.
func lostTime() time.Time { return time.Unix(0, 0) }

func TestCountersAreNeverGivenTwice(t *testing.T) {
	s := open(t, Options{Now: lostTime})
	if before, after, err := s.RaiseCounter(title(1), 1); before != 0 || after != 1 || err != nil {
		t.Fatalf("raised from %d to %d, %v", before, after, err)
	}
	next := uint32(1)
	for i := range 6 {
		first, err := s.Reserve(title(1), 100)
		if err != nil || first != next {
			t.Fatalf("row %d begins at %d, want %d, %v", i, first, next, err)
		}
		next += 100
		if i == 2 {
			s = reopen(t, s)
		}
	}
	for _, r := range []struct{ to, before, after uint32 }{{5000, 601, 5000}, {10, 5000, 5000}} { // never back
		if before, after, err := s.RaiseCounter(title(1), r.to); before != r.before || after != r.after || err != nil {
			t.Errorf("raise to %d: from %d to %d, %v", r.to, before, after, err)
		}
	}
	if first, err := s.Reserve(title(1), 1); first != 5000 || err != nil {
		t.Errorf("after the raise %d, %v", first, err)
	}
	if _, _, err := s.RaiseCounter(title(1), math.MaxUint32-5); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(title(1), 10); !errors.Is(err, ErrExhausted) {
		t.Errorf("error %v, want ErrExhausted", err)
	}
}

// TestNoCounterWithoutAClock: a store that knows nothing of a meter's counters gives none
// out by a clock that is not set; once it knows them it needs no clock.
func TestNoCounterWithoutAClock(t *testing.T) {
	now := lostTime()
	s := open(t, Options{Now: func() time.Time { return now }})
	if first, err := s.Reserve(title(1), 64); !errors.Is(err, ErrClock) || !strings.Contains(err.Error(), "1970-01-01") {
		t.Fatalf("row begins at %d, %v, want ErrClock", first, err)
	}
	now = night
	first, err := s.Reserve(title(1), 64)
	if err != nil {
		t.Fatal(err)
	}
	now = lostTime()
	if next, err := s.Reserve(title(1), 64); next != first+64 || err != nil {
		t.Errorf("the next row begins at %d, %v, want %d", next, err, first+64)
	}
	if _, err := s.Reserve(title(2), 64); !errors.Is(err, ErrClock) {
		t.Errorf("another meter: %v, want ErrClock", err)
	}
}

// TestCountersAheadOfTheClock: a store that is lost after a burst gives none of it again.
func TestCountersAheadOfTheClock(t *testing.T) {
	clock := func() time.Time { return night }
	lost := open(t, Options{Now: clock})
	if _, err := lost.Reserve(title(1), 64); err != nil {
		t.Fatal(err)
	}
	burst, err := lost.Reserve(title(1), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	later := night.Add(counterLead * counterStep)
	if first, err := open(t, Options{Now: func() time.Time { return later }}).Reserve(title(1), 64); first < burst+100_000 || err != nil {
		t.Errorf("a new store begins at %d, %v, where %d were used", first, err, burst+100_000)
	}
}

func TestLastRound(t *testing.T) {
	s := open(t, Options{})
	if n, err := s.LastRound(t.Context()); n != 0 || err != nil {
		t.Errorf("%d in an empty store, %v", n, err)
	}
	record(t, s, visit(1, nil))
	if n, err := s.LastRound(t.Context()); n != 7 || err != nil {
		t.Errorf("%d, want 7, %v", n, err)
	}
}

// TestOldCopyGivesNoCounterAgain: a copy put back after the station went on, soon or late,
// gives out no counter that was used since, nor after a raise far above the clock.
func TestOldCopyGivesNoCounterAgain(t *testing.T) {
	for _, raised := range []uint32{0, 3e9} {
		now := night
		clock := func() time.Time { return now }
		s := open(t, Options{Now: clock})
		reserve := func(s *Store) uint32 {
			t.Helper()
			first, err := s.Reserve(title(1), 64)
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		reserve(s)
		if raised > 0 {
			if _, after, err := s.RaiseCounter(title(1), raised); after != raised || err != nil {
				t.Fatalf("raised to %d, %v", after, err)
			}
		}
		s = reopen(t, s)
		file, err := os.ReadFile(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		var used uint32
		for _, after := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
			now = now.Add(after)
			used = max(used, reserve(s))
			now = now.Add(time.Minute)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(s.Path())), file, 0o600); err != nil {
				t.Fatal(err)
			}
			if again := reserve(open(t, Options{Dir: dir, Now: clock})); again < used+64 || again < raised {
				t.Errorf("raised to %d: %v after the copy it begins at %d, where %d to %d were used", raised, after, again, used, used+63)
			}
		}
	}
}

// TestWrongClockSparesARaisedCounter: a raise far above the clock and then a clock far ahead
// leave counters to go on with.
func TestWrongClockSparesARaisedCounter(t *testing.T) {
	now := night
	s := open(t, Options{Now: func() time.Time { return now }})
	if _, _, err := s.RaiseCounter(title(1), 3e9); err != nil {
		t.Fatal(err)
	}
	now = time.Date(2399, 1, 1, 0, 0, 0, 0, time.UTC)
	first, err := s.Reserve(title(1), 64)
	if first != counterBrink || err != nil {
		t.Errorf("a row begins at %d, %v, want %d", first, err, counterBrink)
	}
	if next, err := s.Reserve(title(1), 64); next != first+64 || err != nil {
		t.Errorf("the next row begins at %d, %v, want %d", next, err, first+64)
	}
}
