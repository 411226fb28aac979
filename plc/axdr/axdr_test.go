package axdr

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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

// Known values: two compact-arrays, a profile buffer whose clock is left out, and one
// value of every type.
var golden = map[string]string{
	"compact-array of double-long-unsigned": "1306141234567822222222030303034321432155554321",
	"compact-array of structures":           "1302040a0f1014210568656c6c6f6504d21234567890123456046a6f616e0701c31122334455667788",
	"profile with null-data": `01040204090c07e30c1f0217000000ffc400110606000005ed0600000654020400110606000005ed0600000654020400
		110606000005ed0600000654020400110606000005ed0600000654`,
	"every type": `021e 00 0301 04 0a ffc0 05fffffffe 0600000001 0903010203 0a026869 0c02c3a9 0d42 0ffe 10fffe 11fe 12fffe
		14fffffffffffffffe 15fffffffffffffffe 161e 17 3f800000 18 3ff0000000000000 19 07e805010300000000800000
		1a 07e8050103 1b 0c000000 1cff 1dffff 1effffffff 1f01 200001 2100000001 ff 0100 0200`,
	"long lengths":             "0981 80" + strings.Repeat("55", 128),
	"array in a compact-array": `13 0202 01 0002 11 12 0c 0102 0003 0405 0006 0708 0009`,
}

