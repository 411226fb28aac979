package center_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/storage/archive"
	"busbar/uplink"
	"busbar/uplink/center"
	"busbar/uplink/envelope"
	"busbar/uplink/pki"
	"busbar/uplink/ws"
)

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestReadingsArriveOnceThroughCuts(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	// A TLS greeting takes some 2,000 octets from the station: cuts fall into it, into
	// hello and into batches. No connection lives long.
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWire(t, h.address, func(int) int64 { return 1000 + rng.Int64N(5000) }, whole)
	s := newStation(t, "TS-1", dialer(t, dir, "TS-1", w.address()))
	for m := range 20 {
		if _, err := s.store.RecordVisit(t.Context(), visit(m, day)); err != nil {
			t.Fatal(err)
		}
		if m%5 == 0 {
			w.cut()
		}
	}
	eventually(t, "delivery", s, func() bool { return delivered(t, s) })
	same(t, s, h.archive)
	stations, err := h.archive.Stations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := stations[0]
	if got.Missing != 0 || got.Conflicts != 0 || got.Refused != 0 || got.Duplicates != 0 {
		t.Errorf("station %+v", got)
	}
	t.Logf("%d connections, %d batches, %d of them came again", w.connections(), got.Batches, got.Repeats)
	if w.connections() < 3 {
		t.Error("the line was hardly ever cut: the test is broken")
	}
}

