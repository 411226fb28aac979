package dissect

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/dlms"
	"busbar/plc/mac"
	"busbar/plc/modem"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keys are those of the Green Book example (dlms-vectors.md D).
func bookKeys(plc.SystemTitle) (dlms.Keys, bool) {
	k := dlms.Keys{Mechanism: dlms.HLSGMAC}
	for i := range 16 {
		k.Encryption[i], k.Authentication[i] = byte(i), 0xD0+byte(i)
	}
	return k, true
}

func dummyKeys(plc.SystemTitle) (dlms.Keys, bool) {
	k := dlms.Keys{Mechanism: dlms.HLSGMAC}
	copy(k.Encryption[:], "MYDUMMYGLOBALKEY")
	copy(k.Authentication[:], "MYDUMMYGLOBALKEY")
	return k, true
}

// frames are one of each kind, from recorded sessions where there are any.
func frames(t testing.TB) map[string]struct {
	layer Layer
	b     []byte
	o     Options
} {
	type f = struct {
		layer Layer
		b     []byte
		o     Options
	}
	get := unhex(t, "900110c001c100030100010800ff0200")
	return map[string]f{
		"foreign_aarq":     {LayerForeign, unhex(t, "02405090c00fff089001116033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10040e01000000065f1f0400401e1dffff000000000000000087f3"), Options{}},
		"hdlc_snrm":        {LayerHDLC, unhex(t, "7ea0070321930f017e"), Options{}},
		"hdlc_ua":          {LayerHDLC, unhex(t, "7ea01e210373c37a818012050180060180070400000001080400000001533b7e"), Options{}},
		"hdlc_get":         {LayerHDLC, unhex(t, "7ea0190321326fd8e6e600c001c1000100002b0100ff02007d8f7e"), Options{}},
		"hdlc_push":        {LayerHDLC, unhex(t, "7ea02a410883130413e6e7000f40000000000101020309060100010700ff060000067d02020f00161b1c057e"), Options{}},
		"wrapper_aare":     {LayerWrapper, unhex(t, "000100010010002b6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d00860007"), Options{}},
		"mac_get":          {LayerMAC, mac.Frame{Credits: plc.Credits{Initial: 2, Current: 1}, Source: 0xC00, Destination: 5, MSDU: get}.Append(nil), Options{}},
		"host_request":     {LayerHost, modem.Frame{Command: modem.DataRequest, Data: modem.Data{Credits: plc.Credits{Initial: 2, Current: 2}, Source: 0xC00, Destination: 5, MSDU: get}.Append(nil, plc.BigEndian)}.Append(nil), Options{}},
		"host_confirm":     {LayerHost, modem.Frame{Command: modem.DataConfirm, Data: []byte{0xFF}}.Append(nil), Options{}},
		"host_status":      {LayerHost, modem.NotSetStatus(0x10).Append(nil), Options{}},
		"llc_discover":     {LayerLLC, unhex(t, "9000011d64000a0000"), Options{}},
		"llc_report":       {LayerLLC, unhex(t, "90fd001e014142434445460101"), Options{}},
		"with_list":        {LayerAPDU, unhex(t, "c403c10200090c07ea0b1607022f3947000000000909475258313233343536"), Options{}},
		"exception":        {LayerAPDU, unhex(t, "d8010600000005"), Options{}},
		"cut_short":        {LayerAPDU, unhex(t, "c401c1000909475258"), Options{}},
		"too_long":         {LayerAPDU, unhex(t, "c401c100060000000500ff"), Options{}},
		"block":            {LayerAPDU, unhex(t, "c402c10100000002002e000000060202090c07e90a0103110000ff00000005000000070202090c07e90a0103120000ff0000000500000008"), Options{}},
		"general_glo":      {LayerAPDU, unhex(t, "db082f192291991641033b30000001e5025ce9d2271fd78be8c204211a916a9d7f587e0a7a814cadea89e9593f01f92ea8c087b5bdfdefeab6becf282dfe49c08f5be6dc8400"), Options{Keys: dummyKeys}},
		"general_glo_dark": {LayerAPDU, unhex(t, "db082f192291991641033b30000001e5025ce9d2271fd78be8c204211a916a9d7f587e0a7a814cadea89e9593f01f92ea8c087b5bdfdefeab6becf282dfe49c08f5be6dc8400"), Options{}},
	}
}

