package capture

import (
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

func data(b []byte) cosem.Result { return cosem.Result{Data: b} }

func infos() []concentrator.RegisterInfo {
	return []concentrator.RegisterInfo{{Ref: importRef, Scaler: -1, Unit: 30}, {Ref: exportRef, Scaler: 0, Unit: 30}}
}

func TestReadClock(t *testing.T) {
	s := source()
	wall := cosem.DateTimeOf(noon, -60, 0x80)
	tests := []struct {
		name   string
		result cosem.Result
		want   Clock
	}{
		{"octet-string", data(axdr.AppendOctets(nil, wall.Append(nil))), Clock{noon, 0x80, -60, true}},
		{"date-time", data(append([]byte{byte(axdr.DateTime)}, wall.Append(nil)...)), Clock{noon, 0x80, -60, true}},
		{"refused", cosem.Result{Access: cosem.ReadWriteDenied}, Clock{}},
		{"open fields", data(axdr.AppendOctets(nil, make([]byte, 12))), Clock{}},
		{"short", data(axdr.AppendOctets(nil, wall.Append(nil)[:11])), Clock{}},
		{"octets behind", data(append(axdr.AppendOctets(nil, wall.Append(nil)), 0)), Clock{}},
		{"a number", data(u32(5)), Clock{}},
		{"nothing", data(nil), Clock{}},
	}
	for _, tt := range tests {
		if got := s.ReadClock(tt.result); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestRegistersWithClock(t *testing.T) {
	res, missing := source().Registers(Clock{Time: noon.Add(-time.Minute), Status: 0x02, Valid: true}, infos(), []cosem.Result{data(u32(123)), data(axdr.AppendLong64(nil, -4))})
	if len(missing)+len(res.Events) != 0 || len(res.Readings) != 2 {
		t.Fatalf("%+v, missing %v", res, missing)
	}
	want := concentrator.Reading{
		Meter: meterTitle, Channel: concentrator.Channel{Class: 3, Object: importRef.Object, Attribute: 2}, Time: noon.Add(-time.Minute),
		ClockStatus: 0x02, Value: 123, Scaler: -1, Unit: 30, Quality: concentrator.ClockInvalid, Received: noon,
	}
	if res.Readings[0] != want {
		t.Errorf("got  %+v\nwant %+v", res.Readings[0], want)
	}
	if r := res.Readings[1]; r.Value != -4 || r.Scaler != 0 {
		t.Errorf("second reading %+v", r)
	}
}

func TestRegistersWithoutClockHaveTheStationsTime(t *testing.T) {
	res, _ := source().Registers(Clock{}, infos()[:1], []cosem.Result{data(u32(1))})
	if r := res.Readings[0]; !r.Time.Equal(noon) || r.Quality != concentrator.NoMeterTime || r.ClockStatus != 0xFF {
		t.Errorf("reading %+v", r)
	}
}

func TestRegistersNeverGuess(t *testing.T) {
	res, missing := source().Registers(Clock{Time: noon, Valid: true}, append(infos(), infos()...), []cosem.Result{
		{Access: cosem.ObjectUndefined}, {Access: cosem.ReadWriteDenied}, data(axdr.AppendFloat64(nil, 2)),
	})
	if len(missing) != 1 || missing[0] != importRef {
		t.Errorf("missing %v", missing)
	}
	if len(res.Readings) != 0 {
		t.Errorf("readings %+v of what is no integer", res.Readings)
	}
	if text := codes(res.Events); len(res.Events) != 2 || !strings.Contains(text, "read-write denied") || !strings.Contains(text, "no integer") {
		t.Errorf("events %s", text)
	}
}

func TestImplausibleRegisterTimeIsFlagged(t *testing.T) {
	for _, far := range []time.Time{time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), noon.Add(25 * time.Hour)} {
		res, _ := source().Registers(Clock{Time: far, Valid: true}, infos()[:1], []cosem.Result{data(u32(1))})
		if r := res.Readings[0]; r.Quality != concentrator.TimeImplausible || !r.Time.Equal(far) {
			t.Errorf("reading %+v", r)
		}
	}
}

func TestColumns(t *testing.T) {
	objects := []cosem.CaptureObject{
		{Class: 8, Object: clockRef.Object, Attribute: 2},
		{Class: 1, Object: statusRef.Object, Attribute: 2},
		{Class: 3, Object: importRef.Object, Attribute: 2},
		{Class: 5, Object: exportRef.Object, Attribute: 3},
		{Class: 3, Object: exportRef.Object, Attribute: 2, Index: 1},
		{Class: 9, Object: scriptRef.Object, Attribute: 2},
	}
	b := cosem.AppendCaptureObjects(nil, objects)
	columns, err := Columns(b)
	if err != nil || len(columns) != len(objects) {
		t.Fatalf("%v, %v", columns, err)
	}
	roles := []Role{RoleClock, RoleStatus, RoleValue, RoleValue, RoleUnknown, RoleUnknown}
	units := []uint8{UnitNone, UnitNone, UnitUnknown, UnitUnknown, UnitUnknown, UnitNone}
	scalers := []int8{0, 0, 3, 4, 0, 0} // attribute to ask
	for i, c := range columns {
		ref, _ := ScalerRef(c.Ref)
		if RoleOf(c.Ref) != roles[i] || c.Unit != units[i] || ref.Attribute != scalers[i] {
			t.Errorf("column %d: role %d, unit %d, scaler at %v", i, RoleOf(c.Ref), c.Unit, ref)
		}
	}
	if text := Unusable(columns); !strings.Contains(text, "9/0.0.10.0.0.255/2") || !strings.Contains(text, "3/1.0.1.8.0.255/2") {
		t.Errorf("unusable: %q", text)
	}
	if text := Unusable(columns[1:2]); !strings.Contains(text, "no clock column") || Datable(columns[1:2]) || !Datable(columns) {
		t.Errorf("without clock: %q", text)
	}
	if text := Unusable(layout); text != "" {
		t.Errorf("a layout that is understood: %q", text)
	}
	if c := ClockColumn(columns); c != objects[0] {
		t.Errorf("clock column %v", c)
	}
}

func TestTruncatedColumns(t *testing.T) {
	b := cosem.AppendCaptureObjects(nil, []cosem.CaptureObject{{Class: 8, Object: clockRef.Object, Attribute: 2}, {Class: 3, Object: importRef.Object, Attribute: 2}})
	for n := range b {
		if _, err := Columns(b[:n]); err == nil {
			t.Errorf("no error for %d of %d octets", n, len(b))
		}
	}
	if _, err := Columns(append(b, 0)); err == nil {
		t.Error("no error for an octet behind")
	}
	if _, err := Columns(cosem.AppendCaptureObjects(nil, make([]cosem.CaptureObject, maxColumns+1))); err == nil {
		t.Error("no error for too many columns")
	}
}

func TestScalerPeriodCountName(t *testing.T) {
	if s, u, ok := Scaler(data(cosem.ScalerUnit{Scaler: -3, Unit: 30}.Append(nil))); s != -3 || u != 30 || !ok {
		t.Errorf("scaler %d, unit %d, %v", s, u, ok)
	}
	for _, r := range []cosem.Result{{Access: cosem.ObjectUndefined}, data(nil), data(u32(3)), data(cosem.ScalerUnit{Unit: UnitUnknown}.Append(nil))} {
		if _, unit, ok := Scaler(r); ok || unit != UnitUnknown {
			t.Errorf("scaler of %+v believed", r)
		}
	}
	if p, ok := Period(data(u32(900))); p != quarter || !ok {
		t.Errorf("period %v, %v", p, ok)
	}
	for _, r := range []cosem.Result{{Access: cosem.ObjectUndefined}, data(null), data(axdr.AppendLong(nil, -1)), data(u32(1 << 31))} {
		if p, ok := Period(r); ok || p != 0 {
			t.Errorf("period of %+v: %v", r, p)
		}
	}
	if n, ok := Count(data(u32(4000))); n != 4000 || !ok {
		t.Errorf("count %d, %v", n, ok)
	}
	for _, r := range []cosem.Result{{Access: cosem.ReadWriteDenied}, data(axdr.AppendLong(nil, -1)), data(axdr.AppendLong64(nil, 1<<33)), data([]byte{6})} {
		if _, ok := Count(r); ok {
			t.Errorf("count of %+v believed", r)
		}
	}
	for _, tt := range []struct{ octets, want string }{{"BSB1700012345", "BSB1700012345"}, {"\x00\x01<", "00013C"}, {"", ""}, {"a b", "612062"}, {strings.Repeat("x", 200), strings.Repeat("x", maxName)}} {
		if got := Name(data(axdr.AppendOctets(nil, []byte(tt.octets)))); got != tt.want {
			t.Errorf("name %q, want %q", got, tt.want)
		}
	}
}

func TestWhatAMeterSaysOfItself(t *testing.T) {
	enum := func(n byte) cosem.Result { return data(axdr.AppendEnum(nil, n)) }
	denied := cosem.Result{Access: cosem.ReadWriteDenied}
	if !FirstInFirstOut(enum(1)) || FirstInFirstOut(enum(2)) || !FirstInFirstOut(denied) {
		t.Error("sort methods: FIFO is 1, and believed when a meter does not tell")
	}
	for minutes, want := range map[uint16]time.Duration{0: 0, 360: 6 * time.Hour, 65535: 65535 * time.Minute} {
		if got := NotAddressed(data(axdr.AppendLongU(nil, minutes))); got != want {
			t.Errorf("%d minutes: %v", minutes, got)
		}
	}
	for octets, want := range map[uint8]int{0: 0, 25: 0, 26: 26, 134: 134, 242: 242, 255: 0} {
		if got := MaxFrame(data(u8(octets))); got != want {
			t.Errorf("frame of %d octets: %d", octets, got)
		}
	}
	if NotAddressed(denied) != 0 || MaxFrame(denied) != 0 || NotAddressed(data(axdr.AppendLong64(nil, -1))) != 0 {
		t.Error("a limit that was not told, or cannot be")
	}
}

func TestDiffers(t *testing.T) {
	other := append([]concentrator.Column{}, layout...)
	other[3].Scaler = 2
	for _, tt := range []struct {
		now  []concentrator.Column
		want string
	}{
		{layout, ""},
		{layout[:3], "its load profile had 4 columns and has 3 now"},
		{other, "column 4 of its load profile, 3/1.0.2.8.0.255/2, was in 10^-1 Wh and is in 10^2 Wh now"},
		{[]concentrator.Column{layout[0], layout[1], layout[3], layout[2]}, "column 3 of its load profile was 3/1.0.1.8.0.255/2 and is 3/1.0.2.8.0.255/2 now"},
	} {
		if got := Differs(layout, tt.now); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	was := concentrator.RegisterInfo{Ref: importRef, Scaler: -1, Unit: 30}
	now := was
	now.Unit = 27
	if got, want := DiffersRegister(was, now), "register 3/1.0.1.8.0.255/2 was in 10^-1 Wh and is in 10^-1 W now"; got != want || DiffersRegister(was, was) != "" {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnswer(t *testing.T) {
	s := source()
	if r := s.Answer(data(u32(1234)), -1, 30); r.Text != "123.4 Wh" || r.Outcome != plc.Answered || r.Quality != 0 || !r.Time.Equal(noon) {
		t.Errorf("%+v", r)
	}
	if r := s.Answer(cosem.Result{Access: cosem.ObjectUndefined}, 0, UnitNone); r.Outcome != plc.Refused || r.Detail != "the meter says: object undefined" || r.Data != nil {
		t.Errorf("%+v", r)
	}
	if r := s.Answer(data([]byte{6, 0}), 0, UnitNone); r.Quality != concentrator.NotANumber || r.Detail == "" {
		t.Errorf("%+v", r)
	}
	if r := s.Answer(data(u32(7)), 0, UnitNone); r.Text != "7" {
		t.Errorf("%+v", r)
	}
	s.Trusted = false
	if r := s.Answer(data(axdr.AppendOctets(nil, make([]byte, 4000))), 0, UnitNone); len(r.Text) > maxText+4 || r.Quality != concentrator.StationClock || len(r.Data) != 4004 {
		t.Errorf("text of %d octets, data of %d, quality %b", len(r.Text), len(r.Data), r.Quality)
	}
}

func TestDecimal(t *testing.T) {
	for _, tt := range []struct {
		value  int64
		scaler int8
		want   string
	}{
		{0, 0, "0"},
		{0, 3, "0"},
		{12, 3, "12000"},
		{12345, -1, "1234.5"},
		{5, -3, "0.005"},
		{-5, -1, "-0.5"},
		{-1 << 63, -2, "-92233720368547758.08"},
		{5, 30, "5e+30"},
		{0, -2, "0.00"},
		{1, -128, "0." + strings.Repeat("0", 127) + "1"},
	} {
		if got := Decimal(tt.value, tt.scaler); got != tt.want {
			t.Errorf("%d x 10^%d is %q, want %q", tt.value, tt.scaler, got, tt.want)
		}
	}
}
