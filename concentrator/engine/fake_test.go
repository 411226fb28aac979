package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
)

const slot = 150 * time.Millisecond

func title(n int) plc.SystemTitle {
	return plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, byte(n >> 8), byte(n)})
}

// fakeMeter is a meter behind the fake link. It captures one entry each period since first.
type fakeMeter struct {
	title   plc.SystemTitle
	address plc.Address
	depth   plc.Credit // least credit it hears

	silent      bool   // does not hear anything
	silentAfter int    // answers so many Gets of a visit, then none; 0: no limit
	refused     string // refuses the association
	noRange     bool   // knows selection by entry only
	noProfile   bool
	wide        bool          // its profile has one column more
	astray      time.Duration // its clock is ahead
	first       time.Time
	period      time.Duration
	gap         [2]time.Time                       // without mains between these: captured nothing
	ring        int                                // its profile holds so many entries; 0: all
	newestFirst bool                               // so its profile is sorted
	scaler      int8                               // of its register
	forgets     int                                // its address after so many minutes
	noClock     bool                               // its clock names no instant
	counter     uint32                             // it refuses our invocation counter and says it expects this one
	fails       func(cosem.Ref) cosem.AccessResult // of single attributes; nil: none

	gets       int // answered
	ranges     [][2]time.Time
	deviations []int16      // in the ranges
	byEntry    int          // selections by entry
	calls      []plc.Credit // credits it was called with
	maxFrame   int          // in the last Get
}

// captured are the times of its entries from from to to.
func (m *fakeMeter) captured(from, to, now time.Time) []time.Time {
	var out []time.Time
	for t := m.first; !t.After(now) && !t.After(to); t = t.Add(m.period) {
		if t.Before(from) || !t.Before(m.gap[0]) && t.Before(m.gap[1]) {
			continue
		}
		out = append(out, t)
	}
	return out
}

// held are the entries that its profile still holds.
func (m *fakeMeter) held(now time.Time) []time.Time {
	all := m.captured(m.first, now, now)
	if m.ring > 0 && len(all) > m.ring {
		all = all[len(all)-m.ring:]
	}
	return all
}

// value is what the meter captured at t: it must come out unchanged.
func (m *fakeMeter) value(t time.Time) int64 { return t.Unix()/60 - 15768000 }

// fakeLink is a street without losses. Work costs virtual time.
type fakeLink struct {
	mu     *sync.Mutex
	urgent bool
	street *fakeStreet

	onRegister func([]plc.Registration)
	pace       time.Duration          // of a slot
	deaf       func([]cosem.Ref) bool // Gets that are not answered
}

type fakeStreet struct {
	meters  []*fakeMeter
	down    error
	trace   []string
	running int
}

func newLink(meters ...*fakeMeter) *fakeLink {
	return &fakeLink{mu: &sync.Mutex{}, street: &fakeStreet{meters: meters}, pace: slot}
}

func newMeter(n int) *fakeMeter {
	return &fakeMeter{title: title(n), address: plc.New, scaler: -1, forgets: 360, first: time.Now().Add(-48 * time.Hour).Truncate(15 * time.Minute), period: 15 * time.Minute}
}

func (l *fakeLink) note(format string, args ...any) {
	l.street.trace = append(l.street.trace, fmt.Sprintf(format, args...))
}

func (l *fakeLink) spend(ctx context.Context, slots int) error {
	l.mu.Lock()
	down := l.street.down
	l.mu.Unlock()
	t := time.NewTimer(time.Duration(slots) * l.pace)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return down
	}
}

func (l *fakeLink) Urgent() Link {
	return &fakeLink{mu: l.mu, urgent: true, street: l.street, pace: l.pace}
}

