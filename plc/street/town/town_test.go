package town

import (
	"bytes"
	"context"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/street"
	"busbar/plc/street/chip"
)

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func valid() Config {
	return Config{Meters: 7, Seed: 1, Profile: plc.DefaultProfile(), Noise: street.Quiet(), Security: Mixed, Start: start}
}

func TestConfigFaultsAreTold(t *testing.T) {
	for want, edit := range map[string]func(*Config){
		"0 meters":                 func(c *Config) { c.Meters = 0 },
		"titles of 6 octets":       func(c *Config) { c.Profile.TitleSize = 6 },
		"titles of 4 octets":       func(c *Config) { c.Profile.TitleSize = 4 },
		"1 places for 7 meters":    func(c *Config) { c.Places = make([]street.Place, 1) },
		"twins [0 7]":              func(c *Config) { c.Twins = [][2]int{{0, 7}} },
		"bit rate 1":               func(c *Config) { c.Profile.BitRate = 1 },
		"server 9":                 func(c *Config) { c.Faults = []street.Fault{{Kind: street.Mute, Servers: []int{9}}} },
		"want none, lls, hls-gmac": nil,
	} {
		c := valid()
		var err error
		if edit == nil {
			_, err = ParseSecurity("some")
		} else {
			edit(&c)
			_, err = New(c)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	c := valid()
	c.Profile.TitleSize, c.Security = 6, Password
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Titles()[6].String(); got != "424252002717" {
		t.Errorf("title %s", got)
	}
}

func TestKeys(t *testing.T) {
	c := valid()
	c.Twins = [][2]int{{0, 3}}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w.WriteKeys(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 7 { // a heading, six titles
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, m := range w.Meters()[:3] {
		row := rows[i+1]
		want := map[dlms.Mechanism][4]bool{
			dlms.HLSGMAC: {true, true, true, false}, dlms.LLS: {true, false, false, true}, dlms.None: {true, false, false, false},
		}[m.Keys().Mechanism]
		if row[0] != m.Title().String() || [4]bool{row[1] != "", row[2] != "", row[3] != "", row[4] != ""} != want {
			t.Errorf("meter %d: %v", i, row)
		}
	}
	if again, err := New(c); err != nil || again.Meters()[0].Keys().Encryption != w.Meters()[0].Keys().Encryption {
		t.Error("the same seed makes other keys")
	}
}

func TestPowerLossLeavesGapsInProfiles(t *testing.T) {
	c := valid()
	c.Faults = []street.Fault{
		{Kind: street.PowerLoss, Servers: []int{1}, From: start.Add(time.Hour), To: start.Add(2 * time.Hour)},
		{Kind: street.PowerLoss, From: start.Add(90 * time.Minute), To: start.Add(3 * time.Hour)},
		{Kind: street.Mute, From: start, To: start.Add(9 * time.Hour)},
	}
	if got := c.complete().outagesOf(1); len(got) != 1 || !got[0].From.Equal(start.Add(time.Hour)) || !got[0].To.Equal(start.Add(3*time.Hour)) {
		t.Errorf("outages %v", got)
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	entries := map[plc.SystemTitle]int{}
	for h, err := range w.Held(t.Context(), start.Add(5*time.Minute), start.Add(4*time.Hour)) {
		if err != nil {
			t.Fatal(err)
		}
		entries[h.Meter]++
	}
	if a, b := entries[w.Meters()[0].Title()], entries[w.Meters()[1].Title()]; a <= b || b == 0 {
		t.Errorf("%d and %d values of the meters with a short and a long outage", a, b)
	}
}

func (c Config) outagesOf(i int) (out []struct{ From, To time.Time }) {
	for _, o := range c.outages(i) {
		out = append(out, struct{ From, To time.Time }(o))
	}
	return out
}

func TestOneOwner(t *testing.T) {
	w, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Chip(t.Context(), func(time.Time, *chip.Chip) {}); err == nil {
		t.Error("no chip is attached, and no error")
	}
	if _, err := w.Summary(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.Line(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Port(); err == nil {
		t.Error("two owners")
	}
	if _, err := w.OpenTerminal(); err == nil {
		t.Error("two owners")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Summary(gone); err == nil {
		t.Error("the line does not run, and no error")
	}
	for _, err := range w.Held(gone, start, start) {
		if err == nil {
			t.Error("the line does not run, and no error")
		}
	}
}

func TestHomes(t *testing.T) {
	if _, source, err := Homes("", 1); err != nil || source != "a household model" {
		t.Error(source, err)
	}
	if _, _, err := Homes(t.TempDir(), 1); err == nil {
		t.Error("no error for a directory without profiles")
	}
}
