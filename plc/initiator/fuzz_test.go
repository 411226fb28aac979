package initiator

import (
	"testing"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/mac"
)

// FuzzAnswers gives whatever octets for an answer. They are never an error of ours,
// and never a value from a meter with keys.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0x90, 1, 1, 0xC4, 1, 0xC1, 0, 6, 0, 1, 0x23, 0x45})
	f.Add([]byte{0x90, 1, 1, 0x61, 0x29, 0xA1, 9})
	f.Add([]byte{0x90, 1, 1, 0xD8, 1, 1})
	f.Add([]byte{0x90, 1, 1, 0xCC, 20, 0x30, 0, 0, 0, 1, 1, 2, 3})
	f.Add(append([]byte{0x90, 1, 0}, ciase.PingResponse{Title: titles[0]}.Append(nil)...))
	f.Add(append([]byte{0x90, 0xFD, 0}, ciase.DiscoverReport{Titles: titles[:2]}.Append(nil)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > mac.MaxMSDU {
			return
		}
		run(t, 1, nil, func(bench *bench) {
			bench.line.script = func(r mac.DataRequest) []reply {
				source := r.Destination
				if source == plc.AllPhysical {
					source = plc.New
				}
				return []reply{prompt(mac.DataIndication{Source: source, Destination: 0xC00, MSDU: b})}
			}
			results, x, err := bench.link.Get(bench.Context(), bench.peer(0), energyRef)
			if err != nil || x.Outcome == plc.Answered || results != nil {
				t.Errorf("get: %v, %+v, %v", results, x, err)
			}
			if x, err = bench.link.Ping(bench.Context(), bench.peer(0)); err != nil || x.Outcome == plc.Aborted {
				t.Errorf("ping: %+v, %v", x, err)
			}
			reports, x, err := bench.link.Discover(bench.Context(), plc.DiscoverRequest{Slots: 8})
			if err != nil || len(reports) > 0 && x.Outcome != plc.Answered {
				t.Errorf("discover: %+v, %v", x, err)
			}
		})
	})
}
