package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"busbar/board"
	"busbar/cmd/concentrator/config"
	"busbar/concentrator/engine"
	"busbar/concentrator/web"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/initiator"
	"busbar/plc/modem"
	"busbar/plc/modem/amis49587"
	"busbar/plc/trace"
	"busbar/storage"
	"busbar/uplink"
	"busbar/uplink/cellular"
)

// station is every part of the daemon, made and not yet running.
type station struct {
	cfg    config.Config
	log    *slog.Logger
	store  *storage.Store
	driver *amis49587.Driver
	line   *initiator.Initiator
	engine *engine.Engine

	courier *uplink.Courier      // nil: no center
	bearer  *cellular.Supervisor // nil: the operating system provides the network
	box     *trace.Box           // nil: no black box
	view    *view
	page    *web.Server
	socket  net.Listener // of the command line
	http    net.Listener // of the page; nil: no page
}

// run starts every long-lived goroutine, each on its line here, and waits for them.
func (s *station) run(ctx context.Context) error {
	parts := []part{
		{"modem driver", s.driver.Run},
		{"initiator", s.line.Run},
		{"engine", s.engine.Run},
		{"orders", s.engine.RunOrders},
		{"maintenance", s.maintain},
		{"view", s.view.Run},
		{"watchdog feeder", s.feed},
		{"local socket", func(ctx context.Context) error { return web.Serve(ctx, s.socket, s.local()) }},
	}
	if s.http != nil {
		parts = append(parts, part{"local page", func(ctx context.Context) error { return web.Serve(ctx, s.http, s.page.Handler()) }})
	}
	if s.box != nil {
		parts = append(parts, part{"black box", s.keepTrace})
	}
	if s.courier != nil {
		parts = append(parts, part{"courier", s.courier.Run})
	}
	if s.bearer != nil {
		parts = append(parts, part{"cellular bearer", s.bearer.Run})
	}
	return supervise(ctx, s.log, parts)
}

// assemble makes the parts. Its errors are faults of the configuration or of this
// machine; a modem, meter or center that is away is none.
func assemble(ctx context.Context, c config.Config, store *storage.Store, log *slog.Logger) (*station, error) {
	s := &station{cfg: c, log: log, store: store}
	if err := errors.Join(s.makeLine(), s.makeEngine(ctx), s.makeUplink(), s.makeBearer()); err != nil {
		return nil, err
	}
	s.view = newView(s)
	s.page = web.New(s.view, log)
	return s, s.listen(ctx)
}

func (s *station) makeLine() error {
	var err error
	if s.driver, err = amis49587.New(s.modemConfig()); err != nil {
		return exit(exitUsage, err)
	}
	c := s.lineConfig()
	s.line = initiator.New(s.driver, c)
	return exit(exitUsage, c.Validate())
}

func (s *station) modemConfig() amis49587.Config {
	l := s.cfg.Line
	c := amis49587.Config{
		Open: func() (modem.Port, error) {
			if l.Modem == "" {
				return nil, errors.New("no modem is configured: set line.modem, or start with --modem PATH")
			}
			return board.OpenModem(l.Modem, l.Baud)
		},
		Name: l.Modem, Baud: l.Baud, Profile: l.Profile(), Threshold: uint16(l.RepeaterThreshold),
		Notify: changes(s.log),
	}
	if l.Trace != "" {
		s.box = trace.New(trace.Config{Path: l.Trace})
		c.Trace = s.box.Host
	}
	return c
}

// keepTrace writes the black box. A disk that refuses ends the file, not the station.
func (s *station) keepTrace(ctx context.Context) error {
	if err := s.box.Run(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("the black box is not written any more; correct line.trace and restart", "err", err)
		<-ctx.Done()
	}
	return nil
}

// entrySize is room for one entry of a load profile in octets: its time and status, and
// a dozen channels.
const entrySize = 128

// maxTransfer is what a meter may answer at once; the engine asks for no more.
func (s *station) maxTransfer() int {
	return max(dlms.DefaultMaxTransfer, entrySize*s.cfg.Round.MaxEntries)
}

func (s *station) lineConfig() initiator.Config {
	l := s.cfg.Line
	return initiator.Config{
		Profile: l.Profile(), Title: ownTitle(l, s.cfg.Station), Keys: keyRing{s.store}, Counters: counters{s.store},
		AllowUnprotected: s.cfg.Meters.AllowUnprotected,
		ClientSAP:        byte(l.ClientSAP), PublicSAP: byte(l.PublicSAP), ServerSAP: byte(l.ServerSAP),
		Attempts: l.Attempts, Margin: l.HostMargin, MaxTransfer: s.maxTransfer(),
		SlotsForNew: uint8(l.SlotsForNew), Threshold: uint8(l.RepeaterThreshold), Signal: l.Signal,
	}
}

