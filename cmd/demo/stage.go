package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"busbar/storage/archive"
	"busbar/uplink/center"
	"busbar/uplink/pki"
)

// stationID is the id of the demo's station, the common name of its certificate.
const stationID = "TS-DEMO"

// stage is what stands around the street: the center, the link to it, the station.
type stage struct {
	dir     string // files of all of them
	center  *program
	bearer  *bearer
	station *program
	config  string // of the station
	*watcher
}

func (g *stage) centerDir() string  { return filepath.Join(g.dir, "center") }
func (g *stage) stationDir() string { return filepath.Join(g.dir, "station") }
func (g *stage) socket() string     { return filepath.Join(g.stationDir(), "concentrator.sock") }

// openCenter makes a center with certificates, starts it, and lays the link to it.
func (g *stage) openCenter(ctx context.Context) error {
	if _, err := run(ctx, "center", "init", g.centerDir(), "--station", stationID); err != nil {
		return err
	}
	var err error
	if g.center, err = start(g.dir, "center", "run", "--data", g.centerDir(), "--listen", "127.0.0.1:0"); err != nil {
		return err
	}
	addr, err := g.center.said(ctx, "address=")
	if err != nil {
		return err
	}
	if g.bearer, err = newBearer(addr); err != nil {
		return err
	}
	g.watcher = newWatcher(g.socket())
	g.archive, err = archive.OpenReader(ctx, g.centerDir())
	return err
}

// configure writes the station's configuration. The page takes any free port.
func (g *stage) configure(modem, keys string, o options) error {
	certs := filepath.Join(g.centerDir(), pki.StationsDir, stationID)
	g.config = filepath.Join(g.dir, "station.yaml")
	text := fmt.Sprintf(`station: %s
data: %s
line:
  modem: %s
  speed: %g
  trace: %q
meters:
  keys: %s
  expected: %d
  allow_unprotected: %t
round:
  period: 1m
uplink:
  url: wss://%s%s
  ca: %s
  cert: %s
  key: %s
  batch_age: 1s
  backoff_max: 2s
web:
  listen: 127.0.0.1:0
`, stationID, g.stationDir(), modem, o.speed, o.trace, keys, o.meters, o.security == "none" || o.security == "mixed",
		g.bearer.addr(), center.Path, filepath.Join(certs, pki.AuthorityCert), filepath.Join(certs, pki.StationCert), filepath.Join(certs, pki.StationKey))
	return os.WriteFile(g.config, []byte(text), 0o600)
}

// startStation starts the station and waits until it answers.
func (g *stage) startStation(ctx context.Context) error {
	var err error
	if g.station, err = start(g.dir, "concentrator", "run", "--config", g.config); err != nil {
		return err
	}
	for {
		if _, err = g.status(ctx); err == nil {
			return nil
		}
		if err := g.station.alive(); err != nil {
			return err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// close stops everything in order.
func (g *stage) close() error {
	var errs []error
	if g.station != nil {
		errs = append(errs, g.station.stop())
	}
	if g.watcher != nil && g.archive != nil {
		errs = append(errs, g.archive.Close())
	}
	if g.bearer != nil {
		g.bearer.close()
	}
	if g.center != nil {
		errs = append(errs, g.center.stop())
	}
	return errors.Join(errs...)
}

// alive tells when a program has ended by itself.
func (g *stage) alive() error { return errors.Join(g.station.alive(), g.center.alive()) }

// sleep waits for d or the end of ctx, whose error it returns then.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
