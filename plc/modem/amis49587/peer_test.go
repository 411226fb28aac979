package amis49587

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/mac"
	"busbar/plc/modem"
)

// peer is a modem for tests, at the octets of its port: it does what the data sheet
// says, except for the faults that are switched on. Time is that of the bubble.
type peer struct {
	t  *testing.T
	mu sync.Mutex

	out    chan []byte // to the host
	closed chan struct{}
	gone   bool

	treq    bool
	polled  bool // a status was sent and a frame may follow
	set     bool
	noMains bool
	conf    []byte
	last    []byte // last frame to the host, for NAK
	again   bool   // it was repeated already

	// Faults. Counters count down.
	noStatus    int
	statusDelay time.Duration
	statusAlt   bool
	nak         int // answer frames with NAK
	loseACK     int // act on a frame and do not acknowledge it
	loseFrame   int // neither act on a frame nor acknowledge it
	busy        int // statuses with BufferBUSY
	unpolled    bool
	confSize    int
	writeSize   int // size of a configuration that is accepted
	nakConf     bool
	echo        func(*modem.Configuration) // changes what is stored
	noReset     bool
	refuse      map[modem.Ident]modem.ErrorCode
	confirms    []mac.Transmission // of MAC frames, in order; then Sent
	loseConfirm int
	refuseCalls int    // repeater calls refused as not allowed now
	beforePoll  []byte // sent instead of the first status

	sent   []modem.Data    // MAC frames that were accepted
	frames []modem.Command // commands that arrived
	notes  []note          // single octets from the host, with time
	calls  []time.Time     // repeater calls
	opens  int
	order  plc.ByteOrder
}

type note struct {
	at time.Time
	c  byte
}

func newPeer(t *testing.T) *peer {
	return &peer{t: t, statusDelay: 5 * time.Millisecond, confSize: 36, writeSize: 36, closed: make(chan struct{})}
}

// open is Config.Open.
func (p *peer) open() (modem.Port, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opens++
	if p.gone {
		return nil, fs.ErrNotExist
	}
	p.out, p.closed, p.treq, p.polled = make(chan []byte, 1000), make(chan struct{}), false, false
	return p, nil
}

func (p *peer) Read(b []byte) (int, error) {
	p.mu.Lock()
	out, closed := p.out, p.closed
	p.mu.Unlock()
	if out == nil {
		return 0, errors.New("input/output error")
	}
	select {
	case chunk, ok := <-out:
		if !ok {
			return 0, errors.New("input/output error")
		}
		return copy(b, chunk), nil
	case <-closed:
		return 0, errors.New("port closed")
	}
}

func (p *peer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

// unplug takes the port away.
func (p *peer) unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		p.gone = true
		if p.out != nil {
			close(p.out)
			p.out = nil
		}
	}
}

func (p *peer) plug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone, p.set = false, false
}

func (p *peer) SetTREQ(asserted bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return errors.New("input/output error")
	}
	p.treq = asserted
	if asserted {
		p.after(p.statusDelay, p.status)
	}
	return nil
}

// after runs f later, holding the lock, unless the port changed.
func (p *peer) after(d time.Duration, f func()) {
	out := p.out
	time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.gone && p.out == out {
			f()
		}
	})
}

func (p *peer) raw(b []byte) { p.out <- bytes.Clone(b) }

func (p *peer) status() {
	if !p.treq && p.statusDelay < 20*time.Millisecond || p.unpolled {
		return
	}
	if p.beforePoll != nil {
		b := p.beforePoll
		p.beforePoll = nil
		p.frame(b)
		return
	}
	if p.noStatus > 0 {
		p.noStatus--
		return
	}
	s := modem.InitiatorStatus(p.busy > 0, p.noMains, 0, 0)
	if !p.set {
		s = modem.NotSetStatus(0x11)
	}
	if p.busy > 0 {
		p.busy--
	}
	p.polled = true
	b := s.Append(nil)
	if p.statusAlt {
		b[0] = modem.StatusMarkAlt
	}
	p.raw(b)
}

// frame sends octets that may be repeated after NAK.
func (p *peer) frame(b []byte) {
	p.last, p.again = bytes.Clone(b), false
	p.raw(b)
}

func (p *peer) send(c modem.Command, data []byte) {
	p.frame(modem.Frame{Command: c, Data: data}.Append(nil))
}

// change switches faults.
func (p *peer) change(f func(*peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// seen is what the peer noted so far.
type seen struct {
	sent   []modem.Data
	frames []modem.Command
	notes  []note
	calls  []time.Time
	conf   []byte
	opens  int
}

func (p *peer) seen() seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return seen{slices.Clone(p.sent), slices.Clone(p.frames), slices.Clone(p.notes), slices.Clone(p.calls), p.conf, p.opens}
}

// deliver sends from outside.
func (p *peer) deliver(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frame(b)
}

func (p *peer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return 0, errors.New("input/output error")
	}
	if len(b) == 1 {
		p.notes = append(p.notes, note{time.Now(), b[0]})
		if b[0] == modem.NAK && p.last != nil && !p.again {
			p.again = true
			good := bytes.Clone(p.last)
			p.after(5*time.Millisecond, func() { p.raw(good) })
		}
		return 1, nil
	}
	f, n, err := modem.ParseFrame(b)
	if err != nil || n != len(b) {
		p.t.Errorf("host wrote % X: %v", b, err)
		return len(b), nil
	}
	if !p.polled && !p.unpolled {
		return len(b), nil // a modem ignores what it did not ask for
	}
	p.polled = false
	f.Data = bytes.Clone(f.Data)
	p.after(5*time.Millisecond, func() { p.take(f) })
	return len(b), nil
}

