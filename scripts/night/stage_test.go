package night

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"busbar/concentrator/engine"
	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/dlms/cipher"
	"busbar/plc/initiator"
	"busbar/plc/street"
	"busbar/plc/street/town"
	"busbar/storage"
	"busbar/uplink"
)

// evening is when a night begins: when the noise is worst.
var evening = time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)

// stage is a station, its street and its center, all in one bubble.
type stage struct {
	*testing.T
	town    *town.Town
	store   *storage.Store
	wire    *initiator.Initiator
	engine  *engine.Engine
	courier *uplink.Courier
	center  *center

	station, uplink, mains *group
}

// newStage sleeps until the evening and then builds everything and starts it. The courier
// looks for new records once per poll, 0 being its default of a second.
func newStage(t *testing.T, cfg town.Config, c *center, poll time.Duration) *stage {
	t.Helper()
	time.Sleep(time.Until(evening))
	s := &stage{T: t, center: c}
	var err error
	if s.town, err = town.New(cfg); err != nil {
		t.Fatal(err)
	}
	line, err := s.town.Line()
	if err != nil {
		t.Fatal(err)
	}
	s.openStore()
	s.wire = initiator.New(line, initiator.Config{
		Profile: cfg.Profile, Title: plc.MustSystemTitle([]byte("BUSNIGHT")), Keys: keyRing{s.store}, Counters: s.store,
		AllowUnprotected: true, Margin: 60 * time.Millisecond, Signal: true,
	})
	log := slog.New(slog.DiscardHandler)
	s.engine, err = engine.New(engine.Config{
		Line: cfg.Profile, Period: period, Expected: cfg.Meters, Log: log,
	}, link{s.wire.Link()}, s.store)
	if err != nil {
		t.Fatal(err)
	}
	s.courier = uplink.New(uplink.Config{Station: "TS-NIGHT", Poll: poll, NewOrder: s.engine.Wake, Log: log}, s.store, s.store, c)
	s.mains = begin(t, line.Run)
	s.station = begin(t, s.wire.Run, s.engine.Run, s.engine.RunOrders)
	s.uplink = begin(t, s.courier.Run)
	return s
}

// period is that of the rounds.
const period = 15 * time.Minute

// openStore makes a database on the disk that holds the keys of the town.
func (s *stage) openStore() {
	s.Helper()
	var err error
	if s.store, err = storage.Open(s.Context(), storage.Options{Dir: s.TempDir()}); err != nil {
		s.Fatal(err)
	}
	var keys bytes.Buffer
	if err := s.town.WriteKeys(&keys); err != nil {
		s.Fatal(err)
	}
	if _, err := s.store.ImportKeys(&keys); err != nil {
		s.Fatal(err)
	}
}

// stopStation ends what reads meters. Courier, store and street go on.
func (s *stage) stopStation() { s.station.end() }

// deliver waits until the center has everything that is stored.
func (s *stage) deliver() {
	s.Helper()
	for range 600 {
		backlog, err := s.store.Backlog(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		if backlog.Readings+backlog.Batches == 0 {
			return
		}
		time.Sleep(time.Second)
	}
	s.Errorf("the center did not get everything in 10 minutes: %+v", s.courier.State())
}

// close ends what still runs.
func (s *stage) close() {
	s.Helper()
	s.stopStation()
	s.uplink.end()
	s.mains.end()
	if err := s.store.Close(); err != nil {
		s.Error(err)
	}
}

// group is some goroutines that end together.
type group struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func begin(t *testing.T, parts ...func(context.Context) error) *group {
	ctx, cancel := context.WithCancel(t.Context())
	g := &group{cancel: cancel}
	for _, run := range parts {
		g.running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	return g
}

func (g *group) end() {
	g.cancel()
	g.running.Wait()
}

// stats is what happened on the mains.
func (s *stage) stats() (stats street.Stats, digest uint64) {
	s.Helper()
	err := s.town.Do(s.Context(), func(m *street.Mains) { stats, digest = m.Stats(), m.Digest() })
	if err != nil {
		s.Fatal(err)
	}
	return stats, digest
}

// link is the initiator's Link as the engine wants it.
type link struct{ *initiator.Link }

func (l link) Urgent() engine.Link { return link{l.Link.Urgent()} }

// keyRing gives the initiator the keys that the store holds.
type keyRing struct{ store *storage.Store }

func (k keyRing) Keys(title plc.SystemTitle) (dlms.Keys, bool, error) {
	record, found, err := k.store.Key(title)
	if err != nil || !found {
		return dlms.Keys{}, false, err
	}
	encryption, authentication, password := record.Reveal()
	return dlms.Keys{
		Mechanism: dlms.Mechanism(record.Mechanism), Password: password,
		Encryption: cipher.Key(encryption), Authentication: cipher.Key(authentication),
	}, true, nil
}
