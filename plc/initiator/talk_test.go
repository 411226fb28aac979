package initiator

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/llc"
	"busbar/plc/mac"
)

func TestReadsMeter(t *testing.T) {
	run(t, 1, func(c *Config) { c.Signal = true }, func(b *bench) {
		b.line.signal = plc.Signal{S0: 100, N0: 10, S1: 90, N1: 10, Method: 3}
		results, x, err := b.link.Get(b.Context(), b.peer(0), clockRef, energyRef)
		b.want(x, err, plc.Answered, 3, 3) // AARQ, proof, GET
		if len(results) != 2 || results[1].Data[0] != 6 || results[1].Data[4] != 1 {
			t.Errorf("results %v", results)
		}
		if len(b.line.calls) != 1 {
			t.Errorf("the modem was asked: %v", b.line.calls)
		}
		if x.Signal != b.line.signal || !x.Begin.Before(x.End) {
			t.Errorf("exchange %+v", x)
		}
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 1, 1)
		if x.Slots != 2+2+2 { // request, gap, answer
			t.Errorf("%d slots", x.Slots)
		}
		begin := time.Now()
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 1, 1)
		if took := time.Since(begin); took != (2+1+2)*slot { // the meter needs one slot to answer
			t.Errorf("an exchange after another took %v", took)
		}
		if len(b.frames) != 10 || !b.frames[0].Sent || b.frames[1].Sent || b.frames[1].Source != 1 {
			t.Errorf("%d frames traced", len(b.frames))
		}
	})
}

func TestCreditsOfBothDirections(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.Credits = plc.Credits{Initial: 3, Current: 1, Delta: 2}
			n := mac.Subframes(len(f.MSDU))
			return []reply{{at: 1 + 3*n, frame: f}}
		}
		p := b.peer(0)
		p.Credit = 3
		_, x, err := b.link.Get(b.Context(), p, energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		if x.Credit != 3 || x.Up != 2 || x.Down != 2 {
			t.Errorf("credit %d, up %d, down %d", x.Credit, x.Up, x.Down)
		}
		for _, r := range b.line.requests() {
			if r.Credit != 3 {
				t.Errorf("a request with credit %d", r.Credit)
			}
		}
	})
}

func TestSilentMeter(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.line.script = func(mac.DataRequest) []reply { return nil }
		results, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Silent, 2, 0)
		if results != nil || x.Detail == "" {
			t.Errorf("results %v, detail %q", results, x.Detail)
		}
		if off := x.End.Sub(b.line.start) % slot; off != slot/2 {
			t.Errorf("the time-out ends %v off the grid", off)
		}
		// AARQ of 3 subframes, a gap of 2 slots, the longest answer and its 7 repetitions.
		want := 2 * (3 + 2 + 7*8)
		if x.Slots != want {
			t.Errorf("%d slots, want %d", x.Slots, want)
		}
		if c := b.i.Counts(); c.Timeouts != 2 || c.Retries != 1 || c.Sent != 2 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestPatience: once servers are known to answer with no more credit than they were
// asked with, silence costs less.
func TestPatience(t *testing.T) {
	var p patience
	var quiet, loud, fresh, own manner
	if got := p.credit(fresh, 1, 7); got != 7 {
		t.Errorf("never heard: %d", got)
	}
	for range trusted {
		p.learn(&quiet, 1, 1, 1)
	}
	if got := p.credit(fresh, 2, 7); got != 2 {
		t.Errorf("never heard, others are modest: %d", got)
	}
	p.learn(&loud, 1, 4, 50)
	if p.gap != maxGap || loud.gap != maxGap || quiet.gap != 1 {
		t.Errorf("gaps %d, %d, %d", p.gap, loud.gap, quiet.gap)
	}
	p.learn(&own, 5, 4, 1) // it takes 4 whatever it is asked with
	for _, tt := range []struct {
		m    manner
		want plc.Credit
	}{{quiet, 2}, {loud, 4}, {fresh, 7}, {own, 4}} {
		if got := p.credit(tt.m, 2, 7); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.m, got, tt.want)
		}
	}
}

