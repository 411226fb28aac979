package config

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/viper"
)

// TestEveryKeyIsDocumented: docs/configuration.md names each key, and no key that is not.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for key := range setDefaults(viper.NewWithOptions(viper.KeyDelimiter(delimiter))) {
		known[dotted(key)] = true
		if !strings.Contains(string(text), "`"+dotted(key)+"`") {
			t.Errorf("%s is not documented", dotted(key))
		}
	}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		for _, key := range strings.Split(cells[1], ",") {
			if key = strings.Trim(key, " `"); !known[key] {
				t.Errorf("%s is documented and does not exist", key)
			}
		}
	}
}
