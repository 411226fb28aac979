package amis49587

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/modem"
)

// script holds a talk with the dialog, step by step, in milliseconds.
type script struct {
	t     testing.TB
	d     dialog
	c     Counters
	start time.Time
	now   time.Time
}

func newScript(t testing.TB) *script {
	s := &script{t: t, start: time.Date(2024, 5, 1, 2, 0, 0, 0, time.UTC)}
	s.now = s.start
	s.d = dialog{timers: DefaultTimers(), wire: func(n int) time.Duration { return time.Duration(n) * 260 * time.Microsecond }, counters: &s.c}
	return s
}

// effects writes what the dialog did in words: hexadecimal octets, T_REQ edges, frames.
func (s *script) effects() string {
	var words []string
	for _, e := range s.d.take() {
		switch {
		case e.write != nil:
			words = append(words, fmt.Sprintf("%X", e.write))
		case e.frame.Command != 0:
			words = append(words, fmt.Sprintf("<%02X>", byte(e.frame.Command)))
		case e.treq:
			words = append(words, "low")
		default:
			words = append(words, "high")
		}
	}
	return strings.Join(words, " ")
}

func (s *script) expect(want string) {
	s.t.Helper()
	if got := s.effects(); got != want {
		s.t.Errorf("at %v: %q, want %q", s.now.Sub(s.start), got, want)
	}
}

// at moves the time to ms, as the owner would: from deadline to deadline.
func (s *script) at(ms float64) *script {
	to := s.start.Add(time.Duration(ms * float64(time.Millisecond)))
	for {
		next := s.d.next()
		if next.IsZero() || next.After(to) {
			break
		}
		if next.After(s.now) {
			s.now = next
		}
		s.d.expire(s.now)
	}
	s.now = to
	return s
}

func (s *script) hear(octets ...byte) { s.d.receive(s.now, s.now, octets) }

var (
	reset       = modem.Frame{Command: modem.ResetRequest}
	readySign   = modem.InitiatorStatus(false, false, 0, 0).Append(nil)
	busySign    = modem.InitiatorStatus(true, false, 0, 0).Append(nil)
	notSetSign  = modem.NotSetStatus(1).Append(nil)
	noMainsSign = modem.InitiatorStatus(false, true, 0, 0).Append(nil)
)

func TestDialogWell(t *testing.T) {
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.expect("low")
	s.at(8).hear(readySign...)
	s.expect("0203212400 high") // T_REQ is released once STX is sent
	s.at(12).hear(modem.ACK)
	s.expect("")
	if s.d.step != idle || s.d.result != acked || !s.d.next().IsZero() || s.c.FramesOut != 1 {
		t.Errorf("%+v", s.d)
	}
}

func TestDialogStatusesStopFrames(t *testing.T) {
	for _, c := range []struct {
		sign []byte
		need needs
		want result
	}{
		{busySign, needsNothing, 0},
		{busySign, needsBuffer, busy},
		{busySign, needsMains, busy},
		{notSetSign, needsBuffer, 0},
		{notSetSign, needsConfiguration, notSet},
		{notSetSign, needsMains, notSet},
		{noMainsSign, needsConfiguration, 0},
		{noMainsSign, needsMains, noMains},
		{readySign, needsMains, 0},
	} {
		s := newScript(t)
		s.d.send(s.now, reset, c.need)
		s.expect("low")
		s.at(5).hear(c.sign...)
		want := "high"
		if c.want == 0 {
			want = "0203212400 high"
		}
		s.expect(want)
		if s.d.result != c.want || (s.d.step == idle) != (c.want != 0) {
			t.Errorf("status % X, need %d: %+v", c.sign, c.need, s.d)
		}
	}
}

// TestDialogModemFirst: a frame of the modem starts while T_REQ is pulled. It is taken and
// acknowledged, then the poll begins again.
func TestDialogModemFirst(t *testing.T) {
	frame := indication(5, 1, 2, 3)
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.expect("low")
	s.at(3).hear(frame[:2]...)
	s.expect("high")
	s.at(20).hear(frame[2:9]...)
	s.expect("")
	s.at(60).hear(frame[9:]...)
	s.expect("06 <50>")
	s.at(64.9).expect("")
	s.at(65).expect("low") // tWBC later
	s.at(70).hear(readySign...)
	s.expect("0203212400 high")
	s.at(71).hear(modem.ACK)
	if s.d.result != acked || s.c.Interrupted != 1 {
		t.Errorf("%+v", s.d)
	}
}

