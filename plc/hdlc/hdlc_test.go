package hdlc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bodies are frames without flags and, apart, their check sequences (dlms-vectors.md I1 to I10).
var bodies = [][2]string{
	{"a00a000200232193", "1871"},
	{"a023210002002373f6c58180140502008006020080070400000001080400000001", "ce6a"},
	{"a0199575546835e6e600c0018100080000010000ff0100", "0dfd"},
	{"a018759574e9e8e6e700c401810009060000010000ff", "fd49"},
	{"a0199575767837e6e600c0018100080000010000ff0200", "65d7"},
	{"a01e7595966f67e6e700c4018100090c07d20c04030a060bff007800", "f330"},
	{"a0107595b85101e6e700c5018100", "36cf"},
	{"a0137595da8864e6e700c4018100100078", "563a"},
	{"a01c9575dc7f53e6e600c1018100080000010000ff0300100078", "0117"},
	{"a01275951e1bf8e6e700c40181001100", "ac5b"},
}

// recorded are frames of foreign programs and meters (I20, I30, K30, K40, K60).
var recorded = []string{
	"7ea02a410883130413e6e7000f40000000000101020309060100010700ff060000067d02020f00161b1c057e",
	"7ea0070321930f017e", "7ea01e210373c37a818012050180060180070400000001080400000001533b7e",
	"7ea02b032110fbafe6e600601da109060760857405080101be10040e01000000065f1f0400401e1dffffe7257e",
	"7ea0372103306c7ce6e7006129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400000010020000071cea7e",
	"7ea0190321326fd8e6e600c001c1000100002b0100ff02007d8f7e", "7ea0152103525d8ae6e700c401c10006000000007d187e",
	"7ea00703215303c77e", "7ea0070303938c117e",
	"7ea02dcf022313717c0801ff060000c5d702020f00161e020309060100020802ff060000338102020f00161e58c07e",
	"7ea00703 2393bf327e",
}

func frames(t testing.TB) [][]byte {
	var all [][]byte
	for _, b := range bodies {
		all = append(all, append(append([]byte{Flag}, unhex(t, b[0]+b[1])...), Flag))
	}
	for _, s := range recorded {
		all = append(all, unhex(t, s))
	}
	return all
}

func TestGoldenFrames(t *testing.T) {
	for _, b := range bodies {
		if got := appendFCS(unhex(t, b[0]), 0); !bytes.Equal(got, unhex(t, b[0]+b[1])) {
			t.Errorf("%s: check sequence %X, want %s", b[0], got[len(got)-2:], b[1])
		}
	}
	for _, b := range frames(t) {
		f, n, err := Parse(b)
		if err != nil || n != len(b) {
			t.Errorf("% X: %d octets, %v", b, n, err)
			continue
		}
		if got := f.Append([]byte{1}); !bytes.Equal(got[1:], b) || f.Size() != len(b) {
			t.Errorf("%v: Append % X, want % X", f, got[1:], b)
		}
	}
}

func TestFields(t *testing.T) {
	for _, c := range []struct {
		frame, want string
	}{
		{recorded[0], "4/65 to 32: UI, poll/final, 32 octets"},
		{recorded[1], "16 to 1: SNRM, poll/final"},
		{recorded[4], "1 to 16: I 0, awaits 1, poll/final, 46 octets"},
		{recorded[7], "16 to 1: DISC, poll/final"},
		{"7e" + bodies[0][0] + bodies[0][1] + "7e", "16 to 1/17: SNRM, poll/final"},
		{recorded[9], "1/17 to 103: UI, poll/final, 35 octets"},
	} {
		f, _, err := Parse(unhex(t, c.frame))
		if err != nil {
			t.Errorf("%s: %v", c.frame, err)
		}
		if got := f.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.frame, got, c.want)
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, b := range frames(t) {
		for i := range b {
			if _, _, err := Parse(b[:i]); !errors.Is(err, ErrIncomplete) {
				t.Errorf("% X cut to %d octets: %v", b, i, err)
			}
		}
	}
	for _, s := range []string{"818012050180060180070400000001080400000001", "81800405020080"} {
		b := unhex(t, s)
		for i := 1; i < len(b); i++ {
			if _, _, err := ParseParameters(b[:i]); err == nil {
				t.Errorf("%s cut to %d octets: no error", s, i)
			}
		}
	}
	id := []byte("/LGZ5\\2ZMD3104115.B32\r\n")
	for i := range id {
		if _, _, err := ParseIdentification(id[:i]); !errors.Is(err, ErrIncomplete) {
			t.Errorf("identification cut to %d octets: %v", i, err)
		}
	}
}

