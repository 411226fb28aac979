package object

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"busbar/plc/axdr"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// codec is one attribute or parameter with its two directions.
type codec struct {
	parse  func([]byte) (any, int, error)
	append func([]byte, any) []byte
}

// of makes a codec out of a Parse function and its writer.
func of[T any](parse func([]byte) (T, int, error), write func([]byte, T) []byte) codec {
	return codec{
		func(b []byte) (any, int, error) { v, n, err := parse(b); return v, n, err },
		func(dst []byte, v any) []byte { return write(dst, v.(T)) },
	}
}

// self makes a codec out of a Parse function of a type that writes itself.
func self[T interface{ Append([]byte) []byte }](parse func([]byte) (T, int, error)) codec {
	return of(parse, func(dst []byte, v T) []byte { return v.Append(dst) })
}

// codecs is everything that the package reads and writes. ParseChannels has no writer,
// because frequencies are never written (sfsk.md D7).
var codecs = map[string]codec{
	"time":               of(ParseTime, AppendTime),
	"preset time":        self(ParsePresetTime),
	"scripts":            of(ParseScripts, AppendScripts),
	"script reference":   self(ParseScriptRef),
	"moments":            of(ParseMoments, AppendMoments),
	"seasons":            of(ParseSeasons, AppendSeasons),
	"weeks":              of(ParseWeeks, AppendWeeks),
	"days":               of(ParseDays, AppendDays),
	"special days":       of(ParseSpecialDays, AppendSpecialDays),
	"special day":        self(ParseSpecialDay),
	"monitored":          self(ParseMonitored),
	"emergency":          self(ParseEmergency),
	"groups":             of(ParseGroups, AppendGroups),
	"limiter actions":    self(ParseLimiterActions),
	"control state":      self(ParseControlState),
	"control mode":       self(ParseControlMode),
	"image status":       self(ParseImageStatus),
	"image":              self(ParseImage),
	"block":              self(ParseBlock),
	"block set":          self(ParseBlockSet),
	"image infos":        of(ParseImageInfos, AppendImageInfos),
	"keys":               of(ParseKeys, AppendKeys),
	"certificates":       of(ParseCertificates, AppendCertificates),
	"certificate":        self(ParseCertificateID),
	"objects":            of(ParseObjects, AppendObjects),
	"object":             self(ParseObject),
	"short objects":      of(ParseShortObjects, AppendShortObjects),
	"destination":        self(ParseDestination),
	"windows":            of(ParseWindows, AppendWindows),
	"active initiator":   self(ParseActiveInitiator),
	"address counts":     of(ParseAddressCounts, AppendAddressCounts),
	"desynchronizations": self(ParseDesynchronizations),
	"reply status":       of(ParseReplyStatus, AppendReplyStatus),
	"reporting systems":  of(ParseReportingSystems, AppendReportingSystems),
	"mbus blocks":        of(ParseMBusBlocks, AppendMBusBlocks),
	"mbus data":          of(ParseMBusData, AppendMBusData),
	"channels":           {parse: func(b []byte) (any, int, error) { v, n, err := ParseChannels(b); return v, n, err }},
}

