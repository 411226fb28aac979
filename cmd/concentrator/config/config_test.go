package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

const minimal = "station: TS-1\ndata: /tmp/x\n"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "concentrator.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsNeedOnlyAStation(t *testing.T) {
	c, err := Load(write(t, minimal), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Station, want.Data = "TS-1", "/tmp/x"
	if c.Line != want.Line || c.Round != want.Round || c.Uplink != want.Uplink {
		t.Errorf("loaded %+v\nwant   %+v", c, want)
	}
}

func TestFileThenEnvironmentThenFlags(t *testing.T) {
	path := write(t, minimal+"line:\n  baud: 9600\n  bit_rate: 1200\nround:\n  period: 1h\nmeters:\n  registers: [1.0.1.8.0.255]\n")
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags.Int("bit-rate", 0, "")
	if err := flags.SetAnnotation("bit-rate", KeyAnnotation, []string{"line.bit_rate"}); err != nil {
		t.Fatal(err)
	}
	if err := flags.Parse([]string{"--bit-rate", "600"}); err != nil {
		t.Fatal(err)
	}
	env := []string{"CONCENTRATOR_LINE_BAUD=19200", "CONCENTRATOR_ROUND_PASSES=5", "PATH=/bin"}
	c, err := Load(path, env, flags)
	if err != nil {
		t.Fatal(err)
	}
	if c.Line.Baud != 19200 || c.Line.BitRate != 600 || c.Round.Passes != 5 || c.Round.Period != time.Hour {
		t.Errorf("got baud %d, bit rate %d, passes %d, period %v", c.Line.Baud, c.Line.BitRate, c.Round.Passes, c.Round.Period)
	}
	if len(c.Meters.Registers) != 1 || c.Meters.Registers[0] != "1.0.1.8.0.255" {
		t.Errorf("registers %v: an OBIS code must survive as it is", c.Meters.Registers)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"unknown key", minimal + "line:\n  moddem: /dev/ttyS1\n", nil, []string{`unknown key "line.moddem"`, `did you mean "line.modem"?`}},
		{"unknown section", minimal + "rounds:\n  period: 1h\n", nil, []string{`unknown key "rounds.period"`, `"round.period"`}},
		{"unknown variable", minimal, []string{"CONCENTRATOR_LINE_BUAD=1"}, []string{"CONCENTRATOR_LINE_BUAD", "CONCENTRATOR_LINE_BAUD"}},
		{"bare duration", minimal + "round:\n  period: 30\n", nil, []string{"30 is not a duration", "30s"}},
		{"wrong type", minimal + "line:\n  baud: fast\n", nil, []string{"line.baud"}},
		{"no station", "data: /tmp/x\n", nil, []string{"station: is missing"}},
		{"two faults at once", minimal + "line:\n  bit_rate: 2401\nround:\n  passes: 0\n", nil, []string{"bit rate 2401", "round.passes: 0"}},
		{"public page", minimal + "web:\n  listen: 0.0.0.0:80\n", nil, []string{"web.listen", "loopback only"}},
		{"uplink without certificate", minimal + "uplink:\n  url: wss://center:8443/\n", nil, []string{"uplink.ca", "uplink.cert", "uplink.key"}},
		{"plain uplink", minimal + "uplink:\n  url: ws://center/\n  ca: a\n  cert: b\n  key: c\n", nil, []string{"want wss://"}},
		{"not YAML", "station: [", nil, []string{"concentrator.yaml"}},
		{"cellular without APN", minimal + "cellular:\n  enabled: true\n", nil, []string{"cellular.apn", "cellular.at_port"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(write(t, tt.file), tt.env, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("error %v does not say that the file is missing", err)
	}
}

func TestExampleIsValidAndComplete(t *testing.T) {
	c, err := Load(write(t, Example()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Station = c.Station
	if c.Line != want.Line || c.Uplink != want.Uplink || c.Cellular != want.Cellular {
		t.Errorf("the example does not show the defaults:\n%+v\n%+v", c, want)
	}
}