// TestDamaged alters every bit of every frame: none is taken for another.
func TestDamaged(t *testing.T) {
	for _, b := range frames(t) {
		for i := range 8 * len(b) {
			d := bytes.Clone(b)
			d[i/8] ^= 1 << (i % 8)
			if f, _, err := Parse(d); err == nil {
				t.Errorf("% X with bit %d altered: %v", b, i, f)
			}
		}
	}
}

// TestStream finds frames among rubbish, with flags shared and doubled.
func TestStream(t *testing.T) {
	var line []byte
	all := frames(t)
	for i, b := range all {
		switch i % 4 {
		case 0:
			line = append(line, b...)
		case 1:
			line = append(line, b[1:]...) // shares the flag before it
		case 2:
			line = append(append(line, 0x55, Flag, Flag), b...)
		case 3:
			line = append(append(line, Flag, 0xA0, 0x03), b...)
		}
	}
	for _, size := range []int{1, 7, len(line)} {
		var s Stream
		n := 0
		for at := 0; at < len(line); at += size {
			s.Feed(line[at:min(at+size, len(line))])
			for f, ok := s.Next(); ok; f, ok = s.Next() {
				if !bytes.Equal(f.Append(nil), all[n]) {
					t.Fatalf("pieces of %d, frame %d: %v", size, n, f)
				}
				n++
			}
		}
		if n != len(all) || s.Rubbish == 0 || s.Damaged != 0 {
			t.Errorf("pieces of %d: %d frames of %d, %+v", size, n, len(all), s)
		}
	}
}

func TestParameters(t *testing.T) {
	for s, want := range map[string]Parameters{
		"": DefaultParameters(),
		"818012050180060180070400000001080400000001":     {128, 128, 1, 1},
		"8180140502008006020080070400000001080400000001": {128, 128, 1, 1},
		"81800405020400":                   {1024, 128, 1, 1},
		"81800d05010006020fff0701000801ff": {minInfo, MaxInfo, 1, 7},
	} {
		p, n, err := ParseParameters(unhex(t, s))
		if err != nil || p != want || n != len(s)/2 {
			t.Errorf("%s: %v, %d, %v", s, p, n, err)
		}
	}
	p := Parameters{2000, 100, 7, 3}
	again, n, err := ParseParameters(p.Append(nil))
	if again != p || n != p.Size() || err != nil {
		t.Errorf("%v, %d, %v", again, n, err)
	}
}

func TestModeE(t *testing.T) {
	b, err := AppendSignOn(nil, "12345")
	if string(b) != "/?12345!\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := AppendSignOn(nil, "a\r\n/?!"); err == nil {
		t.Error("a device address with an end of line is taken")
	}
	id, n, err := ParseIdentification([]byte("\x7f\x00/ISk5\\2MT382-1003\r\nrest"))
	if err != nil || n != 21 || id.Maker != "ISk" || !id.HDLC() || id.Name != "MT382-1003" {
		t.Errorf("%+v, %d, %v", id, n, err)
	}
	if baud, ok := id.Baud(); baud != 9600 || !ok {
		t.Errorf("%d, %v", baud, ok)
	}
	if got := id.AppendSelect(nil); string(got) != "\x06252\r\n" {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"/LG\r\n", "/LGZ5\x82name\r\n", strings.Repeat("x", 65), "/LGZ5" + strings.Repeat("n", 60)} {
		if _, _, err := ParseIdentification([]byte(s)); !errors.Is(err, ErrNotFrame) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestMemory: a frame is read without any.
func TestMemory(t *testing.T) {
	for _, b := range frames(t) {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(b) }); n != 0 {
			t.Errorf("% X: %v allocations", b, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range frames(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, n, err := Parse(b)
		if n < 0 || n > len(b) || err != nil && !errors.Is(err, ErrIncomplete) && n == 0 {
			t.Fatalf("% X: %d octets, %v", b, n, err)
		}
		if err == nil {
			flags := len(b[:n]) - frame.Size()
			if flags < 0 || !bytes.Equal(frame.Append(nil), b[flags:n]) {
				t.Fatalf("% X was written again as % X", b[:n], frame.Append(nil))
			}
			_, _, _ = ParseParameters(frame.Info)
		}
		var s Stream
		s.Feed(b)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
		if len(s.held) > len(b) || cap(s.held) > 4*len(b)+4096 || s.Rubbish > len(b) {
			t.Fatalf("%+v of %d octets", s, len(b))
		}
	})
}

func FuzzParseIdentification(f *testing.F) {
	f.Add([]byte("/LGZ5\\2ZMD3104115.B32\r\n"))
	f.Add([]byte("/ISk5MT174-0001\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, n, err := ParseIdentification(b)
		if err == nil && (n > len(b) || len(id.Name) > maxIdentifier || len(id.Maker) != 3) {
			t.Fatalf("%q: %+v, %d", b, id, n)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	frame := unhex(b, recorded[4])
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}