// golden are known encodings with what they must be read as. The texts are what fmt
// prints for the value.
var golden = []struct{ codec, hex, text string }{
	{"time", "090c07e50603040e091700ffc400", "2021-06-03 14:09:23 deviation -60"}, // of a real meter
	{"preset time", "0203 090c07e8050101 0c000000ff8800 090c07e8050101 0b3b1e00ff8800 090c07e8050101 0c001e00ff8800", "{2024-05-01 12:00:00 deviation -120 2024-05-01 11:59:30 deviation -120 2024-05-01 12:00:30 deviation -120}"},
	{"scripts", "0102 0202 120001 0101 0205 1602 120046 0906 000060030aff 0f01 0f00 0202 120002 0100", "[{1 [{2 70 0.0.96.3.10.255 1 [15 0]}]} {2 []}]"},
	{"script reference", "0202 0906 00000a006aff 120001", "{0.0.10.0.106.255 1}"},
	{"moments", "0101 0202 0904 02000000 0905 ffff ff fe ff", "[{02:00:00 *-*-254}]"},
	{"seasons", "0101 0203 0901 31 090c ffff0401 ff 02000000 8000 00 0901 57", "[{[49] *-04-01 02:00:00 [87]}]"},
	{"weeks", "0101 0208 0901 57 1101 1101 1101 1101 1101 1102 1103", "[{[87] [1 1 1 1 1 2 3]}]"},
	{"days", "0101 0202 1101 0102 0203 0904 06000000 0906 00000a0064ff 120001 0203 0904 16000000 0906 00000a0064ff 120002", "[{1 [{06:00:00 {0.0.10.0.100.255 1}} {22:00:00 {0.0.10.0.100.255 2}}]}]"},
	{"special days", "0102 0203 120001 0905 ffff0501ff 1102 0203 120002 0905 07e80c19ff 1103", "[{1 *-05-01 2} {2 2024-12-25 3}]"},
	{"special day", "0203 120001 0905 ffff05ff07 1102", "{1 *-05-* weekday 7 2}"},
	{"monitored", "0203 120003 0906 0100010700ff 0f02", "{3 1.0.1.7.0.255 2}"},
	{"emergency", "0203 120007 090c 07e80501ff0c000000ff8800 0600000e10", "{7 2024-05-01 12:00:00 deviation -120 3600}"},
	{"groups", "0102 120001 12ffff", "[1 65535]"},
	{"limiter actions", "0202 0202 0906 00000a006aff 120001 0202 0906 00000a006aff 120002", "{{0.0.10.0.106.255 1} {0.0.10.0.106.255 2}}"},
	{"control state", "1602", "ready for reconnection"},
	{"control mode", "1604", "4"},
	{"image status", "1603", "verification successful"},
	{"image", "0202 0904 46573031 0600040000", "{[70 87 48 49] 262144}"},
	{"block", "0202 0600000003 0904 deadbeef", "{3 [222 173 190 239]}"},
	{"block set", "040a ff40", "{10 [255 64]}"},
	{"image infos", "0101 0203 0600040000 0904 46573031 0900", "[{262144 [70 87 48 49] []}]"},
	{"keys", "0101 0202 1600 0918 1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", "[global unicast encryption key, 24 octets]"}, // RFC 3394 4.1
	{"certificates", "0101 0206 1600 1601 0901 07 0902 4341 0902 4d31 0900", "[{0 1 [7] [67 65] [77 49] []}]"},
	{"certificate", "0202 1600 0203 1600 1601 0908 4d4d4d0000bc614e", "{0 1 [77 77 77 0 0 188 97 78] [] []}"},
	{"certificate", "0202 1601 0202 0901 07 0902 4341", "{0 0 [] [7] [67 65]}"},
	{"object", "0204 120007 1101 0906 0100630100ff 0202 0101 0203 0f02 1601 0102 0f01 0f02 0101 0202 0f01 1600", "{7 1 1.0.99.1.0.255 [{2 1 6}] [{1 0}]}"},
	{"short objects", "0102 0204 10fa00 12000c 1101 0906 0000280000ff 0204 100bb8 120003 1100 0906 0100010800ff", "[{64000 12 1 0.0.40.0.0.255} {3000 3 0 1.0.1.8.0.255}]"},
	{"destination", "0203 1604 0905 2b31323334 1600", "{4 [43 49 50 51 52] 0}"},
	{"windows", "0101 0202 090c ffffffffff01000000800000 090c ffffffffff05000000800000", "[{*-*-* 01:00:00 *-*-* 05:00:00}]"},
	{"active initiator", "0203 0906 495341000001 120c00 1100", "{[73 83 65 0 0 1] 3072 0}"},
	{"address counts", "0102 0202 120c00 0600000002 0202 120c01 0600000000", "[{3072 2} {3073 0}]"},
	{"desynchronizations", "0205 0600000001 0600000002 0600000003 0600000004 0600000005", "{1 2 3 4 5}"},
	{"reply status", "0101 0202 1101 1186", "[{1 134}]"},
	{"reporting systems", "0102 0906 495341000001 0908 4253420000000007", "[[73 83 65 0 0 1] [66 83 66 0 0 0 0 7]]"},
	{"mbus blocks", "0101 0202 0901 0c 0901 13", "[{[12] [19]}]"},
	{"mbus data", "0101 0203 0901 0c 0901 13 0600000001", "[{{[12] [19]} [6 0 0 0 1]}]"},
	{"channels", "0202 0600012ceb 0600011a35", "[{77035 72245 false 0 0}]"},
	{"channels", "0102 0202 0600011a35 0600012ceb 0204 0600011a35 0600012ceb 1740000000 173f000000", "[{77035 72245 false 0 0} {77035 72245 true 2 0.5}]"},
}