// TestReceiptsAreCut lets everything through to the center and cuts what comes
// back: the center holds a batch, and the station does not know it.
func TestReceiptsAreCut(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	rng := rand.New(rand.NewPCG(3, 4))
	w := newWire(t, h.address, whole, func(int) int64 { return 1500 + rng.Int64N(1500) })
	s := newStation(t, "TS-1", dialer(t, dir, "TS-1", w.address()))
	for m := range 10 {
		if _, err := s.store.RecordVisit(t.Context(), visit(m, day)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "delivery", s, func() bool { return delivered(t, s) })
	same(t, s, h.archive)
	t.Logf("%d connections", w.connections())
}

func TestCenterRestarts(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	address := h.address
	s := newStation(t, "TS-1", dialer(t, dir, "TS-1", address))
	for m := range 6 {
		if _, err := s.store.RecordVisit(t.Context(), visit(m, day)); err != nil {
			t.Fatal(err)
		}
		if m%2 == 1 {
			h.stop()
			h = newHall(t, dir, address)
		}
	}
	eventually(t, "delivery", s, func() bool { return delivered(t, s) })
	same(t, s, h.archive)
}

// talk opens a session by hand.
func talk(t *testing.T, c uplink.Center, hello uplink.Hello) (uplink.Session, uplink.Welcome) {
	t.Helper()
	s, err := c.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w, err := s.Hello(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func batchOf(t *testing.T, epoch uint64, lane concentrator.Lane, seq uint64, rec concentrator.Records) concentrator.Batch {
	t.Helper()
	body, err := envelope.Seal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return concentrator.Batch{ID: concentrator.BatchID{Epoch: epoch, Lane: lane, Seq: seq}, Body: body, Hash: sha256.Sum256(body)}
}

func receipt(t *testing.T, s uplink.Session) concentrator.Receipt {
	t.Helper()
	m, err := s.Receive(t.Context())
	if err != nil || m.Receipt == nil {
		t.Fatalf("instead of a receipt came %+v (%v)", m, err)
	}
	return *m.Receipt
}

// TestKilledBetweenCommitAndReceipt stores a batch and loses the receipt with the
// center: the next session gets it with the welcome, and nothing is stored twice.
func TestKilledBetweenCommitAndReceipt(t *testing.T) {
	dir := newPKI(t, "TS-1")
	a, err := archive.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec := concentrator.Records{Readings: visit(1, day).Readings}
	b := batchOf(t, 7, concentrator.LaneReadings, 1, rec)
	if _, err := a.Greet(t.Context(), archive.Visitor{Station: "TS-1", Epoch: 7}); err != nil {
		t.Fatal(err)
	}
	stored, err := a.StoreBatch(t.Context(), "TS-1", b, rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil { // the receipt was never sent
		t.Fatal(err)
	}
	h := newHall(t, dir, "127.0.0.1:0")
	s, w := talk(t, dialer(t, dir, "TS-1", h.address), uplink.Hello{Station: "TS-1", Epoch: 7, NextSeq: [concentrator.Lanes]uint64{0, 1}})
	if w.Held[concentrator.LaneReadings] != 1 {
		t.Errorf("welcome %+v", w)
	}
	if r := receipt(t, s); r != stored.Receipt {
		t.Errorf("receipt %+v, want %+v", r, stored.Receipt)
	}
	if err := s.Send(t.Context(), b); err != nil { // and a station that sends it again
		t.Fatal(err)
	}
	if r := receipt(t, s); r != stored.Receipt {
		t.Errorf("second receipt %+v", r)
	}
	stations, err := h.archive.Stations(t.Context())
	if err != nil || stations[0].Readings != len(rec.Readings) || stations[0].Repeats != 1 || stations[0].Duplicates != 0 {
		t.Errorf("%+v (%v)", stations, err)
	}
}

func TestBatchesThatAreRefused(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	s, _ := talk(t, dialer(t, dir, "TS-1", h.address), uplink.Hello{Station: "TS-1", Epoch: 7})
	rubbish := concentrator.Batch{ID: concentrator.BatchID{Epoch: 7, Lane: 1, Seq: 1}, Body: []byte("rubbish"), Hash: sha256.Sum256([]byte("rubbish"))}
	good := batchOf(t, 7, 1, 2, concentrator.Records{Readings: visit(1, day).Readings})
	other := batchOf(t, 7, 1, 2, concentrator.Records{Readings: visit(2, day).Readings})
	for i, c := range []struct {
		batch   concentrator.Batch
		refused bool
	}{{rubbish, true}, {good, false}, {other, true}, {rubbish, true}, {good, false}} {
		if err := s.Send(t.Context(), c.batch); err != nil {
			t.Fatal(err)
		}
		if r := receipt(t, s); r.Refused != c.refused || r.ID != c.batch.ID || r.Hash != c.batch.Hash || r.Refused == (r.Reason == "") {
			t.Errorf("batch %d: receipt %+v", i, r)
		}
	}
	stations, err := h.archive.Stations(t.Context())
	if err != nil || stations[0].Refused != 2 || stations[0].Meters != 1 {
		t.Errorf("%+v (%v)", stations, err)
	}
}

// TestPoisonDoesNotStopTheLane goes the whole way: the refused batch lies in the
// station's quarantine, what follows arrives.
func TestPoisonDoesNotStopTheLane(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	s := newStation(t, "TS-1", nil)
	if _, err := s.store.RecordVisit(t.Context(), visit(1, day)); err != nil {
		t.Fatal(err)
	}
	waiting, err := s.store.Waiting(t.Context(), concentrator.LaneReadings, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Seal(t.Context(), concentrator.LaneReadings, waiting.Through, []byte("poison")); err != nil {
		t.Fatal(err)
	}
	s.run(t, dialer(t, dir, "TS-1", h.address))
	eventually(t, "delivery", s, func() bool { return delivered(t, s) })
	refused, err := s.store.Refused(t.Context(), 10)
	if err != nil || len(refused) != 1 || refused[0].ID.Seq != 1 || !strings.Contains(refused[0].Reason, "envelope") {
		t.Errorf("%+v (%v)", refused, err)
	}
	meters, err := h.archive.Meters(t.Context())
	if err != nil || len(meters) != 1 || meters[0].Readings != 2*96-1 {
		t.Errorf("%+v (%v)", meters, err)
	}
	eventually(t, "the event about it", s, func() bool {
		events, err := h.archive.Events(t.Context(), 10)
		return err == nil && len(events) == 1 && events[0].Event.Code == concentrator.EventBatchRefused
	})
}

func TestSessionsThatEnd(t *testing.T) {
	dir := newPKI(t, "TS-1", "TS-2")
	h := newHall(t, dir, "127.0.0.1:0")
	hello := uplink.Hello{Station: "TS-1", Epoch: 7}
	rec := concentrator.Records{Readings: visit(1, day).Readings}
	t.Run("another name", func(t *testing.T) {
		s, err := dialer(t, dir, "TS-2", h.address).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Hello(t.Context(), hello); err == nil || !strings.Contains(err.Error(), `certificate is for "TS-2"`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a hole", func(t *testing.T) {
		s, _ := talk(t, dialer(t, dir, "TS-1", h.address), hello)
		for _, seq := range []uint64{1, 3} {
			if err := s.Send(t.Context(), batchOf(t, 7, 1, seq, rec)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Receive(t.Context())
		if err == nil { // the receipt for batch 1
			_, err = s.Receive(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "batch 3 of lane 1 came after batch 1") {
			t.Errorf("%v", err)
		}
	})
	t.Run("another epoch", func(t *testing.T) {
		s, _ := talk(t, dialer(t, dir, "TS-1", h.address), hello)
		if err := s.Send(t.Context(), batchOf(t, 8, 1, 1, rec)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "another epoch") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a second session", func(t *testing.T) {
		first, _ := talk(t, dialer(t, dir, "TS-1", h.address), hello)
		second, _ := talk(t, dialer(t, dir, "TS-1", h.address), hello)
		if _, err := first.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "connected again") {
			t.Errorf("%v", err)
		}
		if err := second.Send(t.Context(), batchOf(t, 7, 1, 1, rec)); err != nil {
			t.Fatal(err)
		}
		receipt(t, second)
	})
	t.Run("the center stops", func(t *testing.T) {
		s, _ := talk(t, dialer(t, dir, "TS-1", h.address), hello)
		h.stop()
		if _, err := s.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "the center is stopping") {
			t.Errorf("%v", err)
		}
	})
}

// TestForeignStations: who has no certificate of our authority does not get in.
func TestForeignStations(t *testing.T) {
	dir, foreign := newPKI(t, "TS-1"), newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	own := filepath.Join(foreign, pki.StationsDir, "TS-1")
	d, err := ws.New(ws.Config{
		URL: "wss://" + h.address + center.Path, CA: filepath.Join(dir, pki.AuthorityCert),
		Cert: filepath.Join(own, pki.StationCert), Key: filepath.Join(own, pki.StationKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "add-station") {
		t.Errorf("foreign authority: %v", err)
	}
	// The center's own certificate is no station's.
	d, err = ws.New(ws.Config{
		URL: "wss://" + h.address + center.Path, CA: filepath.Join(dir, pki.AuthorityCert),
		Cert: filepath.Join(dir, pki.CenterCert), Key: filepath.Join(dir, pki.CenterKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Dial(t.Context()); err == nil {
		t.Error("the center's certificate was taken for a station's")
	}
	if stations, err := h.archive.Stations(t.Context()); err != nil || len(stations) != 0 {
		t.Errorf("%+v (%v)", stations, err)
	}
}

// api calls the local API.
func api(t *testing.T, h *hall, method, path string, body, v any) int {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(h.dir, "center.sock"))
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://center"+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// TestOrderGoesDownAndComesBack plays the engine: it takes the order from the
// store and saves what came of it.
func TestOrderGoesDownAndComesBack(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	w := newWire(t, h.address, whole, whole)
	s := newStation(t, "TS-1", dialer(t, dir, "TS-1", w.address()))
	eventually(t, "connection", s, func() bool { return s.courier.State().Connected })
	go func() {
		for range s.orders {
			w.cut() // the result finds its way all the same
			pending, err := s.store.PendingOrders(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			for _, o := range pending {
				o.State, o.Attempt = concentrator.OrderDone, 1
				o.Result = &concentrator.OrderResult{Time: day, Outcome: plc.Answered, Data: []byte{6, 0, 0, 0, 42}, Text: "42 Wh", Unit: 30, Quality: concentrator.ClockInvalid}
				if err := s.store.SaveOrder(t.Context(), o); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	defer close(s.orders)
	for i := range 3 {
		var a center.Answer
		req := center.Request{Station: "TS-1", Meter: title(i), Class: 3, Object: visit(1, day).Readings[0].Channel.Object, Attribute: 2, ExpiresIn: 30}
		if code := api(t, h, http.MethodPost, "/v1/orders", req, &a); code != http.StatusCreated || a.State != "waiting" || a.ID == "" {
			t.Fatalf("order: %d %+v", code, a)
		}
		code := api(t, h, http.MethodGet, "/v1/orders/"+a.ID+"?wait=30", nil, &a)
		if code != http.StatusOK || !a.Final || a.State != "done" || a.Result == nil || a.Result.Text != "42 Wh" ||
			a.Result.Quality != concentrator.ClockInvalid || !a.Result.Time.Equal(day) || a.Meter != title(i) {
			t.Fatalf("answer: %d %+v %+v", code, a, a.Result)
		}
	}
	s.stop()
}

// TestOrdersWaitForTheirStation: given while it is away they are pushed when it
// comes, unless they have expired.
func TestOrdersWaitForTheirStation(t *testing.T) {
	dir := newPKI(t, "TS-1")
	h := newHall(t, dir, "127.0.0.1:0")
	var a center.Answer
	req := center.Request{Station: "TS-1", Meter: title(1), Class: 3, Object: profile, Attribute: 2, ExpiresIn: 60}
	if code := api(t, h, http.MethodPost, "/v1/orders", req, &a); code != http.StatusNotFound {
		t.Errorf("an order for a station nobody knows: %d", code)
	}
	s, _ := talk(t, dialer(t, dir, "TS-1", h.address), uplink.Hello{Station: "TS-1", Epoch: 7})
	_ = s.Close()
	ids := map[string]bool{}
	for i := range 20 { // more than are pushed without a confirmation
		if code := api(t, h, http.MethodPost, "/v1/orders", req, &a); code != http.StatusCreated {
			t.Fatalf("order %d: %d", i, code)
		}
		ids[a.ID] = true
	}
	req.ExpiresIn = 0.001
	if code := api(t, h, http.MethodPost, "/v1/orders", req, &a); code != http.StatusCreated {
		t.Fatal(code)
	}
	time.Sleep(2 * time.Millisecond) // real: the order has to expire
	s, _ = talk(t, dialer(t, dir, "TS-1", h.address), uplink.Hello{Station: "TS-1", Epoch: 7})
	for len(ids) > 0 {
		m, err := s.Receive(t.Context())
		if err != nil || m.Order == nil || !ids[m.Order.ID] {
			t.Fatalf("%+v (%v), %d orders left", m.Order, err, len(ids))
		}
		delete(ids, m.Order.ID)
		if err := s.ConfirmOrder(t.Context(), m.Order.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPIRefuses(t *testing.T) {
	h := newHall(t, newPKI(t), "127.0.0.1:0")
	for name, c := range map[string]struct {
		method, path string
		body         any
		code         int
	}{
		"unknown field":  {http.MethodPost, "/v1/orders", map[string]any{"reset": true}, http.StatusBadRequest},
		"no meter":       {http.MethodPost, "/v1/orders", map[string]any{"station": "TS-1"}, http.StatusBadRequest},
		"unknown order":  {http.MethodGet, "/v1/orders/o9", nil, http.StatusNotFound},
		"endless wait":   {http.MethodGet, "/v1/orders/o9?wait=1e9", nil, http.StatusBadRequest},
		"negative wait":  {http.MethodGet, "/v1/orders/o9?wait=-1", nil, http.StatusBadRequest},
		"expires in a y": {http.MethodPost, "/v1/orders", center.Request{Station: "TS-1", Meter: title(1), Object: profile, ExpiresIn: 1e8}, http.StatusBadRequest},
	} {
		var refusal map[string]string
		if code := api(t, h, c.method, c.path, c.body, &refusal); code != c.code || refusal["error"] == "" {
			t.Errorf("%s: %d %v", name, code, refusal)
		}
	}
	var live []center.LiveStation
	if code := api(t, h, http.MethodGet, "/v1/live", nil, &live); code != http.StatusOK || len(live) != 0 {
		t.Errorf("live %d %v", code, live)
	}
}

func TestManyStations(t *testing.T) {
	var ids []string
	for n := range 6 {
		ids = append(ids, fmt.Sprintf("TS-%d", n))
	}
	dir := newPKI(t, ids...)
	h := newHall(t, dir, "127.0.0.1:0")
	var stations []*station
	for n, id := range ids {
		s := newStation(t, id, dialer(t, dir, id, h.address))
		if _, err := s.store.RecordVisit(t.Context(), visit(n, day)); err != nil {
			t.Fatal(err)
		}
		stations = append(stations, s)
	}
	for _, s := range stations {
		eventually(t, "delivery", s, func() bool { return delivered(t, s) })
	}
	list, err := h.archive.Stations(t.Context())
	if err != nil || len(list) != len(ids) {
		t.Fatalf("%+v (%v)", list, err)
	}
	for _, s := range list {
		if s.Readings != 2*96 || s.Meters != 1 {
			t.Errorf("%+v", s)
		}
	}
}
