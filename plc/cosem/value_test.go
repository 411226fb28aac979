package cosem

import (
	"bytes"
	"encoding/hex"
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

// Values with what they read like. The first ones are known from other programs and
// from real meters.
var golden = []struct{ name, hex, text string }{
	{"compact-array", "1306141234567822222222030303034321432155554321", "[305419896, 572662306, 50529027, 1126253345, 1431651105]"},
	{
		"compact-array of structures", "1302040a0f1014210568656c6c6f6504d21234567890123456046a6f616e0701c31122334455667788",
		`[{"hello", 101, 1234, 1311768467284833366}, {"joan", 7, 451, 1234605616436508552}]`,
	},
	{
		"row with clock", "0204090c07e30c1f0217000000ffc400110606000005ed0600000654",
		"{2019-12-31 23:00:00 deviation -60, 6, 1517, 1620}",
	},
	{"register", "0600001391", "5009"},
	{"name of a meter", "091049534b30313033373737363433363600", "49534B30313033373737363433363600"},
	{"printable name", "0909475258313233343536", `"GRX123456"`},
	{"logical name", "0906 0100010800ff", "1.0.1.8.0.255"},
	{"clock with hundredths", "090c07ea0b1607022f393f000000", "2026-11-22 02:47:57.63 deviation 0"},
	{"clock with open fields", "19 ffffff1f05ffffffff800000", "*-*-31 *:*:*"},
	{"clock in summer", "090c07e5091b01092f0f00ff8880", "2021-09-27 09:47:15 deviation -120 status 80"},
	{"scaler and unit", "02020fff1623", "{-1, 35}"},
	{
		"every type", `0218 00 0301 0300 04 0a ffc0 05fffffffe 0600000001 0903010203 0a026869 0c02c3a9 0d42 0ffe 10fffe 11fe 12fffe
		14fffffffffffffffe 15fffffffffffffffe 161e 17 3fc00000 18 bff0000000000000 1a 07e8050103 1b 0c000000 ff 0100 0200`,
		`{null, true, false, b1111111111, -2, 1, 010203, "hi", "é", bcd 42, -2, -2, 254, 65534, -2, 18446744073709551614, 30, 1.5, -1, date 07E8050103, time 0C000000, don't care, [], {}}`,
	},
	{"deltas", "0206 1cff 1dffff 1effffffff 1f01 200001 2100000001", "{-1, -1, -1, +1, +1, +1}"},
	{"empty octet-string", "0900", `""`},
	{"nested compact-array", "0102 13 06 04 00000001 13 02021112 03 010002", "[[1], [{1, 2}]]"},
}

func TestGoldenValues(t *testing.T) {
	for _, tt := range golden {
		b := unhex(t, tt.hex)
		v, n, err := ParseValue(b)
		if err != nil || n != len(b) {
			t.Errorf("%s: took %d of %d octets, %v", tt.name, n, len(b), err)
			continue
		}
		if got := v.String(); got != tt.text {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.text)
		}
		if again := v.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: appended again\n got %x\nwant %x", tt.name, again, b)
		}
	}
}

func TestTruncatedValuesFail(t *testing.T) {
	for _, tt := range golden {
		b := unhex(t, tt.hex)
		for n := range b {
			if v, _, err := ParseValue(b[:n]); err == nil {
				t.Errorf("%s cut to %d octets: %v", tt.name, n, v)
			}
		}
	}
}

func TestIntegers(t *testing.T) {
	v, _, err := ParseValue(unhex(t, golden[11].hex))
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[axdr.Tag]int64{
		axdr.DoubleLong: -2, axdr.DoubleLongU: 1, axdr.Integer: -2, axdr.Long: -2, axdr.Unsigned: 254,
		axdr.LongU: 65534, axdr.Long64: -2, axdr.Long64U: -2, axdr.Enum: 30,
	}
	for i, item := range v.Items {
		got, ok := item.Integer()
		want, wantOK := numbers[item.Tag]
		if item.Tag == axdr.Boolean {
			want, wantOK = int64(2-i), true // true, then false
		}
		if got != want || ok != wantOK {
			t.Errorf("%v: %d %v, want %d %v", item.Tag, got, ok, want, wantOK)
		}
	}
}

func TestHostileValuesStaySmall(t *testing.T) {
	nulls := append(axdr.AppendArray(nil, maxItems+1), make([]byte, maxItems+1)...)
	// One structure of 127 values without content and one of one octet: each octet of
	// contents would become 128 values.
	description := append([]byte{2, 0x81, 0x80}, append(make([]byte, 127), 0x11)...)
	amplified := axdr.AppendCompact(nil, description, make([]byte, 1000))
	// Arrays that all promise as much as is left: 1/2, 1/4 and so on of it could come.
	promises := bytes.Repeat([]byte{1, 0x7F}, axdr.MaxDepth)
	promises = append(promises, make([]byte, 200)...)
	for name, b := range map[string][]byte{"nulls": nulls, "amplified": amplified, "promises": promises} {
		if _, _, err := ParseValue(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := ScanProfile(b, 128, 0, 0, func(Row) error { return nil }); name != "amplified" && err == nil {
			t.Errorf("%s: accepted as a profile", name)
		}
		bounded(t, 4*len(b)+fixedRoom, func() { _, _, _ = ParseValue(b) })
	}
}

// FuzzParseValue wants that a value comes out of its own encoding unchanged, that its
// text never fails, and that it is bounded.
func FuzzParseValue(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n, err := ParseValue(b)
		limit := fixedRoom + 4*len(b) // nothing is built before all of it was seen to be good
		if err == nil {
			limit += valueSize * count(v)
		}
		bounded(t, limit, func() { _, _, _ = ParseValue(b) })
		if err != nil {
			return
		}
		again := v.Append(nil)
		if len(again) > n {
			t.Fatalf("%d octets became %d", n, len(again))
		}
		w, m, err := ParseValue(again)
		if err != nil || m != len(again) || w.String() != v.String() {
			t.Fatalf("%v came back as %v, %v", v, w, err)
		}
		if d := depth(v); d > 2*axdr.MaxDepth+1 {
			t.Fatalf("%d levels deep", d)
		}
		if k := count(v); k > maxItems+1 {
			t.Fatalf("%d items", k)
		}
	})
}

func depth(v Value) int {
	d := 0
	for _, item := range v.Items {
		d = max(d, depth(item))
	}
	return d + 1
}

func count(v Value) int {
	n := 1
	for _, item := range v.Items {
		n += count(item)
	}
	return n
}