func TestGolden(t *testing.T) {
	used := map[string]bool{"objects": true} // has a test of its own
	for _, tt := range golden {
		used[tt.codec] = true
		c := codecs[tt.codec]
		b := unhex(t, tt.hex)
		v, n, err := c.parse(b)
		if err != nil || n != len(b) {
			t.Errorf("%s %s: %d of %d octets, %v", tt.codec, tt.hex, n, len(b), err)
			continue
		}
		if got := fmt.Sprint(v); got != tt.text {
			t.Errorf("%s:\n got %s\nwant %s", tt.codec, got, tt.text)
		}
		if c.append == nil {
			continue
		}
		if again := c.append([]byte{7}, v); !bytes.Equal(again[1:], b) {
			t.Errorf("%s: appended again\n got %x\nwant %x", tt.codec, again[1:], b)
		}
	}
	for name := range codecs {
		if !used[name] {
			t.Errorf("%s has no known encoding", name)
		}
	}
}

func TestTruncatedObjectsFail(t *testing.T) {
	for _, tt := range golden {
		b := unhex(t, tt.hex)
		for n := range b {
			if v, _, err := codecs[tt.codec].parse(b[:n]); err == nil {
				t.Errorf("%s cut to %d octets: %v", tt.codec, n, v)
			}
		}
	}
}

func TestObjectsRefuse(t *testing.T) {
	for _, tt := range []struct{ codec, hex, what string }{
		{"time", "0904 06000000", "date-time of 4 octets"},
		{"time", "1101", "want octet-string"},
		{"monitored", "0203 120003 0905 0100010700 0f02", "logical name of 5 octets"},
		{"monitored", "0202 120003 0906 0100010700ff", "structure of 2 elements"},
		{"groups", "0103 120001 120002 000000", "want long-unsigned"},
		{"groups", "0184 00ffffff", "only 0 octets follow"},
		{"groups", "0103 1200011200", "only 5 octets follow"},
		{"keys", "0181 81" + strings.Repeat("0202 1600 0900", 129), "at most 128"},
		{"scripts", "0101 0202 120001 0101 0205 1602 120046 0906 000060030aff 0f01" + strings.Repeat("0101", 17) + "00", "deeper than 16"},
		{"certificate", "0202 1602 0202 0901 07 0902 4341", "type 2"},
		{"certificate", "0202 1601 0202 0900 0902 4341", "without serial"},
		{"object", "0204 120007 1101 0906 0100630100ff 0202 0101 0203 0f02 1601 0101 0f20 0100", "selector 32"},
		{"channels", "0101 0203 0600011a35 0600012ceb 1740000000", "channel of 3"},
		{"reporting systems", "0102 0906 495341000001 0905 4953410000 00", "of 5 octets"},
	} {
		if v, _, err := codecs[tt.codec].parse(unhex(t, tt.hex)); err == nil || !strings.Contains(err.Error(), tt.what) {
			t.Errorf("%s %.40s: %v, error %v, want one with %q", tt.codec, tt.hex, v, err, tt.what)
		}
	}
}

