package initiator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/dlms"
	"busbar/plc/llc"
	"busbar/plc/mac"
)

// reportOf is a DiscoverReport from source to destination that comes whole at slot at.
func reportOf(at int, source, destination plc.Address, heard ...plc.SystemTitle) reply {
	return reply{at: at, frame: mac.DataIndication{
		Source: source, Destination: destination,
		MSDU: llc.LPDU{DSAP: 0xFD, APDU: ciase.DiscoverReport{Titles: heard}.Append(nil)}.Append(nil),
	}}
}

// TestReportsOfAllKinds: to us or to everyone, of new and registered servers, one title
// told by several. What is for or from another initiator is none of ours (sfsk.md D6, D15).
func TestReportsOfAllKinds(t *testing.T) {
	run(t, 0, nil, func(b *bench) {
		b.line.script = func(mac.DataRequest) []reply {
			foreign := reportOf(8, 0xC01, plc.AllPhysical, titles[9])
			foreign.frame.MSDU = llc.LPDU{SSAP: 1, APDU: ciase.Discover{Slots: 4}.Append(nil)}.Append(nil)
			return []reply{
				reportOf(2, plc.New, 0xC00, titles[0]),
				reportOf(3, plc.New, plc.AllPhysical, titles[1], titles[0], titles[1], ours),
				reportOf(4, 7, 0xC00, titles[2]),
				reportOf(5, 7, plc.AllPhysical, titles[3]), // an address used twice
				reportOf(6, plc.New, 0xC01, titles[4]),
				reportOf(7, 0xC01, plc.AllPhysical, titles[5]),
				foreign,
				reportOf(9, plc.New, 0xC00, ours),
			}
		}
		reports, x, err := b.link.Discover(b.Context(), plc.DiscoverRequest{Probability: 100, Slots: 10})
		b.want(x, err, plc.Answered, 1, 5)
		want := []plc.Report{
			{Title: titles[0], Address: plc.New},
			{Title: titles[1], Address: plc.New},
			{Title: titles[0], Address: plc.New, Relayed: true},
			{Title: titles[2], Address: 7},
			{Title: titles[3], Address: 7},
		}
		if !slices.Equal(reports, want) {
			t.Errorf("reports\n%+v, want\n%+v", reports, want)
		}
		if c := b.i.Counts(); c.Foreign != 3 || c.Stray+c.Unasked+c.Garbled > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestRegisterIsAnswered: some servers answer a Register with a DiscoverReport (sfsk.md
// D14). Nothing is sent over it. The segment may be known to have none of those.
func TestRegisterIsAnswered(t *testing.T) {
	for _, slots := range []int{0, 1} {
		run(t, 1, func(c *Config) { c.Profile = plc.DefaultProfile(); c.Profile.RegisterSlots = slots }, func(b *bench) {
			meters := b.line.script
			b.line.script = func(r mac.DataRequest) []reply {
				if r.Destination != plc.AllPhysical || slots == 0 {
					return meters(r)
				}
				answer := reportOf(2, 1, 0xC00, titles[0])
				answer.frame.Credits = plc.Credits{Initial: r.Credit, Current: r.Credit}
				return []reply{answer}
			}
			x, err := b.link.Register(b.Context(), []plc.Registration{{Title: titles[0], Address: 1}}, 3)
			b.want(x, err, plc.Answered, 1, 0)
			x, err = b.link.Ping(b.Context(), b.peer(0))
			b.want(x, err, plc.Answered, 1, 1)
			if c := b.i.Counts(); c.Unasked != slots || c.Late+c.Stray > 0 {
				t.Errorf("counts %+v", c)
			}
			// A Register of 1 subframe and its repetitions, then 2 slots, the report and its
			// repetitions, and the margin.
			if begin := b.line.when[1].Sub(b.line.when[0]) / slot; slots == 0 && begin != 5 || slots == 1 && begin != 4+2+4+2 {
				t.Errorf("%d report slots: the ping comes after %d slots", slots, begin)
			}
		})
	}
}

// TestUnaskedReport: one that comes while we wait for something else is counted.
func TestUnaskedReport(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			return []reply{reportOf(1, plc.New, plc.AllPhysical, titles[1]), reportOf(2, 1, 0xC00, titles[0]), {at: 2 + mac.Subframes(len(f.MSDU)), frame: f}}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		x, err = b.link.Ping(b.Context(), b.peer(0))
		b.want(x, err, plc.Answered, 1, 1)
		if c := b.i.Counts(); c.Unasked != 8 || c.Stray+c.Late+c.Garbled > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestOwnCredit: a server that answers with the same credit whatever it is asked with is
// waited for when it is asked with less.
func TestOwnCredit(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.Credits = plc.Credits{Initial: 4} // heard in the last repetition
			return []reply{{at: 1 + 5*mac.Subframes(len(f.MSDU)), frame: f}}
		}
		p := b.peer(0)
		for _, credit := range []plc.Credit{5, 0, 7, 1} {
			p.Credit = credit
			if _, x, err := b.link.Get(b.Context(), p, energyRef); err != nil || x.Outcome != plc.Answered || x.Requests != x.Answers {
				t.Errorf("credit %d: %v, %v", credit, x, err)
			}
		}
		if c := b.i.Counts(); c.Late+c.Retries > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestOldAnswerFirst: the answer before comes once more, long after its repetitions, and
// then the right one. The mains stays busy for that, even when nobody waits any more.
func TestOldAnswerFirst(t *testing.T) {
	run(t, 2, nil, func(b *bench) {
		var old mac.DataIndication
		b.meters[0].change = func(n int, f mac.DataIndication) []reply {
			before := old
			if old = f; n <= 3 {
				return []reply{prompt(f)}
			}
			return []reply{prompt(before), {at: 3 + 2*mac.Subframes(len(f.MSDU)), frame: f}}
		}
		for n := range 2 {
			_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
			b.want(x, err, plc.Answered, 3-2*n, 3-2*n)
		}
		ctx, cancel := context.WithTimeout(b.Context(), 6*slot) // between the two
		defer cancel()
		if _, _, err := b.link.Get(ctx, b.peer(0), energyRef); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		x, err := b.link.Ping(b.Context(), b.peer(1))
		b.want(x, err, plc.Answered, 1, 1)
		if c := b.i.Counts(); c.Late != 3 || c.Forged+c.Retries > 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestAddressUsedTwice: two servers answer one ping; the first counts, the other is late.
func TestAddressUsedTwice(t *testing.T) {
	for first, outcome := range []plc.Outcome{plc.Answered, plc.Refused} {
		run(t, 2, nil, func(b *bench) {
			b.line.script = func(mac.DataRequest) []reply {
				var all []reply
				for n := range 2 {
					apdu := ciase.PingResponse{Title: titles[(first+n)%2]}.Append(nil)
					all = append(all, reply{at: 2 + n, frame: mac.DataIndication{Source: 1, Destination: 0xC00, MSDU: llc.LPDU{DSAP: 1, APDU: apdu}.Append(nil)}, offGrid: true})
				}
				return all
			}
			x, err := b.link.Ping(b.Context(), b.peer(0))
			b.want(x, err, outcome, 1, 1)
			time.Sleep(10 * slot)
			if c := b.i.Counts(); c.Stray != 1 || c.Duplicates > 0 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// TestSwappedPing: a ping is answered with exchanged access points (sfsk.md D5).
func TestSwappedPing(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.MSDU[1], f.MSDU[2] = f.MSDU[2], f.MSDU[1]
			return []reply{prompt(f)}
		}
		x, err := b.link.Ping(b.Context(), b.peer(0))
		b.want(x, err, plc.Answered, 1, 1)
		if c := b.i.Counts(); c.Swapped != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestShortTitles finds, registers, pings and reads meters with system titles of 6 octets
// (sfsk.md D12), known or detected.
func TestShortTitles(t *testing.T) {
	station := plc.MustSystemTitle([]byte("BUSBAR"))
	for _, size := range []int{0, 6} {
		change := func(c *Config) {
			c.Profile = plc.DefaultProfile()
			c.Profile.TitleSize, c.Title, c.AllowUnprotected = size, station, true
		}
		run(t, 2, change, func(b *bench) {
			for k, m := range b.meters {
				m.title = plc.MustSystemTitle(fmt.Appendf(nil, "MTR%03d", k))
				m.start(dlms.Keys{})
			}
			meters := b.line.script
			b.line.script = func(r mac.DataRequest) []reply {
				if l, _, _ := llc.Parse(r.MSDU); l.APDU[0] != byte(ciase.TagDiscover) {
					return meters(r)
				}
				alarm := ciase.DiscoverReport{Titles: []plc.SystemTitle{b.meters[1].title}, Alarm: 1, HasAlarm: true}
				second := reportOf(3, plc.New, 0xC00)
				second.frame.MSDU = llc.LPDU{DSAP: 0xFD, APDU: alarm.Append(nil)}.Append(nil)
				return []reply{reportOf(2, plc.New, 0xC00, b.meters[0].title, b.meters[1].title), second}
			}
			reports, x, err := b.link.Discover(b.Context(), plc.DiscoverRequest{Probability: 100, Slots: 4})
			b.want(x, err, plc.Answered, 1, 2)
			if len(reports) != 3 || reports[0].Title != b.meters[0].title || !reports[1].Relayed || reports[2].Title != b.meters[1].title || !reports[2].HasAlarm {
				t.Fatalf("reports %+v", reports)
			}
			regs := []plc.Registration{{Title: reports[0].Title, Address: 1}, {Title: reports[2].Title, Address: 2}}
			x, err = b.link.Register(b.Context(), regs, 0)
			b.want(x, err, plc.Answered, 1, 0)
			if sent := b.line.requests()[1]; string(sent.MSDU) != "\x90\x00\x01\x1CBUSBAR\x02MTR000\x00\x01MTR001\x00\x02" {
				t.Errorf("sent % X", sent.MSDU)
			}
			for k := range b.meters {
				x, err = b.link.Ping(b.Context(), b.peer(k))
				b.want(x, err, plc.Answered, 1, 1)
				_, x, err = b.link.Get(b.Context(), b.peer(k), energyRef)
				b.want(x, err, plc.Answered, 2, 2)
			}
			// Ciphering is not possible with such titles, and the words say so.
			b.ring.keys[b.meters[0].title] = testKeys(0)
			_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
			b.want(x, err, plc.Refused, 0, 0)
		})
	}
}
