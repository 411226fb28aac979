package capture

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

var (
	meterTitle = plc.MustSystemTitle([]byte("BSB\x00\x00\x00\x00\x07"))
	loadObject = cosem.MustOBIS("1.0.99.1.0.255")
	clockRef   = cosem.Ref{Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255"), Attribute: 2}
	statusRef  = cosem.Ref{Class: cosem.ClassData, Object: cosem.MustOBIS("0.0.96.10.1.255"), Attribute: 2}
	importRef  = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
	exportRef  = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.2.8.0.255"), Attribute: 2}
	scriptRef  = cosem.Ref{Class: cosem.ClassScriptTable, Object: cosem.MustOBIS("0.0.10.0.0.255"), Attribute: 2}
)

// layout is clock, status, import and export in 10^-1 Wh.
var layout = []concentrator.Column{
	{Ref: clockRef, Unit: UnitNone}, {Ref: statusRef, Unit: UnitNone}, {Ref: importRef, Scaler: -1, Unit: 30}, {Ref: exportRef, Scaler: -1, Unit: 30},
}

const quarter = 15 * time.Minute

func source() Source { return Source{Meter: meterTitle, Received: noon, Trusted: true} }

func load(columns []concentrator.Column) Profile {
	return Profile{Object: loadObject, Columns: columns, Period: quarter}
}

// cell writes one encoded value; entries joins them to a buffer.
func at(t time.Time) []byte { return stamped(t, 0, 0) }

func stamped(t time.Time, deviation int, status byte) []byte {
	return axdr.AppendOctets(nil, cosem.DateTimeOf(t, deviation, status).Append(nil))
}

func u8(v uint8) []byte   { return axdr.AppendUnsigned(nil, v) }
func u32(v uint32) []byte { return axdr.AppendDoubleLongU(nil, v) }

var null = axdr.AppendNull(nil)

func entries(rows ...[][]byte) []byte {
	b := axdr.AppendArray(nil, len(rows))
	for _, cells := range rows {
		b = axdr.AppendStructure(b, len(cells))
		for _, c := range cells {
			b = append(b, c...)
		}
	}
	return b
}

// digest is what a test compares of a reading.
func digest(r concentrator.Reading) string {
	s := fmt.Sprintf("%s %s %d", r.Time.Format("02T15:04:05"), r.Channel.Object, r.Value)
	if r.Quality != 0 {
		s += fmt.Sprintf(" quality %b", r.Quality)
	}
	if r.RowStatus != 0 {
		s += fmt.Sprintf(" row %X", r.RowStatus)
	}
	return s
}

func digests(list []concentrator.Reading) string {
	var lines []string
	for _, r := range list {
		lines = append(lines, digest(r))
	}
	return strings.Join(lines, "\n")
}

func codes(list []concentrator.Event) string {
	var lines []string
	for _, e := range list {
		lines = append(lines, string(e.Code)+": "+e.Text)
	}
	return strings.Join(lines, "\n")
}

func TestProfile(t *testing.T) {
	t1, t2, t3 := noon.Add(-2*quarter), noon.Add(-quarter), noon
	invalid, raised, implausibleTime := concentrator.ClockInvalid, concentrator.StatusRaised, concentrator.TimeImplausible
	tests := []struct {
		name    string
		profile Profile
		buffer  []byte
		want    []string
		events  []string // one substring for each
		newest  time.Time
	}{
		{"empty", load(layout), entries(), nil, nil, time.Time{}},
		{
			"plain rows", load(layout),
			entries([][]byte{at(t1), u8(0), u32(100), u32(7)}, [][]byte{at(t2), u8(0), u32(101), u32(7)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 100", "01T11:30:00 1.0.2.8.0.255 7", "01T11:45:00 1.0.1.8.0.255 101", "01T11:45:00 1.0.2.8.0.255 7"},
			nil, t2,
		},
		{
			"null-data repeats the row before and moves the clock on", load(layout),
			entries([][]byte{at(t1), u8(0), u32(100), u32(7)}, [][]byte{null, null, u32(105), null}, [][]byte{null, u8(4), null, u32(9)}),
			[]string{
				"01T11:30:00 1.0.1.8.0.255 100", "01T11:30:00 1.0.2.8.0.255 7", "01T11:45:00 1.0.1.8.0.255 105", "01T11:45:00 1.0.2.8.0.255 7",
				fmt.Sprintf("01T12:00:00 1.0.1.8.0.255 105 quality %b row 4", raised), fmt.Sprintf("01T12:00:00 1.0.2.8.0.255 9 quality %b row 4", raised),
			},
			nil, t3,
		},
		{
			"clock status", load(layout[:1:1]).with(layout[2]),
			entries([][]byte{stamped(t1, 0, 0x01), u32(1)}, [][]byte{stamped(t2, 0, 0x80), u32(2)}, [][]byte{stamped(t3, 0, 0xFF), u32(3)}),
			[]string{fmt.Sprintf("01T11:30:00 1.0.1.8.0.255 1 quality %b", invalid), "01T11:45:00 1.0.1.8.0.255 2", "01T12:00:00 1.0.1.8.0.255 3"},
			nil, t3,
		},
		{
			"status as bits of a string", load(layout[:3]),
			entries([][]byte{at(t1), axdr.AppendBits(nil, 12, []byte{0x80, 0x10}), u32(1)}),
			[]string{fmt.Sprintf("01T11:30:00 1.0.1.8.0.255 1 quality %b row 8010", raised)},
			nil, t1,
		},
		{
			"status that is none", load(layout[:3]),
			entries([][]byte{at(t1), axdr.AppendOctets(nil, []byte{1}), u32(1)}, [][]byte{at(t2), axdr.AppendOctets(nil, []byte{2}), u32(2)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 1", "01T11:45:00 1.0.1.8.0.255 2"},
			[]string{"a status that is no number"},
			t2,
		},
		{
			"gap between rows", load(layout[:3]),
			entries([][]byte{at(t1.Add(-2 * quarter)), u8(0), u32(1)}, [][]byte{at(t1), u8(0), u32(2)}, [][]byte{at(t3), u8(0), u32(3)}),
			[]string{"01T11:00:00 1.0.1.8.0.255 1", "01T11:30:00 1.0.1.8.0.255 2", "01T12:00:00 1.0.1.8.0.255 3"},
			[]string{"profile.gap: 2 entries of the load profile are missing between 2026-03-01 11:00:00 and 2026-03-01 12:00:00"},
			t3,
		},
		{
			"gap since the last stored entry", load(layout[:3]).after(t1.Add(-3 * quarter)),
			entries([][]byte{at(t1), u8(0), u32(2)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 2"},
			[]string{"2 entries of the load profile are missing between 2026-03-01 10:45:00"},
			t1,
		},
		{
			"known rows come again", load(layout[:3]).after(t2),
			entries([][]byte{at(t1), u8(0), u32(2)}, [][]byte{at(t2), u8(0), u32(3)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 2", "01T11:45:00 1.0.1.8.0.255 3"},
			nil, t2,
		},
		{
			"implausible times are kept and flagged, and say nothing about gaps", load(layout[:3]),
			entries([][]byte{at(t1), u8(0), u32(1)}, [][]byte{at(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)), u8(0), u32(2)}, [][]byte{at(t2), u8(0), u32(3)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 1", fmt.Sprintf("01T00:00:00 1.0.1.8.0.255 2 quality %b", implausibleTime), "01T11:45:00 1.0.1.8.0.255 3"},
			nil, t2,
		},
		{
			"time with open fields", load(layout[:3]),
			entries([][]byte{axdr.AppendOctets(nil, []byte{0xFF, 0xFF, 3, 1, 7, 12, 0, 0, 0, 0, 0, 0}), u8(0), u32(1)}, [][]byte{at(t2), u8(0), u32(2)}),
			[]string{"01T11:45:00 1.0.1.8.0.255 2"},
			[]string{"no usable time"},
			t2,
		},
		{
			"first clock cell is null", load(layout[:3]), entries([][]byte{null, u8(0), u32(1)}),
			nil,
			[]string{"no usable time"},
			time.Time{},
		},
		{
			"a value that is no integer", load(layout[:3]),
			entries([][]byte{at(t1), u8(0), axdr.AppendFloat32(nil, 1.5)}, [][]byte{at(t2), u8(0), axdr.AppendLong64U(nil, 1<<63)}, [][]byte{at(t3), u8(0), axdr.AppendLong64(nil, -5)}),
			[]string{
				"01T12:00:00 1.0.1.8.0.255 -5",
			},
			[]string{"a value that is no integer"},
			t3,
		},
		{
			"null-data in the first row is no value", load(layout[:3:3]),
			entries([][]byte{at(t1), u8(0), null}, [][]byte{at(t2), u8(0), u32(7)}),
			[]string{"01T11:45:00 1.0.1.8.0.255 7"},
			[]string{"a value that is no integer"},
			t2,
		},
		{
			"an entry of the future is kept and leads nowhere", load(layout[:3:3]).until(noon.Add(quarter)),
			entries([][]byte{at(t3), u8(0), u32(1)}, [][]byte{at(noon.Add(5 * time.Hour)), u8(0), u32(2)}),
			[]string{"01T12:00:00 1.0.1.8.0.255 1", fmt.Sprintf("01T17:00:00 1.0.1.8.0.255 2 quality %b", implausibleTime)},
			[]string{"19 entries"},
			t3,
		},
		{
			"an entry ahead of the station's clock is flagged; by the meter's, reading goes on after it", load(layout[:3:3]).until(noon.Add(5 * time.Hour)),
			entries([][]byte{at(noon.Add(quarter)), u8(0), u32(1)}, [][]byte{at(noon.Add(quarter + time.Second)), u8(0), u32(2)}),
			[]string{"01T12:15:00 1.0.1.8.0.255 1", fmt.Sprintf("01T12:15:01 1.0.1.8.0.255 2 quality %b", implausibleTime)},
			nil, noon.Add(quarter + time.Second),
		},
		{
			"columns nobody understands", load(append(layout[:3:3], concentrator.Column{Ref: scriptRef, Unit: UnitNone}, concentrator.Column{Ref: exportRef, Unit: UnitUnknown})),
			entries([][]byte{at(t1), u8(0), u32(1), entries(), u32(5)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 1"},
			nil, t1,
		},
		{
			"captured at events: no period, no gaps",
			Profile{Object: loadObject, Columns: layout[:3]},
			entries([][]byte{at(t1), u8(0), u32(1)}, [][]byte{at(t3), u8(0), u32(2)}, [][]byte{null, u8(0), u32(3)}),
			[]string{"01T11:30:00 1.0.1.8.0.255 1", "01T12:00:00 1.0.1.8.0.255 2"},
			[]string{"no usable time"},
			t3,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := source().Profile(tt.profile, tt.buffer)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := digests(rows.Readings), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("readings\n%s\nwant\n%s", got, want)
			}
			if len(rows.Events) != len(tt.events) {
				t.Errorf("events %s", codes(rows.Events))
			}
			for _, want := range tt.events {
				if !strings.Contains(codes(rows.Events), want) {
					t.Errorf("events %q do not say %q", codes(rows.Events), want)
				}
			}
			if !rows.Newest.Equal(tt.newest) {
				t.Errorf("newest %v, want %v", rows.Newest, tt.newest)
			}
		})
	}
}

func (p Profile) with(c concentrator.Column) Profile {
	p.Columns = append(p.Columns, c)
	return p
}

func (p Profile) until(t time.Time) Profile {
	p.Present = t
	return p
}

func (p Profile) after(t time.Time) Profile {
	p.After = t
	return p
}

// A reading carries everything a center needs and nothing is rounded.
func TestProfileReadingIsComplete(t *testing.T) {
	s := source()
	s.Trusted, s.Received = false, noon.Add(1234567).In(time.FixedZone("CET", 3600))
	rows, err := s.Profile(load(layout[:3]), entries([][]byte{stamped(noon.Add(-quarter), -60, 0x80), u8(0), u32(4294967295)}))
	if err != nil || len(rows.Readings) != 1 {
		t.Fatalf("%d readings, %v", len(rows.Readings), err)
	}
	want := concentrator.Reading{
		Meter: meterTitle, Channel: concentrator.Channel{Profile: loadObject, Class: 3, Object: importRef.Object, Attribute: 2},
		Time: noon.Add(-quarter), ClockStatus: 0x80, Value: 4294967295, Scaler: -1, Unit: 30,
		Quality: concentrator.StationClock, Received: noon.Add(1234567),
	}
	if rows.Readings[0] != want {
		t.Errorf("got  %+v\nwant %+v", rows.Readings[0], want)
	}
}

// On the day when clocks change, local times are missing or come twice; instants never do.
func TestProfileOnDaysWhenClocksChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	for _, day := range []struct {
		name  string
		start time.Time
		hours int
	}{
		{"spring", time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), 23},
		{"autumn", time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), 25},
	} {
		for _, sign := range []cosem.DeviationSign{cosem.DeviationToUTC, cosem.DeviationFromUTC} {
			t.Run(fmt.Sprintf("%s, deviation %v", day.name, sign), func(t *testing.T) {
				var rows [][][]byte
				for i := range 4 * day.hours {
					moment := day.start.Add(time.Duration(i) * quarter)
					_, offset := moment.Zone()
					deviation := -offset / 60
					if sign == cosem.DeviationFromUTC {
						deviation = -deviation
					}
					rows = append(rows, [][]byte{axdr.AppendOctets(nil, sign.DateTime(moment, deviation, 0).Append(nil)), u8(0), u32(uint32(i))})
				}
				s := source()
				s.Sign, s.Received = sign, day.start.Add(48*time.Hour)
				got, err := s.Profile(load(layout[:3]), entries(rows...))
				if err != nil || len(got.Events) != 0 || len(got.Readings) != 4*day.hours {
					t.Fatalf("%d readings, want %d, events %q, %v", len(got.Readings), 4*day.hours, codes(got.Events), err)
				}
				for i, r := range got.Readings {
					if want := day.start.Add(time.Duration(i) * quarter); !r.Time.Equal(want) || r.Value != int64(i) {
						t.Fatalf("entry %d at %v, want %v", i, r.Time, want)
					}
				}
			})
		}
	}
}

func TestTruncatedProfileKeepsWholeRows(t *testing.T) {
	buffer := entries([][]byte{at(noon.Add(-quarter)), u8(0), u32(1)}, [][]byte{at(noon), u8(0), u32(2)})
	for n := range buffer {
		rows, err := source().Profile(load(layout[:3]), buffer[:n])
		if err == nil {
			t.Fatalf("no error for %d of %d octets", n, len(buffer))
		}
		if len(rows.Readings) != rows.Count || rows.Count > 1 {
			t.Fatalf("%d readings, %d rows of %d octets", len(rows.Readings), rows.Count, n)
		}
	}
}

func TestProfileOfAnotherLayoutIsAnError(t *testing.T) {
	for name, buffer := range map[string][]byte{
		"fewer columns": entries([][]byte{at(noon), u8(0)}),
		"more columns":  entries([][]byte{at(noon), u8(0), u32(1), u32(2)}),
		"no array":      u32(7),
		"nothing":       nil,
	} {
		if rows, err := source().Profile(load(layout[:3]), buffer); err == nil || len(rows.Readings) != 0 {
			t.Errorf("%s: %d readings, error %v", name, len(rows.Readings), err)
		}
	}
}

func FuzzProfile(f *testing.F) {
	f.Add(entries([][]byte{at(noon), u8(0), u32(1), u32(2)}, [][]byte{null, null, u32(3), null}), int64(0))
	f.Add(axdr.AppendCompact(nil, []byte{2, 4, 25, 17, 6, 6}, make([]byte, 42)), int64(1))
	f.Add([]byte{1, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, int64(900))
	f.Fuzz(func(t *testing.T, buffer []byte, period int64) {
		s := source()
		p := load(layout)
		p.Period = time.Duration(period%(1<<32)) * time.Second
		rows, err := s.Profile(p, buffer)
		if rows.Count > len(buffer) && err == nil { // in a compact array a row may be one octet
			t.Errorf("%d rows of %d octets", rows.Count, len(buffer))
		}
		if len(rows.Readings) > 2*rows.Count || len(rows.Events) > 8 {
			t.Errorf("%d readings and %d events of %d rows", len(rows.Readings), len(rows.Events), rows.Count)
		}
		for _, r := range rows.Readings {
			odd := implausible(r.Time, s.Received) || p.ahead(r.Time, s.Received)
			if r.Meter != s.Meter || r.Channel.Profile != loadObject || r.Unit != 30 || r.Scaler != -1 || odd != (r.Quality&concentrator.TimeImplausible != 0) {
				t.Fatalf("reading %+v", r)
			}
			if !odd && r.Time.After(rows.Newest) {
				t.Fatalf("reading of %v after the newest %v", r.Time, rows.Newest)
			}
			if r.Quality&concentrator.NotANumber != 0 && r.Value != 0 {
				t.Fatalf("no number, but value %d", r.Value)
			}
		}
	})
}
