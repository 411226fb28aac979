package uplink

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/concentrator"
	"busbar/uplink/envelope"
)

func TestEverythingArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, newHub(), nil)
		s.add(concentrator.LaneReadings, readings(0, 95)...)
		s.add(concentrator.LaneUrgent, event(1), event(2))
		took := s.until(t, "delivery", s.settled)
		if s.hub.records != 97 || s.hub.repeats != 0 {
			t.Errorf("%d records, %d repeats", s.hub.records, s.hub.repeats)
		}
		// 5 s of age, then nine full batches follow without waiting, the tenth is not full.
		if len(s.batches[concentrator.LaneReadings]) != 10 || took > 12*time.Second {
			t.Errorf("%d batches in %v", len(s.batches[concentrator.LaneReadings]), took)
		}
		st := s.courier.State()
		if !st.Connected || st.LastError != "" || st.Attempts != 0 || st.LastReceipt.IsZero() {
			t.Errorf("state %+v", st)
		}
		s.stop()
		if st := s.courier.State(); st.Connected || st.LastError == "" {
			t.Errorf("after the end: %+v", st)
		}
	})
}

// TestCutAtEveryStep cuts the line once at every step there is: each run has to
// deliver everything once and take the order in once.
func TestCutAtEveryStep(t *testing.T) {
	for cut := 0; ; cut++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			h := newHub()
			h.cutAt = func(n int) bool { reached = reached || n == cut; return n == cut }
			h.orders = []concentrator.Order{{ID: "o1", Kind: concentrator.OrderRead, Meter: meter}}
			s := newStage(t, h, nil)
			s.add(concentrator.LaneReadings, readings(0, 25)...)
			s.add(concentrator.LaneUrgent, event(1))
			s.until(t, "delivery", func() bool { return s.settled() && h.confirmed["o1"] > 0 })
			s.stop()
			if h.records != 26 {
				t.Errorf("cut at step %d: %d records arrived, want 26", cut, h.records)
			}
			if len(s.accepted) != 1 || s.woken > 1 {
				t.Errorf("cut at step %d: orders %v, engine woken %d times", cut, s.accepted, s.woken)
			}
		})
		if t.Failed() || !reached {
			if cut < 12 {
				t.Errorf("only %d steps were cut: the test is broken", cut)
			}
			return
		}
	}
}

func TestReceiptsLostAndDoubled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		n := 0
		h.receipt = func(r concentrator.Receipt) []concentrator.Receipt {
			n++
			switch n % 3 {
			case 0:
				return nil
			case 1:
				return []concentrator.Receipt{r, r}
			}
			return []concentrator.Receipt{r}
		}
		s := newStage(t, h, nil)
		s.add(concentrator.LaneReadings, readings(0, 200)...)
		s.until(t, "delivery", s.settled)
		if h.records != 200 {
			t.Errorf("%d records", h.records)
		}
	})
}

// TestSilentCenter never gives a receipt: the window bounds what is on its way, and the
// session ends with the reason and with everything kept.
func TestSilentCenter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		silent := true
		h.receipt = func(r concentrator.Receipt) []concentrator.Receipt {
			if silent {
				return nil
			}
			return []concentrator.Receipt{r}
		}
		s := newStage(t, h, nil)
		s.add(concentrator.LaneReadings, readings(0, 500)...)
		s.until(t, "a complaint", func() bool { return strings.Contains(s.courier.State().LastError, "gave no receipt") })
		if got := len(s.batches[concentrator.LaneReadings]); got != 3 {
			t.Errorf("%d batches were sealed, the window is 3", got)
		}
		h.with(func() { silent = false })
		s.until(t, "delivery", s.settled)
		if h.records != 500 {
			t.Errorf("%d records", h.records)
		}
	})
}

func TestReceiptsThatLie(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(r *concentrator.Receipt)
		want string
	}{
		"other hash":  {func(r *concentrator.Receipt) { r.Hash[0]++ }, "other content"},
		"other epoch": {func(r *concentrator.Receipt) { r.ID.Epoch++ }, "another store"},
		"other lane":  {func(r *concentrator.Receipt) { r.ID.Lane = 9 }, "another store"},
		"the future":  {func(r *concentrator.Receipt) { r.ID.Seq = 1 << 40 }, "never sent"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub()
			honest := false
			h.receipt = func(r concentrator.Receipt) []concentrator.Receipt {
				if !honest {
					c.lie(&r)
				}
				return []concentrator.Receipt{r}
			}
			s := newStage(t, h, nil)
			s.add(concentrator.LaneReadings, readings(0, 30)...)
			s.until(t, "a complaint", func() bool { return strings.Contains(s.courier.State().LastError, c.want) })
			time.Sleep(10 * time.Minute)
			for _, b := range s.batches[concentrator.LaneReadings] {
				if b.receipts > 0 || b.refused {
					t.Errorf("%s: batch %d was settled", name, b.batch.ID.Seq)
				}
			}
			h.with(func() { honest = true })
			s.until(t, "delivery", s.settled)
		})
	}
}

