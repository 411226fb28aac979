package abuse

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"

	"busbar/cmd/truth"
	"busbar/concentrator"
	"busbar/concentrator/proof"
	"busbar/storage/archive"
)

// slack is how far the clocks of meters and station may be apart.
const slack = time.Minute

// stored is what the center holds, contradictions included, and how many values came twice.
func (g *stage) stored() (all []concentrator.Reading, twice int) {
	g.t.Helper()
	r, err := archive.OpenReader(g.t.Context(), filepath.Join(g.dir, "center"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Close()
	for n, seq := range []func(func(concentrator.Reading, error) bool){
		r.Readings(g.t.Context(), archive.Query{}), r.Conflicts(g.t.Context(), archive.Query{}),
	} {
		for reading, err := range seq {
			if err != nil {
				g.t.Fatalf("archive, part %d: %v", n, err)
			}
			all = append(all, reading)
		}
	}
	list, err := r.Stations(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	for _, s := range list {
		twice += s.Duplicates
		if s.Missing > 0 || s.Refused > 0 {
			g.t.Errorf("the center misses %d batches and refused %d", s.Missing, s.Refused)
		}
	}
	return all, twice
}

// compare compares what the center holds with what the meters held.
func (g *stage) compare() proof.Result {
	g.t.Helper()
	all, twice := g.stored() // first: a meter has told a value before the center has it
	now := time.Now()
	must := truth.Window{From: now.Add(slack - g.backfill), To: g.begun.Add(-slack)}
	held := truth.Held(g.t.Context(), g.town, truth.Window{From: now.Add(-2 * g.backfill), To: now.Add(slack)}, must)
	res, err := proof.Compare(held, func(yield func(concentrator.Reading, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		g.t.Fatal(err)
	}
	res.Duplicated += twice
	return res
}

// prove waits until the center holds every value that the meters held, each once.
func (g *stage) prove() {
	g.t.Helper()
	g.proveTwice(false)
}

// proveTwice is prove; with twice, values may have been delivered again.
func (g *stage) proveTwice(twice bool) {
	g.t.Helper()
	var res proof.Result
	await(g.t, "the proof", func() bool {
		res = g.compare()
		if twice {
			res.Duplicated = 0
		}
		return res.OK() || res.Duplicated+res.Different+res.Invented > 0
	}, func() string { return res.String() + examples(res) + "\n" + g.station.said() })
	if !res.OK() {
		g.t.Errorf("%v%s\n%s", res, examples(res), g.station.said())
	}
	g.t.Log(res)
}

func examples(res proof.Result) string {
	var b strings.Builder
	for kind, list := range res.ExamplesByKind {
		b.WriteString("\n" + kind + ": " + strings.Join(list, "; "))
	}
	return b.String()
}

// finish proves, ends station and center in order, and looks for secrets in what is left.
func (g *stage) finish() {
	g.t.Helper()
	g.prove()
	g.station.stop()
	g.center.stop()
	g.secrets()
}

// secrets makes sure that no key or password of a meter is in a log or at the center, in
// hexadecimal or as it is.
func (g *stage) secrets() {
	g.t.Helper()
	keys, err := os.ReadFile(g.keys)
	if err != nil {
		g.t.Fatal(err)
	}
	var canaries [][]byte
	for _, field := range strings.FieldsFunc(string(keys), func(r rune) bool { return r == ',' || r == '\n' }) {
		digits := strings.TrimPrefix(field, "hex:")
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) == len(g.town.Titles()[0].Bytes()) && digits == field { // a heading, or a title
			continue
		}
		canaries = append(canaries, raw, []byte(digits), []byte(strings.ToLower(digits)))
	}
	files, err := filepath.Glob(filepath.Join(g.dir, "center", "*"))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, path := range append(files, g.station.log, g.center.log) {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // a directory, or a socket
		}
		for _, c := range canaries {
			if bytes.Contains(b, c) {
				g.t.Errorf("%s holds a secret of a meter", path)
			}
		}
	}
}