// TestDialogStartsDuringFrame: our request waits for the end of the modem's frame.
func TestDialogStartsDuringFrame(t *testing.T) {
	frame := indication(5, 1, 2, 3)
	s := newScript(t)
	s.hear(frame[:4]...)
	s.at(1)
	s.d.send(s.now, reset, needsMains)
	s.expect("")
	s.at(9).hear(frame[4:]...)
	s.expect("06 <50>")
	s.at(14).expect("low")
}

// TestDialogFrameWhileAwaitingACK: the modem's frame comes before its ACK of ours.
func TestDialogFrameWhileAwaitingACK(t *testing.T) {
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.at(5).hear(readySign...)
	s.effects()
	frame := indication(5, modem.ACK, modem.NAK, modem.StatusMark)
	s.at(10).hear(frame[:10]...)
	s.at(100).expect("15") // it stopped in the middle: NAK
	if s.d.step != idle || s.d.result != noACK {
		t.Errorf("%+v", s.d)
	}
	s.d.send(s.now, reset, needsMains)
	s.at(106).hear(readySign...)
	s.effects()
	s.at(110).hear(append(frame, modem.ACK)...)
	s.expect("06 <50>")
	if s.d.step != idle || s.d.result != acked {
		t.Errorf("%+v", s.d)
	}
}

// TestDialogNoiseBeforeFrame: an octet that looks like the mark of a status costs one
// octet, not the frame behind it.
func TestDialogNoiseBeforeFrame(t *testing.T) {
	noisy := append([]byte{modem.StatusMark}, indication(5, 1, 2, 3)...)
	for _, c := range []struct {
		name  string
		until func(*script)
		then  string
	}{
		{"idle", func(*script) {}, "06 <50>"},
		{"after a frame was sent", func(s *script) {
			s.d.send(s.now, reset, needsMains)
			s.at(8).hear(readySign...)
			s.at(12).hear(modem.ACK)
		}, "06 <50>"},
		{"before its ACK", func(s *script) {
			s.d.send(s.now, reset, needsMains)
			s.at(8).hear(readySign...)
		}, "06 <50>"},
		{"long after a poll without status", func(s *script) {
			s.d.send(s.now, reset, needsMains)
			s.at(10).d.abandon()
			s.at(300)
		}, "06 <50>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t)
			c.until(s)
			s.effects()
			s.hear(noisy...)
			s.expect(c.then)
			if s.c.Garbage != 1 || s.c.FramesIn != 1 || s.c.LateStatus != 0 {
				t.Errorf("%+v", s.c)
			}
		})
	}
}

// TestDialogLateStatus: a status that misses its poll is taken whole, before the next poll
// and in its place.
func TestDialogLateStatus(t *testing.T) {
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.at(52).hear(readySign...)
	s.expect("low high")
	if s.c.LateStatus != 1 || s.c.Garbage != 0 {
		t.Errorf("%+v", s.c)
	}
	s.at(56).hear(readySign...)
	s.expect("low 0203212400 high")
	s.at(58).hear(readySign...) // that of the second poll
	s.hear(modem.ACK)
	if s.d.result != acked || s.c.Garbage != 0 || s.c.LateStatus != 2 {
		t.Errorf("%+v %+v", s.d, s.c)
	}
}

// TestDialogPollUnanswered: three polls, then one trial without; the first status ends that mode.
func TestDialogPollUnanswered(t *testing.T) {
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.expect("low")
	s.at(50).expect("high")
	s.at(55).expect("low")
	s.at(110).expect("high low")
	s.at(160).expect("high")
	s.at(165).expect("0203212400")
	s.at(170).hear(modem.ACK)
	if s.d.result != acked || !s.d.unpolled || s.c.NoStatus != 3 || s.c.Unpolled != 1 {
		t.Errorf("%+v %+v", s.d, s.c)
	}
	s.at(200)
	s.d.send(s.now, reset, needsMains)
	s.expect("0203212400")
	s.at(205).hear(append([]byte{modem.ACK}, readySign...)...)
	s.d.send(s.now, reset, needsMains)
	s.at(215).expect("low")
	s.at(450).expect("high low high low high 0203212400")
	if s.d.result != silent {
		t.Errorf("%+v", s.d)
	}
}

