package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"busbar/plc"
	"busbar/plc/cosem"
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
		{"deviation", minimal + "meters:\n  deviation: east\n", nil, []string{`meters.deviation: "east"`, "to-utc"}},
		{
			"SAPs", minimal + "line:\n  client_sap: 0\n  public_sap: 256\n  server_sap: 0\n  ciase_client_sap: 256\n  ciase_server_sap: -1\n", nil,
			[]string{"line.client_sap", "line.public_sap", "line.server_sap", "line.ciase_client_sap", "line.ciase_server_sap"},
		},
		{"repeater call", minimal + "line:\n  repeater_threshold: 256\n  slots_for_new: 300\n", nil, []string{"line.repeater_threshold", "line.slots_for_new"}},
		{"initiators", minimal + "line:\n  first_initiator: 3073\n", nil, []string{"initiator address"}},
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

// TestLineIsTheProfile: every setting of the line that is a fact of plc.Profile becomes one.
func TestLineIsTheProfile(t *testing.T) {
	c, err := Load(write(t, minimal+`line:
  bit_rate: 1200
  mains_hz: 60
  speed: 3
  frequency_s: 63000
  frequency_m: 74500
  initiator: 2500
  first_initiator: 2400
  last_initiator: 2600
  address_order: little-endian
  title_size: 6
  gap_slots: 4
  max_frame: 200
  register_frame: 100
  register_slots: 3
  response_credit: 5
  discover_extra_slots: 1
  not_addressed: 3h
  ciase_client_sap: 2
  ciase_server_sap: 3
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := plc.DefaultProfile()
	want.BitRate, want.MainsHz, want.Speed, want.FrequencyS, want.FrequencyM = 1200, 60, 3, 63000, 74500
	want.Initiator, want.FIMA, want.LIMA, want.AddressOrder = 2500, 2400, 2600, plc.LittleEndian
	want.TitleSize, want.GapSlots, want.MaxFrame, want.RegisterFrame, want.RegisterSlots = 6, 4, 200, 100, 3
	want.ResponseCreditMax, want.DiscoverSlotExtra, want.NotAddressed = 5, 1, 3*time.Hour
	want.CIASEClientSAP, want.CIASEServerSAP = 2, 3
	if got := c.Line.Profile(); got != want {
		t.Errorf("profile %+v\nwant    %+v", got, want)
	}
}

func TestDeviation(t *testing.T) {
	for text, want := range map[string]cosem.DeviationSign{"to-utc": cosem.DeviationToUTC, "from-utc": cosem.DeviationFromUTC} {
		c, err := Load(write(t, minimal+"meters:\n  deviation: "+text+"\n"), nil, nil)
		if err != nil || c.Meters.DeviationSign() != want {
			t.Errorf("%s: %v, %v", text, c.Meters.DeviationSign(), err)
		}
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
