package envelope

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/uplink/envelope/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	meterA   = plc.MustSystemTitle([]byte("BUS\x00\x00\x00\x00\x01"))
	meterB   = plc.MustSystemTitle([]byte("BUS\x00\x02"))
	imported = concentrator.Channel{Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
	total    = concentrator.Channel{Class: 4, Object: cosem.MustOBIS("1.0.1.8.1.255"), Attribute: -2}
)

// quarterHours is a day of one meter's channel.
func quarterHours(meter plc.SystemTitle, c concentrator.Channel, count int) []concentrator.Reading {
	list := make([]concentrator.Reading, count)
	for i := range list {
		list[i] = concentrator.Reading{
			Meter: meter, Channel: c, Time: midnight.Add(time.Duration(i) * 15 * time.Minute), ClockStatus: 0x80,
			Value: 4000000 + int64(i*i%97), Unit: 30, Received: midnight.Add(26 * time.Hour),
		}
	}
	return list
}

// everything has every field and every odd value.
func everything() concentrator.Records {
	odd := []concentrator.Reading{
		{Meter: meterB, Channel: total, Time: time.Unix(math.MinInt64/2, 0).UTC(), Value: math.MinInt64, Scaler: -128, Unit: 255, RowStatus: math.MaxUint32},
		{Meter: meterB, Channel: total, Time: time.Unix(1<<40, 0).UTC(), Value: math.MaxInt64, Scaler: 127, Quality: math.MaxUint16, ClockStatus: 255, Received: midnight},
		{Meter: meterB, Channel: total, Time: time.Time{}, Value: 0},
	}
	return concentrator.Records{
		Readings: append(quarterHours(meterA, imported, 5), odd...),
		Events: []concentrator.Event{
			{Time: midnight.Add(17 * time.Millisecond), Code: concentrator.EventStarted, Text: "station started"},
			{Meter: meterA, Code: concentrator.EventMeterLost, Text: "Zähler schweigt"},
		},
		Orders: []concentrator.Order{
			{
				ID: "order-1", Kind: concentrator.OrderRead, Meter: meterA,
				Ref:    cosem.Ref{Class: 7, Object: imported.Profile, Attribute: 2, Select: &cosem.Selection{Selector: 1, Parameters: []byte{2, 4}}},
				Issued: midnight, Expires: midnight.Add(time.Minute), State: concentrator.OrderDone, Attempt: 2,
				Result: &concentrator.OrderResult{
					Time: midnight.Add(3 * time.Second), Outcome: plc.Answered, Data: []byte{6, 0, 0, 0, 1}, Text: "1 Wh",
					Scaler: -3, Unit: 30, Quality: concentrator.StationClock,
				},
			},
			{
				ID: "order-2", Kind: concentrator.OrderRead, Meter: meterB, Ref: cosem.Ref{Class: 3, Object: total.Object, Attribute: -1},
				State: concentrator.OrderExpired, Result: &concentrator.OrderResult{Outcome: plc.Silent, Detail: "no answer"},
			},
		},
	}
}

func messages() map[string]Message {
	batch := concentrator.Batch{ID: concentrator.BatchID{Epoch: 1<<63 + 5, Lane: concentrator.LaneReadings, Seq: 300}, Body: []byte("sealed")}
	batch.Hash = sha256.Sum256(batch.Body)
	return map[string]Message{
		"hello": Hello{
			Station: "TS-0001", Epoch: math.MaxUint64, Boot: 7, Version: "1.2.3", NextSeq: [concentrator.Lanes]uint64{0, 42},
			Backlog:   concentrator.Backlog{Readings: 4000, Batches: 2, Bytes: 5000, Oldest: midnight, Refused: 1},
			KeepAlive: 4 * time.Minute,
		},
		"welcome": Welcome{Held: [concentrator.Lanes]uint64{9, 41}, Time: midnight},
		"send":    Send{batch},
		"receipt": Receipt{
			Receipt:   concentrator.Receipt{ID: batch.ID, Hash: batch.Hash, Refused: true, Reason: "no", CenterAt: midnight},
			Signature: []byte{1, 2, 3},
		},
		"order": Order{concentrator.Order{
			ID: "o", Kind: concentrator.OrderRead, Meter: meterA, Ref: cosem.Ref{Class: 3, Object: total.Object, Attribute: 2},
			Issued: midnight, Expires: midnight.Add(time.Hour),
		}},
		"confirm": Confirm{"o"},
		"goodbye": Goodbye{"enough"},
	}
}

