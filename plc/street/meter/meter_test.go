package meter

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/dlms/apdu"
	"busbar/plc/street/load"
)

var (
	street    = load.NewModel(4, 1)
	installed = time.Date(2026, 11, 1, 10, 7, 0, 0, time.UTC)
	start     = time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	station   = plc.MustSystemTitle([]byte("BBR\x00\x00\x00\xC0\x00"))
)

func newMeter(edit func(*Config)) *Meter {
	c := Config{
		Title: plc.MustSystemTitle([]byte("BBR\x00\x00\x00\x00\x07")), Home: street.Home(2), Installed: installed,
		Rand: rand.NewChaCha8([32]byte{1}),
	}
	if edit != nil {
		edit(&c)
	}
	return New(c)
}

// line is a client of one meter without anything between them.
type line struct {
	t      testing.TB
	meter  *Meter
	client *dlms.Client
	sap    byte
	now    time.Time
	sent   [][]byte // by the meter
}

func connect(t testing.TB, m *Meter, sap byte) *line {
	keys := m.Keys()
	if sap == clientPublic {
		keys = dlms.Keys{}
	}
	n := uint32(0)
	return &line{t: t, meter: m, sap: sap, now: start, client: dlms.NewClient(dlms.ClientConfig{
		ClientTitle: station, ServerTitle: m.Title(), Keys: keys, Rand: rand.NewChaCha8([32]byte{2}),
		Counter: func() (uint32, error) { n++; return n, nil }, MaxTransfer: 1 << 20,
	})}
}

// do runs one operation to its end.
func (l *line) do(op dlms.Op) ([]cosem.Result, error) {
	down, err := l.client.Start(op)
	for err == nil && down != nil {
		up := l.meter.Handle(l.now, l.sap, serverManagement, down)
		if up == nil {
			return nil, errors.New("no answer")
		}
		l.sent = append(l.sent, up)
		var e dlms.Effects
		if e, err = l.client.Receive(up); e.Done {
			return e.Results, err
		}
		down = e.Down
	}
	return nil, err
}