// TestSlowServer: one that takes longer than the profile says before it answers is
// waited for, once that is known.
func TestSlowServer(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].rows = 200
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			return []reply{{at: 6 + mac.Subframes(len(f.MSDU)), frame: f}}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), profileRef)
		b.want(x, err, plc.Answered, 7, 7)
		if m := b.i.associations.get(titles[0]).manner; m.gap != 6 || b.i.patience.gap != 6 {
			t.Errorf("learned %+v, %+v", m, b.i.patience)
		}
	})
}

func TestGarbledAnswers(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"wrong tag":       func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"other control":   func(b []byte) []byte { b[0] = 0x13; return b },
		"header only":     func(b []byte) []byte { return b[:3] },
		"unknown service": func(b []byte) []byte { return append(b[:3], 0xFE, 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 1, nil, func(b *bench) {
				if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
					t.Fatal(x, err)
				}
				b.line.set(func() {
					b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
						f.MSDU = damage(f.MSDU)
						return []reply{prompt(f)}
					}
				})
				_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
				b.want(x, err, plc.Garbled, 2, 0)
				b.line.set(func() { b.meters[0].change = nil })
				_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
				b.want(x, err, plc.Answered, 1, 1)
			})
		})
	}
}

// TestLateAnswer: the answer to the first attempt comes after the second was sent. It
// is taken, and nothing is sent before the second answer is over as well.
func TestLateAnswer(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		late := 0
		b.line.set(func() {
			b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
				if late++; late == 1 {
					return []reply{{at: 14, frame: f, offGrid: true}} // the second attempt starts at 11
				}
				return []reply{prompt(f)}
			}
		})
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 2, 1)
		if off := x.End.Sub(b.line.start) % slot; off != 0 {
			t.Errorf("the late answer was taken %v off the grid", off)
		}
		_, x, err = b.link.Get(b.Context(), b.peer(0), clockRef)
		b.want(x, err, plc.Answered, 1, 1)
		if c := b.i.Counts(); c.Late != 1 || c.Retries != 1 || c.Forged != 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestDuplicateIndication(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			n := mac.Subframes(len(f.MSDU))
			f.Credits = plc.Credits{Initial: 1, Current: 1}
			again := f
			again.Credits.Current = 0
			return []reply{{at: 1 + n, frame: f}, {at: 1 + 2*n, frame: again}}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 1, 1)
		if c := b.i.Counts(); c.Duplicates != 3 || c.Late != 0 { // the last one is still to come
			t.Errorf("counts %+v", c)
		}
	})
}

// TestUrgent: an order for another meter goes between two blocks of a long read, one
// for the same meter waits for its end.
func TestUrgent(t *testing.T) {
	run(t, 2, nil, func(b *bench) {
		for k := range b.meters {
			if _, x, err := b.link.Get(b.Context(), b.peer(k), energyRef); x.Outcome != plc.Answered {
				t.Fatal(x, err)
			}
		}
		b.meters[0].rows = 200 // 1,000 octets
		done := make(chan string, 4)
		read := func(name string, link *Link, k int, ref cosem.Ref) {
			results, x, err := link.Get(b.Context(), b.peer(k), ref)
			if err != nil || x.Outcome != plc.Answered || len(results) != 1 {
				t.Errorf("%s: %v, %v", name, x, err)
			}
			done <- name
		}
		before := len(b.line.requests())
		go read("profile", b.link, 0, profileRef)
		time.Sleep(3 * time.Second) // in the middle of the blocks
		go read("ordinary", b.link, 1, energyRef)
		time.Sleep(time.Millisecond)
		go read("same meter", b.link.Urgent(), 0, energyRef)
		time.Sleep(time.Millisecond)
		go read("other meter", b.link.Urgent(), 1, energyRef)
		var order []string
		for range 4 {
			order = append(order, <-done)
		}
		if want := []string{"other meter", "profile", "same meter", "ordinary"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		var to []plc.Address
		for _, r := range b.line.requests()[before:] {
			to = append(to, r.Destination)
		}
		first := slices.Index(to, 2)
		if first < 2 || first > 4 || !slices.Equal(to[first+1:len(to)-2], slices.Repeat([]plc.Address{1}, len(to)-3-first)) {
			t.Errorf("destinations %v", to)
		}
	})
}

func TestRefusedAssociation(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].start(testKeys(99))
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Refused, 1, 1)
		if !strings.Contains(x.Detail, "key") {
			t.Errorf("detail %q", x.Detail)
		}
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.MSDU = append(f.MSDU[:3], 0xD8, 1, 6, 0, 1, 0, 7)
			return []reply{prompt(f)}
		}
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Refused, 1, 1)
		if x.Counter != 65543 || !strings.Contains(x.Detail, "expects 65543") {
			t.Errorf("counter %d, detail %q", x.Counter, x.Detail)
		}
	})
}

