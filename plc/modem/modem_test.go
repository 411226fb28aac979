package modem

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"busbar/plc"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// payload is anything that stands in a frame's data.
type payload interface {
	Append([]byte) []byte
	Size() int
}

func data(p payload) []byte { return p.Append(nil) }

// placed is a Data with its byte order, so that it is a payload.
type placed struct {
	Data
	order plc.ByteOrder
}

func (p placed) Append(dst []byte) []byte { return p.Data.Append(dst, p.order) }

var signal = plc.Signal{S0: 1000, N0: 50, S1: 900, N1: 60, Method: 3, Gain: 5}

// goldens are the vectors of sfsk.md 9.1 and 9.2 that touch the host protocol.
var goldens = []struct {
	name    string
	hex     string
	command Command
	data    []byte // nil: the payload's own
	payload payload
}{
	{"write confirm of another maker", "02 09 42 01 00 00 0C 00 00 58 00", AccessDBConfirm, nil, Access{IdentAddresses, data(Pair{0xC00, 0})}},
	{"write request of another maker", "02 09 41 01 00 01 00 00 0C 58 00", AccessDBRequest, nil, Access{IdentAddresses, data(Pair{1, 0xC00})}},
	{"write confirm 2 of another maker", "02 09 42 01 00 01 00 00 0C 59 00", AccessDBConfirm, nil, Access{IdentAddresses, data(Pair{1, 0xC00})}},
	{"reset", "02 03 21 24 00", ResetRequest, nil, nil},
	{"desynchro", "02 03 11 14 00", DesynchroRequest, nil, nil},
	{"read configuration", "02 05 41 12 00 58 00", AccessDBRequest, nil, Access{IdentConfiguration, []byte{}}},
	{"software version", "02 05 41 13 00 59 00", AccessDBRequest, nil, Access{IdentVersion, []byte{}}},
	{"read min delta credit", "02 05 41 07 00 4D 00", AccessDBRequest, nil, Access{IdentMinDeltaCredit, []byte{}}},
	{"min delta credit 3", "02 06 42 07 00 03 52 00", AccessDBConfirm, nil, Access{IdentMinDeltaCredit, []byte{3}}},
	{"initiator addresses", "02 09 41 00 00 00 0C FF 0D 62 01", AccessDBRequest, nil, Access{IdentInitiators, data(Pair{0xC00, 0xDFF})}},
	{"tones", "02 09 41 0C 00 9B 15 42 19 61 01", AccessDBRequest, nil, Access{IdentTones, data(Pair{Step(63300), Step(74000)})}},
	{"not addressed 1440 min", "02 07 41 04 00 A0 05 F1 00", AccessDBRequest, nil, Access{IdentNotAddressed, []byte{0xA0, 5}}},
	{"read counters", "02 06 41 0D 00 00 54 00", AccessDBRequest, nil, Access{IdentCounters, []byte{0}}},
	{"sent", "02 04 52 FF 55 01", DataConfirm, []byte{0xFF}, nil},
	{"LM_TU3", "02 04 52 14 6A 00", DataConfirm, []byte{0x14}, nil},
	{"illegal data", "02 04 43 22 69 00", AccessDBError, []byte{byte(IllegalData)}, nil},
	{"repeater call", "02 07 61 68 00 00 00 D0 00", RepeaterCallRequest, nil, RepeaterCall{Level: 104}},
	{"synchro confirmed", "02 09 10 02 00 00 0C 01 00 28 00", SynchroIndication, nil, Synchro{Event: SynchroConfirmed, A: 0xC00, B: 1}},
	{"synchro lost", "02 09 10 04 01 FE 0F 00 00 2B 01", SynchroIndication, nil, Synchro{Event: SynchroLost, Cause: LostNotAddressed, A: plc.New}},
	{
		"synchro found", "02 11 10 01 00 E8 03 32 00 84 03 3C 00 F4 01 03 25 1F 03", SynchroIndication, nil,
		Synchro{Event: SynchroFound, Signal: signal, Factor: 500, Bit: 2},
	},
	{
		"discover", "02 11 51 00 C0 0F FF 00 90 00 01 1D 64 00 0A 00 00 4C 03", DataRequest, nil,
		placed{Data{Source: 0xC00, Destination: 0xFFF, MSDU: []byte{0x90, 0, 1, 0x1D, 0x64, 0, 0x0A, 0, 0}}, plc.BigEndian},
	},
	{
		"get", "02 18 51 24 C0 00 01 00 90 01 10 C0 01 C1 00 03 01 00 01 08 00 FF 02 00 7F 04", DataRequest, nil,
		placed{Data{
			Credits: plc.Credits{Initial: 1, Current: 1}, Source: 0xC00, Destination: 1,
			MSDU: []byte{0x90, 1, 0x10, 0xC0, 1, 0xC1, 0, 3, 1, 0, 1, 8, 0, 0xFF, 2, 0},
		}, plc.BigEndian},
	},
	{
		"answer", "02 14 50 21 00 1C 00 0E 90 10 01 C4 01 C1 00 06 00 01 23 45 45 03", DataIndication, nil,
		placed{Data{
			Credits: plc.Credits{Initial: 1, Delta: 1}, Source: 1, Destination: 0xC00, Pad: 14,
			MSDU: []byte{0x90, 0x10, 1, 0xC4, 1, 0xC1, 0, 6, 0, 1, 0x23, 0x45},
		}, plc.BigEndian},
	},
}

