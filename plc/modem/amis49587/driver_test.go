package amis49587

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/mac"
	"busbar/plc/modem"
)

func TestBringUp(t *testing.T) {
	tests := []struct {
		name string
		with func(*peer, *Config)
		size int
	}{
		{"36 octets", func(*peer, *Config) {}, 36},
		{"35 octets", func(p *peer, _ *Config) { p.confSize, p.writeSize = 35, 35 }, 35},
		{"reads 36, takes 35, error", func(p *peer, _ *Config) { p.writeSize = 35 }, 35},
		{"reads 36, takes 35, NAK", func(p *peer, _ *Config) { p.writeSize, p.nakConf = 35, true }, 35},
		{"configuration cannot be read", func(p *peer, _ *Config) {
			p.refuse = map[modem.Ident]modem.ErrorCode{modem.IdentConfiguration: modem.RequestNotAllowed}
		}, 36},
		{"configuration of strange size", func(p *peer, _ *Config) { p.confSize = 12 }, 36},
		{"no version", func(p *peer, _ *Config) {
			p.refuse = map[modem.Ident]modem.ErrorCode{modem.IdentVersion: modem.UnavailableResource}
		}, 36},
		{"status of the other mark", func(p *peer, _ *Config) { p.statusAlt = true }, 36},
		{"modem that starts slowly", func(p *peer, _ *Config) { p.noStatus = 20 }, 36},
		{"busy at first", func(p *peer, _ *Config) { p.busy = 5 }, 36},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			talk(t, c.with, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
				ready(t, d)
				s := d.State()
				if s.Configuration != c.size || !s.Polled || s.Detail != "" || s.Port != "/dev/ttyTEST" {
					t.Errorf("%+v", s)
				}
				if p.refuse == nil && s.Firmware != 0x42 {
					t.Errorf("firmware %02X", s.Firmware)
				}
				conf, _, err := modem.ParseConfiguration(p.seen().conf)
				if err != nil {
					t.Fatal(err)
				}
				if conf.FIMA != 0xC00 || conf.LIMA != 0xDFF || conf.Local != 0xC00 || conf.Initiator != 0 || conf.NotAddressed != 0 ||
					conf.StepS != 0x159B || conf.StepM != 0x1942 || conf.Radio&^modem.RadioPin != 0x0E || conf.Search&1 != 1 {
					t.Errorf("%+v", conf)
				}
				if p.refuse == nil && p.confSize > 12 && (conf.ZeroCross != 0xA5 || conf.Tail[0] != 0xA5 || conf.Radio != 0x8E) {
					t.Errorf("what only the chip knows was not kept: %+v", conf)
				}
				if p.seen().frames[0] != modem.ResetRequest {
					t.Errorf("%v", p.seen().frames)
				}
			})
		})
	}
}

func TestBoardChangesConfiguration(t *testing.T) {
	talk(t, func(_ *peer, c *Config) {
		c.Board = func(c *modem.Configuration) { c.ZeroCross = 0x77 }
		c.Profile.BitRate, c.Profile.MainsHz = 1200, 60
	}, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		if p.seen().conf[28] != 0x77 || p.seen().conf[30] != 0x8D {
			t.Errorf("% X", p.seen().conf)
		}
	})
}

func stores(change func(*modem.Configuration)) func(*peer, *Config) {
	return func(p *peer, _ *Config) { p.echo = change }
}

