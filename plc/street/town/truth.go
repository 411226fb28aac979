package town

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"busbar/plc"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	"busbar/plc/street/meter"
)

// Held is one value that a meter held.
type Held struct {
	Meter plc.SystemTitle
	meter.Value
	// Told says that the value stood in an answer to the station; its profile is zero. All
	// others were captured and wait in the load profile to be read.
	Told bool
}

// Held yields what every meter captured between two times of its own clock, and the
// register values that it answered with at any time. It asks the owner of the town for
// one meter after the other, so that nothing stands still meanwhile.
func (t *Town) Held(ctx context.Context, from, to time.Time) iter.Seq2[Held, error] {
	return func(yield func(Held, error) bool) {
		var values []Held
		for _, m := range t.meters {
			values = values[:0]
			err := t.Do(ctx, func(*street.Mains) {
				for v := range m.Held(from, to) {
					values = append(values, Held{Meter: m.Title(), Value: v})
				}
				for v := range m.Served() {
					values = append(values, Held{Meter: m.Title(), Value: v, Told: true})
				}
			})
			if err != nil {
				yield(Held{}, fmt.Errorf("what meter %v held: %w", m.Title(), err))
				return
			}
			for _, v := range values {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Summary is the town in a few numbers.
type Summary struct {
	Meters, Registered, New, Unpowered, Repeaters int
	Configured                                    bool // a station has configured the chip
	Slot                                          int64
	street.Stats
	Chip chip.Counters
}

// String is one line.
func (s Summary) String() string {
	modem := "no station yet"
	if s.Configured {
		modem = fmt.Sprintf("%d host frames", s.Chip.Frames)
	}
	busy := 0.0
	if s.Slot > 0 {
		busy = 100 * float64(s.Stats.Slots) / float64(s.Slot)
	}
	return fmt.Sprintf("%d of %d meters registered, %d repeaters, %d frames and %d repetitions, mains %.0f %% busy, %d collisions, %s",
		s.Registered, s.Meters, s.Repeaters, s.Frames, s.Repeats, busy, s.Collisions, modem)
}

// Summary looks at the town.
func (t *Town) Summary(ctx context.Context) (Summary, error) {
	var s Summary
	err := t.Do(ctx, func(m *street.Mains) {
		s = Summary{Meters: len(t.meters), Slot: m.Now(), Stats: m.Stats()}
		for _, v := range m.Survey() {
			switch {
			case !v.Powered:
				s.Unpowered++
			case v.Address == plc.New:
				s.New++
			default:
				s.Registered++
			}
			if v.Repeater {
				s.Repeaters++
			}
		}
		if t.chip != nil {
			s.Configured, s.Chip = t.chip.Configured(), t.chip.Counters()
		}
	})
	return s, err
}

// Titles are the titles of the meters, sorted, each once.
func (t *Town) Titles() []plc.SystemTitle {
	var titles []plc.SystemTitle
	for _, m := range t.meters {
		titles = append(titles, m.Title())
	}
	slices.SortFunc(titles, plc.SystemTitle.Compare)
	return slices.Compact(titles)
}
