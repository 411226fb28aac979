package initiator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/ciase"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/llc"
	"busbar/plc/mac"
)

var (
	ours   = plc.MustSystemTitle([]byte("BUSBAR01"))
	titles = func() (t [40]plc.SystemTitle) {
		for k := range t {
			t[k] = plc.MustSystemTitle(fmt.Appendf(nil, "MET%05d", k))
		}
		return t
	}()

	clockRef   = cosem.Ref{Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255"), Attribute: 2}
	energyRef  = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
	profileRef = cosem.Ref{Class: cosem.ClassProfileGeneric, Object: cosem.MustOBIS("1.0.99.1.0.255"), Attribute: 2}
	switchRef  = cosem.Ref{Class: cosem.ClassDisconnect, Object: cosem.MustOBIS("0.0.96.3.10.255"), Attribute: 1}
)

const slot = 150 * time.Millisecond

// reply is a frame that the script lets come. At counts slots from the moment the
// mains is free of the request to the end of its first copy that reaches us.
type reply struct {
	at      int
	frame   mac.DataIndication
	offGrid bool // it may be sent while others send
}

// fakeLine is a mains with a script. It delivers on the slot grid and reports every
// frame of ours that is sent while another is on the mains.
type fakeLine struct {
	t     testing.TB
	start time.Time
	ind   chan mac.DataIndication

	mu        sync.Mutex
	script    func(r mac.DataRequest) []reply
	sent      []mac.DataRequest
	when      []time.Time // first octet of each of sent
	busy      time.Time   // end of everything that was put on the mains
	down      error
	calls     []string
	callExtra time.Duration // slots for new servers
	signal    plc.Signal
}

func newFakeLine(t testing.TB) *fakeLine {
	return &fakeLine{t: t, start: time.Now(), ind: make(chan mac.DataIndication, 64), script: func(mac.DataRequest) []reply { return nil }}
}

// grid is the first slot boundary at or after at.
func (l *fakeLine) grid(at time.Time) time.Time {
	n := (at.Sub(l.start) + slot - 1) / slot
	return l.start.Add(n * slot)
}

func (l *fakeLine) fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

func (l *fakeLine) Send(ctx context.Context, r mac.DataRequest) error {
	if err := l.fault(); err != nil {
		return err
	}
	n := mac.Subframes(len(r.MSDU))
	begin := l.grid(time.Now())
	free := begin.Add(time.Duration(n*(1+int(r.Credit))) * slot)
	l.mu.Lock()
	if begin.Before(l.busy) {
		l.t.Errorf("frame %d (% X...) begins at %v, the mains is busy until %v", len(l.sent), r.MSDU[:min(len(r.MSDU), 5)], begin.Sub(l.start), l.busy.Sub(l.start))
	}
	l.sent, l.when = append(l.sent, r), append(l.when, begin)
	l.busy = free
	script := l.script
	l.mu.Unlock()
	select {
	case <-time.After(time.Until(begin.Add(time.Duration(n) * slot))):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, a := range script(r) {
		l.deliver(free.Add(time.Duration(a.at)*slot), a)
	}
	return nil
}

// deliver puts a frame on the mains so that its copy with its current credit ends at at.
func (l *fakeLine) deliver(at time.Time, a reply) {
	if !a.offGrid {
		end := at.Add(time.Duration(mac.Subframes(len(a.frame.MSDU))*int(a.frame.Credits.Current)) * slot)
		l.mu.Lock()
		if end.After(l.busy) {
			l.busy = end
		}
		l.mu.Unlock()
	}
	time.AfterFunc(time.Until(at), func() {
		a.frame.At = time.Now()
		select {
		case l.ind <- a.frame:
		default:
			l.t.Error("indications overflow")
		}
	})
}

func (l *fakeLine) Indications() <-chan mac.DataIndication { return l.ind }

// RepeaterCall waits for the repetitions of the last frame itself, as a modem driver does.
func (l *fakeLine) RepeaterCall(_ context.Context, highest plc.Address) error {
	if err := l.fault(); err != nil {
		return err
	}
	var over time.Time
	l.set(func() {
		over = l.grid(maxTime(time.Now(), l.busy)).Add(time.Duration((int(highest)+21)/21) * slot)
		l.busy = over.Add(l.callExtra)
		l.calls = append(l.calls, fmt.Sprintf("repeater call %v", highest))
	})
	time.Sleep(time.Until(over))
	return nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (l *fakeLine) Signal(context.Context) (plc.Signal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, "signal")
	return l.signal, l.down
}

func (l *fakeLine) requests() []mac.DataRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

func (l *fakeLine) set(what func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what()
}

// fakeMeter is a meter behind the fake line: a real association server over a few
// attributes.
type fakeMeter struct {
	title   plc.SystemTitle
	address plc.Address
	sap     byte // of the client it serves
	server  *dlms.Server
	rows    int
	acts    int
	asked   int                                            // attributes read by one request
	judge   func(asked int, answer []byte) []byte          // the last word on an answer; nil: it stays
	heard   []byte                                         // first octet of each APDU that came
	change  func(n int, answer mac.DataIndication) []reply // nil: the answer comes at once
}

func (m *fakeMeter) Get(_ time.Time, ref cosem.Ref) ([]byte, cosem.AccessResult) {
	m.asked++
	switch ref.Object {
	case clockRef.Object:
		return axdr.AppendOctets(nil, make([]byte, 12)), cosem.Success
	case energyRef.Object:
		return []byte{6, 0, 1, 0x23, byte(m.address)}, cosem.Success
	case profileRef.Object:
		b := axdr.AppendArray(nil, m.rows)
		for k := range m.rows {
			b = binary.BigEndian.AppendUint32(append(b, 6), uint32(k))
		}
		return b, cosem.Success
	}
	m.asked += 100 // one that counts refuses this even alone
	return nil, cosem.ObjectUndefined
}

func (m *fakeMeter) Set(_ time.Time, ref cosem.Ref, _ []byte) cosem.AccessResult {
	if ref.Object == clockRef.Object {
		return cosem.Success
	}
	return cosem.ReadWriteDenied
}

func (m *fakeMeter) Action(_ time.Time, ref cosem.Ref, _ []byte) ([]byte, cosem.AccessResult) {
	if ref.Object != switchRef.Object {
		return nil, cosem.ObjectUndefined
	}
	m.acts++
	return nil, cosem.Success
}

func testKeys(k byte) dlms.Keys {
	keys := dlms.Keys{Mechanism: dlms.HLSGMAC}
	for n := range keys.Encryption {
		keys.Encryption[n], keys.Authentication[n] = byte(n)+k+1, byte(n)+k+100
	}
	return keys
}

func (m *fakeMeter) start(keys dlms.Keys) {
	m.sap = 1
	if keys.Mechanism == dlms.None {
		m.sap = 16
	}
	var counter uint32
	m.server = dlms.NewServer(dlms.ServerConfig{
		Title: m.title, ClientTitle: ours, Keys: keys,
		Counter: func() (uint32, error) { counter++; return counter, nil },
	}, m)
}

// answer is what the meter says to an LPDU, nil when nothing.
func (m *fakeMeter) answer(l llc.LPDU, credit plc.Credit) *mac.DataIndication {
	frame := mac.DataIndication{Source: m.address, Destination: 0xC00, Credits: plc.Credits{Initial: credit, Current: credit}}
	if l.DSAP == 0 {
		a, _, err := ciase.Parse(l.APDU, m.title.Size())
		if p, ok := a.(ciase.PingRequest); ok && err == nil && p.Title == m.title {
			frame.MSDU = llc.LPDU{DSAP: 1, APDU: ciase.PingResponse{Title: m.title}.Append(nil)}.Append(nil)
			return &frame
		}
		return nil
	}
	if l.SSAP != m.sap {
		return nil
	}
	m.heard = append(m.heard, l.APDU[0])
	m.asked = 0
	b := m.server.Receive(time.Now(), l.APDU)
	if m.judge != nil {
		b = m.judge(m.asked, b)
	}
	if b == nil {
		return nil
	}
	frame.MSDU = llc.LPDU{DSAP: l.SSAP, SSAP: l.DSAP, APDU: b}.Append(nil)
	return &frame
}

// replies makes a script of meters: each answers one slot after the request.
func replies(meters ...*fakeMeter) func(mac.DataRequest) []reply {
	n := map[*fakeMeter]int{}
	return func(r mac.DataRequest) []reply {
		l, _, err := llc.Parse(r.MSDU)
		if err != nil {
			return nil
		}
		var all []reply
		for _, m := range meters {
			if m.address != r.Destination {
				continue
			}
			n[m]++
			frame := m.answer(l, r.Credit)
			switch {
			case frame == nil:
			case m.change != nil:
				all = append(all, m.change(n[m], *frame)...)
			default:
				all = append(all, prompt(*frame))
			}
		}
		return all
	}
}

// prompt is a frame that comes after the usual gap.
func prompt(f mac.DataIndication) reply {
	return reply{at: 1 + mac.Subframes(len(f.MSDU)), frame: f}
}

// ring is a key ring and a counter store in memory.
type ring struct {
	mu    sync.Mutex
	keys  map[plc.SystemTitle]dlms.Keys
	next  map[plc.SystemTitle]uint32
	fault error
}

func (r *ring) Keys(title plc.SystemTitle) (dlms.Keys, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[title]
	return k, ok, nil
}

func (r *ring) Reserve(title plc.SystemTitle, n uint32) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault != nil {
		return 0, r.fault
	}
	first := max(1, r.next[title])
	r.next[title] = first + n
	return first, nil
}

// bench is an initiator on a fake line with meters.
type bench struct {
	*testing.T
	line   *fakeLine
	ring   *ring
	i      *Initiator
	link   *Link
	meters []*fakeMeter
	frames []TraceFrame
}

// setup makes n ciphered meters at addresses 1 to n.
func setup(t *testing.T, n int, change func(*Config)) *bench {
	b := &bench{T: t, line: newFakeLine(t), ring: &ring{keys: map[plc.SystemTitle]dlms.Keys{}, next: map[plc.SystemTitle]uint32{}}}
	for k := range n {
		m := &fakeMeter{title: titles[k], address: plc.Address(k + 1), rows: 4}
		b.ring.keys[m.title] = testKeys(byte(k))
		m.start(testKeys(byte(k)))
		b.meters = append(b.meters, m)
	}
	b.line.script = replies(b.meters...)
	cfg := Config{Title: ours, Keys: b.ring, Counters: b.ring, Trace: func(f TraceFrame) { b.frames = append(b.frames, f) }}
	if change != nil {
		change(&cfg)
	}
	b.i = New(b.line, cfg)
	b.link = b.i.Link()
	return b
}

// run runs talk in a bubble of virtual time beside the initiator.
func run(t *testing.T, n int, change func(*Config), talk func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, n, change)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.i.Run(ctx) }()
		talk(b)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func (b *bench) peer(k int) plc.Peer {
	return plc.Peer{Title: b.meters[k].title, Address: b.meters[k].address}
}

// want checks outcome and numbers of an exchange.
func (b *bench) want(x plc.Exchange, err error, outcome plc.Outcome, requests, answers int) {
	b.Helper()
	if err != nil {
		b.Errorf("own side: %v", err)
	}
	if x.Outcome != outcome || x.Requests != requests || x.Answers != answers {
		b.Errorf("%v %q, %d requests, %d answers; want %v, %d, %d", x.Outcome, x.Detail, x.Requests, x.Answers, outcome, requests, answers)
	}
}