// changes logs what the driver is about, when that is news: a port that stays away is
// told once, not at every attempt. The driver calls it from one goroutine.
func changes(log *slog.Logger) func(amis49587.State) {
	var last amis49587.State
	return func(st amis49587.State) {
		if st.Phase == amis49587.Configuring || st.Phase == last.Phase && st.Detail == last.Detail {
			return
		}
		last = st
		if st.Ready() {
			log.Info("modem is ready")
			return
		}
		log.Warn("modem is not ready", "err", cmp.Or(st.Detail, st.Phase.String()))
	}
}

// ownTitle is our identity on the line: as configured, or made from the station's id
// so that it is always the same.
func ownTitle(l config.Line, station string) plc.SystemTitle {
	if t, err := plc.ParseSystemTitle(l.Title); err == nil {
		return t
	}
	sum := sha256.Sum256([]byte(station))
	size := cmp.Or(l.TitleSize, 8)
	return plc.MustSystemTitle(append([]byte("BUS"), sum[:]...)[:size])
}

func (s *station) makeEngine(ctx context.Context) error {
	last, err := s.store.LastRound(ctx)
	if err != nil {
		return err
	}
	ec, err := s.engineConfig(last)
	if err != nil {
		return exit(exitUsage, err)
	}
	s.engine, err = engine.New(ec, link{s.line.Link()}, journal{s.store, s.wakeCourier})
	return exit(exitUsage, err)
}

func (s *station) engineConfig(last uint64) (engine.Config, error) {
	c := s.cfg
	ec := engine.Config{
		Line: c.Line.Profile(), Registers: []cosem.OBIS{}, Deviation: c.Meters.DeviationSign(),
		Period: c.Round.Period, Passes: c.Round.Passes, Backfill: c.Round.Backfill, MaxEntries: c.Round.MaxEntries, MaxTransfer: s.maxTransfer(), LastRound: last,
		Expected: c.Meters.Expected, DiscoveryInterval: c.Round.DiscoveryInterval, RepeaterCall: c.Round.RepeaterCall,
		ClockTrusted: clockTrusted, Log: s.log,
	}
	var err error
	if ec.Profile, err = cosem.ParseOBIS(c.Meters.Profile); err != nil {
		return ec, fmt.Errorf("meters.profile: %w", err)
	}
	for _, r := range c.Meters.Registers {
		object, err := cosem.ParseOBIS(r)
		if err != nil {
			return ec, fmt.Errorf("meters.registers: %w", err)
		}
		ec.Registers = append(ec.Registers, object)
	}
	return ec, nil
}

// written is when this was written: a clock before it has lost its time.
var written = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)

func clockTrusted() bool { return time.Now().After(written) }

// wakeCourier tells the courier, when there is one, that something urgent waits.
func (s *station) wakeCourier() {
	if s.courier != nil {
		s.courier.Wake()
	}
}

func (s *station) makeUplink() error {
	center, err := dialer(s.cfg, s.log)
	if err != nil || center == nil {
		return exit(exitUsage, err)
	}
	u := s.cfg.Uplink
	s.courier = uplink.New(uplink.Config{
		Station: s.cfg.Station, Version: version, Window: u.Window, BatchSize: u.BatchSize, BatchAge: u.BatchAge,
		BackoffMin: u.BackoffMin, BackoffMax: u.BackoffMax, NewOrder: func() { s.engine.Wake() }, Log: s.log,
	}, s.store, s.store, center)
	return nil
}

func (s *station) makeBearer() error {
	c := s.cfg.Cellular
	if !c.Enabled {
		return nil
	}
	hidden, err := readSecrets(c.Secrets)
	if err != nil {
		return exit(exitUsage, err)
	}
	port := cmp.Or(c.DataPort, c.ATPort)
	s.bearer = cellular.New(cellular.Config{
		Open: func() (cellular.Port, error) { return board.OpenAT(c.ATPort, c.Baud) },
		PIN:  hidden.pin, Dir: filepath.Join(s.cfg.Data, "cellular"), Pppd: c.Pppd, SharedPort: port == c.ATPort, Log: s.log,
		Dial: cellular.Dial{Port: port, Baud: c.Baud, APN: c.APN, User: c.User, Password: hidden.password, Roaming: c.Roaming},
	})
	return nil
}

// maintain deletes what was kept long enough, now and every hour.
func (s *station) maintain(ctx context.Context) error {
	for {
		m, err := s.store.Maintain(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil: // the status says the same of every write
			s.log.Warn("old records were not deleted; tried again in an hour", "err", err)
		case m != storage.Maintenance{}:
			s.log.Info("old records deleted", "readings", m.Readings, "batches", m.Batches, "visits", m.Visits)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Hour):
		}
	}
}
