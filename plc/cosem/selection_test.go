package cosem

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

var clockColumn = CaptureObject{Class: ClassClock, Object: MustOBIS("0.0.1.0.0.255"), Attribute: 2}

func TestSelections(t *testing.T) {
	// As an independent client sent them to an independent meter.
	from := DateTime{Year: 2025, Month: 10, Day: 1, Weekday: 3, Hour: 13, Hundredths: Any}
	to := from
	to.Hour = 15
	for _, tt := range []struct {
		s    *Selection
		hex  string
		want Query
	}{
		{
			ByRange(clockColumn, from, to, nil),
			"0204 020412000809060000010000ff0f02120000 090c07e90a01030d0000ff000000 090c07e90a01030f0000ff000000 0100",
			Query{Range: &Range{Clock: clockColumn, From: from, To: to, Columns: []CaptureObject{}}},
		},
		{
			ByRange(clockColumn, from, to, []CaptureObject{clockColumn}),
			"0204 020412000809060000010000ff0f02120000 090c07e90a01030d0000ff000000 090c07e90a01030f0000ff000000 0101 020412000809060000010000ff0f02120000",
			Query{Range: &Range{Clock: clockColumn, From: from, To: to, Columns: []CaptureObject{clockColumn}}},
		},
		{ByEntry(1, 8, 1, 0), "0204 0600000001 0600000008 120001 120000", Query{Entries: &Entries{From: 1, To: 8, FirstColumn: 1}}},
	} {
		if !bytes.Equal(tt.s.Parameters, unhex(t, tt.hex)) {
			t.Errorf(" got %x\nwant %x", tt.s.Parameters, unhex(t, tt.hex))
		}
		q, err := ParseSelection(*tt.s)
		if err != nil || !reflect.DeepEqual(q, tt.want) {
			t.Errorf("%x: %+v, %v", tt.s.Parameters, q, err)
		}
		for n := range tt.s.Parameters {
			if _, err := ParseSelection(Selection{Selector: tt.s.Selector, Parameters: tt.s.Parameters[:n]}); err == nil {
				t.Errorf("%x cut to %d octets was accepted", tt.s.Parameters, n)
			}
		}
		longer := Selection{Selector: tt.s.Selector, Parameters: append(tt.s.Parameters, 0)}
		if _, err := ParseSelection(longer); err == nil {
			t.Errorf("%x was accepted", longer.Parameters)
		}
	}
	if _, err := ParseSelection(Selection{Selector: 3}); err == nil {
		t.Error("selector 3 was accepted")
	}
}

func TestRangeTakesDateTimeValues(t *testing.T) {
	r, _, err := ParseRange(unhex(t, "0204 020412000809060000010000ff0f02120000 19 07e90a01030d0000ff000000 19 07e90a01030f0000ff000000 0100"))
	if at, _ := r.From.Time(DeviationToUTC); err != nil || !at.Equal(time.Date(2025, 10, 1, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := ParseRange(unhex(t, "0204 020412000809060000010000ff0f02120000 0600000001 0600000002 0100")); err == nil {
		t.Error("numbers were accepted as date-times")
	}
}

func TestCaptureObjects(t *testing.T) {
	b := unhex(t, "0102 020412000809060000010000ff0f02120000 020412000309060101151900ff0f02120000")
	objects, n, err := ParseCaptureObjects(b)
	want := []CaptureObject{clockColumn, {Class: ClassRegister, Object: MustOBIS("1.1.21.25.0.255"), Attribute: 2}}
	if err != nil || n != len(b) || !reflect.DeepEqual(objects, want) {
		t.Errorf("%+v, %d octets, %v", objects, n, err)
	}
	if again := AppendCaptureObjects(nil, objects); !bytes.Equal(again, b) {
		t.Errorf("appended again %x", again)
	}
	for n := range b {
		if _, _, err := ParseCaptureObjects(b[:n]); err == nil {
			t.Errorf("cut to %d octets: accepted", n)
		}
	}
	for _, text := range []string{
		"0600000001", "0184000fffff", "0101 1101", "0101 02031200081100", "0101 020412000809050000010000 0f02120000",
		"0101 020411080906 0000010000ff 0f02120000",
	} {
		if objects, _, err := ParseCaptureObjects(unhex(t, text)); err == nil {
			t.Errorf("%s: %v", text, objects)
		}
	}
}

func TestScalerUnit(t *testing.T) {
	b := unhex(t, "02020fff161e")
	s, n, err := ParseScalerUnit(b)
	if err != nil || n != len(b) || s != (ScalerUnit{Scaler: -1, Unit: 30}) {
		t.Errorf("%+v, %d octets, %v", s, n, err)
	}
	if again := s.Append(nil); !bytes.Equal(again, b) || s.Size() != len(again) {
		t.Errorf("appended again %x", again)
	}
	for n := range b {
		if _, _, err := ParseScalerUnit(b[:n]); err == nil {
			t.Errorf("cut to %d octets: accepted", n)
		}
	}
}

// FuzzSelection wants that what was understood is written back in as few octets and
// understood the same again.
func FuzzSelection(f *testing.F) {
	f.Add(byte(1), ByRange(clockColumn, DateTime{}, DateTime{}, []CaptureObject{clockColumn}).Parameters)
	f.Add(byte(2), ByEntry(1, 8, 1, 0).Parameters)
	f.Fuzz(func(t *testing.T, selector byte, b []byte) {
		q, err := ParseSelection(Selection{Selector: selector, Parameters: b})
		if err != nil {
			return
		}
		bounded(t, fixedRoom+4*len(b), func() { _, _ = ParseSelection(Selection{Selector: selector, Parameters: b}) })
		var again []byte
		size := 0
		switch {
		case q.Range != nil && q.Entries == nil:
			again, size = q.Range.Append(nil), q.Range.Size()
		case q.Entries != nil && q.Range == nil:
			again, size = q.Entries.Append(nil), q.Entries.Size()
		default:
			t.Fatalf("query %+v", q)
		}
		if len(again) != size {
			t.Fatalf("%d octets, but a size of %d", len(again), size)
		}
		p, err := ParseSelection(Selection{Selector: selector, Parameters: again})
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("%+v came back as %+v, %v", q, p, err)
		}
	})
}

// FuzzCaptureObjects wants the list to be no longer than its input allows.
func FuzzCaptureObjects(f *testing.F) {
	f.Add(AppendCaptureObjects(nil, []CaptureObject{clockColumn}))
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, fixedRoom+4*len(b), func() { _, _, _ = ParseCaptureObjects(b) })
		objects, n, err := ParseCaptureObjects(b)
		if err != nil {
			return
		}
		again := AppendCaptureObjects(nil, objects)
		if len(again) > n {
			t.Fatalf("%d octets became %d", n, len(again))
		}
		if p, _, err := ParseCaptureObjects(again); err != nil || !reflect.DeepEqual(p, objects) {
			t.Fatalf("%v came back as %v, %v", objects, p, err)
		}
	})
}
