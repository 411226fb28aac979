package ciase

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"busbar/plc"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func title(s string) plc.SystemTitle { return plc.MustSystemTitle([]byte(s)) }

// golden are the APDUs of sfsk.md 9 and one of every other form of 4.3.
var golden = []struct {
	name, apdu string
	titleSize  int
	want       APDU
}{
	{"Discover of another program", "1D64000A0000", 6, Discover{Probability: 100, Slots: 10}},
	{"Discover", "1D327FFF0701", 8, Discover{Probability: 50, Slots: 32767, ReportCredit: 7, EqualCredit: true}},
	{"DiscoverReport with alarm", "1E014142434445460101", 6, DiscoverReport{Titles: []plc.SystemTitle{title("ABCDEF")}, Alarm: 1, HasAlarm: true}},
	{"DiscoverReport", "1E01 4142434445464748 00", 8, DiscoverReport{Titles: []plc.SystemTitle{title("ABCDEFGH")}}},
	{
		"DiscoverReport with heard titles", "1E02 41424344454647484950 51525354555657585960 0182", 10,
		DiscoverReport{Titles: []plc.SystemTitle{title("ABCDEFGHIP"), title("QRSTUVWXY`")}, Alarm: 0x82, HasAlarm: true},
	},
	{
		"Register", "1C434F4E433031014142434445460001", 6,
		Register{Initiator: title("CONC01"), Servers: []plc.Registration{{Title: title("ABCDEF"), Address: 1}}},
	},
	{
		"Register of two", "1C 4255534241523031 02 4142434445464748 0BFF 5152535455565758 0001", 8,
		Register{Initiator: title("BUSBAR01"), Servers: []plc.Registration{{Title: title("ABCDEFGH"), Address: 0xBFF}, {Title: title("QRSTUVWX"), Address: 1}}},
	},
	{"RepeaterCall of another program", "1F00630000", 6, RepeaterCall{MaxAddress: 99}},
	{"RepeaterCall with threshold", "1F012C040168", 8, RepeaterCall{MaxAddress: 300, SlotsForNew: 4, Threshold: 104, HasThreshold: true}},
	{"PingRequest", "19 4142434445464748", 8, PingRequest{Title: title("ABCDEFGH")}},
	{"PingResponse", "1A 414243444546", 6, PingResponse{Title: title("ABCDEF")}},
	{"ClearAlarm of all", "39 00 82", 8, ClearAlarm{Form: AlarmOfAll, Alarms: []uint8{0x82}}},
	{"ClearAlarm, some alarms of all", "39 01 02 0182", 8, ClearAlarm{Form: AlarmsOfAll, Alarms: []uint8{1, 0x82}}},
	{
		"ClearAlarm, some alarms of some", "39 02 02 414243444546 515253545556 01 82", 6,
		ClearAlarm{Form: AlarmsOfSome, Titles: []plc.SystemTitle{title("ABCDEF"), title("QRSTUV")}, Alarms: []uint8{0x82}},
	},
	{
		"ClearAlarm, one alarm of each", "39 03 02 414243444546 01 515253545556 82", 6,
		ClearAlarm{Form: AlarmOfEachOne, Titles: []plc.SystemTitle{title("ABCDEF"), title("QRSTUV")}, Alarms: []uint8{1, 0x82}},
	},
	{"ServiceError", "0E 06 02 01", 8, ServiceError{Service: 6, Class: 2, Code: 1}},
}

func TestGoldenAPDUs(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			b := unhex(t, g.apdu)
			a, n, err := Parse(b, g.titleSize)
			if err != nil || n != len(b) || !reflect.DeepEqual(a, g.want) {
				t.Fatalf("Parse: %+v, %d octets, %v", a, n, err)
			}
			if got := a.Append([]byte{1}); !bytes.Equal(got[1:], b) || a.Size() != len(b) {
				t.Errorf("Append: %X, Size %d", got, a.Size())
			}
			if a.Tag() != Tag(b[0]) || IsAPDU(b[0]) == (a.Tag() == TagServiceError) {
				t.Errorf("tag %v", a.Tag())
			}
			if a, n, err = Parse(b, 0); err != nil || n != len(b) || !reflect.DeepEqual(a, g.want) {
				t.Errorf("with the size detected: %+v, %d octets, %v", a, n, err)
			}
		})
	}
}

func TestTruncatedAPDUs(t *testing.T) {
	for _, g := range golden {
		b := unhex(t, g.apdu)
		for n := range b {
			a, used, err := Parse(b[:n], g.titleSize)
			var detail *Error
			if !errors.As(err, &detail) || used != 0 || a != nil {
				t.Errorf("%s, prefix of %d octets: %+v, %d, %v", g.name, n, a, used, err)
			}
			_, _, _ = Parse(b[:n], 0) // may find another size, must not panic
		}
	}
}

func TestReportLayouts(t *testing.T) {
	two := []plc.SystemTitle{title("ABCDEFGH"), title("QRSTUVWX")}
	tests := []struct {
		name, apdu string
		want       DiscoverReport
	}{
		{"one alarm behind the list", "1E02 4142434445464748 5152535455565758 0182", DiscoverReport{Titles: two, Alarm: 0x82, HasAlarm: true}},
		{"alarm behind each title", "1E02 4142434445464748 0182 5152535455565758 0101", DiscoverReport{Titles: two, Alarm: 0x82, HasAlarm: true}},
		{"alarm behind the second", "1E02 4142434445464748 00 5152535455565758 0101", DiscoverReport{Titles: two}},
		{"no alarm behind each", "1E02 4142434445464748 00 5152535455565758 00", DiscoverReport{Titles: two}},
	}
	for _, tt := range tests {
		b := unhex(t, tt.apdu)
		for _, size := range []int{0, 8} {
			if a, n, err := Parse(b, size); err != nil || n != len(b) || !reflect.DeepEqual(a, tt.want) {
				t.Errorf("%s, size %d: %+v, %d octets, %v", tt.name, size, a, n, err)
			}
		}
	}
}