// TestWelcomeThatLies claims to hold what it never got: after one session without
// a receipt everything is sent regardless.
func TestWelcomeThatLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.cutAt = func(n int) bool { return n == 2 } // the first batch is lost on the way
		h.welcome = func(Welcome) Welcome { return Welcome{Held: [concentrator.Lanes]uint64{1 << 60, 1 << 60}} }
		s := newStage(t, h, nil)
		s.add(concentrator.LaneReadings, readings(0, 30)...)
		s.until(t, "delivery", s.settled)
		if h.records != 30 {
			t.Errorf("%d records", h.records)
		}
	})
}

func TestRefusedBatchIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.refuse = func(b concentrator.Batch) bool { return b.ID.Lane == concentrator.LaneReadings && b.ID.Seq == 2 }
		s := newStage(t, h, nil)
		s.add(concentrator.LaneReadings, readings(0, 50)...)
		s.until(t, "delivery", s.settled)
		for _, b := range s.batches[concentrator.LaneReadings] {
			if b.refused != (b.batch.ID.Seq == 2) || b.refused == (b.receipts > 0) {
				t.Errorf("batch %d: refused %v, receipts %d", b.batch.ID.Seq, b.refused, b.receipts)
			}
		}
		if len(h.dials) != 1 {
			t.Errorf("%d dials: a refusal ended the session", len(h.dials))
		}
	})
}

func TestOrderTwiceIsTakenInOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		o := concentrator.Order{ID: "o1", Kind: concentrator.OrderRead, Meter: meter}
		h.orders = []concentrator.Order{o, o}
		s := newStage(t, h, nil)
		s.until(t, "two confirmations", func() bool { return h.confirmed["o1"] == 2 })
		if len(s.accepted) != 1 || s.woken != 1 {
			t.Errorf("accepted %v, woken %d", s.accepted, s.woken)
		}
	})
}

// TestOrderNotStoredIsNotConfirmed: no promise without a commit.
func TestOrderNotStoredIsNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.orders = []concentrator.Order{{ID: "o1", Kind: concentrator.OrderRead, Meter: meter}}
		h.cutAt = func(n int) bool { return n == 0 } // the disk fills before there is a session
		s := newStage(t, h, nil)
		s.mu.Lock()
		s.fail = errors.New("disk full")
		s.mu.Unlock()
		s.until(t, "a complaint", func() bool { return strings.Contains(s.courier.State().LastError, "disk full") })
		if h.confirmed["o1"] != 0 || s.woken != 0 {
			t.Errorf("confirmed %d times, woken %d times", h.confirmed["o1"], s.woken)
		}
		s.mu.Lock()
		s.fail = nil
		s.mu.Unlock()
		s.until(t, "confirmation", func() bool { return h.confirmed["o1"] == 1 })
	})
}

// TestUrgentGoesFirst: with a long backlog of readings, an event is the next batch.
func TestUrgentGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		var order []concentrator.Lane
		s := newStage(t, h, nil)
		h.with(func() {
			h.sealed = func(b concentrator.Batch, _ concentrator.Records) {
				order = append(order, b.ID.Lane)
				if len(order) == 4 {
					s.add(concentrator.LaneUrgent, event(1))
				}
			}
		})
		s.add(concentrator.LaneReadings, readings(0, 100)...)
		s.until(t, "delivery", s.settled)
		if order[4] != concentrator.LaneUrgent {
			t.Errorf("lanes in order: %v", order)
		}
	})
}

// TestBackoffGrows: dials of a dead line come at 1 s + ceiling, which doubles to the maximum.
func TestBackoffGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.cutAt = func(int) bool { return true }
		s := newStage(t, h, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		var waits []time.Duration
		for i := 1; i < len(h.dials); i++ {
			waits = append(waits, h.dials[i].Sub(h.dials[i-1]))
		}
		want := []time.Duration{2, 4, 8, 16, 32, 60, 60}
		for i, w := range want {
			if waits[i] != w*time.Second {
				t.Fatalf("waits %v, want %v s", waits[:len(want)], want)
			}
		}
		st := s.courier.State()
		if st.Connected || st.Attempts != len(h.dials) || st.NextAttempt.IsZero() || !strings.Contains(st.LastError, "cut") {
			t.Errorf("state %+v after %d dials", st, len(h.dials))
		}
	})
}

// TestBackoffSpreads: with the smallest draw the wait is the minimum and never less.
func TestBackoffSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.cutAt = func(int) bool { return true }
		newStage(t, h, func(c *Config) { c.Jitter = func(int64) int64 { return 0 } })
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(h.dials); n < 59 || n > 61 {
			t.Errorf("%d dials in a minute with a least wait of 1 s", n)
		}
	})
}

