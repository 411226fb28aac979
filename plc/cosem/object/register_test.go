package object

import (
	"fmt"
	"testing"

	"busbar/plc/cosem"
	"busbar/plc/cosem/class"
)

// TestRegistersOfRealMeters reads values with scaler and unit as meters in the field
// send them: name, value, scaler_unit.
func TestRegistersOfRealMeters(t *testing.T) {
	for _, tt := range []struct{ hex, text string }{
		{"0203 0906 0100010700ff 0600000118 0202 0f00 161b", "1.0.1.7.0.255 280 x 10^0 W"},
		{"0203 0906 01001f0700ff 10000d 0202 0fff 1621", "1.0.31.7.0.255 13 x 10^-1 A"},
		{"0203 0906 0100200700ff 1208e2 0202 0fff 1623", "1.0.32.7.0.255 2274 x 10^-1 V"},
		{"0203 0906 0100010800ff 060022ab8a 0202 0f01 161e", "1.0.1.8.0.255 2272138 x 10^1 Wh"},
		{"0203 0906 0100030800ff 060000e383 0202 0f01 1620", "1.0.3.8.0.255 58243 x 10^1 varh"},
	} {
		b := unhex(t, tt.hex)
		v, n, err := cosem.ParseValue(b)
		if err != nil || n != len(b) {
			t.Fatal(tt.hex, err)
		}
		s, m, err := cosem.ParseScalerUnit(b[len(b)-6:])
		if got := fmt.Sprintf("%v %v x 10^%d %s", v.Items[0], v.Items[1], s.Scaler, class.UnitName(s.Unit)); got != tt.text || m != 6 || err != nil {
			t.Errorf("%s, %v; want %s", got, err, tt.text)
		}
	}
}

// TestRegistersWithATime reads the attributes by which extended and demand registers go
// beyond a register: the table tells their types, and their times are date-times.
func TestRegistersWithATime(t *testing.T) {
	at := unhex(t, "090c07e50603040e000000ffc400")
	for id, attributes := range map[cosem.Class]map[int8][]byte{
		cosem.ClassExtendedRegister: {2: unhex(t, "0600001391"), 3: unhex(t, "02020f00161e"), 4: unhex(t, "1100"), 5: at},
		cosem.ClassDemandRegister: {
			2: unhex(t, "0600000118"), 3: unhex(t, "0600000119"), 4: unhex(t, "02020f00161b"), 5: unhex(t, "00"),
			6: at, 7: at, 8: unhex(t, "0600000384"), 9: unhex(t, "120001"),
		},
	} {
		c, _ := class.Find(id, 0)
		if len(attributes) != len(c.Attributes) {
			t.Fatalf("%s has %d attributes", c.Name, len(c.Attributes))
		}
		for i, b := range attributes {
			v, n, err := cosem.ParseValue(b)
			a, ok := c.Attribute(i)
			if err != nil || n != len(b) || !ok || !a.Fits(v.Tag) {
				t.Errorf("%s.%s: %v, %v", c.Name, a.Name, v, err)
			}
			if len(b) != len(at) {
				continue
			}
			if when, _, err := ParseTime(b); err != nil || when.String() != "2021-06-03 14:00:00 deviation -60" {
				t.Errorf("%s.%s: %v, %v", c.Name, a.Name, when, err)
			}
		}
	}
}