func TestValuesOutOfBounds(t *testing.T) {
	tests := map[string]string{
		"probability":        "1D65000A0000",
		"time slots":         "1D6480000000",
		"report credit":      "1D64000A0800",
		"equal credit":       "1D64000A0002",
		"maximum address":    "1F10000000",
		"threshold presence": "1F00630002",
		"address":            "1C4142434445464748 01 5152535455565758 1000",
		"alarm presence":     "1E01 4142434445464748 02",
		"clearing":           "3904",
		"report of nobody":   "1E0000",
		"count 80h":          "1E80",
		"count 82h":          "1E820101",
		"count beyond":       "1E7F 4142434445464748 00",
		"tag":                "1B",
		"empty":              "",
	}
	for name, s := range tests {
		for _, size := range []int{0, 8} {
			if a, n, err := Parse(unhex(t, s), size); err == nil || a != nil || n != 0 {
				t.Errorf("%s, size %d: %+v, %d", name, size, a, n)
			}
		}
	}
	for _, size := range []int{-1, 11} {
		if _, _, err := Parse(unhex(t, "1D64000A0000"), size); err == nil {
			t.Errorf("titles of %d octets were accepted", size)
		}
	}
}

// TestRegisterCapacity compares with sfsk.md 4.5.
func TestRegisterCapacity(t *testing.T) {
	for _, tt := range []struct{ msdu, six, eight int }{{26, 1, 1}, {62, 6, 4}, {98, 10, 8}, {134, 15, 12}, {242, 28, 22}} {
		if got := RegisterCapacity(tt.msdu-3, 6); got != tt.six {
			t.Errorf("MSDU of %d: %d titles of 6 octets, want %d", tt.msdu, got, tt.six)
		}
		if got := RegisterCapacity(tt.msdu-3, 8); got != tt.eight {
			t.Errorf("MSDU of %d: %d titles of 8 octets, want %d", tt.msdu, got, tt.eight)
		}
	}
	if RegisterCapacity(5, 8) != 0 {
		t.Error("capacity of nothing")
	}
}

func TestLongLists(t *testing.T) {
	c := ClearAlarm{Form: AlarmsOfAll, Alarms: bytes.Repeat([]byte{7}, 200)}
	b := c.Append(nil)
	if got, n, err := Parse(b, 8); err != nil || n != c.Size() || !reflect.DeepEqual(got, c) {
		t.Errorf("200 alarms: %+v, %d, %v", got, n, err)
	}
}

func TestClearAlarmValidate(t *testing.T) {
	one := []plc.SystemTitle{title("ABCDEF")}
	for _, c := range []ClearAlarm{
		{Form: AlarmOfAll},
		{Form: AlarmOfAll, Titles: one, Alarms: []uint8{1}},
		{Form: AlarmsOfAll, Titles: one},
		{Form: AlarmOfEachOne, Titles: one, Alarms: []uint8{1, 2}},
		{Form: 4},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v is valid", c)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.apdu), g.titleSize)
		f.Add(unhex(f, g.apdu), 0)
	}
	f.Add(unhex(f, "1E02 4142434445464748 0182 5152535455565758 0101"), 8)
	f.Fuzz(func(t *testing.T, b []byte, titleSize int) {
		a, n, err := Parse(b, titleSize)
		if err != nil {
			if a != nil || n != 0 {
				t.Fatalf("%+v, %d besides %v", a, n, err)
			}
			return
		}
		if n < 1 || n > len(b) {
			t.Fatalf("%d of %d octets", n, len(b))
		}
		again := a.Append(nil)
		if len(again) != a.Size() || len(again) > n {
			t.Fatalf("Size %d, appended %d, parsed %d", a.Size(), len(again), n)
		}
		if len(again) == n && !bytes.Equal(again, b[:n]) && !twoLayouts(a) {
			t.Fatalf("appended again: %X", again)
		}
		size := titleSize
		if size == 0 {
			size = 8
			if titles := titlesOf(a); len(titles) > 0 {
				size = titles[0].Size()
			}
		}
		back, _, err := Parse(again, size)
		if err != nil || !reflect.DeepEqual(back, a) {
			t.Fatalf("%+v became %+v, %v", a, back, err)
		}
	})
}

// twoLayouts: a report is always appended in the layout of the standard.
func twoLayouts(a APDU) bool {
	d, ok := a.(DiscoverReport)
	return ok && len(d.Titles) > 1
}

func titlesOf(a APDU) []plc.SystemTitle {
	switch a := a.(type) {
	case PingRequest:
		return []plc.SystemTitle{a.Title}
	case PingResponse:
		return []plc.SystemTitle{a.Title}
	case Register:
		return []plc.SystemTitle{a.Initiator}
	case DiscoverReport:
		return a.Titles
	case ClearAlarm:
		return a.Titles
	}
	return nil
}
