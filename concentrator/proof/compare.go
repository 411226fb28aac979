package proof

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"busbar/concentrator"
	"busbar/plc"
)

// Held is one value that a meter held. Meter, Channel, Time, Value, Scaler and Unit
// of the reading count; the rest is the station's business.
type Held struct {
	concentrator.Reading
	// Must says that the center has to have the value. A register value that a meter
	// answered with is not a must: its answer may have been lost on the line, and the
	// station then asked again and got a newer one.
	Must bool
}

// Key identifies a value: whose, of which channel, and of when (Unix seconds).
type Key struct {
	Meter   plc.SystemTitle
	Channel concentrator.Channel
	Second  int64
}

func keyOf(r concentrator.Reading) Key {
	return Key{Meter: r.Meter, Channel: r.Channel, Second: r.Time.Unix()}
}

// maxExamples bounds the keys a Result names for each kind of fault.
const maxExamples = 5

// Result is what a comparison found. Values is the number of values compared: all
// that must be there and all that are.
type Result struct {
	Values, Equal  int
	Missing        int // must be there and are not
	Duplicated     int // delivered more than once
	Different      int // delivered with another value, scaler or unit
	Invented       int // delivered, and no meter ever held them
	ExamplesByKind map[string][]string
}

// OK reports whether every value is where it belongs, once, and at least one was compared.
func (r Result) OK() bool {
	return r.Values > 0 && r.Equal == r.Values && r.Missing+r.Duplicated+r.Different+r.Invented == 0
}

// String is the one line that the proof is read by.
func (r Result) String() string {
	s := fmt.Sprintf("%d of %d values equal, %d missing, %d duplicated, %d different", r.Equal, r.Values, r.Missing, r.Duplicated, r.Different)
	if r.Invented > 0 {
		s += fmt.Sprintf(", %d that no meter held", r.Invented)
	}
	return s
}

func (r *Result) example(kind string, k Key) {
	if r.ExamplesByKind == nil {
		r.ExamplesByKind = map[string][]string{}
	}
	if len(r.ExamplesByKind[kind]) < maxExamples {
		r.ExamplesByKind[kind] = append(r.ExamplesByKind[kind],
			fmt.Sprintf("meter %v, %v, %s", k.Meter, k.Channel, time.Unix(k.Second, 0).UTC().Format(time.RFC3339)))
	}
}

// value is what has to be equal.
type value struct {
	value  int64
	scaler int8
	unit   uint8
}

func valueOf(r concentrator.Reading) value { return value{r.Value, r.Scaler, r.Unit} }

// values are what a meter may have said under one key: a register that it answered with
// twice in one second of its clock may have grown in between.
type values struct {
	first value
	other []value
	must  bool
}

func (v values) holds(r concentrator.Reading) bool {
	return v.first == valueOf(r) || slices.Contains(v.other, valueOf(r))
}

// Compare compares what the meters held with what the center holds. An error is that
// of one of the sequences, or says that the meters' side contradicts itself.
func Compare(held iter.Seq2[Held, error], stored iter.Seq2[concentrator.Reading, error]) (Result, error) {
	var res Result
	expected, err := collect(held)
	if err != nil {
		return res, err
	}
	seen := map[Key]bool{}
	for r, err := range stored {
		if err != nil {
			return res, fmt.Errorf("read what the center holds: %w", err)
		}
		k := keyOf(r)
		if seen[k] {
			res.Duplicated++
			res.example("duplicated", k)
			continue
		}
		seen[k] = true
		res.Values++
		v, known := expected[k]
		switch {
		case !known:
			res.Invented++
			res.example("invented", k)
		case !v.holds(r):
			res.Different++
			res.example("different", k)
		default:
			res.Equal++
		}
	}
	for k, v := range expected {
		if v.must && !seen[k] {
			res.Values++
			res.Missing++
			res.example("missing", k)
		}
	}
	return res, nil
}

// collect keys what the meters held. The same value named twice is one; two values of
// an entry that must be there cannot both have been held.
func collect(held iter.Seq2[Held, error]) (map[Key]values, error) {
	all := map[Key]values{}
	for h, err := range held {
		if err != nil {
			return nil, fmt.Errorf("read what the meters held: %w", err)
		}
		k := keyOf(h.Reading)
		v, known := all[k]
		switch {
		case !known:
			v.first = valueOf(h.Reading)
		case v.holds(h.Reading):
		case v.must || h.Must:
			return nil, fmt.Errorf("meter %v holds two values of %v at %s: its record contradicts itself",
				h.Meter, h.Channel, h.Time.UTC().Format(time.RFC3339))
		default:
			v.other = append(v.other, valueOf(h.Reading))
		}
		v.must = v.must || h.Must
		all[k] = v
	}
	return all, nil
}