func TestDialogNAK(t *testing.T) {
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.expect("low")
	for i := range frameTries {
		base := float64(100 * i)
		s.at(base + 6).hear(readySign...)
		s.expect("0203212400 high")
		s.at(base + 10).hear(modem.NAK)
		s.expect("")
		if i+1 < frameTries {
			s.at(base + 15).expect("low") // again from T_REQ
			s.d.deadline = s.now.Add(time.Hour)
		}
	}
	if s.d.step != idle || s.d.result != refused || s.c.Refused != frameTries {
		t.Errorf("%+v", s.d)
	}
}

// TestDialogTooSlowForTheStatus: when we come to look at the status later than tSR, the modem
// no longer waits.
func TestDialogTooSlowForTheStatus(t *testing.T) {
	s := newScript(t)
	s.d.send(s.now, reset, needsMains)
	s.expect("low")
	heard := s.start.Add(6 * time.Millisecond)
	s.now = s.start.Add(210 * time.Millisecond)
	s.d.receive(s.now, heard, readySign)
	s.expect("high")
	s.at(215).expect("low")
	if s.c.LateStatus != 1 {
		t.Errorf("%+v", s.c)
	}
}

func TestDialogAbandon(t *testing.T) {
	s := newScript(t)
	s.d.abandon()
	s.d.send(s.now, reset, needsMains)
	s.expect("low")
	s.d.abandon()
	s.expect("high")
	if s.d.step != idle || s.d.result != abandoned {
		t.Errorf("%+v", s.d)
	}
}

// FuzzDialog lets anything arrive at any time while frames are sent. Whatever happens: every
// transfer ends, T_REQ is released when none is under way, what waits is bounded, and each good
// frame is acknowledged before it is handed up.
func FuzzDialog(f *testing.F) {
	f.Add(bytes.Join([][]byte{{0xF0}, readySign, {modem.ACK, 0xF0}, indication(5, 1, 2, 3), {0xF0}, busySign}, nil))
	f.Add([]byte{0xF0, 0xF1, 0xF1, 0xF1, 0xF1, 0xF1, 0xF1, 0xF1, modem.NAK})
	f.Add(bytes.Join([][]byte{{0xF0, modem.STX, 0xFA}, indication(5, 1, 2, 3), {0xF2, 0xF2}}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newScript(t)
		ms := 0.0
		for len(b) > 0 {
			switch c := b[0]; {
			case c == 0xF0:
				if s.d.step == idle {
					s.d.send(s.now, modem.Frame{Command: modem.DataRequest, Data: []byte{1}}, needsMains)
				}
				b = b[1:]
			case c > 0xF0:
				ms += float64(c&0x0F) * 7
				s.at(ms)
				b = b[1:]
			default:
				n := min(1+int(c)%9, len(b))
				s.hear(b[:n]...)
				b = b[n:]
			}
			checkDialog(t, s)
		}
		s.at(ms + 1e6)
		checkDialog(t, s)
		if s.d.step != idle || len(s.d.in) != 0 {
			t.Fatalf("still busy after 1000 s: %+v", s.d)
		}
	})
}

func checkDialog(t *testing.T, s *script) {
	t.Helper()
	if len(s.d.in) >= modem.MaxFrame {
		t.Fatalf("%d octets wait for the end of one frame", len(s.d.in))
	}
	if s.d.step == idle && s.d.asserted {
		t.Fatal("T_REQ is asserted and nothing is sent")
	}
	acknowledged := false
	for _, e := range s.d.take() {
		if e.frame.Command != 0 && !acknowledged {
			t.Fatalf("%v handed up before its ACK", e.frame)
		}
		acknowledged = len(e.write) == 1 && e.write[0] == modem.ACK
	}
}

// BenchmarkDialog is one exchange: poll, request, confirm, answer.
func BenchmarkDialog(b *testing.B) {
	s := newScript(b)
	request := modem.Frame{Command: modem.DataRequest, Data: modem.Data{Source: 0xC00, Destination: 5, MSDU: make([]byte, 26)}.Append(nil, plc.BigEndian)}
	confirm := modem.Frame{Command: modem.DataConfirm, Data: []byte{0xFF}}.Append(nil)
	answer := indication(5, make([]byte, 98)...)
	b.ReportAllocs()
	for b.Loop() {
		s.now = s.now.Add(time.Second)
		s.d.send(s.now, request, needsMains)
		s.hear(readySign...)
		s.hear(modem.ACK)
		s.hear(confirm...)
		s.hear(answer...)
		if n := len(s.d.take()); n != 7 {
			b.Fatal(n)
		}
	}
}