func TestGoldenFrames(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			want := octets(t, g.hex)
			f, n, err := ParseFrame(want)
			if err != nil || n != len(want) || f.Command != g.command {
				t.Fatalf("parsed %v, %d octets, %v; want %v, %d", f, n, err, g.command, len(want))
			}
			wantData := g.data
			if g.payload != nil {
				wantData = data(g.payload)
				if g.payload.Size() != len(wantData) {
					t.Errorf("Size %d, appended %d", g.payload.Size(), len(wantData))
				}
			}
			if !bytes.Equal(f.Data, wantData) {
				t.Errorf("data % X, want % X", f.Data, wantData)
			}
			if got := f.Append(nil); !bytes.Equal(got, want) || f.Size() != len(got) {
				t.Errorf("appended again % X, size %d", got, f.Size())
			}
			if g.payload != nil {
				if back := parsePayload(t, f, g.payload); !reflect.DeepEqual(back, g.payload) {
					t.Errorf("parsed %+v, want %+v", back, g.payload)
				}
			}
		})
	}
}

func parsePayload(t *testing.T, f Frame, like payload) payload {
	t.Helper()
	var back payload
	var n int
	var err error
	switch like := like.(type) {
	case Access:
		back, n, err = ParseAccess(f.Data)
	case RepeaterCall:
		back, n, err = ParseRepeaterCall(f.Data)
	case Synchro:
		back, n, err = ParseSynchro(f.Data)
	case placed:
		var d Data
		d, n, err = ParseData(f.Data, like.order)
		back = placed{d, like.order}
	}
	if err != nil || n != len(f.Data) {
		t.Fatalf("%T: %d octets of %d, %v", like, n, len(f.Data), err)
	}
	return back
}

func TestFramesTruncated(t *testing.T) {
	for _, g := range goldens {
		whole := octets(t, g.hex)
		for i := range whole {
			if _, n, err := ParseFrame(whole[:i]); !errors.Is(err, ErrIncomplete) || n != 0 {
				t.Errorf("%s cut at %d: %d octets, %v", g.name, i, n, err)
			}
		}
	}
}

func TestPayloadsTruncated(t *testing.T) {
	parsers := map[string]struct {
		whole []byte
		parse func([]byte) (int, error)
	}{
		"status":        {data(InitiatorStatus(false, false, 0, 0)), func(b []byte) (int, error) { _, n, err := ParseStatus(b); return n, err }},
		"configuration": {data(initiatorConfiguration(t))[:35], func(b []byte) (int, error) { _, n, err := ParseConfiguration(b); return n, err }},
		"data":          {make([]byte, 6), func(b []byte) (int, error) { _, n, err := ParseData(b, plc.BigEndian); return n, err }},
		"access":        {make([]byte, 2), func(b []byte) (int, error) { _, n, err := ParseAccess(b); return n, err }},
		"pair":          {make([]byte, 4), func(b []byte) (int, error) { _, n, err := ParsePair(b); return n, err }},
		"repeater call": {make([]byte, 4), func(b []byte) (int, error) { _, n, err := ParseRepeaterCall(b); return n, err }},
		"counters":      {data(Counters{}), func(b []byte) (int, error) { _, n, err := ParseCounters(b); return n, err }},
		"statistics":    {data(Statistics{}), func(b []byte) (int, error) { _, n, err := ParseStatistics(b); return n, err }},
		"error code":    {make([]byte, 1), func(b []byte) (int, error) { _, n, err := ParseErrorCode(b); return n, err }},
		"found":         {data(Synchro{Event: SynchroFound}), func(b []byte) (int, error) { _, n, err := ParseSynchro(b); return n, err }},
		"lost":          {data(Synchro{Event: SynchroLost}), func(b []byte) (int, error) { _, n, err := ParseSynchro(b); return n, err }},
	}
	for name, p := range parsers {
		if n, err := p.parse(p.whole); err != nil || n != len(p.whole) {
			t.Errorf("%s: %d of %d octets, %v", name, n, len(p.whole), err)
		}
		for i := range p.whole {
			if n, err := p.parse(p.whole[:i]); err == nil || n != 0 {
				t.Errorf("%s cut at %d: %d octets, %v", name, i, n, err)
			}
		}
	}
}

