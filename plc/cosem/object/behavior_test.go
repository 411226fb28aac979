package object

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// TestObjectListOfAForeignMeter reads what a meter of another maker listed for a client.
func TestObjectListOfAForeignMeter(t *testing.T) {
	b := listOf(t)
	objects, n, err := ParseObjects(b)
	if err != nil || n != len(b) || len(objects) != 31 {
		t.Fatalf("%d objects in %d of %d octets, %v", len(objects), n, len(b), err)
	}
	if again := AppendObjects(nil, objects); !bytes.Equal(again, b) {
		t.Errorf("appended again\n got %x\nwant %x", again, b)
	}
	first := objects[0]
	if first.Class != cosem.ClassAssociationLN || first.Version != 2 || first.Object != cosem.MustOBIS("0.0.40.0.0.255") ||
		len(first.Attributes) != 11 || len(first.Methods) != 6 {
		t.Errorf("first object %+v", first)
	}
	for _, o := range objects {
		if o.Class != cosem.ClassClock {
			continue
		}
		if time := o.Attributes[1]; !time.Readable(2) || !time.Writable(2) || o.Attributes[0].Writable(2) || !o.Methods[0].Allowed(2) {
			t.Errorf("clock %+v", o)
		}
	}
}

func TestAccessModes(t *testing.T) {
	for mode, want := range []string{"", "r", "w", "rw", "r", "w", "rw"} {
		a := AttributeAccess{Mode: uint8(mode)}
		got := ""
		if a.Readable(2) {
			got += "r"
		}
		if a.Writable(2) {
			got += "w"
		}
		if got != want {
			t.Errorf("mode %d: %q, want %q", mode, got, want)
		}
	}
	a := AttributeAccess{Mode: 0x04 | 0x02, Selectors: 1 << 2} // authenticated write, in bits
	if a.Readable(3) || !a.Writable(3) || a.Selects(1) || !a.Selects(2) || a.Selects(200) {
		t.Errorf("mode %02Xh", a.Mode)
	}
	if m := (MethodAccess{Mode: 2}); m.Allowed(3) || !m.Allowed(1) {
		t.Error("a method that only a protected request may invoke")
	}
}