func (l *line) get(refs ...cosem.Ref) []cosem.Result {
	l.t.Helper()
	r, err := l.do(dlms.Get(refs...))
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// value is one attribute decoded.
func (l *line) value(class cosem.Class, name string, attribute int8) cosem.Value {
	l.t.Helper()
	r := l.get(cosem.Ref{Class: class, Object: cosem.MustOBIS(name), Attribute: attribute})[0]
	if r.Access != cosem.Success {
		l.t.Fatalf("%d/%s/%d: %v", class, name, attribute, r.Access)
	}
	v, n, err := cosem.ParseValue(r.Data)
	if err != nil || n != len(r.Data) {
		l.t.Fatalf("%d/%s/%d: %v", class, name, attribute, err)
	}
	return v
}

func profileRef(s *cosem.Selection) cosem.Ref {
	return cosem.Ref{Class: cosem.ClassProfileGeneric, Object: nameProfile, Attribute: 2, Select: s}
}

// rows reads profile rows as ground truth has them.
func rows(t testing.TB, m *Meter, r cosem.Result) []Value {
	t.Helper()
	if r.Access != cosem.Success {
		t.Fatal(r.Access)
	}
	var out []Value
	_, err := cosem.ScanProfile(r.Data, 4, 0, 15*time.Minute, func(row cosem.Row) error {
		at, err := row.Time.Time(m.cfg.Sign)
		for i := 2; i < 4; i++ {
			v, _ := row.Cells[i].Integer()
			out = append(out, Value{Time: at, Profile: nameProfile, Object: profileColumns[i], Value: v})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProfileIsWhatWasHeld(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"plain":      nil,
		"null data":  func(c *Config) { c.Options.NullData = true },
		"other sign": func(c *Config) { c.Sign, c.Zone = cosem.DeviationFromUTC, 2*time.Hour },
		"wrong clock": func(c *Config) {
			c.Offset, c.Drift, c.Options.NullData = 17*time.Second, -5, true
		},
		"outage": func(c *Config) {
			c.Outages = []Outage{{start.Add(-5 * time.Hour), start.Add(-3 * time.Hour)}}
			c.Options.NullData = true
		},
		"compact":      func(c *Config) { c.Options.Compact = true },
		"short frames": func(c *Config) { c.Options.ShortFrame = true },
		"LLS":          func(c *Config) { c.Keys = SeededKeys(dlms.LLS, 1, 2) },
		"GMAC":         func(c *Config) { c.Keys = SeededKeys(dlms.HLSGMAC, 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeter(edit)
			l := connect(t, m, clientManagement)
			from, to := start.Add(-24*time.Hour).Add(time.Second), start.Add(15*time.Minute)
			got := rows(t, m, l.get(profileRef(cosem.ByRange(clockColumn,
				m.cfg.Sign.DateTime(from, int(m.dateTime(0).Deviation), 0), m.cfg.Sign.DateTime(to, int(m.dateTime(0).Deviation), 0), nil)))[0])
			want := slices.Collect(m.Held(from, m.Clock(start)))
			if !slices.Equal(got, want) || len(got) < 2*80 {
				t.Errorf("%d values read, %d held", len(got), len(want))
			}
			for _, b := range l.sent {
				if len(b)+llcHeader > m.MaxFrame() {
					t.Fatalf("an APDU of %d octets in frames of %d", len(b), m.MaxFrame())
				}
			}
		})
	}
}

func TestRegistersAddUp(t *testing.T) {
	m := newMeter(nil)
	l := connect(t, m, clientManagement)
	refs := []cosem.Ref{{Class: cosem.ClassClock, Object: nameClock, Attribute: 2}}
	for _, b := range billing {
		refs = append(refs, cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS(b.name), Attribute: 2})
	}
	results := l.get(refs...)
	var n []int64
	for _, r := range results[1:] {
		v, _, err := cosem.ParseValue(r.Data)
		if err != nil || v.Tag != axdr.DoubleLongU {
			t.Fatal(err)
		}
		n = append(n, v.Int)
	}
	if n[0] != n[1]+n[2] || n[3] != n[4]+n[5] || n[0] == 0 || n[2] == 0 {
		t.Errorf("registers %v: totals are not the sum of the tariffs", n)
	}
	// Now is the end of a quarter: all that was counted is in the profile.
	var in, out int64
	for v := range m.Held(installed, start) {
		if v.Object == profileColumns[2] {
			in += v.Value
		} else {
			out += v.Value
		}
	}
	if in != n[0] || out != n[3] {
		t.Errorf("entries add up to %d and %d Wh, registers have %d and %d", in, out, n[0], n[3])
	}
	served := slices.Collect(m.Served())
	if len(served) != len(billing) || m.ServedTotal() != uint64(len(billing)) {
		t.Fatalf("%d values served, want %d", len(served), len(billing))
	}
	for i, v := range served {
		if !v.Time.Equal(start) || v.Object.Object.String() != billing[i].name || v.Value != n[i] || !v.Profile.IsZero() {
			t.Errorf("served %+v, want %s = %d at %v", v, billing[i].name, n[i], start)
		}
	}
}

func TestServedIsBounded(t *testing.T) {
	m := newMeter(nil)
	for i := range maxServed + 10 {
		m.told(int64(i)*1000, nameImported, int64(i))
	}
	served := slices.Collect(m.Served())
	if len(served) != maxServed || served[0].Value != 10 || served[maxServed-1].Value != maxServed+9 {
		t.Errorf("%d values, first %v, last %v", len(served), served[0], served[len(served)-1])
	}
}

func TestSelections(t *testing.T) {
	m := newMeter(nil)
	l := connect(t, m, clientManagement)
	all := rows(t, m, l.get(profileRef(nil))[0])
	if want := slices.Collect(m.Held(installed, start)); !slices.Equal(all, want) {
		t.Fatalf("the whole buffer has %d values, %d are held", len(all), len(want))
	}
	n := uint32(len(all) / 2)
	if v := l.value(cosem.ClassProfileGeneric, "1.0.99.1.0.255", 7); v.Int != int64(n) {
		t.Errorf("entries in use %d, want %d", v.Int, n)
	}
	for _, tt := range []struct{ from, to, first, last uint32 }{
		{1, 1, 1, 1}, {n - 3, n, n - 3, n}, {n - 3, 0, n - 3, n}, {n, n + 100, n, n}, {5, 8, 5, 8}, {n + 1, n + 2, 1, 0}, {8, 5, 1, 0},
	} {
		got := rows(t, m, l.get(profileRef(cosem.ByEntry(tt.from, tt.to, 1, 0)))[0])
		if !slices.Equal(got, all[2*(tt.first-1):2*tt.last]) && !(tt.first > tt.last && len(got) == 0) {
			t.Errorf("entries %d to %d: %d values", tt.from, tt.to, len(got))
		}
	}
	at := start.Add(-time.Hour)
	d := m.dateTime(at.UnixMilli())
	for name, s := range map[string]*cosem.Selection{
		"by entry": cosem.ByEntry(n-4, n-4, 3, 4),
		"by range": cosem.ByRange(clockColumn, d, d, []cosem.CaptureObject{profileColumns[2], profileColumns[3]}),
	} {
		v, _, err := cosem.ParseValue(l.get(profileRef(s))[0].Data)
		if err != nil || len(v.Items) != 1 || len(v.Items[0].Items) != 2 || v.Items[0].Items[0].Int != all[2*(n-5)].Value {
			t.Errorf("two columns %s: %v, %v; want %v", name, v, err, all[2*(n-5)])
		}
	}
	for name, s := range map[string]*cosem.Selection{
		"entry 0":        cosem.ByEntry(0, 1, 1, 0),
		"column 0":       cosem.ByEntry(1, 1, 0, 0),
		"column 5":       cosem.ByEntry(1, 1, 1, 5),
		"another clock":  cosem.ByRange(profileColumns[1], d, d, nil),
		"open time":      cosem.ByRange(clockColumn, cosem.DateTime{Year: cosem.AnyYear}, d, nil),
		"unknown column": cosem.ByRange(clockColumn, d, d, []cosem.CaptureObject{{Class: 3}}),
		"rubbish":        {Selector: 1, Parameters: []byte{0}},
	} {
		if r := l.get(profileRef(s))[0]; r.Access == cosem.Success {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOptions(t *testing.T) {
	m := newMeter(func(c *Config) { c.Options = Options{NoRange: true, NoList: true, Status: true, ShortFrame: true} })
	l := connect(t, m, clientManagement)
	d := m.dateTime(start.UnixMilli())
	if r := l.get(profileRef(cosem.ByRange(clockColumn, d, d, nil)))[0]; r.Access != cosem.ScopeViolated {
		t.Errorf("selection by range: %v", r.Access)
	}
	raised := 0
	_, err := cosem.ScanProfile(l.get(profileRef(cosem.ByEntry(101, 196, 1, 0)))[0].Data, 4, 0, 0, func(r cosem.Row) error {
		if r.Cells[1].Int != 0 {
			raised++
		}
		return nil
	})
	if err != nil || raised != 96/statusEvery {
		t.Errorf("%d of 96 entries have a status, want %d (%v)", raised, 96/statusEvery, err)
	}
	if v := l.value(cosem.ClassLLC432, "0.0.26.5.0.255", 2); v.Int != shortFrame {
		t.Errorf("max_frame_length %v", v)
	}
	before := len(l.sent)
	l.get(cosem.Ref{Class: 1, Object: cosem.MustOBIS("0.0.42.0.0.255"), Attribute: 2}, cosem.Ref{Class: 8, Object: nameClock, Attribute: 2})
	if len(l.sent)-before != 2 {
		t.Errorf("two attributes in %d answers, want 2: multiple references are not granted", len(l.sent)-before)
	}
}

func TestPublicClient(t *testing.T) {
	secret := connect(t, newMeter(func(c *Config) { c.Keys = SeededKeys(dlms.HLSGMAC, 1, 2) }), clientPublic)
	if v := secret.value(cosem.ClassData, "0.0.42.0.0.255", 2); string(v.Octets) != "BBR0000000000007" {
		t.Errorf("name %v", v)
	}
	if v := secret.value(cosem.ClassClock, "0.0.1.0.0.255", 2); v.String() != "2026-11-25 21:00:00 deviation -60" {
		t.Errorf("clock %v", v)
	}
	for _, ref := range []cosem.Ref{profileRef(nil), {Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}} {
		if r := secret.get(ref)[0]; r.Access != cosem.ObjectUndefined {
			t.Errorf("%v: %v, want it hidden", ref, r.Access)
		}
	}
	if n := len(secret.value(cosem.ClassAssociationLN, "0.0.40.0.0.255", 2).Items); n != 5 {
		t.Errorf("%d objects shown to the public, want 5", n)
	}
	open := connect(t, newMeter(nil), clientPublic)
	if r := open.get(profileRef(cosem.ByEntry(1, 1, 1, 0)))[0]; r.Access != cosem.Success {
		t.Errorf("a meter without keys hides its profile: %v", r.Access)
	}
	set := dlms.Set(cosem.Ref{Class: 8, Object: nameClock, Attribute: 2}, appendDateTime(nil, cosem.DateTimeOf(start, -60, 0)))
	if r, err := open.do(set); err != nil || r[0].Access != cosem.ReadWriteDenied {
		t.Errorf("the public client set the clock: %v, %v", r, err)
	}
}

func TestNobodyElseIsServed(t *testing.T) {
	m := newMeter(func(c *Config) { c.Keys = SeededKeys(dlms.LLS, 1, 2) })
	l := connect(t, m, clientManagement)
	aarq, err := l.client.Start(dlms.Open())
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Handle(start, clientManagement, 2, aarq); b != nil {
		t.Errorf("logical device 2 answered % X", b)
	}
	if b := m.Handle(start, 17, serverManagement, aarq); b != nil {
		t.Errorf("client 17 was answered % X", b)
	}
	other := connect(t, newMeter(func(c *Config) { c.Keys = SeededKeys(dlms.LLS, 1, 3) }), clientManagement)
	other.meter = m
	if _, err := other.do(dlms.Open()); err == nil {
		t.Error("a wrong password was accepted")
	}
}

func TestResetReleasesAssociations(t *testing.T) {
	m := newMeter(nil)
	l := connect(t, m, clientManagement)
	if _, err := l.do(dlms.Open()); err != nil {
		t.Fatal(err)
	}
	m.Reset()
	down, err := l.client.Start(dlms.Get(profileRef(cosem.ByEntry(1, 1, 1, 0))))
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Handle(start, clientManagement, serverManagement, down); len(b) == 0 || b[0] != 0xD8 {
		t.Errorf("after Reset a GET was answered % X, want an exception", b)
	}
}

func TestEveryListedAttributeCanBeRead(t *testing.T) {
	m := newMeter(func(c *Config) {
		c.Outages = []Outage{{start.Add(-5 * time.Hour), start.Add(-3 * time.Hour)}}
		c.Line = &LineState{
			Address: 0x123, Groups: []plc.Address{0xE00}, Initiator: 0xC00, InitiatorTitle: station, NotAddressed: 6 * time.Hour,
			Synchronizations: []Count{{0xC00, 3}}, Broadcasts: []Count{{0xC00, 7}}, Lost: [5]uint32{1, 2, 3, 4, 5},
			Heard: []plc.SystemTitle{station}, FrequencyS: 63300, FrequencyM: 74000,
		}
	})
	l := connect(t, m, clientManagement)
	list := l.value(cosem.ClassAssociationLN, "0.0.40.0.0.255", 2)
	if len(list.Items) != len(objects) {
		t.Errorf("%d objects listed, %d exist", len(list.Items), len(objects))
	}
	for _, o := range list.Items {
		name := cosem.OBIS(o.Items[2].Octets)
		for _, a := range o.Items[3].Items[0].Items {
			v := l.value(cosem.Class(o.Items[0].Int), name.String(), int8(a.Items[0].Int))
			if a.Items[0].Int == 1 && !bytes.Equal(v.Octets, name[:]) {
				t.Errorf("logical name of %v is %v", name, v)
			}
		}
	}
	for text, v := range map[string]cosem.Value{
		"291":             l.value(50, "0.0.26.0.0.255", 8),
		"{74000, 63300}":  l.value(50, "0.0.26.0.0.255", 7),
		"360":             l.value(52, "0.0.26.2.0.255", 4),
		"{1, 2, 3, 4, 5}": l.value(53, "0.0.26.3.0.255", 3),
		"[{3072, 3}]":     l.value(53, "0.0.26.3.0.255", 2),
		"242":             l.value(55, "0.0.26.5.0.255", 2),
		"{0, 30}":         l.value(3, "1.0.1.8.0.255", 3),
		"[{2026-11-25 16:00:00 deviation -60, 1}, {2026-11-25 18:00:00 deviation -60, 2}]": l.value(7, "0.0.99.98.0.255", 2),
	} {
		if v.String() != text {
			t.Errorf("got %v, want %s", v, text)
		}
	}
	for _, ref := range []cosem.Ref{
		{Class: 8, Object: nameClock, Attribute: 77},
		{Class: 3, Object: nameClock, Attribute: 2},
		{Class: 1, Object: cosem.OBIS{1}, Attribute: 2},
		{Class: 8, Object: nameClock, Attribute: 2, Select: cosem.ByEntry(1, 1, 1, 0)},
	} {
		if r := l.get(ref)[0]; r.Access == cosem.Success {
			t.Errorf("%v: %X", ref, r.Data)
		}
	}
}

// FuzzHandle gives any octets to a meter with an open association: it must not panic
// and never answer more than its link takes.
func FuzzHandle(f *testing.F) {
	get := func(s *cosem.Selection) []byte {
		q := apdu.GetRequest{Invoke: 0xC1, Refs: []cosem.Ref{profileRef(s)}}
		return q.Append(nil)
	}
	d := cosem.DateTimeOf(start, -60, 0)
	f.Add(get(cosem.ByRange(clockColumn, d, d, []cosem.CaptureObject{clockColumn})))
	f.Add(get(cosem.ByEntry(1, 2, 1, 0)))
	f.Add([]byte{0xC0, 2, 0xC1, 0, 0, 0, 1})
	set := apdu.SetRequest{Invoke: 0xC1, Ref: cosem.Ref{Class: 8, Object: nameClock, Attribute: 2}, Data: appendDateTime(nil, d)}
	f.Add(set.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newMeter(func(c *Config) { c.Entries = 8 })
		l := connect(t, m, clientManagement)
		if _, err := l.do(dlms.Open()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if up := m.Handle(start, clientManagement, serverManagement, b); len(up)+llcHeader > longFrame {
				t.Fatalf("%d octets", len(up))
			}
		}
		if n := m.past.captured(start.Add(time.Hour).UnixMilli()); n < 0 {
			t.Fatalf("%d entries", n)
		}
	})
}

func ExampleMeter() {
	home := load.NewModel(24, 1).Home(0)
	m := New(Config{
		Title: plc.MustSystemTitle([]byte("BBR\x00\x00\x00\x00\x07")), Home: home,
		Installed: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	})
	fmt.Println(m.Name())
	n := 0
	for v := range m.Held(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)) {
		if v.Object.Object.String() == "1.0.1.29.0.255" {
			n++
		}
	}
	fmt.Println(n, "entries from 0:00 to 1:00")
	// Output:
	// BBR0000000000007
	// 5 entries from 0:00 to 1:00
}