// TestModemChangesConfiguration: what a chip stores otherwise in octets that the line does not
// depend on is told and no reason to do without it.
func TestModemChangesConfiguration(t *testing.T) {
	talk(t, stores(func(c *modem.Configuration) {
		c.Tail, c.ZeroCross, c.Transmit, c.Radio = [3]byte{}, 1, 2, c.Radio^modem.RadioPin
	}), func(_ context.Context, t *testing.T, d *Driver, _ *peer) {
		ready(t, d)
		if s := d.State(); !strings.Contains(s.Detail, "with changes") || s.Counters.Lost != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestBringUpFails: each reason is said with the port and what to do, and is a line that is down.
func TestBringUpFails(t *testing.T) {
	tests := []struct {
		name, want string
		with       func(*peer, *Config)
	}{
		{"no port", "cannot open the port (file does not exist)", func(p *peer, _ *Config) { p.gone = true }},
		{"silent", "does not answer: check its power", func(p *peer, _ *Config) { p.noStatus = 1 << 30 }},
		{"NAK to everything", "refuses every frame as damaged", func(p *peer, _ *Config) { p.nak = 1 << 30 }},
		{"stores another address", "stored another configuration", stores(func(c *modem.Configuration) { c.Local++ })},
		{"stores another rate", "stored another configuration", stores(func(c *modem.Configuration) { c.Radio ^= 2 })},
		{"stores another mode", "stored another configuration", stores(func(c *modem.Configuration) { c.Radio ^= 0x18 })},
		{"stores another tone", "stored another configuration", stores(func(c *modem.Configuration) { c.StepM++ })},
		{"stores another LIMA", "stored another configuration", stores(func(c *modem.Configuration) { c.LIMA-- })},
		{"no size fits", "refuses its configuration of 36 octets, illegal data", func(p *peer, _ *Config) { p.writeSize = 1 }},
		{"no reset", "does not reset", func(p *peer, _ *Config) { p.set, p.noReset = true, true }},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			talk(t, c.with, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
				await(t, d, func(s State) bool { return s.Phase == Closed && s.Counters.Lost > 0 })
				s := d.State()
				if !strings.Contains(s.Detail, c.want) || !strings.Contains(s.Detail, "/dev/ttyTEST") {
					t.Errorf("%s", s.Detail)
				}
				err := d.Send(ctx, ofSize(10))
				if !errors.Is(err, plc.ErrLineDown) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Send: %v", err)
				}
				if c.name == "no port" && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Send: %v", err)
				}
				t.Log(s.Detail)
				// It comes back by itself when the fault is gone.
				p.mu.Lock()
				p.gone, p.noStatus, p.nak, p.echo, p.writeSize, p.noReset = false, 0, 0, nil, 36, false
				p.mu.Unlock()
				ready(t, d)
			})
		})
	}
}

func TestSend(t *testing.T) {
	tests := []struct {
		name string
		with func(*peer)
		then func(*testing.T, Counters)
		sent int // times the modem sent the frame
	}{
		{"well", func(*peer) {}, func(t *testing.T, c Counters) {
			if c.Retries+c.NoStatus+c.NoACK+c.Refused+c.Unpolled+c.Garbage+c.NoConfirm != 0 {
				t.Errorf("%+v", c)
			}
		}, 1},
		{"no status once", func(p *peer) { p.noStatus = 1 }, func(t *testing.T, c Counters) { equal(t, "NoStatus", c.NoStatus, 1) }, 1},
		{"no status twice", func(p *peer) { p.noStatus = 2 }, func(t *testing.T, c Counters) { equal(t, "NoStatus", c.NoStatus, 2) }, 1},
		{"NAK once", func(p *peer) { p.nak = 1 }, func(t *testing.T, c Counters) { equal(t, "Refused", c.Refused, 1) }, 1},
		{"NAK twice", func(p *peer) { p.nak = 2 }, func(t *testing.T, c Counters) { equal(t, "Refused", c.Refused, 2) }, 1},
		{"ACK lost", func(p *peer) { p.loseACK = 1 }, func(t *testing.T, c Counters) { equal(t, "NoACK", c.NoACK, 1) }, 1},
		{"frame lost", func(p *peer) { p.loseFrame = 1 }, func(t *testing.T, c Counters) { equal(t, "NoACK", c.NoACK, 1); equal(t, "NoConfirm", c.NoConfirm, 1) }, 1},
		{"busy", func(p *peer) { p.busy = 7 }, func(t *testing.T, c Counters) { equal(t, "Busy", c.Busy, 7); equal(t, "Retries", c.Retries, 7) }, 1},
		{"LM_TU1", func(p *peer) { p.confirms = []mac.Transmission{mac.NoResources} }, retried(1), 1},
		{"LM_TU3 and LM_TU4", func(p *peer) { p.confirms = []mac.Transmission{mac.BufferBusy, mac.ChipBusy} }, retried(2), 1},
		{"LM_TU2 with a good status", func(p *peer) { p.confirms = []mac.Transmission{mac.NotAuthorized} }, retried(1), 1},
		{"frame of the modem before the status", func(p *peer) { p.beforePoll = indication(5, 1, 2, 3)[:4] }, func(t *testing.T, c Counters) {
			equal(t, "Interrupted", c.Interrupted, 2) // the other time it is the repetition that NAK asked for
			equal(t, "Broken", c.Broken, 2)
		}, 1},
		{"whole frame of the modem instead of the status", func(p *peer) { p.beforePoll = indication(5, 1, 2, 3) }, func(t *testing.T, c Counters) {
			equal(t, "Indications", c.Indications, 1)
		}, 1},
		{"power-cycled", func(p *peer) { p.set = false }, func(t *testing.T, c Counters) { equal(t, "Restarts", c.Restarts, 1) }, 1},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
				ready(t, d)
				p.mu.Lock()
				c.with(p)
				p.mu.Unlock()
				r := ofSize(27)
				if err := d.Send(ctx, r); err != nil {
					t.Fatal(err)
				}
				want := modem.Data{Credits: plc.Credits{Initial: 1, Current: 1}, Source: 0xC00, Destination: 0x123, MSDU: r.MSDU}
				if len(p.seen().sent) != c.sent || !bytes.Equal(p.seen().sent[0].MSDU, want.MSDU) || p.seen().sent[0].Credits != want.Credits || p.seen().sent[0].Source != want.Source || p.seen().sent[0].Destination != want.Destination {
					t.Errorf("sent %d: %+v", len(p.seen().sent), p.seen().sent)
				}
				c.then(t, d.State().Counters)
				equal(t, "Lost", d.State().Counters.Lost, 0)
			})
		})
	}
}

