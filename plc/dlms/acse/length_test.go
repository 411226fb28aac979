package acse

import (
	"strings"
	"testing"
)

// TestLengthBeyondInt reads lengths that are negative where an int has 32 bits: they
// are refused as what they are. Only GOARCH=386 can show the fault.
func TestLengthBeyondInt(t *testing.T) {
	for octets, words := range map[string]string{
		"84ffffffff0000": "of 4294967295 octets", "84800000000000": "of 2147483648 octets", "847fffffff0000": "of 2147483647 octets",
	} {
		for _, tag := range []string{"60", "61", "62", "63", "610cbe"} {
			if _, _, err := parse(unhex(tag + octets)); err == nil || !strings.Contains(err.Error(), words) && tag != "610cbe" {
				t.Errorf("%s%s: %v", tag, octets, err)
			}
		}
	}
}