// TestTrees compares with what is committed; run with UPDATE=1 to write it anew and read the diff.
func TestTrees(t *testing.T) {
	for name, f := range frames(t) {
		path := filepath.Join("testdata", name+".txt")
		got := Frame(f.layer, f.b, f.o).String()
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
		if g := (&dissector{}).guess(f.b); g != f.layer {
			t.Errorf("%s: guessed %v, want %v", name, g, f.layer)
		}
	}
}

// TestTruncated: every prefix gives a tree, and of frames with a check sequence a fault.
func TestTruncated(t *testing.T) {
	for name, f := range frames(t) {
		for i := range f.b {
			n := Frame(f.layer, f.b[:i], f.o)
			if f.layer != LayerAPDU && f.layer != LayerLLC && !n.Faulty() {
				t.Errorf("%s cut to %d octets: no fault in\n%v", name, i, n)
			}
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	for _, s := range []string{
		"6033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10040e01000000065f1f0400401e1dffff",
		"010110000102030405060708090a0b0c0d0e0f0000065f1f0400007e1f04b0",
		"6033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10040e0100",
		"c101c1000f0000280000ff0700090547757275 78",
	} {
		n := APDU(unhex(t, s), Options{})
		j, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{n.String(), string(j)} {
			if strings.Contains(text, "4775727578") || strings.Contains(text, "Gurux") || strings.Contains(text, "47 75 72") || strings.Contains(text, "00 01 02 03") || strings.Contains(text, "00010203") {
				t.Errorf("a secret is shown:\n%s", text)
			}
		}
	}
}

func TestNames(t *testing.T) {
	if got := ClassName(3) + " " + AttributeName(3, 3) + " " + AttributeName(3, 1) + " " + ClassName(999) + " " + AttributeName(3, -5); got != "register scaler_unit logical_name class 999 attribute -5" {
		t.Error(got)
	}
	if got := UnitName(30) + UnitName(255) + UnitName(99); got != "Whunit 99" {
		t.Error(got)
	}
	for l := range LayerValue + 1 {
		if again, err := ParseLayer(l.String()); err != nil || again != l {
			t.Errorf("%v: %v, %v", l, again, err)
		}
	}
	if _, err := ParseLayer("tcp"); err == nil {
		t.Error("layer tcp")
	}
}

func TestLongValues(t *testing.T) {
	b := axdr.AppendArray(nil, 5000)
	for i := range 5000 {
		b = axdr.AppendDoubleLongU(axdr.AppendStructure(b, 1), uint32(i))
	}
	n := Value(b)
	if lines := strings.Count(n.String(), "\n"); lines > maxValueNodes+2 || !strings.Contains(n.String(), "more elements") || n.Faulty() {
		t.Errorf("%d lines, faulty %v", lines, n.Faulty())
	}
}

func FuzzFrame(f *testing.F) {
	for _, one := range frames(f) {
		f.Add(uint8(one.layer), one.b)
		f.Add(uint8(LayerAny), one.b)
	}
	f.Fuzz(func(t *testing.T, layer uint8, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := Frame(Layer(layer%uint8(LayerValue+1)), b, Options{Keys: bookKeys})
		runtime.ReadMemStats(&after)
		// A tree has a node and a text for every value: much more than its octets, and still bounded.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 2048*uint64(len(b))+256<<10 {
			t.Fatalf("%d octets of memory for %d", grown, len(b))
		}
		inside(t, n, 0)
		_ = n.Summary()
		if _, err := json.Marshal(n); err != nil {
			t.Fatal(err)
		}
	})
}

// inside wants a bounded depth and offsets that are places.
func inside(t *testing.T, n Node, depth int) {
	if depth > 16+4*maxEnvelopes || n.Offset < 0 || n.Size < 0 {
		t.Fatalf("depth %d: %+v", depth, n)
	}
	for _, c := range n.Nodes {
		inside(t, c, depth+1)
	}
}

func BenchmarkAPDU(b *testing.B) {
	frame := unhex(b, "c001c100030100010800ff0200")
	b.ReportAllocs()
	for b.Loop() {
		APDU(frame, Options{})
	}
}
