package abuse

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"busbar/concentrator/web"
	"busbar/plc/modem"
	"busbar/plc/street/chip"
	"busbar/plc/street/town"
)

// ready waits until the line can be used and every meter was read in a new round.
func (g *stage) ready() {
	g.t.Helper()
	g.until("the line is ready", func(s web.Status) bool { return s.Line.Ready })
	g.read()
}

// TestModemUnplugged (P18): the port disappears in the middle of a round and comes back
// as another device under the same name. The station says so, opens it again, and no meter
// is to blame.
func TestModemUnplugged(t *testing.T) {
	t.Parallel()
	g := raise(t, town.Config{Meters: 8, Security: town.Mixed})
	for range 2 {
		g.until("in the middle of a round", func(s web.Status) bool { return s.Round.Phase == "reading" && s.Round.Done > 0 })
		g.unplug()
		g.verdict("The power line cannot be used", filepath.Join(g.dir, "modem"), "Check the modem, its cable")
		g.plug()
		g.ready()
	}
	g.happened("modem.down", "modem")
	g.happened("modem.up")
	if s := g.read(); s.Meters.Lost > 0 || !s.Healthy {
		t.Errorf("after it: %q, %+v", s.Verdict, s.Meters)
	}
	g.finish()
}

// TestModemPathThatIsNone (P18): whatever stands at line.modem, the station runs, names
// the path and what is wrong with it, and reads as soon as a modem is there.
func TestModemPathThatIsNone(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8, Security: town.Password})
	g.openCenter("center")
	g.openStation()
	file := filepath.Join(g.dir, "file")
	if err := os.WriteFile(file, []byte("no modem"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.verdict("The power line cannot be used", g.modem, "no such port: check the path")
	for _, target := range []string{file, "/dev/null"} {
		g.link(target)
		g.verdict("The power line cannot be used", g.modem, "not a serial port: check the path")
		if _, complaint, code := g.concentrator("status", "--check"); code != 4 {
			t.Errorf("%s: status --check exits with %d, %s", target, code, complaint)
		}
	}
	g.plug()
	g.ready()
	g.finish()
}

// TestModemFaults (P18): the modem is silent, loses its power, loses the mains, and says
// rubbish. Each is told in words where a person has to do something, and healed where not.
func TestModemFaults(t *testing.T) {
	long(t)
	t.Parallel()
	g := newStage(t, town.Config{Meters: 8})
	g.plug()
	silent := func(on bool) { g.chip(func(_ time.Time, c *chip.Chip) { c.Faults.Silent = on }) }
	silent(true)
	g.openCenter("center")
	g.openStation()
	g.verdict("The power line cannot be used", "does not answer", "check its power, the cable, and that line.baud")
	silent(false)
	g.ready()

	g.until("in the middle of a round", func(s web.Status) bool { return s.Round.Phase == "reading" && s.Round.Done > 0 })
	for range 3 { // NOT SET after it
		g.chip(func(now time.Time, c *chip.Chip) { c.PowerCycle(now) })
		await(t, "the modem is configured again", func() (set bool) {
			g.chip(func(_ time.Time, c *chip.Chip) { set = c.Configured() })
			return set
		}, g.station.said)
	}
	g.ready()

	notSync := func(on bool) { g.chip(func(_ time.Time, c *chip.Chip) { c.Faults.NotSync = on }) }
	notSync(true)
	g.verdict("The power line cannot be used", "mains", "check the mains supply and the zero-crossing input")
	notSync(false)
	g.ready()

	silent(true) // it dies at work
	g.verdict("The power line cannot be used", "check its power")
	silent(false)
	g.ready()
	if s := g.read(); s.Meters.Lost > 0 {
		t.Errorf("meters were blamed: %+v", s.Meters)
	}
	g.counters()
	g.finish()
}

// TestModemTalksRubbish (P01, P02): damaged, cut, over-long and meaningless octets from the
// modem are counted, not told as errors, and cost no value.
func TestModemTalksRubbish(t *testing.T) {
	long(t)
	t.Parallel()
	g := raise(t, town.Config{Meters: 8, Security: town.Mixed})
	g.read()
	whole := modem.Frame{Command: modem.DataIndication, Data: make([]byte, 40)}.Append(nil)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	rubbish := [][]byte{
		{0},
		{0xFF, 0xFE},
		{modem.STX},
		{modem.STX, 0xFF},
		{modem.STX, 0x00, 0x50},
		{modem.STX, 0x02, modem.STX, 0x02},
		{modem.ACK, modem.ACK, modem.ACK},
		{modem.NAK},
		{modem.StatusMark},
		{modem.StatusMark, 0xFF},
		whole[:len(whole)/2], whole[:len(whole)-1], append(whole[:len(whole)-2:len(whole)-2], 0, 0), whole, all, make([]byte, 4096),
		append([]byte{modem.STX, 0xFB, 0x50}, make([]byte, 1000)...),
	}
	for n, octets := range rubbish {
		sent := false
		g.chip(func(_ time.Time, c *chip.Chip) {
			c.Faults.Junk = octets
			switch n % 4 {
			case 0:
				c.Faults.BadChecksum = 1
			case 1:
				c.Faults.ShortLength = 1
			case 2:
				c.Faults.NAK = 1
			case 3:
				c.Faults.LoseACK, c.Faults.LateStatus = 1, 1
			}
		})
		await(t, "the rubbish is out", func() bool {
			g.chip(func(_ time.Time, c *chip.Chip) { sent = c.Faults.Junk == nil })
			return sent
		}, g.station.said)
	}
	g.ready()
	if s := g.read(); s.Meters.Lost > 0 || !s.Healthy {
		t.Errorf("after it: %q, %+v", s.Verdict, s.Meters)
	}
	g.finish()
}