func TestShortNames(t *testing.T) {
	objects := []ShortObject{
		{Base: ShortNameAssociation, Class: cosem.ClassAssociationSN, Version: 1, Object: cosem.MustOBIS("0.0.40.0.0.255")},
		{Base: 0x0BB8, Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.1.8.0.255")},
		{Base: 0x0C00, Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255")},
		{Base: 0xFFF8, Class: cosem.ClassData, Object: cosem.MustOBIS("0.0.42.0.0.255")},
		{Base: 0x2000, Class: 4242, Object: cosem.MustOBIS("0.0.42.0.0.255")},
	}
	for i := range int8(10) {
		ref := cosem.Ref{Class: cosem.ClassClock, Object: objects[2].Object, Attribute: i}
		name, err := ShortName(objects, ref)
		if (err == nil) != (i > 0) || err == nil && name != 0x0C00+8*uint16(i-1) {
			t.Errorf("clock attribute %d: %04Xh, %v", i, name, err)
		}
		if back, ok := ShortRef(objects, name); err == nil && (!ok || back != ref) {
			t.Errorf("%04Xh is %v %v", name, back, ok)
		}
	}
	if name, err := objects[0].Method(8); name != 0xFA58 || err != nil {
		t.Errorf("reply_to_HLS_authentication at %04Xh, %v", name, err)
	}
	if name, err := objects[1].Method(1); name != 0x0BE0 || err != nil {
		t.Errorf("reset at %04Xh, %v", name, err)
	}
	for what, err := range map[string]error{
		"behind the last name":     second(objects[3].Attribute(2)),
		"of an unknown class":      second(objects[4].Method(1)),
		"that the class lacks":     second(objects[1].Method(2)),
		"of an object that is not": second(ShortName(objects, cosem.Ref{Class: 8, Object: objects[1].Object, Attribute: 2})),
	} {
		if err == nil {
			t.Errorf("a name %s", what)
		}
	}
	for _, name := range []uint16{0x0BB7, 0x0BB9, 0x0BD0, 0x0C60, 0x2008} {
		if ref, ok := ShortRef(objects, name); ok {
			t.Errorf("%04Xh is %v", name, ref)
		}
	}
}

func second(_ uint16, err error) error { return err }

func TestShiftOfAClock(t *testing.T) {
	for by, want := range map[time.Duration]string{900 * time.Second: "100384", -1500 * time.Millisecond: "10ffff", 0: "100000"} {
		if b, err := AppendShift(nil, by); err != nil || !bytes.Equal(b, unhex(t, want)) {
			t.Errorf("%v: %x, %v", by, b, err)
		}
	}
	for _, by := range []time.Duration{901 * time.Second, -time.Hour} {
		if b, err := AppendShift(nil, by); err == nil {
			t.Errorf("%v: %x", by, b)
		}
	}
}

func TestParameters(t *testing.T) {
	for _, tt := range []struct {
		got  []byte
		want string
	}{
		{AppendExecute(nil, 2), "120002"}, // as an independent client sent it
		{AppendNone(nil), "0f00"},
		{AppendSecurityActivate(nil, PolicyAuthenticatedRequest|PolicyEncryptedRequest), "160c"},
	} {
		if !bytes.Equal(tt.got, unhex(t, tt.want)) {
			t.Errorf("%x, want %s", tt.got, tt.want)
		}
	}
	for n, want := range []Policy{0, 0x24, 0x48, 0x6C} {
		if p, ok := PolicyOfVersion0(uint8(n)); p != want || !ok {
			t.Errorf("policy %d of version 0: %02X %v", n, p, ok)
		}
	}
	if _, ok := PolicyOfVersion0(4); ok {
		t.Error("version 0 has no policy 4")
	}
}

func TestNumbersInTheTypeOfTheThreshold(t *testing.T) {
	for _, tt := range []struct {
		tag  axdr.Tag
		n    int64
		want string
	}{{axdr.DoubleLongU, 5000, "0600001388"}, {axdr.LongU, 5000, "121388"}, {axdr.Long, -5, "10fffb"}, {axdr.Long64U, 5, "150000000000000005"}} {
		if b, err := AppendNumber(nil, tt.tag, tt.n); err != nil || !bytes.Equal(b, unhex(t, tt.want)) {
			t.Errorf("%d as %v: %x, %v", tt.n, tt.tag, b, err)
		}
	}
	for _, tt := range []struct {
		tag axdr.Tag
		n   int64
	}{{axdr.LongU, 70000}, {axdr.Unsigned, -1}, {axdr.Long64U, -1}, {axdr.Boolean, 1}, {axdr.OctetString, 0}, {axdr.Array, 0}, {axdr.Float32, 1}, {99, 1}} {
		if b, err := AppendNumber(nil, tt.tag, tt.n); err == nil {
			t.Errorf("%d as %v: %x", tt.n, tt.tag, b)
		}
	}
}

func TestCalendarCheck(t *testing.T) {
	good := func() Calendar {
		return Calendar{
			Seasons: []Season{{Name: []byte("summer"), Week: []byte("w")}},
			Weeks:   []Week{{Name: []byte("w"), Days: [7]uint8{1, 1, 1, 1, 1, 2, 2}}},
			Days:    []Day{{ID: 1}, {ID: 2}},
		}
	}
	if err := good().Check(); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*Calendar){
		"day profile 2 is there twice":            func(c *Calendar) { c.Days[0].ID = 2 },
		"names day profile 9":                     func(c *Calendar) { c.Weeks[0].Days[3] = 9 },
		`season "summer" names week "x"`:          func(c *Calendar) { c.Seasons[0].Week = []byte("x") },
		`week "w" is there twice`:                 func(c *Calendar) { c.Weeks = append(c.Weeks, c.Weeks[0]) },
		"day profile 1, which is not in the cale": func(c *Calendar) { c.Days = nil },
	} {
		c := good()
		spoil(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v, want one with %q", err, what)
		}
	}
}

func TestBreakerModes(t *testing.T) {
	for mode, want := range []string{"", "ready hand", "on hand", "ready", "on", "ready hand", "ready", ""} {
		m := ControlMode(mode)
		got := ""
		if s, ok := m.Reconnects(); ok {
			got = map[ControlState]string{Connected: "on", ReadyForReconnection: "ready"}[s]
		}
		if m.ByHand() {
			got += " hand"
		}
		if got != want || m.Remote() != (want != "") {
			t.Errorf("mode %d: %q, want %q", mode, got, want)
		}
	}
	if s := fmt.Sprint(Connected, Disconnected, ControlState(7), ImageStatus(9)); s != "connected disconnected control state 7 image transfer status 9" {
		t.Error(s)
	}
}

func TestImageBlocks(t *testing.T) {
	image := bytes.Repeat([]byte("0123456789"), 5)
	i := Image{Identifier: []byte("FW"), Size: uint32(len(image))}
	if n := i.Blocks(16); n != 4 {
		t.Errorf("%d blocks", n)
	}
	if n := i.Blocks(0) + (Image{}).Blocks(16); n != 0 {
		t.Errorf("%d blocks of nothing", n)
	}
	if n := (Image{Size: 0xFFFFFFFF}).Blocks(1); n != 0xFFFFFFFF {
		t.Errorf("%d blocks of one octet", n)
	}
	var again []byte
	for n := range uint32(5) {
		k, ok := BlockOf(image, 16, n)
		if ok != (n < 4) {
			t.Fatalf("block %d: %v", n, ok)
		}
		again = append(again, k.Data...)
		if k.Size() != len(k.Append(nil)) {
			t.Errorf("block %d: size %d, %d octets", n, k.Size(), len(k.Append(nil)))
		}
	}
	if !bytes.Equal(again, image) {
		t.Errorf("%q", again)
	}
	if _, ok := BlockOf(image, 0, 0); ok {
		t.Error("a block of a size of 0")
	}
	if _, ok := BlockOf(image, 1<<31, 1<<31); ok {
		t.Error("a block far behind the end")
	}
}

func TestBlockSets(t *testing.T) {
	set := func(s string) BlockSet {
		b, n, err := ParseBlockSet(unhex(t, s))
		if err != nil || n != len(s)/2 {
			t.Fatal(n, err)
		}
		return b
	}
	a := set("0412fff3ff") // 18 blocks; 12 and 13 are missing; what is behind the last means nothing
	if got := slices.Collect(a.Missing(20)); !slices.Equal(got, []int{12, 13, 18, 19}) || a.Count() != 18 || a.Here() != 16 {
		t.Errorf("missing %v, %d of %d here", got, a.Here(), a.Count())
	}
	if a.Has(-1) || a.Has(18) || !a.Has(17) {
		t.Error("blocks that the image has not")
	}
	if got := slices.Collect(BlockSet{}.Missing(3)); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("missing of nothing %v", got)
	}
	for range a.Missing(20) {
		break // an iteration may end early
	}
	all := NewBlockSet(20)
	all.Fill()
	all.Keep(a)
	all.Keep(set("04147fffff"))
	if got := slices.Collect(all.Missing(20)); !slices.Equal(got, []int{0, 12, 13, 18, 19}) {
		t.Errorf("to broadcast again %v", got)
	}
	if b := all.Append(nil); !bytes.Equal(b, unhex(t, "04147ff3c0")) {
		t.Errorf("appended %x", b)
	}
}

