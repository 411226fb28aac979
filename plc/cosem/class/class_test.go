package class

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// objects is the object list of a meter that nobody here wrote.
func objects(t *testing.T) cosem.Value {
	t.Helper()
	text, err := os.ReadFile("../testdata/objects.hex")
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	v, n, err := cosem.ParseValue(b)
	if err != nil || n != len(b) {
		t.Fatal(n, err)
	}
	return v
}

// TestMeterHasWhatTheTableHas compares the table with the attributes and methods that a
// foreign meter lists for each of its objects.
func TestMeterHasWhatTheTableHas(t *testing.T) {
	for _, o := range objects(t).Items {
		id, version := cosem.Class(o.Items[0].Int), uint8(o.Items[1].Int)
		c, exact := Find(id, version)
		if c == nil || !exact {
			t.Errorf("class %d version %d is not in the table", id, version)
			continue
		}
		rights := o.Items[3].Items
		if got, want := len(rights[0].Items), len(c.Attributes)+1; got != want {
			t.Errorf("%s version %d of %v: %d attributes, the table has %d", c.Name, version, o.Items[2], got, want)
		}
		if got, want := len(rights[1].Items), len(c.Methods); got != want {
			t.Errorf("%s version %d of %v: %d methods, the table has %d", c.Name, version, o.Items[2], got, want)
		}
	}
}

func TestTableIsInOrder(t *testing.T) {
	for i, c := range table {
		if i > 0 {
			last := table[i-1]
			if c.Class < last.Class || c.Class == last.Class && c.Version <= last.Version {
				t.Errorf("%s version %d stands behind %s version %d", c.Name, c.Version, last.Name, last.Version)
			}
		}
		if got, exact := Find(c.Class, c.Version); got == nil || !exact || got.Name != c.Name {
			t.Errorf("%s version %d is not found", c.Name, c.Version)
		}
		if last := AttributeAt(int8(len(c.Attributes) + 1)); c.MethodsAt != 0 && c.MethodsAt <= last && c.Class != 7 {
			t.Errorf("%s version %d: methods at %Xh, attributes up to %Xh", c.Name, c.Version, c.MethodsAt, last)
		}
		for _, a := range c.Attributes {
			if a.Name == "" || len(a.Values) > 0 && a.Type != axdr.Enum {
				t.Errorf("%s: attribute %+v", c.Name, a)
			}
		}
	}
}

func TestNames(t *testing.T) {
	ref := func(class cosem.Class, i int8) cosem.Ref { return cosem.Ref{Class: class, Attribute: i} }
	for _, tt := range []struct{ got, want string }{
		{AttributeName(ref(8, 2), 0), "Clock.time"},
		{AttributeName(ref(8, 1), 0), "Clock.logical_name"},
		{AttributeName(ref(8, 10), 0), "Clock.attribute 10"},
		{AttributeName(ref(8, -1), 0), "Clock.attribute -1"},
		{AttributeName(ref(4242, 2), 0), "class4242.attribute 2"},
		{AttributeName(ref(7, 2), 9), "Profilegeneric.buffer"},
		{MethodName(ref(70, 1), 0), "Disconnectcontrol.remote_disconnect"},
		{MethodName(ref(70, 0), 0), "Disconnectcontrol.method 0"},
		{MethodName(ref(64, 2), 0), "Securitysetup.global_key_transfer"},
		{MethodName(ref(64, 2), 1), "Securitysetup.key_transfer"},
		{Name(4242), "class 4242"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestNearestVersion(t *testing.T) {
	for _, tt := range []struct {
		id           cosem.Class
		ask, version uint8
		exact        bool
	}{{15, 2, 2, true}, {15, 9, 3, false}, {23, 0, 1, false}, {29, 1, 1, true}, {7, 7, 1, false}} {
		c, exact := Find(tt.id, tt.ask)
		if c == nil || c.Version != tt.version || exact != tt.exact {
			t.Errorf("class %d version %d: %+v %v", tt.id, tt.ask, c, exact)
		}
	}
	if c, exact := Find(4242, 0); c != nil || exact {
		t.Errorf("class 4242: %+v", c)
	}
}

func TestTypesAndValues(t *testing.T) {
	c, _ := Find(cosem.ClassDisconnect, 0)
	state, _ := c.Attribute(3)
	if name, ok := state.Value(2); name != "ready for reconnection" || !ok {
		t.Errorf("control_state 2 is %q", name)
	}
	for _, n := range []int64{-1, 3, 1 << 40} {
		if name, ok := state.Value(n); ok {
			t.Errorf("control_state %d is %q", n, name)
		}
	}
	c, _ = Find(cosem.ClassClock, 0)
	clock, _ := c.Attribute(2)
	for tag, want := range map[axdr.Tag]bool{axdr.OctetString: true, axdr.DateTime: true, axdr.Null: false, axdr.LongU: false} {
		if clock.Fits(tag) != want {
			t.Errorf("a clock's time as %v: %v", tag, !want)
		}
	}
}

// TestShortNames: the places of attributes and methods, two of them from meters that
// are on the line (sfsk.md 5).
func TestShortNames(t *testing.T) {
	for _, tt := range []struct {
		id     cosem.Class
		method int8
		at     uint16
	}{{51, 1, 0x10}, {53, 1, 0x50}, {8, 6, 0x88}, {3, 1, 0x28}, {7, 2, 0x60}, {9, 1, 0x20}, {12, 8, 0x58}, {18, 4, 0x58}, {70, 2, 0x28}} {
		c, _ := Find(tt.id, 0)
		if at, ok := c.MethodAt(tt.method); !ok || at != tt.at {
			t.Errorf("%s method %d at %Xh, want %Xh", c.Name, tt.method, at, tt.at)
		}
	}
	if AttributeAt(1) != 0 || AttributeAt(2) != 8 || AttributeAt(9) != 0x40 || AttributeAt(-3) != 0 {
		t.Error("attributes lie eight apart")
	}
	c, _ := Find(cosem.ClassLimiter, 0)
	if at, ok := c.MethodAt(1); ok {
		t.Errorf("limiter has a method at %Xh", at)
	}
}