// TestLostAssociation: a meter that restarted says so and is asked again, once.
func TestLostAssociation(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		b.meters[0].server.Reset()
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 4, 4) // GET refused, AARQ, proof, GET
		if c := b.i.Counts(); c.Reopened != 1 {
			t.Errorf("counts %+v", c)
		}
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.MSDU = append(f.MSDU[:3], 0xD8, 1, 1) // it refuses whatever is asked
			return []reply{prompt(f)}
		}
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Refused, 2, 2)
	})
}

// TestReregistered: a meter that is registered anew has released its association.
func TestReregistered(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		b.meters[0].server.Reset()
		x, err := b.link.Register(b.Context(), []plc.Registration{{Title: titles[0], Address: 1}}, 1)
		b.want(x, err, plc.Answered, 1, 0)
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		b.meters[0].address = 9
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3) // another address: it was new in between
		if c := b.i.Counts(); c.Reopened != 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestSilentWithoutAssociation: some meters do not even refuse.
func TestSilentWithoutAssociation(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		m := b.meters[0]
		m.change = func(_ int, f mac.DataIndication) []reply {
			if m.heard[len(m.heard)-1] == 0x60 { // AARQ
				m.change = nil
				return []reply{prompt(f)}
			}
			return nil
		}
		for range silencesLimit {
			_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
			b.want(x, err, plc.Silent, 2, 0)
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
	})
}

// TestLineDown: when the modem goes away in the middle, no meter is called silent.
func TestLineDown(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 15 * time.Second} { // in the first and in the last attempt
		run(t, 1, nil, func(b *bench) {
			b.line.script = func(mac.DataRequest) []reply { return nil }
			time.AfterFunc(after, func() { b.line.set(func() { b.line.down = plc.ErrLineDown }) })
			_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
			if !errors.Is(err, plc.ErrLineDown) || x.Outcome != plc.Aborted {
				t.Errorf("down after %v: %v, %v", after, x, err)
			}
			if _, x, err := b.link.Discover(b.Context(), plc.DiscoverRequest{Probability: 100, Slots: 4}); !errors.Is(err, plc.ErrLineDown) {
				t.Errorf("discover: %v, %v", x, err)
			}
			b.line.set(func() { b.line.down, b.line.script = nil, replies(b.meters...) })
			_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
			b.want(x, err, plc.Answered, 3, 3)
		})
	}
}

// TestCallerGivesUp: an answer that is still to come keeps the mains busy.
func TestCallerGivesUp(t *testing.T) {
	run(t, 2, nil, func(b *bench) {
		for _, after := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond} { // while sending, while waiting
			ctx, cancel := context.WithTimeout(b.Context(), after)
			_, x, err := b.link.Get(ctx, b.peer(0), energyRef)
			if !errors.Is(err, context.DeadlineExceeded) || x.Outcome != plc.Aborted {
				t.Errorf("after %v: %v, %v", after, x, err)
			}
			cancel()
			_, x, err = b.link.Get(b.Context(), b.peer(1), energyRef)
			if err != nil || x.Outcome != plc.Answered {
				t.Errorf("the next: %v, %v", x, err)
			}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
	})
}

