package hdlc

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

var (
	clientAddress = Address{Upper: 16, Size: 1}
	serverAddress = Address{Upper: 1, Lower: 17, Size: 2}
)

// line joins both ends; lose decides which frame is lost.
type line struct {
	t       testing.TB
	p       *Primary
	s       *Secondary
	lose    func() bool
	answer  func(request []byte) []byte
	expired int
	polls   int // frames from the client in this exchange
}

func newLine(t testing.TB, p, s Parameters, longest int) *line {
	return &line{
		t: t, lose: func() bool { return false },
		p:      NewPrimary(PrimaryConfig{Client: clientAddress, Server: serverAddress, Offer: p, MaxAPDU: longest}),
		s:      NewSecondary(SecondaryConfig{Client: clientAddress, Server: serverAddress, Offer: s, MaxAPDU: longest}),
		answer: func(b []byte) []byte { return b },
	}
}

// cut is the octets of one turn as frames, some of them lost.
func (l *line) cut(b []byte) []Frame {
	var s Stream
	s.Feed(b)
	var out []Frame
	for f, ok := s.Next(); ok; f, ok = s.Next() {
		if !l.lose() {
			out = append(out, f)
		}
	}
	if s.Damaged != 0 || s.Rubbish != 0 {
		l.t.Fatalf("%+v", s)
	}
	return out
}

// up gives the server what the client sent and returns what it says.
func (l *line) up(down []byte) []byte {
	var back []byte
	for _, f := range l.cut(down) {
		e := l.s.Receive(f)
		back = append(back, e.Down...)
		if e.APDU != nil {
			back = append(back, l.s.Answer(l.answer(e.APDU))...)
		}
	}
	return back
}

// run exchanges frames until the client has what it wants.
func (l *line) run(down []byte, done func(Effects) bool) error {
	for range 20_000 {
		l.polls++
		var next []byte
		for _, f := range l.cut(l.up(down)) {
			e, err := l.p.Receive(f)
			if err != nil {
				return err
			}
			if done(e) {
				return nil
			}
			next = append(next, e.Down...)
		}
		if down = next; down == nil {
			l.expired++
			down = l.p.Expire()
		}
	}
	return errors.New("no end")
}

func (l *line) connect() {
	l.t.Helper()
	if err := l.run(l.p.Connect(), func(e Effects) bool { return e.Connected }); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) exchange(apdu []byte) ([]byte, error) {
	down, err := l.p.Send(apdu)
	if err != nil {
		return nil, err
	}
	var answer []byte
	err = l.run(down, func(e Effects) bool {
		answer = e.APDU
		return e.APDU != nil
	})
	return answer, err
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

// TestLink carries APDUs of all sizes over links of all parameters, with frames lost.
func TestLink(t *testing.T) {
	for _, p := range []Parameters{{}, {2030, 2030, 7, 7}, {64, 32, 3, 1}, {128, 128, 1, 7}} {
		for _, rate := range []int{0, 20, 5} {
			r := rand.New(rand.NewPCG(1, uint64(rate)))
			l := newLine(t, p, Parameters{400, 400, 5, 5}, 0)
			if rate > 0 {
				l.lose = func() bool { return r.IntN(rate) == 0 }
			}
			l.connect()
			for _, size := range []int{1, 12, 125, 126, 127, 1000, 5000} {
				want := pattern(size)
				got, err := l.exchange(want)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%v, 1 of %d lost, %d octets: %d came back, %v", l.p.Agreed(), rate, size, len(got), err)
				}
			}
			if rate == 0 && (l.expired > 0 || l.p.Counts() != (Counts{}) || l.s.Counts() != (Counts{})) {
				t.Errorf("%v: %d time-outs, %+v, %+v", p, l.expired, l.p.Counts(), l.s.Counts())
			}
			if err := l.run(l.p.Disconnect(), func(e Effects) bool { return e.Disconnected }); err != nil || l.s.Connected() {
				t.Errorf("disconnect: %v, %v", err, l.s.Connected())
			}
		}
	}
}