func TestFrameFaults(t *testing.T) {
	good := octets(t, "02 03 21 24 00")
	for i := 2; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if _, n, err := ParseFrame(bad); !errors.Is(err, ErrChecksum) || n != len(good) {
			t.Errorf("octet %d changed: %d octets, %v", i, n, err)
		}
	}
	for _, h := range []string{"3F", "02 02", "02 00", "02 FB", "02 FF 51"} {
		if _, n, err := ParseFrame(octets(t, h)); !errors.Is(err, ErrNotFrame) || n != 1 {
			t.Errorf("%s: %d octets, %v", h, n, err)
		}
	}
	longest := Frame{Command: DataRequest, Data: make([]byte, MaxData)}
	b := longest.Append(nil)
	if f, n, err := ParseFrame(b); err != nil || n != MaxFrame || len(f.Data) != MaxData || b[1] != 250 {
		t.Errorf("longest frame: %d octets, length octet %d, %v", n, b[1], err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic at a frame that does not fit")
		}
	}()
	Frame{Data: make([]byte, MaxData+1)}.Append(nil)
}

func TestStatus(t *testing.T) {
	s, n, err := ParseStatus(octets(t, "3F 02 00 11"))
	if err != nil || n != StatusSize || !s.NotSet() || s.Firmware() != 0x11 || s != NotSetStatus(0x11) {
		t.Errorf("%v %d %v", s, n, err)
	}
	if s, _, err := ParseStatus(octets(t, "7F 05 60 2A")); err != nil || !s.Busy() || !s.NotSync() || s.NotSet() || s.SlotNumber() != 3 || s.PLLLock() || s.InvalidFrames() != 42 {
		t.Errorf("%v %v", s, err)
	}
	if s := (Status{0x18, 0x02, 0x6D}); !s.New() || !s.NotLocked() || !s.AlarmEnabled() || s.Phase() != plc.Phase120 || s.MinDeltaCredit() != 3 || s.Repeater() != 1 {
		t.Errorf("%v", s)
	}
	if s := InitiatorStatus(true, false, 5, 9); !s.Busy() || s.NotSync() || !s.PLLLock() || s.SlotNumber() != 5 || s.InvalidFrames() != 9 {
		t.Errorf("%v", s)
	}
	for s, want := range map[Status]string{
		{}: "ready", {1}: "busy", {4}: "not synchronized", {5}: "not synchronized, busy", {2, 0, 0x12}: "not set, firmware 12h",
	} {
		if s.String() != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	if _, n, err := ParseStatus([]byte{0x02, 0, 0, 0}); !errors.Is(err, ErrNotFrame) || n != 1 {
		t.Errorf("%d %v", n, err)
	}
}

func initiatorConfiguration(t testing.TB) Configuration {
	t.Helper()
	radio, err := RConf(ModeInitiator, 2400, 50)
	if err != nil {
		t.Fatal(err)
	}
	return Configuration{
		FIMA: 0xC00, LIMA: 0xDFF, Local: 0xC00, StepS: Step(63300), StepM: Step(74000),
		ZeroCross: 0x21, Radio: radio, Search: AutomaticSearch, Tail: [3]byte{0xA1, 0xB2, 0xC3},
	}
}

func TestConfiguration(t *testing.T) {
	want := octets(t, "00 0C FF 0D 00 0C 00 00 00 00 00 00 00 00"+strings.Repeat("00", 10)+"9B 15 42 19 21 00 0E 01 00 A1 B2 C3")
	c := initiatorConfiguration(t)
	if got := c.Append(nil); !bytes.Equal(got, want) || c.Size() != 36 {
		t.Errorf("appended % X\nwant     % X", got, want)
	}
	for _, size := range []int{35, 36} {
		back, n, err := ParseConfiguration(want[:size])
		if err != nil || n != size || !bytes.Equal(back.Append(nil), want[:size]) {
			t.Errorf("%d octets: %+v %d %v", size, back, n, err)
		}
		if back.Mode() != ModeInitiator || back.BitRate() != 2400 || back.MainsHz() != 50 {
			t.Errorf("mode %d, %d bit/s, %d Hz", back.Mode(), back.BitRate(), back.MainsHz())
		}
	}
	for _, size := range []int{0, 34, 37} {
		if _, _, err := ParseConfiguration(make([]byte, size)); err == nil {
			t.Errorf("%d octets accepted", size)
		}
	}
	for _, c := range []struct {
		mode     Mode
		rate, hz int
		want     byte
	}{{ModeServer, 2400, 50, 0x16}, {ModeMonitor, 2400, 50, 0x1E}, {ModeInitiator, 300, 60, 0x09}, {ModeInitiator, 600, 50, 0x0A}, {ModeInitiator, 1200, 50, 0x0C}} {
		if got, err := RConf(c.mode, c.rate, c.hz); err != nil || got != c.want {
			t.Errorf("RConf %+v = %02X, %v", c, got, err)
		}
	}
	if _, err := RConf(ModeInitiator, 4800, 50); err == nil {
		t.Error("4800 accepted")
	}
	if _, err := RConf(ModeInitiator, 2400, 55); err == nil {
		t.Error("55 Hz accepted")
	}
}

func TestTones(t *testing.T) {
	for hz, step := range map[int]uint16{63300: 0x159B, 74000: 0x1942, 72000: 0x1893, 76800: 0x1A37, -1: 0, 1 << 30: 0xFFFF} {
		if Step(hz) != step {
			t.Errorf("%d Hz is step %04X, want %04X", hz, Step(hz), step)
		}
	}
	if hz := Hertz(Step(63300)); hz < 63294 || hz > 63306 {
		t.Errorf("63300 Hz comes back as %d", hz)
	}
}

// TestPadding: an indication with and without padding gives the same MSDU (D2), in both byte orders (D3).
func TestPadding(t *testing.T) {
	for _, order := range []plc.ByteOrder{plc.BigEndian, plc.LittleEndian} {
		for n := 1; n <= MaxMSDU; n++ {
			want := Data{Source: 0x123, Destination: 0xABC, Pad: PadFor(n), MSDU: bytes.Repeat([]byte{0xEE}, n)}
			bare := want.Append(nil, order)
			padded := append(bytes.Clone(bare), make([]byte, want.Pad)...)
			for _, b := range [][]byte{bare, padded} {
				got, used, err := ParseData(b, order)
				if err != nil || used != len(b) || !reflect.DeepEqual(got, want) {
					t.Fatalf("MSDU of %d octets in %d: %d %v %v", n, len(b), len(got.MSDU), used, err)
				}
			}
		}
	}
	if PadFor(12) != 14 || PadFor(26) != 0 || PadFor(27) != 35 || PadFor(242) != 0 {
		t.Error("PadFor", PadFor(12), PadFor(26), PadFor(27), PadFor(242))
	}
	if _, _, err := ParseData(make([]byte, DataHeaderSize+MaxMSDU+1), plc.BigEndian); err == nil {
		t.Error("an MSDU of 243 octets accepted")
	}
	// The order shows in the addresses.
	d := Data{Source: 0xC00, Destination: 1, MSDU: []byte{1}}
	if got := d.Append(nil, plc.LittleEndian); !bytes.Equal(got, []byte{0, 0x01, 0x00, 0xC0, 0, 1}) {
		t.Errorf("little-endian % X", got)
	}
}

func TestStatistics(t *testing.T) {
	s := Statistics{Last: signal}
	s.Rest[19] = 7
	b := s.Append(nil)
	if got, n, err := ParseStatistics(b); err != nil || n != StatisticsSize || got != s {
		t.Errorf("%+v %d %v", got, n, err)
	}
	if got, n, err := ParseStatistics(make([]byte, StatisticsSearchingSize)); err != nil || n != 36 || got.Last.Measured() {
		t.Errorf("not synchronized: %+v %d %v", got, n, err)
	}
	c := Counters{1, 2, 3, 4, 5, 1 << 31}
	if got, n, err := ParseCounters(c.Append(nil)); err != nil || n != c.Size() || got != c {
		t.Errorf("%+v %d %v", got, n, err)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Command(0x50).String(): "MA_Data indication", Command(0x99).String(): "unknown command 99h",
		ErrorCode(0x22).String(): "illegal data", ErrorCode(0).String(): "unknown error code 00h",
		Ident(0x12).String(): "configuration", Ident(0x99).String(): "unknown ident 0099h",
		LossCause(2).String(): "time-out frame not OK", LossCause(9).String(): "unknown cause 09h",
		Synchro{Event: SynchroLost, Cause: 4}.String(): "synchronization lost: addressed by a wrong initiator",
		Synchro{}.String():                    "unknown synchro event",
		Frame{Command: ResetRequest}.String(): "reset request []",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if DataRequest.FromModem() || !DataConfirm.FromModem() || !DataIndication.FromModem() || !AccessDBError.FromModem() {
		t.Error("FromModem")
	}
	if _, _, err := ParseSynchro([]byte{9, 0, 0, 0, 0, 0}); err == nil {
		t.Error("unknown event accepted")
	}
}

func FuzzFrame(f *testing.F) {
	for _, g := range goldens {
		f.Add(octets(f, g.hex))
	}
	f.Add([]byte{STX, 3, 0x21, 0x24, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, n, err := ParseFrame(b)
		switch {
		case err == nil:
			if got := frame.Append(nil); !bytes.Equal(got, b[:n]) || frame.Size() != n {
				t.Fatalf("% X came back as % X", b[:n], got)
			}
		case errors.Is(err, ErrIncomplete):
			if n != 0 || len(b) >= MaxFrame {
				t.Fatalf("%d octets are not enough for a frame: %v", len(b), err)
			}
		case n < 1 || n > len(b):
			t.Fatalf("skip %d of %d octets: %v", n, len(b), err)
		}
	})
}

func FuzzPayloads(f *testing.F) {
	for _, g := range goldens {
		b := octets(f, g.hex)
		f.Add(b[3:len(b)-2], byte(0))
	}
	f.Add(initiatorConfiguration(f).Append(nil), byte(1))
	f.Add(Statistics{Last: signal}.Append(nil), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, order byte) {
		again := func(name string, p payload, n int, err error) {
			if err != nil {
				return
			}
			if got := p.Append(nil); n > len(b) || len(got) != p.Size() {
				t.Fatalf("%s: %d octets of %d, size %d, appended %d", name, n, len(b), p.Size(), len(got))
			}
		}
		exact := func(name string, p payload, n int, err error) {
			again(name, p, n, err)
			if err == nil && !bytes.Equal(p.Append(nil), b[:n]) {
				t.Fatalf("%s: % X came back as % X", name, b[:n], p.Append(nil))
			}
		}
		c, n, err := ParseConfiguration(b)
		exact("configuration", c, n, err)
		a, n, err := ParseAccess(b)
		exact("access", a, n, err)
		r, n, err := ParseRepeaterCall(b)
		exact("repeater call", r, n, err)
		k, n, err := ParseCounters(b)
		exact("counters", k, n, err)
		s, n, err := ParseSynchro(b)
		again("synchro", s, n, err)
		st, n, err := ParseStatistics(b)
		again("statistics", st, n, err)
		status, n, err := ParseStatus(b)
		again("status", status, n, err)
		d, _, err := ParseData(b, plc.ByteOrder(order&1))
		if err == nil {
			got := d.Append(nil, plc.ByteOrder(order&1))
			if !bytes.HasPrefix(b, got) || len(d.MSDU) < 1 || !d.Source.Valid() || !d.Destination.Valid() {
				t.Fatalf("data % X came back as % X", b, got)
			}
		}
	})
}

func ExampleParseFrame() {
	octets := []byte{
		0x02, 0x14, 0x50, 0x21, 0x00, 0x1C, 0x00, 0x0E, 0x90, 0x10, 0x01,
		0xC4, 0x01, 0xC1, 0x00, 0x06, 0x00, 0x01, 0x23, 0x45, 0x45, 0x03,
	}
	f, _, err := ParseFrame(octets)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, _, err := ParseData(f.Data, plc.BigEndian)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v from %v to %v, %d repetition used: % X\n", f.Command, d.Source, d.Destination, d.Credits.Used(), d.MSDU)
	// Output: MA_Data indication from 001 to C00, 1 repetition used: 90 10 01 C4 01 C1 00 06 00 01 23 45
}
