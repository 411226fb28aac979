package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/cmd/plcscope/capture"
	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/llc"
	"busbar/plc/modem"
	"busbar/plc/trace"
)

// record reads a meter with our own client and returns what passed on the line: a Register,
// then the exchanges with the meter at address 005 and one frame of another meter.
func record(t *testing.T, s *stage, i int, ref ...cosem.Ref) []trace.Record {
	t.Helper()
	m := s.meters[i]
	at := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	var all []trace.Record
	keep := func(sent bool, address plc.Address, msdu []byte) {
		at = at.Add(150 * time.Millisecond)
		r := trace.Record{At: at, Kind: trace.MSDU, Sent: sent, Source: 0xC00, Destination: address, Octets: msdu, Credits: plc.Credits{Initial: 2, Current: 1}}
		if !sent {
			r.Source, r.Destination = address, 0xC00
		}
		all = append(all, r)
	}
	initiator := plc.MustSystemTitle([]byte("BBRSTATN"))
	register := ciase.Register{Initiator: initiator, Servers: []plc.Registration{{Title: m.Title(), Address: 5}}}
	keep(true, plc.AllPhysical, llc.LPDU{DSAP: 0, SSAP: 1, APDU: register.Append(nil)}.Append(nil))
	counter := uint32(0)
	c := dlms.NewClient(dlms.ClientConfig{
		ClientTitle: initiator, ServerTitle: m.Title(), Keys: m.Keys(),
		Counter: func() (uint32, error) { counter++; return counter, nil },
	})
	for _, op := range []dlms.Op{dlms.Get(ref...), dlms.Release()} {
		down, err := c.Start(op)
		if err != nil {
			t.Fatal(err)
		}
		for down != nil {
			keep(true, 5, llc.LPDU{DSAP: 1, SSAP: 1, APDU: down}.Append(nil))
			up := m.Handle(time.Now(), 1, 1, down)
			keep(false, 5, llc.LPDU{DSAP: 1, SSAP: 1, APDU: up}.Append(nil))
			e, err := c.Receive(up)
			if err != nil {
				t.Fatal(err)
			}
			down = e.Down
		}
	}
	keep(true, 6, llc.LPDU{DSAP: 1, SSAP: 1, APDU: []byte{0xC0, 0x01, 0xC1, 0x00, 0x08, 0, 0, 1, 0, 0, 255, 2, 0}}.Append(nil))
	keep(false, 6, llc.LPDU{DSAP: 1, SSAP: 1, APDU: []byte{0xC4, 0x01, 0xC1, 0x00, 0x09}}.Append(nil))
	return all
}