func equal(t *testing.T, name string, got, want uint64) {
	t.Helper()
	if got != want {
		t.Errorf("%s %d, want %d", name, got, want)
	}
}

func retried(n uint64) func(*testing.T, Counters) {
	return func(t *testing.T, c Counters) { t.Helper(); equal(t, "Retries", c.Retries, n) }
}

// TestRetryWaitsOneSlot: a busy modem is asked again one slot later, not at once.
func TestRetryWaitsOneSlot(t *testing.T) {
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.mu.Lock()
		p.confirms = []mac.Transmission{mac.ChipBusy, mac.ChipBusy, mac.ChipBusy}
		p.mu.Unlock()
		began := time.Now()
		if err := d.Send(ctx, ofSize(10)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 5*slot || took > 6*slot {
			t.Errorf("took %v for three retries and two slots of sending", took)
		}
	})
}

func TestSendFails(t *testing.T) {
	repeat := func(status mac.Transmission) func(*peer) {
		return func(p *peer) { p.confirms = slices.Repeat([]mac.Transmission{status}, 10000) }
	}
	tests := []struct {
		name, want string
		with       func(*peer)
		down       bool
		phase      Phase
	}{
		{"LM_SE", "not sent: syntax error (LM_SE)", repeat(mac.SyntaxError), false, Ready},
		{"LM_TU2 for ever", "not sent: not authorized", repeat(mac.NotAuthorized), false, Ready},
		{"LM_TU3 for ever", "takes no request for 116 slots", repeat(mac.BufferBusy), true, Ready},
		{"busy for ever", "takes no request for 116 slots", func(p *peer) { p.busy = 10000 }, true, Ready},
		{"no mains", "sees no mains", func(p *peer) { p.noMains = true }, true, NoMains},
		{"no confirm", "no confirm of a MA_Data request", func(p *peer) { p.loseConfirm = 1 }, true, Ready},
		{"silent", "does not answer", func(p *peer) { p.noStatus = 1 << 30 }, true, Closed},
		{"NAK for ever", "refuses every frame", func(p *peer) { p.nak = 1 << 30 }, true, Closed},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
				ready(t, d)
				p.mu.Lock()
				c.with(p)
				p.mu.Unlock()
				err := d.Send(ctx, ofSize(10))
				if err == nil || errors.Is(err, plc.ErrLineDown) != c.down || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/dev/ttyTEST") {
					t.Errorf("%v", err)
				}
				time.Sleep(time.Second)
				if s := d.State(); s.Phase != c.phase && (c.phase != Closed || s.Phase != Configuring) {
					t.Errorf("%+v", s)
				}
				p.mu.Lock()
				p.confirms, p.busy, p.noMains, p.noStatus, p.nak = nil, 0, false, 0, 0
				p.mu.Unlock()
				ready(t, d)
				if err := d.Send(ctx, ofSize(10)); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// TestMainsMissingFromTheStart: the modem is configured, and ready as soon as mains comes.
func TestMainsMissingFromTheStart(t *testing.T) {
	talk(t, func(p *peer, _ *Config) { p.noMains = true }, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		await(t, d, func(s State) bool { return s.Phase == NoMains })
		if s := d.State(); !strings.Contains(s.Detail, "check the mains supply") || s.Ready() {
			t.Errorf("%+v", s)
		}
		if err := d.Send(ctx, ofSize(10)); !errors.Is(err, plc.ErrLineDown) {
			t.Error(err)
		}
		p.mu.Lock()
		p.noMains = false
		p.mu.Unlock()
		ready(t, d)
	})
}

