package proof

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

var (
	title = plc.MustSystemTitle([]byte("MMM00001"))
	start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

func reading(n int, value int64) concentrator.Reading {
	return concentrator.Reading{
		Meter: title, Time: start.Add(time.Duration(n) * 15 * time.Minute), Value: value, Unit: 30,
		Channel: concentrator.Channel{
			Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: cosem.ClassRegister,
			Object: cosem.MustOBIS("1.0.1.29.0.255"), Attribute: 2,
		},
		Received: start.Add(time.Duration(n) * time.Hour),
	}
}

func sequence[T any](items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func TestCompare(t *testing.T) {
	must := func(n int, value int64) Held { return Held{Reading: reading(n, value), Must: true} }
	may := func(n int, value int64) Held { return Held{Reading: reading(n, value)} }
	scaled := reading(1, 20)
	scaled.Scaler = 3
	cases := []struct {
		name   string
		held   []Held
		stored []concentrator.Reading
		want   string
		ok     bool
	}{
		{"all there", []Held{must(0, 10), must(1, 20)}, []concentrator.Reading{reading(1, 20), reading(0, 10)}, "2 of 2 values equal, 0 missing, 0 duplicated, 0 different", true},
		{"nothing compared", nil, nil, "0 of 0 values equal, 0 missing, 0 duplicated, 0 different", false},
		{"one missing", []Held{must(0, 10), must(1, 20)}, []concentrator.Reading{reading(0, 10)}, "1 of 2 values equal, 1 missing, 0 duplicated, 0 different", false},
		{"an answer nobody heard", []Held{must(0, 10), may(1, 20)}, []concentrator.Reading{reading(0, 10)}, "1 of 1 values equal, 0 missing, 0 duplicated, 0 different", true},
		{"an answer that was heard", []Held{may(1, 20)}, []concentrator.Reading{reading(1, 20)}, "1 of 1 values equal, 0 missing, 0 duplicated, 0 different", true},
		{"altered", []Held{must(0, 10)}, []concentrator.Reading{reading(0, 11)}, "0 of 1 values equal, 0 missing, 0 duplicated, 1 different", false},
		{"other scaler", []Held{must(1, 20)}, []concentrator.Reading{scaled}, "0 of 1 values equal, 0 missing, 0 duplicated, 1 different", false},
		{"twice", []Held{must(0, 10)}, []concentrator.Reading{reading(0, 10), reading(0, 10)}, "1 of 1 values equal, 0 missing, 1 duplicated, 0 different", false},
		{"invented", []Held{must(0, 10)}, []concentrator.Reading{reading(0, 10), reading(5, 1)}, "1 of 2 values equal, 0 missing, 0 duplicated, 0 different, 1 that no meter held", false},
		{"answered twice in a second", []Held{may(0, 10), may(0, 11)}, []concentrator.Reading{reading(0, 11)}, "1 of 1 values equal, 0 missing, 0 duplicated, 0 different", true},
		{"named twice by the meter", []Held{may(0, 10), must(0, 10)}, nil, "0 of 1 values equal, 1 missing, 0 duplicated, 0 different", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res, err := Compare(sequence(c.held...), sequence(c.stored...))
			if err != nil {
				t.Fatal(err)
			}
			if res.String() != c.want || res.OK() != c.ok {
				t.Errorf("got %q, OK %v; want %q, OK %v", res, res.OK(), c.want, c.ok)
			}
		})
	}
}

func TestCompareRefusesContradiction(t *testing.T) {
	_, err := Compare(sequence(Held{Reading: reading(0, 1), Must: true}, Held{Reading: reading(0, 2)}), sequence[concentrator.Reading]())
	if err == nil || !strings.Contains(err.Error(), "contradicts itself") {
		t.Fatalf("got %v", err)
	}
}

func TestComparePassesErrors(t *testing.T) {
	broken := errors.New("disk failure")
	failing := func(yield func(concentrator.Reading, error) bool) { yield(concentrator.Reading{}, broken) }
	if _, err := Compare(sequence[Held](), failing); !errors.Is(err, broken) {
		t.Errorf("center's side: got %v", err)
	}
	failingHeld := func(yield func(Held, error) bool) { yield(Held{}, broken) }
	if _, err := Compare(failingHeld, sequence[concentrator.Reading]()); !errors.Is(err, broken) {
		t.Errorf("meters' side: got %v", err)
	}
}

func TestHeldRoundTrip(t *testing.T) {
	register := Held{Reading: reading(2, -5)}
	register.Channel.Profile = cosem.OBIS{}
	register.Scaler = -3
	want := []Held{{Reading: reading(0, 1<<62), Must: true}, register}
	var file bytes.Buffer
	if err := WriteHeld(&file, sequence(want...)); err != nil {
		t.Fatal(err)
	}
	var got []Held
	for h, err := range ReadHeld(&file) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h)
	}
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		want[i].Received = time.Time{}
		if got[i] != want[i] {
			t.Errorf("value %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestReadHeldNamesTheLine(t *testing.T) {
	var file bytes.Buffer
	if err := WriteHeld(&file, sequence(Held{Reading: reading(0, 1)}, Held{Reading: reading(1, 2)})); err != nil {
		t.Fatal(err)
	}
	good := file.String()
	for name, bad := range map[string]string{
		"empty":       "",
		"heading":     strings.Replace(good, "scaler", "scale", 1),
		"line 3":      strings.Replace(good, "00:15:00Z", "quarter past", 1),
		"wrong value": strings.Replace(good, ",2,0,30,", ",two,0,30,", 1),
		"cut":         good[:len(good)-12],
	} {
		var last error
		for _, err := range ReadHeld(strings.NewReader(bad)) {
			last = err
		}
		if last == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
}

func ExampleCompare() {
	held := sequence(Held{Reading: reading(0, 120), Must: true}, Held{Reading: reading(1, 95), Must: true})
	res, err := Compare(held, sequence(reading(0, 120), reading(1, 95)))
	fmt.Println(res, err)
	// Output: 2 of 2 values equal, 0 missing, 0 duplicated, 0 different <nil>
}