// TestWindow wants seven frames of a long answer in one turn.
func TestWindow(t *testing.T) {
	l := newLine(t, Parameters{128, 128, 7, 7}, Parameters{128, 128, 7, 7}, 0)
	l.connect()
	l.polls = 0
	if _, err := l.exchange(pattern(10)); err != nil || l.polls != 1 {
		t.Errorf("%d turns, %v", l.polls, err)
	}
	l.answer = func([]byte) []byte { return pattern(128*14 - 3) }
	l.polls = 0
	if _, err := l.exchange(pattern(10)); err != nil || l.polls != 2 {
		t.Errorf("%d turns for 14 frames, %v", l.polls, err)
	}
}

// TestRecordedSession replays what a foreign client sent (dlms-vectors.md I30) and wants what the foreign meter said.
func TestRecordedSession(t *testing.T) {
	s := NewSecondary(SecondaryConfig{Server: Address{Upper: 1, Size: 1}, Client: Address{Upper: 16, Size: 1}})
	p := NewPrimary(PrimaryConfig{Server: Address{Upper: 1, Size: 1}, Client: Address{Upper: 16, Size: 1}})
	session := recorded[1:8]
	apdus := map[int][]byte{}
	for i := 0; i < len(session); i++ {
		f, _, err := Parse(unhex(t, session[i]))
		if err != nil {
			t.Fatal(err)
		}
		if f.Control.Kind() == I {
			apdus[i] = f.Info[3:]
		}
	}
	sends := []func() ([]byte, error){
		func() ([]byte, error) { return p.Connect(), nil },
		func() ([]byte, error) { return p.Send(apdus[2]) },
		func() ([]byte, error) { return p.Send(apdus[4]) },
		func() ([]byte, error) { return p.Disconnect(), nil },
	}
	for turn, send := range sends {
		down, err := send()
		if err != nil || !bytes.Equal(down, unhex(t, session[2*turn])) {
			t.Fatalf("turn %d: client sends % X, %v", turn, down, err)
		}
		f, _, _ := Parse(down)
		e := s.Receive(f)
		up := e.Down
		if e.APDU != nil {
			up = s.Answer(apdus[2*turn+1])
		}
		if 2*turn+1 < len(session) && !bytes.Equal(up, unhex(t, session[2*turn+1])) {
			t.Fatalf("turn %d: meter says % X", turn, up)
		}
		f, _, _ = Parse(up)
		if _, err := p.Receive(f); err != nil {
			t.Fatal(err)
		}
	}
	if p.State() != Disconnected || s.Connected() {
		t.Errorf("%v, %v", p.State(), s.Connected())
	}
}