// walk reads all elements of b.
func walk(b []byte) ([]Element, error) {
	d := NewDecoder(b)
	var out []Element
	for d.Left() > 0 {
		e, err := d.Next()
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	if d.Depth() > 0 {
		return out, fault(d.Offset(), "ends within an array or structure")
	}
	return out, nil
}

func TestGoldenRoundTrip(t *testing.T) {
	for name, text := range golden {
		b := unhex(t, text)
		elements, err := walk(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var again []byte
		for _, e := range elements {
			again = AppendElement(again, e)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%s:\n got %x\nwant %x", name, again, b)
		}
		d := NewDecoder(b)
		if err := d.Skip(); err != nil || d.Offset() != len(b) {
			t.Errorf("%s: Skip took %d of %d octets, %v", name, d.Offset(), len(b), err)
		}
	}
}

func TestTruncatedInputFails(t *testing.T) {
	for name, text := range golden {
		b := unhex(t, text)
		for n := range b {
			d := NewDecoder(b[:n])
			err := d.Skip()
			var place *Error
			if !errors.As(err, &place) || place.Offset > n {
				t.Fatalf("%s cut to %d octets: %v", name, n, err)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	elements, err := walk(unhex(t, golden["every type"]))
	if err != nil {
		t.Fatal(err)
	}
	want := map[Tag]int64{
		Boolean: 1, DoubleLong: -2, DoubleLongU: 1, BCD: 0x42, Integer: -2, Long: -2, Unsigned: 254, LongU: 65534,
		Long64: -2, Long64U: -2, Enum: 30, Float32: 0x3F800000, Float64: 0x3FF0000000000000,
		DeltaInteger: -1, DeltaLong: -1, DeltaDoubleLong: -1, DeltaUnsigned: 1, DeltaLongU: 1, DeltaDoubleU: 1,
	}
	for _, e := range elements {
		if got := e.Integer(); got != want[e.Tag] {
			t.Errorf("%v: %d, want %d", e.Tag, got, want[e.Tag])
		}
		delete(want, e.Tag)
	}
	if len(want) > 0 {
		t.Errorf("types without a value: %v", want)
	}
}

func TestHostileInputIsRefused(t *testing.T) {
	for text, what := range map[string]string{
		"":                     "ends where a value",
		"0184ffffffff":         "beyond all sense",
		"01847fffffff":         "only 0 octets follow",
		"09847fffffff":         "only 0 follow",
		"04847fffffff":         "only 0 octets follow",
		"0188ffffffffffffffff": "length form 88h",
		"0980":                 "length form 80h",
		"09":                   "a length should stand",
		"0982ff":               "length of 2 octets",
		"07":                   "tag 07h",
		"1307":                 "tag 07h cannot stand",
		"1300 01 00":           "without content",
		"13 01 ffff 00 01 00":  "without content",
		"13 02 7f 00 01 00":    "127 elements",
		"13 01 00":             "count of a type description",
		"13 12 84ffffffff":     "beyond all sense",
		"13" + strings.Repeat("0201", MaxDepth+1) + "11 01 00": "deeper than 16",
		strings.Repeat("0101", MaxDepth+1) + "00":              "deeper than 16",
		strings.Repeat("0101", 100_000):                        "deeper than 16",
	} {
		d := NewDecoder(unhex(t, text))
		err := d.Skip()
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%.40s: error %v, want one with %q", text, err, what)
		}
	}
	deepest := strings.Repeat("0101", MaxDepth) + "00"
	if err := NewDecoder(unhex(t, deepest)).Skip(); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
}

func TestCompactUnpacks(t *testing.T) {
	for _, tt := range []struct{ compact, tagged string }{
		{golden["compact-array of double-long-unsigned"], "0612345678 0622222222 0603030303 0643214321 0655554321"},
		{golden["compact-array of structures"], "0204 0a0568656c6c6f 0f65 1004d2 141234567890123456 0204 0a046a6f616e 0f07 1001c3 141122334455667788"},
		{golden["array in a compact-array"], "0202 0102 1101 1102 120003 0202 0102 1104 1105 120006 0202 0102 1107 1108 120009"},
		{"13 0203 01 0000 0202 1112 00 11 02 01 02", "0203 0100 00 1101 0203 0100 00 1102"},
		{"13 01 0002 0202 11 0a 06 01 0161 02 0162", "0102 0202 1101 0a0161 0202 1102 0a0162"},
		{"13 06 00", ""},
	} {
		c, err := ParseCompact(unhex(t, tt.compact)[1:])
		if err != nil {
			t.Errorf("%s: %v", tt.compact, err)
			continue
		}
		if c.Size() != len(unhex(t, tt.compact))-1 {
			t.Errorf("%s: size %d", tt.compact, c.Size())
		}
		var got, contents []byte
		for d := NewCompactDecoder(c); d.More(); {
			e, err := d.Next()
			if err != nil {
				t.Fatalf("%s: %v", tt.compact, err)
			}
			got = AppendElement(got, e)
			contents = AppendCompactElement(contents, e)
		}
		if want := unhex(t, tt.tagged); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", tt.compact, got, want)
		}
		if again := AppendCompact(nil, c.Description, contents); !bytes.Equal(again, unhex(t, tt.compact)) {
			t.Errorf("%s: appended again %x", tt.compact, again)
		}
	}
}

func TestCompactErrorsTellTheirPlace(t *testing.T) {
	b := unhex(t, "13 0202 11 06 07 01 00000001 02 0000") // the second row is cut short
	c, err := ParseCompact(b[1:])
	if err != nil {
		t.Fatal(err)
	}
	d := NewCompactDecoder(c)
	for err == nil && d.More() {
		_, err = d.Next()
	}
	var place *Error
	if !errors.As(err, &place) || place.Offset != 11 { // counted from behind the tag
		t.Errorf("error %v, want one at octet 11", err)
	}
}

func TestExpectations(t *testing.T) {
	d := NewDecoder(unhex(t, "0202 1107 0903616263 0101 00"))
	if _, err := d.Array(); err == nil || d.Offset() != 0 {
		t.Errorf("a structure was taken for an array (%v) or consumed (%d octets)", err, d.Offset())
	}
	if err := d.Structure(2); err != nil {
		t.Error(err)
	}
	if n, err := d.Integer(Unsigned); n != 7 || err != nil {
		t.Errorf("integer %d, %v", n, err)
	}
	if s, err := d.OctetString(); string(s) != "abc" || err != nil {
		t.Errorf("octet-string %q, %v", s, err)
	}
	if raw, err := d.Raw(); !bytes.Equal(raw, []byte{1, 1, 0}) || err != nil {
		t.Errorf("raw %x, %v", raw, err)
	}
	if err := NewDecoder([]byte{2, 1, 0}).Structure(2); err == nil {
		t.Error("a structure of one element was taken for one of two")
	}
	if _, err := NewDecoder(nil).Array(); err == nil {
		t.Error("nothing was taken for an array")
	}
}

func TestEncoders(t *testing.T) {
	var b []byte
	b = AppendStructure(b, 20)
	b = AppendNull(b)
	b = AppendBool(AppendBool(b, true), false)
	b = AppendEnum(AppendInteger(AppendUnsigned(b, 254), -2), 30)
	b = AppendLongU(AppendLong(b, -2), 65534)
	b = AppendDoubleLongU(AppendDoubleLong(b, -2), 1<<31)
	b = AppendLong64U(AppendLong64(b, -2), 1<<63)
	b = AppendFloat64(AppendFloat32(b, 1), -2)
	b = AppendOctets(b, bytes.Repeat([]byte{7}, 300))
	b = AppendUTF8(AppendVisible(b, "hi"), "é")
	b = AppendBits(b, 10, []byte{0xFF, 0xC0})
	b = AppendArray(b, 1)
	b = AppendStructure(b, 0)
	b = AppendArray(b, 0)
	want := `0214 00 0301 0300 11fe 0ffe 161e 10fffe 12fffe 05fffffffe 0680000000 14fffffffffffffffe 158000000000000000
		17 3f800000 18 c000000000000000 0982012c` + strings.Repeat("07", 300) + "0a026869 0c02c3a9 040affc0 01010200 0100"
	if !bytes.Equal(b, unhex(t, want)) {
		t.Errorf(" got %x\nwant %x", b, unhex(t, want))
	}
	if err := NewDecoder(b).Skip(); err != nil {
		t.Error(err)
	}
	for _, n := range []int{0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFFFF, 0x1000000} {
		b := AppendLength(nil, n)
		if got, next, err := length(b, 0); got != n || next != len(b) || LengthSize(n) != len(b) || err != nil {
			t.Errorf("length %d came back as %d in %d octets of %d, %v", n, got, next, LengthSize(n), err)
		}
	}
}

func TestWithinGoesOnInTheMiddle(t *testing.T) {
	b := unhex(t, "0102 0202 1101 1102 0202 1103 0101 1104")
	var d Decoder
	d.Within(b, 10, 2)
	for _, want := range []Tag{Unsigned, Array, Unsigned} {
		if e, err := d.Next(); err != nil || e.Tag != want {
			t.Fatalf("%v, %v: want %v", e.Tag, err, want)
		}
	}
	if d.Depth() != 2 || d.Left() != 0 {
		t.Errorf("depth %d, %d octets left", d.Depth(), d.Left())
	}
	deep := append(make([]byte, 4), unhex(t, strings.Repeat("0101", MaxDepth-1)+"00")...)
	d.Within(deep, 4, 2)
	if err := d.Skip(); err == nil || !strings.Contains(err.Error(), "octet 32: ") {
		t.Errorf("%d levels in two others: %v", MaxDepth-1, err)
	}
}

func TestCountStopsAtTheLimit(t *testing.T) {
	compact := AppendCompact(nil, append([]byte{2, 3, 0x11}, 0, 0), make([]byte, 100))
	for _, tt := range []struct {
		b    []byte
		want int
	}{
		{unhex(t, "0202 1101 0102 1201020000"), 5},
		{compact, 401},
		{unhex(t, "0400"), 1},
	} {
		d := NewDecoder(tt.b)
		if n, err := d.Count(1, tt.want); n != tt.want || err != nil || d.Offset() != 0 {
			t.Errorf("%x: counted %d, %v, at %d; want %d", tt.b, n, err, d.Offset(), tt.want)
		}
		if n, err := d.Count(1, tt.want-1); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%x: counted %d, %v, where %d are the limit", tt.b, n, err, tt.want-1)
		}
	}
	c, err := ParseCompact(compact[1:])
	if err != nil {
		t.Fatal(err)
	}
	if n, all, err := c.Count(400); n != 100 || all != 400 || err != nil {
		t.Errorf("%d elements, %d in all, %v", n, all, err)
	}
	d := NewCompactDecoder(c)
	if n, err := d.Count(2, 8); n != 8 || err != nil || !d.More() {
		t.Errorf("two elements are %d, %v", n, err)
	}
}

func TestLongDescriptionsAreRefused(t *testing.T) {
	long := append([]byte{2, 0x82, 4, 0}, make([]byte, 1024)...)
	long[4] = byte(Unsigned)
	if _, err := ParseCompact(append(long, 1, 7)); err == nil || !strings.Contains(err.Error(), "at most 1024") {
		t.Errorf("error %v", err)
	}
}

func TestDecoderDoesNotAllocate(t *testing.T) {
	b := unhex(t, golden["profile with null-data"])
	if n := testing.AllocsPerRun(100, func() {
		d := Decoder{b: b}
		if d.Skip() != nil {
			t.Fail()
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecoder takes any octets apart and puts them together again: what comes out must
// be as long at most and decode to the same elements.
func FuzzDecoder(f *testing.F) {
	for _, text := range golden {
		f.Add(unhex(f, text))
	}
	f.Add(bytes.Repeat([]byte{1, 1}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkCount(t, b)
		d := NewDecoder(b)
		var elements []Element
		for d.Left() > 0 && len(elements) < 1<<16 {
			before := d.Offset()
			e, err := d.Next()
			if err != nil {
				var place *Error
				if !errors.As(err, &place) || place.Offset < 0 || place.Offset > len(b) || d.Offset() != before {
					t.Fatalf("error %v at octet %d moved the cursor to %d", err, before, d.Offset())
				}
				break
			}
			if d.Offset() <= before || d.Depth() > MaxDepth || e.Count > 8*len(b) {
				t.Fatalf("element %v: offset %d to %d, depth %d", e.Tag, before, d.Offset(), d.Depth())
			}
			elements = append(elements, e)
		}
		var again []byte
		for _, e := range elements {
			again = AppendElement(again, e)
		}
		if len(again) > d.Offset() {
			t.Fatalf("%d octets became %d", d.Offset(), len(again))
		}
		e := NewDecoder(again)
		for i, want := range elements {
			got, err := e.Next()
			if err != nil && strings.Contains(err.Error(), "octets follow") {
				break // a count that the octets behind the fault would have filled
			}
			if err != nil || got.Tag != want.Tag || got.Count != want.Count || !bytes.Equal(got.Octets, want.Octets) {
				t.Fatalf("element %d: %v %d %x, want %v %d %x (%v)", i, got.Tag, got.Count, got.Octets, want.Tag, want.Count, want.Octets, err)
			}
		}
	})
}

// checkCount wants Count to count what Next reads, Skip to pass over the same, and both
// to need no memory but for the text of an error.
func checkCount(t *testing.T, b []byte) {
	t.Helper()
	const limit = 1 << 12
	count, skip := NewDecoder(b), NewDecoder(b)
	var n int
	var counted, skipped error
	bounded(t, fixedRoom, func() {
		*count, *skip = Decoder{b: b}, Decoder{b: b}
		n, counted = count.Count(1, limit)
		skipped = skip.Skip()
	})
	if counted == nil && skipped != nil || count.Offset() != 0 {
		t.Fatalf("counted %d, but %v; moved to %d", n, skipped, count.Offset())
	}
	want, offset, err := countByNext(b)
	if counted == nil && (err != nil || want != n || offset != skip.Offset()) {
		t.Fatalf("counted %d elements in %d octets, there are %d in %d (%v)", n, skip.Offset(), want, offset, err)
	}
	if counted != nil && err == nil && want <= limit {
		t.Fatalf("%d elements were not counted: %v", want, counted)
	}
}

// countByNext counts the elements of the value that b starts with, one by one.
func countByNext(b []byte) (n, offset int, err error) {
	d := NewDecoder(b)
	for pending := 1; pending > 0; pending-- {
		e, err := d.Next()
		if err != nil {
			return n, d.Offset(), err
		}
		n++
		pending += e.Count
		if e.Tag == BitString {
			pending -= e.Count
		}
		if e.Tag != CompactArray {
			continue
		}
		c, err := ParseCompact(e.Octets)
		if err != nil {
			return n, d.Offset(), err
		}
		for inner := NewCompactDecoder(c); inner.More(); n++ {
			if _, err := inner.Next(); err != nil || n > 1<<13 {
				return n, d.Offset(), err
			}
		}
	}
	return n, d.Offset(), nil
}

// FuzzCompact unpacks compact-arrays: contents must come out whole, and the same
// values written with tags must decode to the same elements.
func FuzzCompact(f *testing.F) {
	for _, text := range golden {
		if b := unhex(f, text); Tag(b[0]) == CompactArray {
			f.Add(b[1:])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, fixedRoom, func() {
			if c, err := ParseCompact(b); err == nil {
				_, _, _ = c.Count(1 << 12)
			}
		})
		c, err := ParseCompact(b)
		if err != nil {
			return
		}
		if c.Size() > len(b) {
			t.Fatalf("size %d of %d octets", c.Size(), len(b))
		}
		var elements []Element
		var tagged, contents []byte
		for d := NewCompactDecoder(c); d.More() && len(elements) < 1<<12; {
			e, err := d.Next()
			if err != nil {
				return
			}
			elements = append(elements, e)
			tagged, contents = AppendElement(tagged, e), AppendCompactElement(contents, e)
		}
		if len(contents) > len(c.Contents) {
			t.Fatalf("%d octets of contents became %d", len(c.Contents), len(contents))
		}
		d := NewDecoder(tagged)
		again := slices.Collect(func(yield func(Element) bool) {
			for d.Left() > 0 {
				if e, err := d.Next(); err != nil || !yield(e) {
					return
				}
			}
		})
		if len(elements) < 1<<12 && fmt.Sprint(again) != fmt.Sprint(elements) {
			t.Fatalf("with tags %v, compact %v", again, elements)
		}
	})
}

func ExampleDecoder() {
	b := AppendStructure(nil, 2)
	b = AppendDoubleLongU(b, 1517)
	b = AppendOctets(b, []byte("meter"))

	d := NewDecoder(b)
	for d.Left() > 0 {
		e, err := d.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		switch e.Tag {
		case Structure:
			fmt.Println("structure of", e.Count)
		case OctetString:
			fmt.Printf("octets %q\n", e.Octets)
		default:
			fmt.Println(e.Tag, e.Integer())
		}
	}
	// Output:
	// structure of 2
	// double-long-unsigned 1517
	// octets "meter"
}