// TestSynchroIndicationIsWatched: the phase follows at once, not at the next look.
func TestSynchroIndicationIsWatched(t *testing.T) {
	talk(t, nil, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.mu.Lock()
		p.noMains = true
		p.send(modem.SynchroIndication, modem.Synchro{Event: modem.SynchroLost, Cause: modem.LostFrameNotOK}.Append(nil))
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		if s := d.State(); s.Phase != NoMains {
			t.Errorf("%+v", s)
		}
		p.mu.Lock()
		p.noMains = false
		p.send(modem.SynchroIndication, modem.Synchro{Event: modem.SynchroConfirmed}.Append(nil))
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		if s := d.State(); s.Phase != Ready {
			t.Errorf("%+v", s)
		}
	})
}

// TestWatchFindsWhatNobodyAsksFor: an idle driver notices a modem that restarted or died.
func TestWatchFindsWhatNobodyAsksFor(t *testing.T) {
	talk(t, nil, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.mu.Lock()
		p.set = false
		p.mu.Unlock()
		await(t, d, func(s State) bool { return s.Ready() && s.Counters.Restarts == 1 })
		p.mu.Lock()
		if !p.set {
			t.Error("not configured again")
		}
		p.noStatus = 1 << 30
		p.mu.Unlock()
		await(t, d, func(s State) bool { return s.Phase == Closed })
	})
}

// TestUnpolledModem: a peer that never answers the poll gets its frames all the same.
func TestUnpolledModem(t *testing.T) {
	talk(t, func(p *peer, _ *Config) { p.unpolled, p.set = true, false }, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		if s := d.State(); s.Polled || s.Counters.Unpolled == 0 || s.Counters.NoStatus != pollTries {
			t.Errorf("%+v", s)
		}
		before := d.State().Counters.Unpolled
		if err := d.Send(ctx, ofSize(10)); err != nil {
			t.Fatal(err)
		}
		equal(t, "Unpolled", d.State().Counters.Unpolled, before+1)
	})
}