func TestRefusals(t *testing.T) {
	l := newLine(t, Parameters{}, Parameters{}, 100)
	if _, err := l.p.Send(pattern(1)); !errors.Is(err, ErrState) {
		t.Errorf("send before connect: %v", err)
	}
	// Everything but SNRM meets disconnected mode.
	e := l.s.Receive(Frame{Source: clientAddress, Destination: serverAddress, Control: ready(0)})
	if f, _, err := Parse(e.Down); err != nil || f.Control != controlDM {
		t.Errorf("%v, %v", f, err)
	}
	l.connect()
	l.p.longest = 1000
	l.s.longest = 2000
	l.answer = func([]byte) []byte { return pattern(1001) }
	if _, err := l.exchange(pattern(200)); !errors.Is(err, ErrTooLong) || l.p.State() != Disconnected {
		t.Errorf("answer too long: %v", err)
	}
	l.connect()
	l.s.longest = 100
	if _, err := l.exchange(pattern(101)); !errors.Is(err, ErrLost) || l.s.Connected() || l.s.Counts().TooLong != 1 {
		t.Errorf("request too long: %v", err)
	}
	l.connect()
	l.p.out = llcResponse
	l.answer = func([]byte) []byte { t.Error("an APDU with a wrong LLC header was served"); return nil }
	if e := l.s.Receive(l.cut(must(l.p.Send(pattern(1))))[0]); e.APDU != nil || l.s.Counts().BadLLC != 1 {
		t.Errorf("%+v", e)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestStalled: two ends whose numbers do not fit go round only so often.
func TestStalled(t *testing.T) {
	l := newLine(t, Parameters{}, Parameters{}, 0)
	l.connect()
	l.s.awaited = 5
	if _, err := l.exchange(pattern(10)); !errors.Is(err, ErrStalled) || l.p.State() != Disconnected {
		t.Errorf("%v", err)
	}
	l.connect()
	l.s.sent = 5
	if _, err := l.exchange(pattern(10)); !errors.Is(err, ErrStalled) {
		t.Errorf("%v", err)
	}
}

// TestAbandonedAnswer: a client that wants something else gets that, not the rest.
func TestAbandonedAnswer(t *testing.T) {
	l := newLine(t, Parameters{}, Parameters{}, 0)
	l.connect()
	l.answer = func([]byte) []byte { return pattern(1000) }
	down, _ := l.p.Send(pattern(5))
	frames := l.cut(l.up(down))
	if _, err := l.p.Receive(frames[0]); err != nil {
		t.Fatal(err)
	}
	l.answer = func([]byte) []byte { return pattern(9) }
	if got, err := l.exchange(pattern(6)); err != nil || !bytes.Equal(got, pattern(9)) {
		t.Errorf("% X, %v", got, err)
	}
}

// TestAbandonedWindow: the same when most of a window was lost. What was not acknowledged is
// not sent before the new answer.
func TestAbandonedWindow(t *testing.T) {
	l := newLine(t, Parameters{128, 128, 7, 7}, Parameters{128, 128, 7, 7}, 0)
	l.connect()
	l.answer = func([]byte) []byte { return pattern(400) }
	down, _ := l.p.Send(pattern(5))
	if _, err := l.p.Receive(l.cut(l.up(down))[0]); err != nil {
		t.Fatal(err)
	}
	l.answer = func([]byte) []byte { return pattern(9) }
	got, err := l.exchange(pattern(6))
	if err != nil || !bytes.Equal(got, pattern(9)) || l.p.Counts().BadLLC != 0 || l.s.Counts().Repeated != 0 {
		t.Errorf("% X, %v, %+v, %+v", got, err, l.p.Counts(), l.s.Counts())
	}
}

// FuzzLink gives arbitrary frames to both ends. Nothing grows without bound and what goes
// out can be read.
func FuzzLink(f *testing.F) {
	f.Add([]byte{0x93, 0, 0x10, 1, 0x11, 0, 0x53, 0}, uint8(3))
	f.Add([]byte{0x73, 0, 0x30, 0x41, 0x52, 9, 0x1F, 0, 0x63, 0}, uint8(0))
	f.Fuzz(func(t *testing.T, script []byte, window uint8) {
		l := newLine(t, Parameters{WindowReceive: int(window)}, Parameters{WindowTransmit: int(window), WindowReceive: 7}, 300)
		l.connect()
		if _, err := l.p.Send(pattern(200)); err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(script); i += 2 {
			frame := Frame{Control: Control(script[i]), Segmented: script[i+1]&1 != 0}
			if n := int(script[i+1]); n > 0 {
				frame.Info = append(append([]byte{}, llcCommand[:]...), pattern(n)...)
				if n&2 != 0 {
					frame.Info = append(append([]byte{}, llcResponse[:]...), pattern(n)...)
				}
			}
			e := l.s.Receive(frame)
			if e.APDU != nil {
				e.Down = append(e.Down, l.s.Answer(pattern(250))...)
			}
			l.cut(e.Down)
			e, _ = l.p.Receive(frame)
			l.cut(e.Down)
			for _, c := range []*channel{&l.p.channel, &l.s.channel} {
				if len(c.joined) > 300+3 || len(c.unacked) > MaxWindow || c.sent >= modulo || c.awaited >= modulo {
					t.Fatalf("%+v", c)
				}
			}
		}
	})
}