func writeRecords(t *testing.T, records []trace.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	var b []byte
	for _, r := range records {
		b = r.Append(b)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	clockRef = cosem.Ref{Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255"), Attribute: 2}
	listRef  = cosem.Ref{Class: cosem.ClassAssociationLN, Object: cosem.MustOBIS("0.0.40.0.0.255"), Attribute: 2}
)

// TestShow follows one meter by its title through a ciphered session read in blocks.
func TestShow(t *testing.T) {
	s := newStage(t, dlms.HLSGMAC, dlms.LLS)
	path := writeRecords(t, record(t, s, 0, clockRef, listRef))
	title := s.meters[0].Title().String()
	dark, err := scope(t, "show", path, "--meter", title, "--tree")
	if err != nil || !strings.Contains(dark, "Register of 1 servers") || !strings.Contains(dark, "no keys given") || strings.Contains(dark, "006") {
		t.Fatalf("%v\n%s", err, dark)
	}
	clear, err := scope(t, "show", path, "--meter", title, "--tree", "--keys", s.keys)
	if err != nil || !strings.Contains(clear, "joined") || !strings.Contains(clear, "0.0.1.0.0.255") || strings.Contains(clear, "!") {
		t.Fatalf("%v\n%s", err, clear)
	}
	faults, err := scope(t, "show", path, "--faults")
	if err != nil || strings.Count(faults, "! at octet") != 1 || !strings.Contains(faults, "006 to C00") {
		t.Fatalf("%v\n%s", err, faults)
	}
	lines, err := scope(t, "show", path, "--json", "--meter", "6")
	if err != nil || strings.Count(lines, "\n") != 2 {
		t.Fatalf("%v\n%s", err, lines)
	}
	for line := range strings.Lines(lines) {
		var j shown
		if err := json.Unmarshal([]byte(line), &j); err != nil || j.Kind != "msdu" || j.Frame.Name != "LPDU" {
			t.Errorf("%v: %s", err, line)
		}
	}
}

// TestReplayedTwice: a session played again is told by its invocation counters.
func TestReplayedTwice(t *testing.T) {
	s := newStage(t, dlms.HLSGMAC)
	records := record(t, s, 0, clockRef)
	out, err := scope(t, "replay", writeRecords(t, records), "--meter", "5")
	if err != nil || strings.Contains(out, "does not rise") || !strings.Contains(out, "005   4     4         0          4            150ms    0") {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = scope(t, "replay", writeRecords(t, append(records, records...)), "--meter", "5")
	if err != nil || !strings.Contains(out, "does not rise") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// hostRecords are the same frames as the host dialog carries them, in pieces of a few octets.
func hostRecords(records []trace.Record) []trace.Record {
	var all []trace.Record
	for _, r := range records {
		command := modem.DataIndication
		if r.Sent {
			command = modem.DataRequest
		}
		b := modem.Frame{Command: command, Data: modem.Data{Credits: r.Credits, Source: r.Source, Destination: r.Destination, MSDU: r.Octets}.Append(nil, plc.BigEndian)}.Append(nil)
		b = append(b, modem.ACK)
		for len(b) > 0 {
			n := min(len(b), 7)
			all = append(all, trace.Record{At: r.At, Kind: trace.Host, Sent: r.Sent, Octets: b[:n]})
			b = b[n:]
		}
	}
	return all
}

// TestExport reads back what it writes, from MSDUs and from the host dialog alike.
func TestExport(t *testing.T) {
	s := newStage(t, dlms.LLS)
	records := record(t, s, 0, clockRef)
	for name, path := range map[string]string{"msdu": writeRecords(t, records), "host": writeRecords(t, hostRecords(records))} {
		out := filepath.Join(t.TempDir(), "out")
		if _, err := scope(t, "export", path, "-o", out); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		packets := readPcapNG(t, b)
		if len(packets) != len(records) {
			t.Fatalf("%s: %d packets, want %d", name, len(packets), len(records))
		}
		for i, p := range packets {
			if !bytes.Equal(p.octets, records[i].Octets) || !p.at.Equal(records[i].At) || p.sent != records[i].Sent || p.link != 147 {
				t.Errorf("%s, packet %d: %+v", name, i, p)
			}
		}
		if !bytes.Contains(b, []byte("C00 to 005, credits 1 of 2 left")) {
			t.Errorf("%s: no comment with addresses", name)
		}
		classic, err := scope(t, "export", path, "--format", "pcap")
		want := 24
		for _, r := range records {
			want += 16 + len(r.Octets)
		}
		if err != nil || len(classic) != want || binary.LittleEndian.Uint32([]byte(classic)[20:]) != 147 {
			t.Errorf("%s: pcap of %d octets, want %d, %v", name, len(classic), want, err)
		}
	}
	if _, err := scope(t, "export", "nowhere", "--format", "png"); err == nil {
		t.Error("--format png")
	}
}

type packet struct {
	link   uint16
	at     time.Time
	octets []byte
	sent   bool
}

// readPcapNG is a reader of its own: it trusts only the format.
func readPcapNG(t *testing.T, b []byte) []packet {
	t.Helper()
	le := binary.LittleEndian
	var links []uint16
	var all []packet
	for len(b) > 0 {
		if len(b) < 12 {
			t.Fatalf("%d octets at the end", len(b))
		}
		kind, size := le.Uint32(b), int(le.Uint32(b[4:]))
		if size%4 != 0 || size > len(b) || le.Uint32(b[size-4:]) != uint32(size) {
			t.Fatalf("block %X of %d octets in %d", kind, size, len(b))
		}
		body := b[8 : size-4]
		switch kind {
		case 0x0A0D0D0A:
			if le.Uint32(body) != 0x1A2B3C4D {
				t.Fatal("byte order")
			}
		case 1:
			links = append(links, le.Uint16(body))
		case 6:
			n := int(le.Uint32(body[12:]))
			p := packet{link: links[le.Uint32(body)], octets: body[20 : 20+n]}
			p.at = time.Unix(0, int64(uint64(le.Uint32(body[4:]))<<32|uint64(le.Uint32(body[8:]))))
			for o := body[20+(n+3)/4*4:]; le.Uint16(o) != 0; o = o[4+(int(le.Uint16(o[2:]))+3)/4*4:] {
				if le.Uint16(o) == 2 {
					p.sent = le.Uint32(o[4:]) == 2
				}
			}
			all = append(all, p)
		}
		b = b[size:]
	}
	return all
}

// pieces is a port at which octets come in pieces, with silence between them.
type pieces struct {
	octets [][]byte
	silent bool
}

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

func (p *pieces) Read(b []byte) (int, error) {
	if p.silent = !p.silent; p.silent {
		return 0, os.ErrDeadlineExceeded
	}
	if len(p.octets) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.octets[0])
	p.octets = p.octets[1:]
	return n, nil
}

// TestSniff finds frames among rubbish and keeps them.
func TestSniff(t *testing.T) {
	request := modem.Frame{Command: modem.ResetRequest}.Append(nil)
	status := modem.NotSetStatus(0x10).Append(nil)
	line := append(append(append([]byte{0x55}, request...), modem.ACK), status...)
	port := &pieces{octets: [][]byte{line[:3], line[3:8], line[8:]}}
	path := filepath.Join(t.TempDir(), "line")
	var seen []string
	err := sniff(t.Context(), port, trace.Host, path, func(f capture.Frame) { seen = append(seen, fmt.Sprintf("%X", f.Octets)) })
	want := fmt.Sprintf("%X,06,%X", request, status)
	if err != nil || strings.Join(seen, ",") != want {
		t.Errorf("%v, %v, want %s", err, seen, want)
	}
	out, err := scope(t, "show", path)
	if err != nil || !strings.Contains(out, "reset request") || !strings.Contains(out, "status: not set") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDissectCommand(t *testing.T) {
	out, err := scope(t, "dissect", "90 01 10", "c0:01:c1:00:03:01:00:01:08:00:ff:02:00")
	if err != nil || !strings.Contains(out, "1.0.1.8.0.255 register, value") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = scope(t, "dissect", "--as", "value", "--json", "0203090601000108 00ff0f02120000")
	if err != nil || !strings.Contains(out, `"name":"value"`) {
		t.Errorf("%v\n%s", err, out)
	}
	for _, bad := range [][]string{{"dissect", "xyz"}, {"dissect", "--as", "nothing", "00"}, {"dissect", "--keys", "nowhere", "00"}, {"show", "nowhere"}, {"show", "x", "--meter", "GGG"}} {
		if _, err := scope(t, bad...); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestUsage: what the user gave wrong is told before anybody is called.
func TestUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"want tcp://":          {"walk", "127.0.0.1:4059"},
		"class/OBIS/attribute": {"get", "tcp://127.0.0.1:1", "1.8.0"},
		"want none, lls":       {"walk", "tcp://127.0.0.1:1", "--mechanism", "md5"},
		"LLS without a pass":   {"walk", "tcp://127.0.0.1:1", "--mechanism", "lls"},
		"both keys":            {"walk", "tcp://127.0.0.1:1", "--mechanism", "hls-gmac"},
		"--address-size":       {"walk", "hdlc://127.0.0.1:1", "--address-size", "3"},
		"--client-title":       {"walk", "tcp://127.0.0.1:1", "--client-title", "x"},
		"connect to the meter": {"walk", "tcp://127.0.0.1:1"},
	} {
		if _, err := scope(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

// TestSecretsStayHidden looks for the password in everything that a walk prints.
func TestSecretsStayHidden(t *testing.T) {
	s := newStage(t, dlms.LLS)
	secret := s.meters[0].Keys().Password
	t.Setenv(envPassword, string(secret))
	at := "tcp://" + s.open(1, 0)
	var out, frames bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs([]string{"get", at, "--mechanism", "lls", "--frames", "8/0.0.1.0.0.255/2"})
	cmd.SetOut(&out)
	cmd.SetErr(&frames)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := out.String() + frames.String()
	for _, leak := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% X", secret)} {
		if strings.Contains(text, leak) || !strings.Contains(text, "GET response") {
			t.Errorf("%q in\n%s", leak, text)
		}
	}
}