// TestStatusTooLate: a status after the time-out is no answer, but does not disturb what follows.
func TestStatusTooLate(t *testing.T) {
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.mu.Lock()
		p.statusDelay = 52 * time.Millisecond // polls end after 50
		p.mu.Unlock()
		time.AfterFunc(60*time.Millisecond, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.statusDelay = 5 * time.Millisecond
		})
		if err := d.Send(ctx, ofSize(10)); err != nil {
			t.Error(err)
		}
		if c := d.State().Counters; c.LateStatus == 0 || c.NoStatus == 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestFaultyFramesOfTheModem(t *testing.T) {
	good := indication(5, 0x90, 1, 2)
	damaged := bytes.Clone(good)
	damaged[6] ^= 1
	tests := []struct {
		name   string
		octets []byte
		answer []byte // single octets of ours
		got    int    // indications
		want   func(*testing.T, Counters)
	}{
		{"good", good, []byte{modem.ACK}, 1, func(*testing.T, Counters) {}},
		{"garbage around", slices.Concat([]byte{0xFF, 0x00, 0x06, 0x15}, good, []byte{0xAA}), []byte{modem.ACK}, 1, func(t *testing.T, c Counters) { equal(t, "Garbage", c.Garbage, 5) }},
		{"length too large before", slices.Concat([]byte{modem.STX, 0xFE}, good), []byte{modem.ACK}, 1, func(t *testing.T, c Counters) { equal(t, "Garbage", c.Garbage, 2) }},
		{"two together", slices.Concat(good, good), []byte{modem.ACK, modem.ACK}, 2, func(*testing.T, Counters) {}},
		{"a status nobody asked for", slices.Concat([]byte{0x3F, 0x06, 0x15, 0x02}, good), []byte{modem.ACK}, 1, func(t *testing.T, c Counters) {
			equal(t, "Garbage", c.Garbage, 4)
			equal(t, "LateStatus", c.LateStatus, 0)
		}},
		{"mark of a status before", append([]byte{modem.StatusMark}, good...), []byte{modem.ACK}, 1, func(t *testing.T, c Counters) { equal(t, "Garbage", c.Garbage, 1) }},
		{"no MAC frame", modem.Frame{Command: modem.DataIndication, Data: []byte{1}}.Append(nil), []byte{modem.ACK}, 0, func(t *testing.T, c Counters) { equal(t, "Undecodable", c.Undecodable, 1) }},
		{"bad CRC on the line", modem.Frame{Command: modem.DataBadCRC, Data: good[3 : len(good)-2]}.Append(nil), []byte{modem.ACK}, 0, func(t *testing.T, c Counters) { equal(t, "BadCRC", c.BadCRC, 1) }},
		{"strange synchro", modem.Frame{Command: modem.SynchroIndication, Data: []byte{9}}.Append(nil), []byte{modem.ACK}, 0, func(t *testing.T, c Counters) { equal(t, "Undecodable", c.Undecodable, 1) }},
		{"damaged twice", damaged, []byte{modem.NAK, modem.NAK}, 0, func(t *testing.T, c Counters) { equal(t, "BadChecksum", c.BadChecksum, 2) }},
		{"never ends", good[:9], []byte{modem.NAK, modem.NAK}, 0, func(t *testing.T, c Counters) { equal(t, "Broken", c.Broken, 2) }},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
				ready(t, d)
				before := d.State().Counters
				p.mu.Lock()
				p.notes = nil
				p.mu.Unlock()
				p.deliver(c.octets)
				time.Sleep(500 * time.Millisecond)
				got := len(d.Indications())
				for range got {
					if i := <-d.Indications(); i.Source != 5 || i.Destination != 0xC00 || !bytes.Equal(i.MSDU, []byte{0x90, 1, 2}) || i.At.IsZero() {
						t.Errorf("%+v", i)
					}
				}
				if got != c.got {
					t.Errorf("%d indications, want %d", got, c.got)
				}
				var answer []byte
				for _, n := range p.seen().notes {
					answer = append(answer, n.c)
				}
				if !bytes.Equal(answer, c.answer) {
					t.Errorf("answered % X, want % X", answer, c.answer)
				}
				after := d.State().Counters
				after.Garbage -= before.Garbage
				c.want(t, after)
				// The dialog goes on.
				if err := d.Send(ctx, ofSize(10)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestDamagedOnceIsRepeated: NAK makes the modem send its frame again.
func TestDamagedOnceIsRepeated(t *testing.T) {
	talk(t, nil, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		good := indication(5, 0x90, 1, 2)
		damaged := bytes.Clone(good)
		damaged[6] ^= 1
		p.mu.Lock()
		p.last, p.again = good, false
		p.raw(damaged)
		p.mu.Unlock()
		if i := <-d.Indications(); !bytes.Equal(i.MSDU, []byte{0x90, 1, 2}) {
			t.Errorf("%+v", i)
		}
	})
}

// TestSlowReader: nobody reads the indications, yet every frame is acknowledged at once; the
// oldest are dropped and counted.
func TestSlowReader(t *testing.T) {
	talk(t, func(_ *peer, c *Config) { c.Queue = 4 }, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.mu.Lock()
		p.notes = nil
		p.mu.Unlock()
		var delivered []time.Time
		for i := range byte(10) {
			delivered = append(delivered, time.Now())
			p.deliver(indication(5, 0x90, 1, i))
			time.Sleep(slot)
		}
		if len(p.seen().notes) != 10 {
			t.Fatalf("%d of 10 acknowledged", len(p.seen().notes))
		}
		for i, n := range p.seen().notes {
			// In the bubble, time stands still while anything can run: an ACK that waited for nothing has no delay at all.
			if n.c != modem.ACK || !n.at.Equal(delivered[i]) {
				t.Errorf("frame %d: %02X after %v", i, n.c, n.at.Sub(delivered[i]))
			}
		}
		equal(t, "Dropped", d.State().Counters.Dropped, 6)
		for want := byte(6); want < 10; want++ {
			if i := <-d.Indications(); i.MSDU[2] != want {
				t.Errorf("%d, want %d", i.MSDU[2], want)
			}
		}
	})
}

// TestIndicationsDuringEverything: frames of the modem are acknowledged while a request waits for its confirm.
func TestIndicationsDuringEverything(t *testing.T) {
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		for i := range 12 {
			time.AfterFunc(time.Duration(i)*37*time.Millisecond, func() { p.deliver(indication(5, 0x90, 1, byte(i))) })
		}
		for range 3 {
			if err := d.Send(ctx, ofSize(10)); err != nil {
				t.Fatal(err)
			}
		}
		if len(p.seen().sent) != 3 || len(d.Indications()) != 12 {
			t.Errorf("%d sent, %d received", len(p.seen().sent), len(d.Indications()))
		}
	})
}