// TestPushListOfARealMeter: what a meter in the field says that it pushes.
func TestPushListOfARealMeter(t *testing.T) {
	b := unhex(t, `010e
		0204 120028 0906 0008190900ff 0f02 120000 0204 120028 0906 0008190900ff 0f01 120000 0204 120001 0906 0000600100ff 0f02 120000
		0204 120003 0906 0100010700ff 0f02 120000 0204 120003 0906 0100020700ff 0f02 120000 0204 120003 0906 0101010800ff 0f02 120000
		0204 120003 0906 0101020800ff 0f02 120000 0204 120003 0906 0101050800ff 0f02 120000 0204 120003 0906 0101060800ff 0f02 120000
		0204 120003 0906 0101070800ff 0f02 120000 0204 120003 0906 0101080800ff 0f02 120000 0204 120003 0906 01001f0700ff 0f02 120000
		0204 120003 0906 0100330700ff 0f02 120000 0204 120003 0906 0100470700ff 0f02 120000`)
	list, n, err := cosem.ParseCaptureObjects(b)
	if err != nil || n != len(b) || len(list) != 14 || list[0].Class != cosem.ClassPushSetup || list[13].Object != cosem.MustOBIS("1.0.71.7.0.255") {
		t.Errorf("%v, %d of %d octets, %v", list, n, len(b), err)
	}
}