func (l *fakeLink) Discover(ctx context.Context, r plc.DiscoverRequest) ([]plc.Report, plc.Exchange, error) {
	x := plc.Exchange{Outcome: plc.Answered, Requests: 1, Slots: int(r.Slots) * (1 + int(r.ReportCredit)), Credit: r.Credit}
	if err := l.spend(ctx, x.Slots); err != nil {
		return nil, plc.Exchange{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note("discover %d", r.Credit)
	var reports []plc.Report
	for _, m := range l.street.meters {
		if m.address == plc.New && !m.silent && m.depth <= r.Credit {
			reports = append(reports, plc.Report{Title: m.title, Address: plc.New, Credits: plc.Credits{Initial: r.ReportCredit, Current: r.ReportCredit - m.depth}})
		}
	}
	return reports, x, nil
}

func (l *fakeLink) Register(ctx context.Context, regs []plc.Registration, credit plc.Credit) (plc.Exchange, error) {
	x := plc.Exchange{Outcome: plc.Answered, Requests: 1, Slots: 7 * (1 + int(credit)), Credit: credit}
	if err := l.spend(ctx, x.Slots); err != nil {
		return plc.Exchange{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note("register %d", len(regs))
	if l.onRegister != nil {
		l.onRegister(regs)
	}
	for _, r := range regs {
		if m := l.find(r.Title); m != nil && !m.silent && m.depth <= credit {
			m.address = r.Address
		}
	}
	return x, nil
}

func (l *fakeLink) RepeaterCall(ctx context.Context, highest plc.Address) (plc.Exchange, error) {
	if err := l.spend(ctx, 5); err != nil {
		return plc.Exchange{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note("repeaters %v", highest)
	return plc.Exchange{Outcome: plc.Answered, Requests: 1, Slots: 5}, nil
}

func (l *fakeLink) find(t plc.SystemTitle) *fakeMeter {
	for _, m := range l.street.meters {
		if m.title == t {
			return m
		}
	}
	return nil
}

// reach is the common part of Ping and Get: who hears the request and what it costs.
func (l *fakeLink) reach(ctx context.Context, p plc.Peer, frames int) (*fakeMeter, plc.Exchange, error) {
	l.mu.Lock()
	l.street.running++
	l.mu.Unlock()
	x := plc.Exchange{Requests: 1, Slots: frames * (1 + int(p.Credit)), Credit: p.Credit}
	err := l.spend(ctx, x.Slots)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.street.running--
	if err != nil {
		return nil, plc.Exchange{}, err
	}
	m := l.find(p.Title)
	if m == nil || m.silent || m.address != p.Address || m.depth > p.Credit {
		x.Outcome, x.Detail = plc.Silent, "no answer"
		if m != nil {
			m.calls = append(m.calls, p.Credit)
		}
		return nil, x, nil
	}
	m.calls = append(m.calls, p.Credit)
	x.Outcome, x.Answers, x.Up, x.Down = plc.Answered, 1, m.depth, min(m.depth, plc.MaxDelta)
	return m, x, nil
}

func (l *fakeLink) Ping(ctx context.Context, p plc.Peer) (plc.Exchange, error) {
	_, x, err := l.reach(ctx, p, 4)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note("ping %v", p.Address)
	return x, err
}

func (l *fakeLink) Get(ctx context.Context, p plc.Peer, refs ...cosem.Ref) ([]cosem.Result, plc.Exchange, error) {
	m, x, err := l.reach(ctx, p, 10)
	l.mu.Lock()
	defer l.mu.Unlock()
	if m == nil || err != nil {
		return nil, x, err
	}
	m.maxFrame = p.MaxFrame
	if m.counter != 0 {
		x.Outcome, x.Detail, x.Counter = plc.Refused, "invocation counter error", m.counter
		return nil, x, nil
	}
	if m.refused != "" {
		x.Outcome, x.Detail, x.Answers, x.Requests = plc.Refused, m.refused, 0, 0
		return nil, x, nil
	}
	if m.silentAfter > 0 && m.gets >= m.silentAfter {
		x.Outcome, x.Answers, x.Detail = plc.Silent, 0, "no answer"
		return nil, x, nil
	}
	if l.deaf != nil && l.deaf(refs) {
		x.Outcome, x.Answers, x.Detail = plc.Silent, 0, "no answer"
		return nil, x, nil
	}
	m.gets++
	who := "get"
	if l.urgent {
		who = "urgent get"
	}
	l.note("%s %v %d", who, p.Address, len(refs))
	now := time.Now().Add(m.astray)
	var results []cosem.Result
	for _, r := range refs {
		results = append(results, m.attribute(now, r))
	}
	return results, x, nil
}

func octets(b ...byte) []byte { return append([]byte{9, byte(len(b))}, b...) }

func u32(n int64) []byte { return binary.BigEndian.AppendUint32([]byte{6}, uint32(n)) }

func dateTime(t time.Time) []byte {
	t = t.UTC()
	wd := byte(t.Weekday())
	if wd == 0 {
		wd = 7
	}
	return []byte{
		byte(t.Year() >> 8), byte(t.Year()), byte(t.Month()), byte(t.Day()), wd,
		byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0, 0, 0, 0,
	}
}

func instant(b []byte) time.Time {
	return time.Date(int(b[0])<<8|int(b[1]), time.Month(b[2]), int(b[3]), int(b[5]), int(b[6]), int(b[7]), 0, time.UTC)
}

var energy = cosem.MustOBIS("1.0.1.8.0.255")

// attribute is the meter's object model: a clock, one register, a load profile of clock,
// status and that register, and a name.
func (m *fakeMeter) attribute(now time.Time, r cosem.Ref) cosem.Result {
	data := func(parts ...[]byte) cosem.Result { return cosem.Result{Data: bytes.Join(parts, nil)} }
	undefined := cosem.Result{Access: cosem.ObjectUndefined}
	if m.fails != nil {
		if access := m.fails(r); access != cosem.Success {
			return cosem.Result{Access: access}
		}
	}
	switch {
	case r.Class == cosem.ClassClock && r.Attribute == 2 && m.noClock:
		return data(octets(bytes.Repeat([]byte{0xFF}, 12)...))
	case r.Class == cosem.ClassSFSKTimeouts && r.Attribute == 4:
		return data([]byte{18, byte(m.forgets >> 8), byte(m.forgets)})
	case r.Class == cosem.ClassLLC432 && r.Attribute == 2:
		return data([]byte{17, 134})
	case r.Class == cosem.ClassClock && r.Attribute == 2:
		return data(octets(dateTime(now)...))
	case r.Class == cosem.ClassData && r.Object == nameObject:
		return data(octets([]byte("METER" + m.title.String())...))
	case r.Class == cosem.ClassRegister && r.Object == energy && r.Attribute == 2:
		return data(u32(m.value(now)))
	case r.Class == cosem.ClassRegister && r.Object == energy && r.Attribute == 3:
		return data([]byte{2, 2, 15, byte(m.scaler), 22, 30}) // Wh
	case r.Class == cosem.ClassProfileGeneric && r.Object == defaultProfile && !m.noProfile:
		return m.profile(now, r)
	}
	return undefined
}

func captureObject(class cosem.Class, object cosem.OBIS, attribute byte) []byte {
	return bytes.Join([][]byte{{2, 4, 18, byte(class >> 8), byte(class)}, octets(object[:]...), {15, attribute, 18, 0, 0}}, nil)
}

func (m *fakeMeter) profile(now time.Time, r cosem.Ref) cosem.Result {
	switch r.Attribute {
	case 3:
		columns := [][]byte{
			{1, 3},
			captureObject(cosem.ClassClock, clockObject, 2),
			captureObject(cosem.ClassData, cosem.MustOBIS("0.0.96.10.1.255"), 2), captureObject(cosem.ClassRegister, energy, 2),
		}
		if m.wide {
			columns[0][1]++
			columns = append(columns, captureObject(cosem.ClassData, cosem.MustOBIS("0.0.96.8.0.255"), 2))
		}
		return cosem.Result{Data: bytes.Join(columns, nil)}
	case 4:
		return cosem.Result{Data: u32(int64(m.period / time.Second))}
	case 5:
		sorted := byte(1)
		if m.newestFirst {
			sorted = 2
		}
		return cosem.Result{Data: []byte{22, sorted}}
	case 7:
		return cosem.Result{Data: u32(int64(len(m.held(now))))}
	case 2:
		return m.buffer(now, r.Select)
	}
	return cosem.Result{Access: cosem.ObjectUndefined}
}

func (m *fakeMeter) buffer(now time.Time, s *cosem.Selection) cosem.Result {
	var times []time.Time
	switch {
	case s == nil:
		times = m.captured(m.first, now, now)
	case s.Selector == 1 && m.noRange:
		return cosem.Result{Access: cosem.ScopeViolated}
	case s.Selector == 1:
		var ends []time.Time
		for rest := s.Parameters; len(ends) < 2; {
			i := bytes.Index(rest, []byte{9, 12})
			if i < 0 || len(rest) < i+14 {
				return cosem.Result{Access: cosem.OtherReason}
			}
			ends = append(ends, instant(rest[i+2:]))
			m.deviations = append(m.deviations, int16(binary.BigEndian.Uint16(rest[i+11:])))
			rest = rest[i+14:]
		}
		m.ranges = append(m.ranges, [2]time.Time{ends[0], ends[1]})
		times = m.captured(ends[0], ends[1], now)
	case s.Selector == 2:
		p := s.Parameters // structure of u32, u32, u16, u16
		from, to := binary.BigEndian.Uint32(p[3:]), binary.BigEndian.Uint32(p[8:])
		all := m.held(now)
		m.byEntry++
		m.ranges = append(m.ranges, [2]time.Time{all[from-1], all[to-1]})
		times = all[from-1 : to]
	}
	if m.newestFirst {
		slices.Reverse(times)
	}
	out := []byte{1, 0x82, byte(len(times) >> 8), byte(len(times))}
	columns := byte(3)
	if m.wide {
		columns++
	}
	for _, t := range times {
		out = append(out, 2, columns)
		out = append(out, octets(dateTime(t)...)...)
		out = append(out, 17, 0)
		out = append(out, u32(m.value(t))...)
		if m.wide {
			out = append(out, 17, 1)
		}
	}
	return cosem.Result{Data: out}
}
