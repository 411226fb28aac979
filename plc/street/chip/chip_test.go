package chip

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/modem"
	"busbar/plc/street"
)

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

func title(i byte) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, 0, i})
}

// register answers everything with the value of a register, 74565.
type register struct{}

func (register) Handle(time.Time, byte, byte, []byte) []byte {
	return []byte{0xC4, 1, 0xC1, 0, 6, 0, 1, 0x23, 0x45}
}
func (register) Reset() {}

// config is a street on which the station hears only server 2, at address 002, which is the
// repeater of server 1, at address 001.
func config(start time.Time) street.Config {
	return street.Config{
		Profile: plc.DefaultProfile(), Seed: 1, Start: start, Noise: street.Noise{Floor: 56},
		Loss: func(from, to int) float64 {
			if from+to == 1 {
				return 200
			}
			return 40
		},
		Servers: []street.Server{
			{Title: title(1), App: register{}, Address: 1},
			{Title: title(2), App: register{}, Address: 2},
			{Title: title(3), App: register{}},
		},
		Faults: []street.Fault{{Kind: street.StationDown, From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}},
	}
}

func newChip(t testing.TB, cfg Config) *Chip {
	t.Helper()
	m, err := street.New(config(start))
	if err != nil {
		t.Fatal(err)
	}
	return New(cfg, m)
}

// talk plays a conversation: lines that begin with "host" are what the host does,
// "T_REQ down", "T_REQ up" or octets, lines that begin with "chip" what the chip has to
// say to that, "wait" lets time go by until the chip says what follows. Octets of the chip that no
// line names are an error.
func talk(t *testing.T, c *Chip, script string) {
	t.Helper()
	now := start
	var said []byte
	take := func() {
		for _, o := range c.Take() {
			if o.At.After(now) {
				t.Fatalf("octets of %v at %v", o.At, now)
			}
			said = append(said, o.Octets...)
		}
	}
	lines := bufio.NewScanner(strings.NewReader(script))
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		who, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		what = strings.TrimSpace(what)
		if who != "chip" && who != "" && len(said) > 0 {
			t.Fatalf("line %d: before it the chip says % X, which is not in the talk", number, said)
		}
		switch who {
		case "":
		case "host":
			switch what {
			case "T_REQ down", "T_REQ up":
				c.SetTREQ(now, what == "T_REQ down")
			case "power cycle":
				c.PowerCycle(now)
			default:
				c.Receive(now, octets(t, what))
			}
			take()
		case "fault":
			c.setFault(t, what)
		case "wait":
			d, err := time.ParseDuration(what)
			if err != nil {
				t.Fatal(err)
			}
			for until := now.Add(d); ; {
				next, some := c.Next()
				if !some || next.After(until) || len(said) > 0 {
					break
				}
				now = next
				c.Advance(now)
				take()
			}
			if len(said) == 0 {
				now = now.Add(d)
			}
		case "chip":
			want := octets(t, what)
			if !bytes.HasPrefix(said, want) {
				t.Fatalf("line %d: the chip says % X, want % X", number, said, want)
			}
			said = said[len(want):]
		default:
			t.Fatalf("line %d: %q", number, line)
		}
	}
	if len(said) > 0 {
		t.Fatalf("at the end the chip says % X, which is not in the talk", said)
	}
}

func octets(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func (c *Chip) setFault(t *testing.T, name string) {
	t.Helper()
	switch name {
	case "nak":
		c.Faults.NAK++
	case "no ack":
		c.Faults.LoseACK++
	case "late status":
		c.Faults.LateStatus++
	case "bad checksum":
		c.Faults.BadChecksum++
	case "short length":
		c.Faults.ShortLength++
	case "not sync":
		c.Faults.NotSync = true
	case "sync":
		c.Faults.NotSync = false
	case "silent":
		c.Faults.Silent = true
	case "alive":
		c.Faults.Silent = false
	default:
		t.Fatalf("no fault %q", name)
	}
}

func TestTalks(t *testing.T) {
	files, err := filepath.Glob("testdata/*.talk")
	if err != nil || len(files) == 0 {
		t.Fatal("no talks", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var cfg Config
			switch filepath.Base(file) {
			case "disputed.talk":
				cfg = Config{AddressOrder: plc.LittleEndian, ShortConfig: true, StrictConfig: true, Padding: true, AltStatus: true}
			case "strict.talk":
				cfg.StrictPoll = true
			}
			cfg.Firmware = 0x10
			talk(t, newChip(t, cfg), string(b))
		})
	}
}

// configure makes the chip an initiator without a talk.
func configure(t testing.TB, c *Chip, now time.Time) {
	t.Helper()
	radio, err := modem.RConf(modem.ModeInitiator, 2400, 50)
	if err != nil {
		t.Fatal(err)
	}
	conf := resetConfiguration(false)
	conf.Local, conf.Radio = 0xC00, radio
	c.Receive(now, modem.Frame{Command: modem.WriteConfigRequest, Data: conf.Append(nil)}.Append(nil))
	c.Receive(now, []byte{modem.ACK})
	if c.Take(); !c.Configured() {
		t.Fatal("the chip did not take its configuration")
	}
}

func TestQueueToTheHostIsBounded(t *testing.T) {
	c := newChip(t, Config{})
	configure(t, c, start)
	for range 3 * queueSize {
		c.Receive(start, octets(t, "02 05 41 12 00 58 00"))
	}
	if len(c.link.queue) > queueSize || c.Counters().Overflow == 0 {
		t.Errorf("%d frames wait, %d dropped", len(c.link.queue), c.Counters().Overflow)
	}
}

