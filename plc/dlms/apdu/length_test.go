package apdu

import (
	"strings"
	"testing"
)

// TestLengthBeyondInt reads lengths that are negative where an int has 32 bits: they
// are refused as what they are, wherever a length may stand. Only GOARCH=386 can show the fault.
func TestLengthBeyondInt(t *testing.T) {
	for name, parse := range map[string]func(b []byte) error{
		"length of octets": func(b []byte) error { r := &reader{b: b}; r.length(1); return r.err },
		"length of a list": func(b []byte) error { r := &reader{b: b}; r.length(9); return r.err },
		"octets":           func(b []byte) error { r := &reader{b: b}; r.octets(); return r.err },
		"count":            func(b []byte) error { r := &reader{b: b}; r.count(1); return r.err },
		"access": func(b []byte) error {
			_, _, err := ParseAccessResponse(append(unhex("da000000010000"), b...))
			return err
		},
		"get":    func(b []byte) error { _, _, err := ParseGetResponse(append(unhex("c403c1"), b...)); return err },
		"read":   func(b []byte) error { _, _, err := ParseReadResponse(append(unhex("0c"), b...)); return err },
		"set":    func(b []byte) error { _, _, err := ParseSetResponse(append(unhex("c505c1"), b...)); return err },
		"action": func(b []byte) error { _, _, err := ParseActionResponse(append(unhex("c703c1"), b...)); return err },
	} {
		for octets, words := range map[string]string{
			"84ffffffff000000": "length 4294967295", "8480000000000000": "length 2147483648", "847fffffff000000": "length 2147483647",
		} {
			if err := parse(unhex(octets)); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s, %s: %v", name, octets, err)
			}
		}
	}
}