func TestByteOrders(t *testing.T) {
	for _, order := range []plc.ByteOrder{plc.BigEndian, plc.LittleEndian} {
		for _, line := range []plc.ByteOrder{plc.BigEndian, plc.LittleEndian} {
			talk(t, func(p *peer, c *Config) { p.order, c.Profile.AddressOrder = line, order }, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
				ready(t, d)
				if err := d.Send(ctx, ofSize(10)); err != nil {
					t.Fatal(err)
				}
				m := modem.Data{Source: 0x123, Destination: 0xC00, MSDU: []byte{1}}
				p.deliver(modem.Frame{Command: modem.DataIndication, Data: m.Append(nil, line)}.Append(nil))
				ind := <-d.Indications()
				time.Sleep(time.Millisecond)
				s := d.State()
				if order == line {
					if p.seen().sent[0].Destination != 0x123 || ind.Source != 0x123 || ind.Destination != 0xC00 || s.Counters.WrongOrder != 0 {
						t.Errorf("%v: %+v %+v %+v", order, p.seen().sent[0], ind, s)
					}
					return
				}
				if s.Counters.WrongOrder != 1 || !strings.Contains(s.Detail, "line.address_order") {
					t.Errorf("%v on %v: %+v", order, line, s)
				}
			})
		}
	}
}

// TestUnpluggedAnywhere takes the port away at every moment of bring-up and of a request.
func TestUnpluggedAnywhere(t *testing.T) {
	for after := time.Duration(0); after < 700*time.Millisecond; after += 3 * time.Millisecond {
		talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
			time.AfterFunc(after, p.unplug)
			var err error
			for err == nil {
				err = d.Send(ctx, ofSize(10))
			}
			if !errors.Is(err, plc.ErrLineDown) {
				t.Errorf("after %v: %v", after, err)
			}
			time.Sleep(time.Millisecond)
			if s := d.State(); s.Phase != Closed || !strings.Contains(s.Detail, "/dev/ttyTEST") || !strings.Contains(s.Detail, ": ") {
				t.Errorf("after %v: %+v", after, s)
			}
			p.plug()
			ready(t, d)
			if err := d.Send(ctx, ofSize(10)); err != nil {
				t.Errorf("after %v, plugged in again: %v", after, err)
			}
		})
	}
}

// TestReopenBacksOff: a port that stays away is tried ever more rarely.
func TestReopenBacksOff(t *testing.T) {
	talk(t, func(p *peer, _ *Config) { p.gone = true }, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		time.Sleep(time.Hour)
		if p.seen().opens < 350 || p.seen().opens > 370 {
			t.Errorf("opened %d times in an hour, want one in 10 s", p.seen().opens)
		}
		p.plug()
		ready(t, d)
	})
}

func TestRepeaterCall(t *testing.T) {
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		r := ofSize(10)
		r.Credit = 7
		if err := d.Send(ctx, r); err != nil {
			t.Fatal(err)
		}
		confirmed := time.Now()
		if err := d.RepeaterCall(ctx, 99); err != nil {
			t.Fatal(err)
		}
		if len(p.seen().calls) != 1 {
			t.Fatal(len(p.seen().calls))
		}
		if d := p.seen().calls[0].Sub(confirmed); d < 7*slot || d > 8*slot {
			t.Errorf("called %v after the confirm, want after 7 slots of repetitions", d)
		}
		if d := time.Since(p.seen().calls[0]); d < 5*slot || d > 6*slot+slot/2 {
			t.Errorf("returned %v after the call, want after 5 slots and the rest of one", d)
		}
	})
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.change(func(p *peer) { p.refuseCalls = 3 })
		if err := d.RepeaterCall(ctx, 99); err != nil || len(p.seen().calls) != 1 {
			t.Errorf("refused three times because the mains is not free: %v", err)
		}
		p.change(func(p *peer) { p.refuseCalls = 1 << 30 })
		if err := d.RepeaterCall(ctx, 99); !errors.Is(err, plc.ErrLineDown) || !strings.Contains(err.Error(), "request not allowed") {
			t.Errorf("refused for ever: %v", err)
		}
	})
	for address, want := range map[plc.Address]int{0: 1, 20: 1, 21: 2, 99: 5, 300: 15, 1000: 48} {
		if got := repeaterSlots(address); got != want {
			t.Errorf("%d: %d slots, want %d", address, got, want)
		}
	}
}