// golden compares b with a file, which -update writes anew.
func golden(t *testing.T, name string, b []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	var text strings.Builder
	for i := 0; i < len(b); i += 32 {
		text.WriteString(hex.EncodeToString(b[i:min(i+32, len(b))]) + "\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("%s is\n%swant\n%s", name, text.String(), want)
	}
}

func TestMessagesGolden(t *testing.T) {
	for name, m := range messages() {
		b, err := Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, name, b)
		got, err := ParseMessage(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s came back as %+v (%v), want %+v", name, got, err, m)
		}
	}
}

func TestBatchGolden(t *testing.T) {
	rec := everything()
	b, err := Seal(rec)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "batch", b)
	got, err := ParseBatch(b)
	if err != nil || !reflect.DeepEqual(got, rec) {
		t.Errorf("came back as\n%+v (%v), want\n%+v", got, err, rec)
	}
}

func TestTruncatedMessagesFail(t *testing.T) {
	for name, m := range messages() {
		b, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			if got, err := ParseMessage(b[:n]); err == nil {
				t.Errorf("%s cut to %d of %d octets is %+v", name, n, len(b), got)
			}
		}
	}
}

func TestTruncatedBatchFails(t *testing.T) {
	b, err := Seal(everything())
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := ParseBatch(b[:n]); err == nil {
			t.Errorf("cut to %d of %d octets it is still a batch", n, len(b))
		}
	}
}

// TestReadingsStayInOrder mixes meters and channels: within a series the order of
// arrival stays, and nothing is lost.
func TestReadingsStayInOrder(t *testing.T) {
	a, b := quarterHours(meterA, imported, 40), quarterHours(meterB, total, 40)
	var mixed []concentrator.Reading
	for i := range a {
		mixed = append(mixed, b[len(b)-1-i], a[i])
	}
	body, err := Seal(concentrator.Records{Readings: mixed})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseBatch(body)
	if err != nil {
		t.Fatal(err)
	}
	var gotA, gotB []concentrator.Reading
	for _, r := range got.Readings {
		if r.Meter == meterA {
			gotA = append(gotA, r)
		} else {
			gotB = append([]concentrator.Reading{r}, gotB...)
		}
	}
	if !reflect.DeepEqual(gotA, a) || !reflect.DeepEqual(gotB, b) {
		t.Error("readings changed or changed their order")
	}
}

// TestADayIsSmall keeps the figure that the bill of the bearer depends on: octets
// per value for the day of a meter with consumption that differs every quarter hour.
func TestADayIsSmall(t *testing.T) {
	var all []concentrator.Reading
	for m := range 20 {
		meter := plc.MustSystemTitle([]byte{'B', 'U', 'S', 0, 0, 0, 0, byte(m)})
		day := quarterHours(meter, imported, 96)
		value := int64(1000000 * m)
		for i := range day {
			value += int64((i*7919 + m*104729) % 400)
			day[i].Value, day[i].Received = value, midnight.Add(24*time.Hour+time.Duration(m)*20*time.Second)
		}
		all = append(all, day...)
	}
	b, err := Seal(concentrator.Records{Readings: all})
	if err != nil {
		t.Fatal(err)
	}
	if per := float64(len(b)) / float64(len(all)); per > 2.3 {
		t.Errorf("%.2f octets per value, %d in all", per, len(b))
	}
}