// listOf reads the object list of a meter that nobody here wrote.
func listOf(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../testdata/objects.hex")
	if err != nil {
		t.Fatal(err)
	}
	return unhex(t, string(text))
}

// names are the codecs in a fixed order, so that a number chooses one.
var names = slices.Sorted(maps.Keys(codecs))

// smallest are the elements of lists that are smallest on the line.
var smallest = map[string]string{
	"days": "0202 1101 0100", "scripts": "0202 120001 0100", "keys": "0202 1600 0900", "groups": "120001",
	"certificates": "0206 1600 1600 0900 0900 0900 0900", "image infos": "0203 0600000000 0900 0900",
	"mbus blocks": "0202 0900 0900", "mbus data": "0203 0900 0900 00", "objects": "0204 120001 1100 0906 0000000000ff 0202 0100 0100",
	"seasons": "0203 0900 19 ffffffffff01000000800000 0900", "weeks": "0208 0900 1100 1100 1100 1100 1100 1100 1100",
	"special days": "0203 120000 1a ffff0501ff 1100", "reporting systems": "0906 000000000000", "reply status": "0202 1100 1100",
	"address counts": "0202 120000 0600000000", "windows": "0202 19 ffffffffff01000000800000 19 ffffffffff01000000800000",
	"moments": "0202 1b 00000000 1a ffffffffff", "short objects": "0204 100000 120001 1100 0906 0000000000ff", "channels": "0202 0600000000 0600000000",
}

// TestLongListsStayWithinBounds repeats the elements of every list up to 10,000 times:
// what is small on the line must not become large in memory, whether it is read or not.
func TestLongListsStayWithinBounds(t *testing.T) {
	read := 0
	for name, element := range smallest {
		for _, n := range []int{50, 64, 120, 128, 250, 256, 500, 512, 3000, 10_000} {
			b := append(axdr.AppendArray(nil, n), bytes.Repeat(unhex(t, element), n)...)
			bounded(t, fixedRoom+4*len(b), func() {
				if _, m, err := codecs[name].parse(b); err == nil && m == len(b) {
					read++
				}
			})
		}
	}
	if read < 100 {
		t.Errorf("only %d lists were read: are the elements right?", read)
	}
	for _, tt := range append(golden, struct{ codec, hex, text string }{"objects", hex.EncodeToString(listOf(t)), ""}) {
		b := unhex(t, tt.hex)
		if d := axdr.NewDecoder(b); axdr.Tag(b[0]) == axdr.Array {
			n, err := d.Array()
			if err != nil {
				t.Fatal(err)
			}
			b = append(axdr.AppendArray(nil, 3000*n), bytes.Repeat(b[d.Offset():], 3000)...)
		}
		bounded(t, fixedRoom+4*len(b), func() { _, _, _ = codecs[tt.codec].parse(b) })
	}
}

// FuzzObjects gives any octets to a parser: it stays within its memory, and what it
// understands comes out of its own encoding unchanged.
func FuzzObjects(f *testing.F) {
	for _, tt := range golden {
		f.Add(uint8(slices.Index(names, tt.codec)), unhex(f, tt.hex))
	}
	f.Add(uint8(slices.Index(names, "objects")), listOf(f)[:200])
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		name := names[int(which)%len(names)]
		c := codecs[name]
		bounded(t, fixedRoom+4*len(b), func() { _, _, _ = c.parse(b) })
		v, n, err := c.parse(b)
		if err != nil || c.append == nil {
			return
		}
		again := c.append(nil, v)
		if n > len(b) || len(again) > n+n/2 { // a time of day has a type that is shorter than an octet-string
			t.Fatalf("%s: %d octets of %d became %d", name, n, len(b), len(again))
		}
		if w, m, err := c.parse(again); err != nil || m != len(again) || !reflect.DeepEqual(w, v) {
			t.Fatalf("%s: %v came back as %v, %v", name, v, w, err)
		}
	})
}