func (p *peer) take(f modem.Frame) {
	switch {
	case p.loseFrame > 0:
		p.loseFrame--
		return
	case p.nak > 0, p.nakConf && f.Command == modem.WriteConfigRequest && len(f.Data) != p.writeSize:
		p.nak = max(p.nak-1, 0)
		p.raw([]byte{modem.NAK})
		return
	case p.loseACK > 0:
		p.loseACK--
	default:
		p.raw([]byte{modem.ACK})
	}
	p.frames = append(p.frames, f.Command)
	p.after(5*time.Millisecond, func() { p.act(f) })
}

func (p *peer) act(f modem.Frame) {
	switch f.Command {
	case modem.ResetRequest:
		p.set = p.set && p.noReset
	case modem.AccessDBRequest:
		p.access(f.Data)
	case modem.WriteConfigRequest:
		p.configure(f.Data)
	case modem.DataRequest:
		p.data(f.Data)
	case modem.RepeaterCallRequest:
		if p.refuseCalls > 0 {
			p.refuseCalls--
			p.send(modem.AccessDBError, []byte{byte(modem.RequestNotAllowed)})
			return
		}
		p.calls = append(p.calls, time.Now())
		p.send(modem.RepeaterCallConfirm, []byte{0xFF})
	}
}

func (p *peer) configure(data []byte) {
	if len(data) != p.writeSize {
		p.send(modem.WriteConfigError, []byte{byte(modem.IllegalData)})
		return
	}
	p.set, p.conf = true, bytes.Clone(data)
	if p.echo == nil {
		p.send(modem.WriteConfigConfirm, data)
		return
	}
	stored, _, err := modem.ParseConfiguration(data)
	if err != nil {
		p.t.Error(err)
	}
	p.echo(&stored)
	p.send(modem.WriteConfigConfirm, stored.Append(nil))
}

func (p *peer) access(data []byte) {
	a, _, err := modem.ParseAccess(data)
	if err != nil {
		p.t.Error(err)
		return
	}
	if code, ok := p.refuse[a.Ident]; ok {
		p.send(modem.AccessDBError, []byte{byte(code)})
		return
	}
	var value []byte
	switch a.Ident {
	case modem.IdentConfiguration:
		value = bytes.Repeat([]byte{0xA5}, p.confSize)
	case modem.IdentVersion:
		value = []byte{0x42}
	case modem.IdentStatistics:
		value = modem.Statistics{Last: plc.Signal{S0: 1000, N0: 50, S1: 900, N1: 60, Method: 3, Gain: 5}}.Append(nil)
	case modem.IdentCounters:
		value = modem.Counters{CRCOK: uint32(1 + a.Value[0])}.Append(nil)
	case modem.IdentMinDeltaCredit:
		value = []byte{3}
	default:
		value = a.Value
	}
	p.send(modem.AccessDBConfirm, modem.Access{Ident: a.Ident, Value: value}.Append(nil))
}

func (p *peer) data(data []byte) {
	d, _, err := modem.ParseData(data, p.order)
	if err != nil {
		p.t.Error(err)
		return
	}
	status, wait := mac.Sent, slot*time.Duration(1+mac.Subframes(len(d.MSDU)))
	if len(p.confirms) > 0 {
		status, p.confirms = p.confirms[0], p.confirms[1:]
	}
	if status != mac.Sent {
		wait = time.Millisecond
	} else {
		p.sent = append(p.sent, d)
	}
	if p.loseConfirm > 0 {
		p.loseConfirm--
		return
	}
	p.after(wait, func() { p.send(modem.DataConfirm, []byte{byte(status)}) })
}

// slot is that of the default profile.
const slot = 150 * time.Millisecond

// talk runs a driver on p inside a bubble. with sets faults; then is the test.
func talk(t *testing.T, with func(*peer, *Config), then func(context.Context, *testing.T, *Driver, *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		cfg := Config{Open: p.open, Name: "/dev/ttyTEST", Baud: 38400, Profile: plc.DefaultProfile()}
		if with != nil {
			with(p, &cfg)
		}
		d, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
			time.Sleep(time.Minute) // lets the peer's timers run out
			if err := d.Send(t.Context(), ofSize(10)); !errors.Is(err, plc.ErrLineDown) {
				t.Errorf("a driver that has stopped says %v", err)
			}
		}()
		then(ctx, t, d, p)
	})
}

// ready waits until the driver is, for a minute.
func ready(t *testing.T, d *Driver) {
	t.Helper()
	await(t, d, func(s State) bool { return s.Ready() })
}

func await(t *testing.T, d *Driver, ok func(State) bool) {
	t.Helper()
	for range 60000 {
		if ok(d.State()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never came: %+v", d.State())
}

func ofSize(n int) mac.DataRequest {
	return mac.DataRequest{Source: 0xC00, Destination: 0x123, Credit: 1, MSDU: bytes.Repeat([]byte{0x90}, n)}
}

// indication is a frame of the modem with an answer of a server.
func indication(source plc.Address, msdu ...byte) []byte {
	d := modem.Data{Credits: plc.Credits{Initial: 1}, Source: source, Destination: 0xC00, Pad: modem.PadFor(len(msdu)), MSDU: msdu}
	return modem.Frame{Command: modem.DataIndication, Data: d.Append(nil, plc.BigEndian)}.Append(nil)
}