// TestPollThatWasNotSeenToEnd is a host that releases T_REQ and asserts it again before
// we look: a new poll, but only when the last status has served its end.
func TestPollThatWasNotSeenToEnd(t *testing.T) {
	c, now := newChip(t, Config{}), start
	polls := func(want uint64) {
		t.Helper()
		now = now.Add(time.Second)
		c.repoll(now)
		if got := c.Counters().Polls; got != want {
			t.Errorf("%d polls, want %d", got, want)
		}
	}
	polls(1)
	polls(1)
	c.Receive(now, octets(t, "02 03 21 24 00"))
	polls(2)
	polls(2)
}

// keeper keeps the last request.
type keeper struct{ apdu []byte }

func (k *keeper) Handle(_ time.Time, _, _ byte, apdu []byte) []byte {
	k.apdu = bytes.Clone(apdu)
	return nil
}
func (*keeper) Reset() {}

func TestPadOctetOfARequestMeansNothing(t *testing.T) {
	cfg, k := config(start), &keeper{}
	cfg.Loss = func(int, int) float64 { return 40 }
	cfg.Servers[0].App = k
	m, err := street.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{}, m)
	configure(t, c, start)
	// 26 octets fill a subframe: that is where padding would be looked for in an indication.
	msdu := append(octets(t, "90 01 10 C0"), bytes.Repeat([]byte{7}, 22)...)
	d := modem.Data{Source: 0xC00, Destination: 1, Pad: 5, MSDU: msdu}
	for i := range 2 {
		now := start.Add(time.Duration(i+1) * time.Second)
		c.Receive(now, modem.Frame{Command: modem.DataRequest, Data: d.Append(nil, plc.BigEndian)}.Append(nil))
		c.Advance(now.Add(900 * time.Millisecond))
	}
	if !bytes.Equal(k.apdu, msdu[3:]) {
		t.Errorf("the server got % X, want % X", k.apdu, msdu[3:])
	}
}

func TestLateWakingShiftsNothing(t *testing.T) {
	// One chip is advanced at every event, the other one once, long after: the street does the same.
	digests := map[uint64]bool{}
	var octetCount [2]int
	for i, patient := range []bool{true, false} {
		c := newChip(t, Config{})
		configure(t, c, start)
		now := start.Add(time.Second)
		for range 3 {
			c.Receive(now, octets(t, "02 18 51 24 C0 00 01 00 90 01 10 C0 01 C1 00 03 01 00 01 08 00 FF 02 00 7F 04"))
			end := now.Add(5 * time.Second)
			for patient {
				next, some := c.Next()
				if !some || next.After(end) {
					break
				}
				c.Advance(next)
			}
			now = end
			c.Advance(now)
		}
		for _, o := range c.Take() {
			octetCount[i] += len(o.Octets)
		}
		digests[c.Mains().Digest()] = true
	}
	if len(digests) != 1 {
		t.Error("what the street did depends on when the emulator woke")
	}
	if octetCount[0] == 0 {
		t.Error("the chip said nothing")
	}
}

// FuzzHost gives the chip octets and edges: it never panics, and what it says is frames,
// statuses, ACK and NAK, and no more than a bounded number of octets for each that came in.
func FuzzHost(f *testing.F) {
	for _, s := range []string{
		"", "02 03 21 24 00", "02 05 41 12 00 58 00", "02 07 61 68 00 00 00 D0 00", "06 15 3F 02",
		"02 18 51 24 C0 00 01 00 90 01 10 C0 01 C1 00 03 01 00 01 08 00 FF 02 00 7F 04", "02 FF 00", "02 04 52 FF 55 01",
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true, uint16(300))
		f.Add(b, false, uint16(5))
	}
	f.Fuzz(func(t *testing.T, b []byte, set bool, step uint16) {
		c := newChip(t, Config{})
		if set {
			configure(t, c, start)
		}
		now := start.Add(time.Second)
		var said []byte
		for len(b) > 0 {
			n := min(len(b), 1+int(b[0])%40)
			c.SetTREQ(now, b[0]&1 != 0)
			c.Receive(now, b[:n])
			// A frame with a right checksum is hard to guess: each piece is tried as one.
			if n > 1 && n < modem.MaxData {
				c.Receive(now, modem.Frame{Command: modem.Command(b[0]), Data: b[1:n]}.Append(nil))
			}
			b = b[n:]
			now = now.Add(time.Duration(step) * time.Millisecond)
			c.Advance(now)
			for _, o := range c.Take() {
				said = append(said, o.Octets...)
			}
			if len(c.link.in) > modem.MaxFrame || len(c.link.queue) > queueSize {
				t.Fatalf("%d octets and %d frames wait", len(c.link.in), len(c.link.queue))
			}
		}
		wellFormed(t, said)
	})
}

// wellFormed checks that octets of the chip are nothing but frames, statuses, ACK and NAK.
func wellFormed(t *testing.T, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n := 1
		switch b[0] {
		case modem.ACK, modem.NAK:
		case modem.StatusMark:
			n = modem.StatusSize
		default:
			_, size, err := modem.ParseFrame(b)
			if err != nil {
				t.Fatalf("% X: %v", b, err)
			}
			n = size
		}
		b = b[min(n, len(b)):]
	}
}
