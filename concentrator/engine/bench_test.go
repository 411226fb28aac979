package engine

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// full is an engine that knows 1,024 meters, as after a restart.
func full(b *testing.B) *Engine {
	b.Helper()
	journal := newJournal()
	for n := range 1024 {
		m := concentrator.Meter{
			Title: title(n + 1), Address: plc.Address(n + 1), State: concentrator.StateRegistered, Name: "METER",
			LastAsked: time.Now(), LastHeard: time.Now(), Layout: make([]concentrator.Column, 6), Registers: make([]concentrator.RegisterInfo, 6),
		}
		journal.meters[m.Title] = m
	}
	e, err := New(Config{Log: slog.New(slog.DiscardHandler), Registers: []cosem.OBIS{energy}}, newLink(), journal)
	if err != nil {
		b.Fatal(err)
	}
	if !e.load(context.Background()) {
		b.Fatal("not loaded")
	}
	return e
}

// BenchmarkContact is what one piece of work on the line costs the engine's table of
// 1,024 meters, when nobody looks at the page.
func BenchmarkContact(b *testing.B) {
	e := full(b)
	b.ReportAllocs()
	for b.Loop() {
		e.decide(time.Now())
		e.flush(context.Background())
		e.contact(Contact{What: "visit"})
	}
}

// BenchmarkSnapshot is what one look at 1,024 meters costs.
func BenchmarkSnapshot(b *testing.B) {
	e := full(b)
	b.ReportAllocs()
	for b.Loop() {
		e.contact(Contact{What: "visit"})
		if e.Snapshot().Known != 1024 {
			b.Fatal("not all known")
		}
	}
}