func TestDatabase(t *testing.T) {
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		if s, err := d.Signal(ctx); err != nil || s != (plc.Signal{S0: 1000, N0: 50, S1: 900, N1: 60, Method: 3, Gain: 5}) {
			t.Errorf("%+v %v", s, err)
		}
		if c, err := d.Counters(ctx, true); err != nil || c.CRCOK != 2 {
			t.Errorf("%+v %v", c, err)
		}
		if c, err := d.Counters(ctx, false); err != nil || c.CRCOK != 1 {
			t.Errorf("%+v %v", c, err)
		}
		if c, err := d.MinDeltaCredit(ctx); err != nil || c != 3 {
			t.Errorf("%v %v", c, err)
		}
		if v, err := d.Write(ctx, modem.IdentRepeater, []byte{1}); err != nil || !bytes.Equal(v, []byte{1}) {
			t.Errorf("% X %v", v, err)
		}
		p.mu.Lock()
		p.refuse = map[modem.Ident]modem.ErrorCode{modem.IdentStatistics: modem.UnavailableResource, modem.IdentAlarm: modem.IllegalData}
		p.mu.Unlock()
		if s, err := d.Signal(ctx); err != nil || s.Measured() {
			t.Errorf("%+v %v", s, err)
		}
		var refused *RefusedError
		if _, err := d.Read(ctx, modem.IdentAlarm); !errors.As(err, &refused) || refused.Code != modem.IllegalData {
			t.Errorf("%v", err)
		}
	})
}

// TestCallerGivesUp: a caller whose context ends does not wait, and the driver goes on.
func TestCallerGivesUp(t *testing.T) {
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.mu.Lock()
		p.busy = 20
		p.mu.Unlock()
		short, cancel := context.WithTimeout(ctx, 4*slot)
		defer cancel()
		began := time.Now()
		if err := d.Send(short, ofSize(10)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 4*slot {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := d.Send(ctx, ofSize(11)); err != nil {
			t.Error(err)
		}
		if len(p.seen().sent) != 1 || len(p.seen().sent[0].MSDU) != 11 {
			t.Errorf("%d frames sent: the one given up is not to be", len(p.seen().sent))
		}
	})
}

func TestRefusesNonsense(t *testing.T) {
	if _, err := New(Config{Profile: plc.DefaultProfile(), Queue: -1}); err == nil || !strings.Contains(err.Error(), "no way to open") || !strings.Contains(err.Error(), "0 baud") {
		t.Errorf("%v", err)
	}
	talk(t, nil, func(ctx context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		for _, r := range []mac.DataRequest{{}, ofSize(243), {Source: 0x1000, MSDU: []byte{1}}, {Credit: 8, MSDU: []byte{1}}} {
			if err := d.Send(ctx, r); err == nil || errors.Is(err, plc.ErrLineDown) {
				t.Errorf("%+v: %v", r, err)
			}
		}
	})
}

func TestNotify(t *testing.T) {
	var phases []Phase
	octets := 0
	talk(t, func(_ *peer, c *Config) {
		c.Notify = func(s State) { phases = append(phases, s.Phase) }
		c.Trace = func(_ time.Time, _ bool, b []byte) { octets += len(b) }
	}, func(_ context.Context, t *testing.T, d *Driver, p *peer) {
		ready(t, d)
		p.unplug()
		await(t, d, func(s State) bool { return s.Phase == Closed })
	})
	if want := []Phase{Configuring, Ready, Closed, Closed}; !slices.Equal(slices.Compact(phases), slices.Compact(want)) || octets == 0 {
		t.Errorf("%v, %d octets traced", phases, octets)
	}
}
