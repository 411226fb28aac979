package abuse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrokenConfiguration (U13): every fault of a configuration is told with its key, its
// value and what would do, with exit code 2, by `run` and by `config check` alike.
func TestBrokenConfiguration(t *testing.T) {
	dir := t.TempDir()
	good := "station: TS-1\ndata: " + filepath.Join(dir, "data") + "\nline:\n  modem: /dev/ttyNone\n"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", good + "  sped: 3\n", []string{`unknown key "line.sped"`, `did you mean "line.speed"?`}},
		{"unknown section", good + "uplnk:\n  url: wss://center/\n", []string{`unknown key "uplnk.url"`, `did you mean "uplink.url"?`}},
		{"duration without unit", good + "round:\n  period: 15\n", []string{"round.period", "not a duration", "add a unit"}},
		{"bad duration", good + "round:\n  period: soon\n", []string{"round.period", `"soon" is not a duration`, "15m"}},
		{"duration out of bounds", good + "round:\n  period: 1ms\n", []string{"round.period", "1ms", "want 1s to"}},
		{"lethal period", good + "round:\n  period: 0s\n", []string{"round.period", "want 1s to"}},
		{"wrong type", good + "meters:\n  expected: many\n", []string{"meters.expected", "int"}},
		{"negative number", good + "meters:\n  expected: -5\n", []string{"meters.expected", "-5", "want 0 to"}},
		{"bad YAML", good + "  :\n - x: [\n", []string{"configuration file", "station.yaml"}},
		{"tabs", "station: TS-1\nline:\n\tmodem: /dev/ttyS0\n", []string{"station.yaml", "line 3"}},
		{"no YAML at all", "\x00\x01\x02", []string{"station.yaml"}},
		{"empty", "", []string{"station: is missing", "common name of its certificate"}},
		{"bad OBIS code", good + "meters:\n  registers: [1.0.1.8]\n", []string{"meters.registers", "1.0.1.8"}},
		{"page for everybody", good + "web:\n  listen: 0.0.0.0:80\n", []string{"web.listen", "loopback"}},
		{"uplink without TLS", good + "uplink:\n  url: ws://center/uplink\n", []string{"uplink.url", "wss://"}},
		{"two faults", good + "  bit_rate: 1\n  baud: 5\n", []string{"line.baud", "bit rate 1"}},
		{"station of strange letters", strings.Replace(good, "TS-1", "'TS 1/../2'", 1), []string{"station", "want 1 to 64 letters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "station.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range [][]string{{"run"}, {"config", "check"}, {"run", "--check"}} {
				out, complaint, code := run(t, nil, "concentrator", append(command, "--config", path)...)
				if code != 2 || out != "" {
					t.Errorf("%v: exit code %d, want 2; it printed %q", command, code, out)
				}
				tells(t, c.name, complaint, c.want...)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a data directory was made for a configuration that is not usable")
	}
}

// TestMissingConfiguration: a file that is not there, is a directory, or cannot be what
// it should be is named, with exit code 2.
func TestMissingConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "does not exist: give --config FILE",
		dir:                             "configuration file",
	} {
		_, complaint, code := run(t, nil, "concentrator", "run", "--config", path)
		if code != 2 {
			t.Errorf("%s: exit code %d, want 2", path, code)
		}
		tells(t, "missing file", complaint, path, want)
	}
	t.Run("unknown flag", func(t *testing.T) {
		_, complaint, code := run(t, nil, "concentrator", "run", "--modm", "/dev/ttyS0")
		if code != 2 {
			t.Errorf("exit code %d, want 2", code)
		}
		tells(t, "unknown flag", complaint, "--modm")
	})
	t.Run("example is usable", func(t *testing.T) {
		out, complaint, code := run(t, nil, "concentrator", "config", "example")
		if code != 0 {
			t.Fatal(complaint)
		}
		path := filepath.Join(dir, "example.yaml")
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, complaint, code := run(t, nil, "concentrator", "config", "check", "--config", path, "--station", "TS-1"); code != 0 {
			t.Errorf("exit code %d: %s", code, complaint)
		}
	})
}

// TestBrokenKeyFile: nothing of a key file with a fault is imported; the message names
// the line and never shows what stands in it.
func TestBrokenKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.csv")
	const secret = "00112233445566778899AABBCCDDEEFF"
	text := "title,mechanism,encryption,authentication,password\n4242520000002711,hls-gmac," + secret + "," + secret + ",\n4242520000002712,hls-gmac," + secret[:30] + "," + secret + ",\n"
	if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, complaint, code := run(t, nil, "concentrator", "run", "--station", "TS-1", "--data", filepath.Join(dir, "data"), "--keys", keys, "--listen", "")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	tells(t, "broken key file", complaint, "meters.keys", "line 3", "nothing was imported", "encryption key is not 32 hexadecimal digits")
	if strings.Contains(complaint, secret[:16]) {
		t.Errorf("the message shows a key: %s", complaint)
	}
}