func TestDiscover(t *testing.T) {
	run(t, 0, func(c *Config) { c.Profile = plc.DefaultProfile(); c.Profile.DiscoverSlotExtra = 1 }, func(b *bench) {
		report := func(at int, alarm bool, heard ...plc.SystemTitle) reply {
			d := ciase.DiscoverReport{Titles: heard, HasAlarm: alarm}
			if alarm {
				d.Alarm = 1
			}
			return reply{at: at, frame: mac.DataIndication{
				Source: plc.New, Destination: plc.AllPhysical, Credits: plc.Credits{Initial: 1, Delta: 1},
				MSDU: llc.LPDU{DSAP: 0xFD, APDU: d.Append(nil)}.Append(nil),
			}}
		}
		b.line.script = func(mac.DataRequest) []reply {
			damaged := report(9, false, titles[4])
			damaged.frame.MSDU = damaged.frame.MSDU[:9]
			return []reply{report(2, true, titles[0]), report(5, false, titles[1], titles[2]), report(6, false, titles[1], titles[2]), damaged, report(30, false, titles[3])}
		}
		reports, x, err := b.link.Discover(b.Context(), plc.DiscoverRequest{Probability: 50, Slots: 10, ReportCredit: 1, Credit: 1})
		b.want(x, err, plc.Answered, 1, 3)
		want := []plc.Report{
			{Title: titles[0], Address: plc.New, Alarm: 1, HasAlarm: true},
			{Title: titles[1], Address: plc.New},
			{Title: titles[2], Address: plc.New, Relayed: true},
			{Title: titles[3], Address: plc.New},
		}
		for k := range want {
			want[k].Credits = plc.Credits{Initial: 1, Delta: 1}
		}
		if !slices.Equal(reports, want) {
			t.Errorf("reports\n%+v, want\n%+v", reports, want)
		}
		if sent := b.line.requests()[0]; sent.Destination != plc.AllPhysical || sent.Credit != 1 || string(sent.MSDU) != "\x90\x00\x01\x1D\x32\x00\x0A\x01\x00" {
			t.Errorf("sent %+v", sent)
		}
		// 2 slots of our own, a gap of 2, 10 windows of 3, the margin of 1 and a half.
		if took := x.End.Sub(b.line.start); took != 35*slot+slot/2 || x.Slots != 34 {
			t.Errorf("the window ended after %v, %d slots", took, x.Slots)
		}
		if c := b.i.Counts(); c.Duplicates != 1 || c.Garbled != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestDiscoverWithoutReports(t *testing.T) {
	run(t, 0, nil, func(b *bench) {
		r := plc.DiscoverRequest{Probability: 100, Slots: 4}
		_, x, err := b.link.Discover(b.Context(), r)
		b.want(x, err, plc.Silent, 1, 0)
		b.line.script = func(mac.DataRequest) []reply {
			return []reply{{at: 2, frame: mac.DataIndication{Source: plc.New, Destination: 0xC00, MSDU: []byte{0x90, 0xFD, 0, 0x1E, 1, 2}}}}
		}
		_, x, err = b.link.Discover(b.Context(), r)
		b.want(x, err, plc.Garbled, 1, 0)
		if _, _, err := b.link.Discover(b.Context(), plc.DiscoverRequest{Probability: 101, Slots: 4}); err == nil {
			t.Error("probability of 101 % was sent")
		}
	})
}

func TestRegisterInBatches(t *testing.T) {
	run(t, 0, nil, func(b *bench) {
		var regs []plc.Registration
		for k, title := range titles {
			regs = append(regs, plc.Registration{Title: title, Address: plc.Address(k + 1)})
		}
		odd := plc.Registration{Title: plc.MustSystemTitle([]byte("SIXSIX")), Address: 99}
		x, err := b.link.Register(b.Context(), append(regs, odd), 2)
		b.want(x, err, plc.Answered, 4, 0)
		if gap := 2 + 3; x.Slots != 3*(4*3+gap)+2*3+gap {
			t.Errorf("%d slots", x.Slots)
		}
		var got []plc.Registration
		for _, r := range b.line.requests() {
			l, _, err := llc.Parse(r.MSDU)
			if err != nil || len(r.MSDU) > 134 || r.Destination != plc.AllPhysical || r.Credit != 2 {
				t.Fatalf("%+v, %v", r, err)
			}
			a, _, err := ciase.Parse(l.APDU, 8)
			if err != nil || a.(ciase.Register).Initiator != ours {
				t.Fatalf("%+v, %v", a, err)
			}
			got = append(got, a.(ciase.Register).Servers...)
		}
		if !slices.Equal(got, regs) {
			t.Errorf("registered %v", got)
		}
		if x, err = b.link.Register(b.Context(), []plc.Registration{odd}, 0); err != nil || x.Outcome != plc.Refused || x.Requests != 0 {
			t.Errorf("a title of another size: %v, %v", x, err)
		}
		if _, err = b.link.Register(b.Context(), []plc.Registration{{Title: titles[0], Address: 0xC00}}, 0); err == nil {
			t.Error("our own address was given away")
		}
	})
}

func TestPing(t *testing.T) {
	run(t, 2, nil, func(b *bench) {
		x, err := b.link.Ping(b.Context(), b.peer(0))
		b.want(x, err, plc.Answered, 1, 1)
		p := b.peer(0)
		p.Title = titles[1] // nobody with this title at this address
		x, err = b.link.Ping(b.Context(), p)
		b.want(x, err, plc.Silent, 1, 0)
		for _, tt := range []struct {
			apdu    []byte
			outcome plc.Outcome
			answers int
		}{
			{ciase.PingResponse{Title: titles[1]}.Append(nil), plc.Refused, 1},
			{[]byte{0x0E, 1, 2, 3}, plc.Garbled, 0},
			{[]byte{0x1A, 1, 2, 3}, plc.Garbled, 0},
			{[]byte{0xC4, 1, 2, 3}, plc.Silent, 0},
		} {
			b.line.set(func() {
				b.line.script = func(mac.DataRequest) []reply {
					return []reply{prompt(mac.DataIndication{Source: 1, Destination: 0xC00, MSDU: llc.LPDU{DSAP: 1, APDU: tt.apdu}.Append(nil)})}
				}
			})
			x, err = b.link.Ping(b.Context(), b.peer(0))
			b.want(x, err, tt.outcome, 1, tt.answers)
		}
		p.Address = plc.New
		if _, err := b.link.Ping(b.Context(), p); err == nil {
			t.Error("all new servers were pinged at once")
		}
	})
}

// TestForeignMeterAtAddress: another meter sits where ours should be.
func TestForeignMeterAtAddress(t *testing.T) {
	run(t, 2, nil, func(b *bench) {
		b.meters[1].address = 1
		b.meters[0].address = 5
		p := b.peer(0)
		p.Address = 1
		_, x, err := b.link.Get(b.Context(), p, energyRef)
		if err != nil || x.Outcome != plc.Refused && x.Outcome != plc.Garbled {
			t.Errorf("%v, %v", x, err)
		}
	})
	// Both meters share their keys: only the title tells them apart.
	run(t, 2, nil, func(b *bench) {
		b.meters[1].start(testKeys(0))
		b.meters[1].address = 1
		b.meters[0].address = 5
		p := b.peer(0)
		p.Address = 1
		_, x, err := b.link.Get(b.Context(), p, energyRef)
		b.want(x, err, plc.Garbled, 2, 0)
		if c := b.i.Counts(); c.Forged != 2 {
			t.Errorf("counts %+v", c)
		}
	})
}

// TestForeignFrames: frames of other initiators, of other servers and for others are
// no answers, whatever is in them.
func TestForeignFrames(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			wrong := func(source, destination plc.Address) reply {
				g := f
				g.Source, g.Destination = source, destination
				return reply{at: 1, frame: g}
			}
			return []reply{wrong(0xC01, 0xC00), wrong(0xC00, 1), wrong(1, 0xC01), wrong(plc.NoBody, 0xC00), wrong(2, 0xC00), prompt(f)}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		if c := b.i.Counts(); c.Foreign != 3*4 || c.Stray != 3 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestAccessPoints(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.MSDU[1], f.MSDU[2] = 77, 1
			other := f
			other.MSDU = slices.Clone(f.MSDU)
			f.MSDU[1] = 1
			return []reply{{at: 1, frame: other}, prompt(f)}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		if c := b.i.Counts(); c.Stray != 3 {
			t.Errorf("counts %+v", c)
		}
	})
	run(t, 1, func(c *Config) { c.ClientSAP = 3 }, func(b *bench) {
		b.meters[0].sap = 3
		b.meters[0].change = func(_ int, f mac.DataIndication) []reply {
			f.MSDU[1], f.MSDU[2] = f.MSDU[2], f.MSDU[1]
			return []reply{prompt(f)}
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		if c := b.i.Counts(); c.Swapped != 3 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestMeterWithoutKeys(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		run(t, 1, func(c *Config) { c.AllowUnprotected = allowed }, func(b *bench) {
			delete(b.ring.keys, titles[0])
			b.meters[0].start(dlms.Keys{})
			_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
			if !allowed {
				b.want(x, err, plc.Refused, 0, 0)
				if !strings.Contains(x.Detail, "no keys") {
					t.Errorf("detail %q", x.Detail)
				}
				return
			}
			b.want(x, err, plc.Answered, 2, 2)
			if r := b.line.requests()[0]; r.MSDU[2] != 16 {
				t.Errorf("client %d", r.MSDU[2])
			}
			// From the moment it has keys nothing less is spoken.
			b.ring.keys[titles[0]] = testKeys(0)
			b.meters[0].start(testKeys(0))
			_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
			b.want(x, err, plc.Answered, 3, 3)
		})
	}
}

func TestInvocationCounters(t *testing.T) {
	run(t, 1, func(c *Config) { c.CounterRow = 1 }, func(b *bench) {
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		broken := errors.New("disk full")
		b.ring.fault = broken
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		if !errors.Is(err, broken) || x.Outcome != plc.Aborted || x.Requests != 0 {
			t.Errorf("%v, %v", x, err)
		}
		b.ring.fault = nil
		_, x, err = b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 1, 1)
	})
	run(t, 1, func(c *Config) { c.CounterRow = 2 }, func(b *bench) {
		b.ring.next[titles[0]] = math.MaxUint32 // one is left
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		if err != nil || x.Outcome != plc.Refused || !strings.Contains(x.Detail, "spent") {
			t.Errorf("%v, %v", x, err)
		}
	})
}

// Counters that were raised in the store count after Renew, whatever was reserved before.
func TestRenew(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		if err := b.link.Renew(b.Context(), titles[0]); err != nil {
			t.Errorf("without an association: %v", err)
		}
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		b.ring.next[titles[0]] = 5000
		if err := b.link.Urgent().Renew(b.Context(), titles[0]); err != nil {
			t.Fatal(err)
		}
		_, x, err := b.link.Get(b.Context(), b.peer(0), energyRef)
		b.want(x, err, plc.Answered, 3, 3)
		if got := b.ring.next[titles[0]]; got != 5064 {
			t.Errorf("counters are reserved up to %d, want 5064", got)
		}
	})
}

func TestSetAndAction(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		access, x, err := b.link.Set(b.Context(), b.peer(0), clockRef, append([]byte{9, 12}, make([]byte, 12)...))
		b.want(x, err, plc.Answered, 3, 3)
		if access != cosem.Success {
			t.Errorf("access %v", access)
		}
		if access, x, err = b.link.Set(b.Context(), b.peer(0), energyRef, []byte{6, 0, 0, 0, 0}); err != nil || x.Outcome != plc.Answered || access == cosem.Success {
			t.Errorf("a register was written: %v, %v, %v", access, x, err)
		}
		result, x, err := b.link.Action(b.Context(), b.peer(0), switchRef, []byte{15, 0})
		b.want(x, err, plc.Answered, 1, 1)
		if result.Access != cosem.Success || b.meters[0].acts != 1 {
			t.Errorf("result %v, %d actions", result, b.meters[0].acts)
		}
		b.meters[0].change = func(int, mac.DataIndication) []reply { return nil }
		_, x, err = b.link.Action(b.Context(), b.peer(0), switchRef, []byte{15, 0})
		b.want(x, err, plc.Silent, 1, 0)
		if b.meters[0].acts != 2 {
			t.Errorf("%d actions: it must be sent once", b.meters[0].acts)
		}
	})
}

