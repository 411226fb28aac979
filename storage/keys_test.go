package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
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

func TestCountersAreNeverGivenTwice(t *testing.T) {
	s := open(t, Options{})
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
	if first, err := s.Reserve(title(2), 1); first != 1 || err != nil {
		t.Errorf("another meter begins at %d, %v", first, err)
	}
	if err := s.RaiseCounter(title(1), 5000); err != nil {
		t.Fatal(err)
	}
	if err := s.RaiseCounter(title(1), 10); err != nil { // never back
		t.Fatal(err)
	}
	if first, err := s.Reserve(title(1), 1); first != 5000 || err != nil {
		t.Errorf("after the raise %d, %v", first, err)
	}
	if err := s.RaiseCounter(title(1), math.MaxUint32-5); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(title(1), 10); !errors.Is(err, ErrExhausted) {
		t.Errorf("error %v, want ErrExhausted", err)
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