// TestLinkThatDiesAfterHello is no success: the wait grows although every dial works.
func TestLinkThatDiesAfterHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.cutAt = func(n int) bool { return n%3 == 2 }
		s := newStage(t, h, nil)
		s.add(concentrator.LaneUrgent, event(1))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(h.dials); n > 70 {
			t.Errorf("%d dials in an hour", n)
		}
	})
}

// TestReceiptResetsTheBackoff: a line that dies after every delivery was good for
// something, so the next dial comes soon.
func TestReceiptResetsTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		// A session has five steps until its receipt is heard: dial, hello, send, stored,
		// heard. The sixth is the next batch.
		var cuts []time.Time
		h.cutAt = func(n int) bool {
			if n%6 == 5 {
				cuts = append(cuts, time.Now())
			}
			return n%6 == 5
		}
		s := newStage(t, h, nil)
		for i := range 10 {
			s.add(concentrator.LaneUrgent, event(i))
			time.Sleep(time.Minute)
		}
		s.until(t, "delivery", s.settled)
		s.stop()
		var longest time.Duration
		for i, at := range cuts {
			longest = max(longest, h.dials[i+1].Sub(at))
		}
		if len(cuts) < 4 || longest > 2*time.Second {
			t.Errorf("after %d cuts the longest wait was %v", len(cuts), longest)
		}
	})
}

// TestLongOutageMakesNoSmallBatches: what arrives while the line is down waits
// unsealed and leaves in full batches.
func TestLongOutageMakesNoSmallBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		down := true
		h.cutAt = func(int) bool { return down }
		s := newStage(t, h, nil)
		for i := range 100 {
			s.add(concentrator.LaneReadings, readings(i*3, 3)...)
			time.Sleep(15 * time.Minute)
		}
		h.with(func() { down = false })
		s.until(t, "delivery", s.settled)
		if n := len(s.batches[concentrator.LaneReadings]); n != 30 {
			t.Errorf("300 readings left in %d batches, want 30", n)
		}
	})
}

// TestTooLargeForOneBatch: records that do not fit are split, and a value that
// fits nowhere gives way without stopping the lane.
func TestTooLargeForOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		var details []string
		h.sealed = func(_ concentrator.Batch, rec concentrator.Records) {
			for _, o := range rec.Orders {
				details = append(details, o.Result.Detail)
			}
		}
		s := newStage(t, h, nil)
		order := func(id string, size int) concentrator.Order {
			return concentrator.Order{ID: id, Meter: meter, State: concentrator.OrderDone, Result: &concentrator.OrderResult{Data: make([]byte, size)}}
		}
		s.add(concentrator.LaneUrgent, order("a", 600<<10), order("b", 600<<10), order("c", envelope.MaxBody), event(1))
		s.until(t, "delivery", s.settled)
		if len(details) != 3 || details[0] != "" || details[1] != "" || !strings.Contains(details[2], "1048576 octets") {
			t.Errorf("details %q", details)
		}
		if h.records != 4 {
			t.Errorf("%d records", h.records)
		}
	})
}

func TestHelloTellsWhereWeAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.cutAt = func(n int) bool { return n == 3 } // stored at the center, receipt lost
		s := newStage(t, h, func(c *Config) { c.Boot, c.Version = 9, "1.2" })
		s.add(concentrator.LaneUrgent, event(1))
		s.until(t, "delivery", s.settled)
		got := h.hellos[len(h.hellos)-1]
		if got.Station != "TS-1" || got.Epoch != 77 || got.Boot != 9 || got.Version != "1.2" || got.NextSeq[concentrator.LaneUrgent] != 1 || got.Backlog.Batches != 1 {
			t.Errorf("hello %+v", got)
		}
		if h.repeats != 0 {
			t.Error("a batch that the center holds was sent again")
		}
	})
}

// TestWakeSendsAtOnce: an order's result does not wait for the next poll.
func TestWakeSendsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, newHub(), func(c *Config) { c.Poll = time.Hour })
		synctest.Wait()
		before := time.Now()
		s.add(concentrator.LaneUrgent, event(1))
		s.courier.Wake()
		s.courier.Wake()
		synctest.Wait()
		if !s.settled() || time.Since(before) != 0 {
			t.Errorf("settled %v after %v", s.settled(), time.Since(before))
		}
	})
}

// TestIdleCourierIsQuiet: without records an hour costs one dial and no batch.
func TestIdleCourierIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		newStage(t, h, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(h.dials) != 1 || h.steps != 2 {
			t.Errorf("%d dials, %d steps", len(h.dials), h.steps)
		}
	})
}