func TestRelease(t *testing.T) {
	run(t, 1, nil, func(b *bench) {
		x, err := b.link.Release(b.Context(), b.peer(0))
		b.want(x, err, plc.Answered, 0, 0)
		if _, x, err := b.link.Get(b.Context(), b.peer(0), energyRef); x.Outcome != plc.Answered {
			t.Fatal(x, err)
		}
		x, err = b.link.Release(b.Context(), b.peer(0))
		b.want(x, err, plc.Answered, 1, 1)
		if b.meters[0].server.Opened() {
			t.Error("the association is still open")
		}
	})
}

func TestRepeaterCall(t *testing.T) {
	run(t, 1, func(c *Config) { c.SlotsForNew = 2; c.Threshold = 100 }, func(b *bench) {
		x, err := b.link.RepeaterCall(b.Context(), 100)
		b.want(x, err, plc.Answered, 1, 0)
		if x.Slots != 8+5+2 || x.Credit != 7 || !slices.Equal(b.line.calls, []string{"repeater call 064"}) {
			t.Errorf("%+v, %v", x, b.line.calls)
		}
		if sent := b.line.requests()[0]; string(sent.MSDU) != "\x90\x00\x01\x1F\x00\x64\x02\x01\x64" {
			t.Errorf("sent % X", sent.MSDU)
		}
		b.line.callExtra = 2 * slot
		for range 2 {
			x, err = b.link.RepeaterCall(b.Context(), 100)
			b.want(x, err, plc.Answered, 1, 0)
		}
		b.line.down = plc.ErrLineDown
		if _, err = b.link.RepeaterCall(b.Context(), 100); !errors.Is(err, plc.ErrLineDown) {
			t.Errorf("line down: %v", err)
		}
	})
}