func TestSealRefuses(t *testing.T) {
	if _, err := Seal(concentrator.Records{}); err == nil {
		t.Error("a batch of nothing was sealed")
	}
	if _, err := Seal(concentrator.Records{Readings: make([]concentrator.Reading, MaxRecords+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many records: %v", err)
	}
	huge := concentrator.Records{Orders: []concentrator.Order{{
		ID: "o", Meter: meterA, State: concentrator.OrderDone, Result: &concentrator.OrderResult{Data: make([]byte, MaxBody), Text: "much"},
	}}}
	if _, err := Seal(huge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many octets: %v", err)
	}
	b, err := Seal(Shorten(huge))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ParseBatch(b)
	if err != nil || !strings.Contains(rec.Orders[0].Result.Detail, "1048576 octets") || rec.Orders[0].Result.Data != nil {
		t.Errorf("shortened to %+v (%v)", rec, err)
	}
	if huge.Orders[0].Result.Data == nil {
		t.Error("Shorten changed its argument")
	}
}

// TestTextsCannotStopALane: what a meter wrote into a text never makes a batch
// unsealable, nor a terminal obey.
func TestTextsCannotStopALane(t *testing.T) {
	b, err := Seal(concentrator.Records{Events: []concentrator.Event{{Time: midnight, Code: "x", Text: "\xff\x00\x1b[2J ok"}}})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ParseBatch(b)
	if err != nil || rec.Events[0].Text != "???[2J ok" {
		t.Errorf("%q (%v)", rec.Events, err)
	}
}

// mutate encodes a batch whose parts were changed by hand.
func mutate(t *testing.T, change func(*wire.Sealed)) []byte {
	t.Helper()
	w := &wire.Sealed{Version: Version, Records: wireReadings(quarterHours(meterA, imported, 4))}
	change(w)
	b, err := proto.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBatchRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.Sealed)
		want   string
	}{
		"newer version":    {func(w *wire.Sealed) { w.Version = 2 }, "newer version"},
		"no version":       {func(w *wire.Sealed) { w.Version = 0 }, "version 0"},
		"meter missing":    {func(w *wire.Sealed) { w.Records.Meter = nil }, "meter 0 of 0"},
		"meter empty":      {func(w *wire.Sealed) { w.Records.Meter[0] = nil }, "meter 0"},
		"meter too long":   {func(w *wire.Sealed) { w.Records.Meter[0] = make([]byte, 11) }, "meter 0"},
		"channel missing":  {func(w *wire.Sealed) { w.Records.Series[0].Channel = 9 }, "channel 9 of 1"},
		"object short":     {func(w *wire.Sealed) { w.Records.Channel[0].Object = []byte{1} }, "logical name"},
		"class too large":  {func(w *wire.Sealed) { w.Records.Channel[0].Class = 1 << 16 }, "class"},
		"attribute":        {func(w *wire.Sealed) { w.Records.Channel[0].Attribute = -129 }, "attribute"},
		"scaler":           {func(w *wire.Sealed) { w.Records.Status[0].Scaler = 128 }, "scaler"},
		"status negative":  {func(w *wire.Sealed) { w.Records.Column[w.Records.Series[0].Status].Step[0] = -1 }, "status -1"},
		"status missing":   {func(w *wire.Sealed) { w.Records.Column[w.Records.Series[0].Status].Step[0] = 1 }, "status 1 of 1"},
		"column missing":   {func(w *wire.Sealed) { w.Records.Series[0].Time = 77 }, "column 77"},
		"column short":     {func(w *wire.Sealed) { w.Records.Column[0].Count[1] = 2 }, "3 entries: want 4"},
		"column long":      {func(w *wire.Sealed) { w.Records.Column[0].Count[1] = math.MaxUint32 }, "does not have 4"},
		"empty run":        {func(w *wire.Sealed) { w.Records.Column[0].Count[0] = 0 }, "does not have 4"},
		"counts and steps": {func(w *wire.Sealed) { w.Records.Column[0].Count = append(w.Records.Column[0].Count, 1) }, "3 counts and 2 steps"},
		"no values":        {func(w *wire.Sealed) { w.Records.Series[0].Value = nil }, "no values"},
		"nothing":          {func(w *wire.Sealed) { w.Records = &wire.Records{} }, "no records"},
		"order nameless":   {func(w *wire.Sealed) { w.Records.Order = []*wire.Order{{Ref: &wire.Ref{}}} }, "order"},
		"order no ref":     {func(w *wire.Sealed) { w.Records.Order = []*wire.Order{{Id: "o"}} }, "names no attribute"},
		"order unprinted":  {func(w *wire.Sealed) { w.Records.Order = []*wire.Order{{Id: "o\n", Ref: &wire.Ref{}}} }, "printable"},
		"many readings":    {func(w *wire.Sealed) { w.Records.Series[0].Value = make([]int64, MaxRecords+1) }, "want at most"},
	} {
		if _, err := ParseBatch(mutate(t, c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
	if _, err := ParseBatch(make([]byte, MaxBody+1)); err == nil {
		t.Error("a body over the bound was parsed")
	}
}

// TestManyEmptyParts holds what a hostile batch may cost: half a million empty
// parts in a megabyte are refused before memory is taken for them.
func TestManyEmptyParts(t *testing.T) {
	inner := bytes.Repeat([]byte{0x32, 0}, (MaxBody-16)/2) // series of no octets
	body := protowire.AppendBytes([]byte{8, 1, 0x12}, inner)
	allocs := testing.AllocsPerRun(1, func() {
		if _, err := ParseBatch(body); err == nil || !strings.Contains(err.Error(), "parts") {
			t.Errorf("%v", err)
		}
	})
	if allocs > 100 {
		t.Errorf("%.0f allocations for a batch that is refused", allocs)
	}
}

func TestMessageRefusals(t *testing.T) {
	marshal := func(e *wire.Envelope) []byte {
		b, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"newer":      marshal(&wire.Envelope{Version: 2, Kind: &wire.Envelope_Confirm{Confirm: &wire.Confirm{Id: "x"}}}),
		"unkind":     marshal(&wire.Envelope{Version: 1}),
		"lanes":      marshal(&wire.Envelope{Version: 1, Kind: &wire.Envelope_Welcome{Welcome: &wire.Welcome{Held: []uint64{1}}}}),
		"lane":       marshal(&wire.Envelope{Version: 1, Kind: &wire.Envelope_Send{Send: &wire.Send{Lane: 2, Seq: 1}}}),
		"seq 0":      marshal(&wire.Envelope{Version: 1, Kind: &wire.Envelope_Send{Send: &wire.Send{}}}),
		"seq huge":   marshal(&wire.Envelope{Version: 1, Kind: &wire.Envelope_Send{Send: &wire.Send{Seq: math.MaxUint64}}}),
		"hash":       marshal(&wire.Envelope{Version: 1, Kind: &wire.Envelope_Receipt{Receipt: &wire.Receipt{Seq: 1, Hash: []byte{1}}}}),
		"no station": marshal(&wire.Envelope{Version: 1, Kind: &wire.Envelope_Hello{Hello: &wire.Hello{NextSeq: []uint64{0, 0}}}}),
		"rubbish":    []byte("GET / HTTP/1.1"),
		"too long":   make([]byte, MaxMessage+1),
	} {
		if m, err := ParseMessage(b); err == nil {
			t.Errorf("%s is %+v", name, m)
		}
	}
}

func TestSignatures(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := messages()["receipt"].(Receipt).Receipt
	for _, key := range []crypto.Signer{curve, edwards} {
		signed, err := Sign(key, "TS-1", r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Marshal(signed)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		got := m.(Receipt)
		if err := got.Verify(key.Public(), "TS-1"); err != nil {
			t.Errorf("%T: %v", key, err)
		}
		changes := map[string]func(*concentrator.Receipt){
			"epoch":   func(r *concentrator.Receipt) { r.ID.Epoch++ },
			"lane":    func(r *concentrator.Receipt) { r.ID.Lane = 0 },
			"seq":     func(r *concentrator.Receipt) { r.ID.Seq++ },
			"hash":    func(r *concentrator.Receipt) { r.Hash[31]++ },
			"refused": func(r *concentrator.Receipt) { r.Refused = false },
			"reason":  func(r *concentrator.Receipt) { r.Reason = "nope" },
			"time":    func(r *concentrator.Receipt) { r.CenterAt = r.CenterAt.Add(time.Second) },
		}
		for what, change := range changes {
			forged := got
			change(&forged.Receipt)
			if err := forged.Verify(key.Public(), "TS-1"); !errors.Is(err, ErrSignature) {
				t.Errorf("%T: %s changed: %v", key, what, err)
			}
		}
		if err := got.Verify(key.Public(), "TS-2"); !errors.Is(err, ErrSignature) {
			t.Errorf("%T: for another station: %v", key, err)
		}
	}
	if err := (Receipt{Receipt: r}).Verify(&rsa.PublicKey{}, "TS-1"); err == nil {
		t.Error("a key of an unknown kind verified")
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, m := range messages() {
		b, err := Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		again, err := Marshal(m)
		if err != nil {
			t.Fatalf("%+v was parsed and cannot be encoded: %v", m, err)
		}
		back, err := ParseMessage(again)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("%+v came back as %+v (%v)", m, back, err)
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	b, err := Seal(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	b, err = Seal(concentrator.Records{Readings: quarterHours(meterA, imported, 96)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := ParseBatch(b)
		if err != nil {
			return
		}
		if rec.Len() > len(b) || len(rec.Readings) > MaxRecords {
			t.Fatalf("%d records from %d octets", rec.Len(), len(b))
		}
		again, err := Seal(rec)
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("parsed and cannot be sealed: %v", err)
		}
		back, err := ParseBatch(again)
		if err != nil || back.Len() != rec.Len() {
			t.Fatalf("came back with %d records, want %d (%v)", back.Len(), rec.Len(), err)
		}
	})
}

// street is the day of a street: 20 meters, 96 quarter hours each.
func street() (all []concentrator.Reading) {
	for m := range 20 {
		all = append(all, quarterHours(plc.MustSystemTitle([]byte{'B', 'U', 'S', byte(m)}), imported, 96)...)
	}
	return all
}

func BenchmarkSeal(b *testing.B) {
	rec := concentrator.Records{Readings: street()}
	for b.Loop() {
		body, err := Seal(rec)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(body))/float64(rec.Len()), "octets/value")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rec.Len()), "ns/value")
}

func BenchmarkParseBatch(b *testing.B) {
	body, err := Seal(concentrator.Records{Readings: street()})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ParseBatch(body); err != nil {
			b.Fatal(err)
		}
	}
}