func TestEvents(t *testing.T) {
	columns := []cosem.CaptureObject{
		{Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255"), Attribute: 2},
		{Class: cosem.ClassData, Object: cosem.MustOBIS("0.0.96.11.2.255"), Attribute: 2},
	}
	clock, code, ok := EventColumns(columns)
	if clock != 0 || code != 1 || !ok {
		t.Fatalf("clock %d, code %d, %v", clock, code, ok)
	}
	if _, _, ok := EventColumns(columns[:1]); ok {
		t.Error("a log without codes")
	}
	b := unhex(t, "0102 0202 090c07e30c1f0217000000ffc400 113e 0202 090c07e30c1f0217050000ffc400 1201f4")
	var got []string
	n, err := ScanEvents(b, 2, clock, code, func(e Event) error {
		name, _ := EventName(e.Code)
		got = append(got, fmt.Sprint(e.Time, " ", e.Code, " ", name))
		return nil
	})
	want := []string{"2019-12-31 23:00:00 deviation -60 62 remote disconnection", "2019-12-31 23:05:00 deviation -60 500 "}
	if n != len(b) || err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %d octets, %v", got, n, err)
	}
	for _, text := range []string{"0101 0202 00 0901 07", "0101 0202 00 0fff", "0101 0201 1101"} {
		if _, err := ScanEvents(unhex(t, text), 2, 0, 1, func(Event) error { return nil }); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
	if _, err := ScanEvents(b, 2, 0, 2, nil); err == nil {
		t.Error("a column that is not there")
	}
	if name, ok := EventLogName(cosem.MustOBIS("0.0.99.98.2.255")); name != "disconnector control log" || !ok {
		t.Errorf("log %q", name)
	}
	if _, ok := EventLogName(cosem.MustOBIS("1.0.99.1.0.255")); ok {
		t.Error("a load profile is no event log")
	}
}

func TestMakersOfSubMeters(t *testing.T) {
	for id, want := range map[uint16]string{0x2C2D: "KAM", 0x32A7: "LUG"} {
		if got, ok := MBusMaker(id); got != want || !ok {
			t.Errorf("%04Xh: %q %v, want %q", id, got, ok, want)
		}
	}
	for _, id := range []uint16{0, 0xFFFF, 0x8421} {
		if got, ok := MBusMaker(id); ok {
			t.Errorf("%04Xh: %q", id, got)
		}
	}
}

// TestKeysAreNotPrinted: not even wrapped.
func TestKeysAreNotPrinted(t *testing.T) {
	k := KeyData{ID: KeyMaster, Data: unhex(t, "deadbeef")}
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", []KeyData{k}), fmt.Sprintf("%v", &k)} {
		if !strings.Contains(text, "master key, 4 octets") || strings.Contains(text, "222") || strings.Contains(text, "dead") {
			t.Error(text)
		}
	}
}