// TestListTooLong: what does not fit a frame is asked for in parts.
func TestListTooLong(t *testing.T) {
	run(t, 1, func(c *Config) { c.Profile = plc.DefaultProfile(); c.Profile.MaxFrame = 134 }, func(b *bench) {
		refs := slices.Repeat([]cosem.Ref{energyRef, clockRef}, 10)
		results, x, err := b.link.Get(b.Context(), b.peer(0), refs...)
		if err != nil || x.Outcome != plc.Answered || len(results) != 20 || x.Detail != "" {
			t.Fatalf("%v, %v, %d results", x, err, len(results))
		}
		for k, r := range results {
			if want := byte(6 + 3*(k%2)); r.Data[0] != want {
				t.Errorf("result %d is % X", k, r.Data)
			}
		}
		for _, r := range b.line.requests() {
			if len(r.MSDU) > 134 {
				t.Errorf("a frame of %d octets", len(r.MSDU))
			}
		}
		wide := energyRef
		wide.Select = &cosem.Selection{Selector: 1, Parameters: append([]byte{9, 120}, make([]byte, 120)...)}
		_, x, err = b.link.Get(b.Context(), b.peer(0), wide)
		b.want(x, err, plc.Refused, 0, 0)
	})
}

// TestAssociationsAreBounded: the meter unused longest is opened anew, its counter kept.
func TestAssociationsAreBounded(t *testing.T) {
	run(t, 3, func(c *Config) { c.Associations = 2 }, func(b *bench) {
		for _, step := range []struct{ meter, requests int }{{0, 3}, {1, 3}, {0, 1}, {2, 3}, {0, 1}, {1, 3}} {
			_, x, err := b.link.Get(b.Context(), b.peer(step.meter), energyRef)
			b.want(x, err, plc.Answered, step.requests, step.requests)
		}
		// Meter 1 is the last used. While it is read, urgent jobs speak to both others.
		b.meters[1].rows = 200
		done := make(chan plc.Exchange)
		go func() {
			_, x, _ := b.link.Get(b.Context(), b.peer(1), profileRef)
			done <- x
		}()
		time.Sleep(2 * time.Second)
		for _, k := range []int{0, 2, 0} {
			if _, x, err := b.link.Urgent().Get(b.Context(), b.peer(k), energyRef); x.Outcome != plc.Answered {
				t.Error(x, err)
			}
		}
		if x := <-done; x.Outcome != plc.Answered || b.i.associations.get(titles[1]) == nil {
			t.Errorf("the association that was in use is gone: %v", x)
		}
		if floor, ok := b.i.associations.floor(titles[2]); !ok || floor == 0 || b.i.associations.order.Len() != 2 {
			t.Errorf("floor %d, %v, %d associations", floor, ok, b.i.associations.order.Len())
		}
	})
}
