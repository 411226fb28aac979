package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"busbar/cmd/truth"
	"busbar/concentrator"
	"busbar/concentrator/proof"
	"busbar/concentrator/web"
)

// Points of the plot, as shares of the meters read in the first round.
const (
	cutAt     = 0.35
	killAt    = 0.5
	restoreAt = 0.75
)

// maxMeters is what one station is made for.
const maxMeters = 1024

// look again after this time.
const tick = 250 * time.Millisecond

// play runs the whole demo.
func play(ctx context.Context, o options, v *screen) (err error) {
	if o.meters < 1 || o.meters > maxMeters || o.limit <= 0 {
		return fmt.Errorf("--meters %d, --limit %v: want 1 to %d meters and more time than none", o.meters, o.limit, maxMeters)
	}
	dir, done, err := workDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	a := &act{options: o, screen: v, stage: &stage{dir: dir}, begun: time.Now()}
	defer func() { err = errors.Join(err, a.end()) }()
	if err := a.raise(ctx); err != nil {
		return err
	}
	if err := a.follow(ctx); err != nil {
		return err
	}
	if o.keep {
		a.stay(ctx)
	}
	return nil
}

// workDir makes the directory for the demo's files; done removes it unless the user
// asked for it by name.
func workDir(name string) (dir string, done func() error, err error) {
	if name != "" {
		if err := os.Mkdir(name, 0o700); err != nil {
			return "", nil, fmt.Errorf("--dir: %w: name a directory that does not exist yet", err)
		}
		return name, func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "busbar-demo-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// act is a running demo.
type act struct {
	options
	*screen
	*stage
	street *street
	begun  time.Time

	cutSince time.Time // zero while the link is there
	wasCut   bool
	killed   bool
	memory   int64 // largest seen

	tried time.Time // when the proof was tried last
	proof proof.Result
}

// end stops the station before the line under it.
func (a *act) end() error {
	err := a.stage.close()
	if a.street != nil {
		a.street.close()
	}
	return err
}

// raise builds street, center and station.
func (a *act) raise(ctx context.Context) error {
	a.say("Busbar: %d meters behind one transformer, on a simulated line at %g times the speed of 2,400 bit/s.", a.meters, a.speed)
	var err error
	if a.street, err = newStreet(a.options, a.stage.dir); err != nil {
		return err
	}
	if err := a.openCenter(ctx); err != nil {
		return err
	}
	if err := a.configure(a.street.modem, a.street.keys, a.options); err != nil {
		return err
	}
	if err := a.startStation(ctx); err != nil {
		return err
	}
	a.say("The modem is %s, the meters' energy comes from %s.\n", a.street.modem, a.street.source)
	return nil
}

// follow is run within the time limit. It ends with the verdict on the proof.
func (a *act) follow(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, a.limit)
	defer cancel()
	err := a.run(limited)
	switch {
	case err == nil:
		a.say("\n%v", a.proof)
		a.say("after %s, %s; largest resident memory of the station %d MiB", clock(time.Since(a.begun)), a.street.summary(), a.memory>>20)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		a.say("\n%v", a.proof)
		a.examples()
		err = fmt.Errorf("not every value arrived within %v: give more with --limit, or a faster line with --speed", a.limit)
	}
	if a.station != nil {
		err = fmt.Errorf("%w\nthe station said last:\n%s", err, a.station.tail())
	}
	return err
}

func (a *act) examples() {
	for kind, examples := range a.proof.ExamplesByKind {
		for _, e := range examples {
			a.say("%s: %s", kind, e)
		}
	}
}

// run follows the station until everything it read is at the center.
func (a *act) run(ctx context.Context) error {
	for {
		s, err := a.status(ctx)
		if err != nil {
			return errors.Join(err, a.alive())
		}
		if err := a.alive(); err != nil {
			return err
		}
		if err := a.street.err(); err != nil {
			return fmt.Errorf("the street: %w", err)
		}
		n, err := a.delivered(ctx)
		if err != nil {
			return err
		}
		a.draw(s, n)
		if err := a.direct(ctx, s); err != nil {
			return err
		}
		if done, err := a.prove(ctx, s); done || err != nil {
			return err
		}
		if err := sleep(ctx, tick); err != nil {
			return err
		}
	}
}

func (a *act) draw(s web.Status, delivered int) {
	sc := look(s, a.meters)
	sc.elapsed, sc.atCenter, sc.afterCut = time.Since(a.begun), delivered, a.wasCut
	sc.memory = a.station.memory()
	a.memory = max(a.memory, sc.memory)
	if !a.cutSince.IsZero() {
		sc.linkCut = max(time.Second, time.Since(a.cutSince))
	}
	a.show(sc)
}

// direct takes the link away in the middle of the first round and gives it back.
func (a *act) direct(ctx context.Context, s web.Status) error {
	share := float64(s.Round.Done) / float64(max(1, a.meters))
	over := s.Round.Number > 1 || s.Round.Finished != nil
	switch {
	case !a.wasCut && s.Round.Number > 0 && (share >= cutAt || over):
		a.wasCut, a.cutSince = true, time.Now()
		a.bearer.cut(true)
	case a.kill && !a.killed && share >= killAt:
		a.killed = true
		a.station.kill()
		a.say("The station was killed without warning and starts again from its disk.")
		return a.startStation(ctx)
	case !a.cutSince.IsZero() && (share >= restoreAt || over) && time.Since(a.cutSince) > 3*time.Second:
		a.cutSince = time.Time{}
		a.bearer.cut(false)
	}
	return nil
}

// tryAgain is the time between two tries of the proof, and fewWait the readings on their
// way that do not put it off: registers are read in every round.
const (
	tryAgain = 3 * time.Second
	fewWait  = 1000
)

// prove compares what the center holds with what the meters held, once a round is over
// and the backlog of the outage is delivered. A meter that could not be read yet makes it
// fail; the next round reads it.
func (a *act) prove(ctx context.Context, s web.Status) (done bool, err error) {
	if s.Round.Number < 2 && s.Round.Finished == nil || !a.wasCut || !a.cutSince.IsZero() ||
		!s.Uplink.Connected || s.Outbox.Readings > fewWait || time.Since(a.tried) < tryAgain {
		return false, nil
	}
	a.tried = time.Now()
	stored, err := a.delivery(ctx)
	if err != nil {
		return false, err
	}
	// An entry that a meter captured meanwhile, or one that left the 24 hours which the
	// station reads back, may be at the center and need not be.
	const slack = time.Minute
	held := a.street.held(ctx, truth.Window{From: time.Now().Add(slack - 24*time.Hour), To: a.begun.Add(-slack)})
	if a.proof, err = proof.Compare(held, stored); err != nil {
		return false, err
	}
	again, err := a.archive.Duplicates(ctx)
	a.proof.Duplicated += again
	return a.proof.OK(), err
}

// delivery is what the center holds at this moment, values that contradict earlier ones
// included. It is read before what the meters held: a value delivered in between would
// seem to come from nowhere.
func (a *act) delivery(ctx context.Context) (iter.Seq2[concentrator.Reading, error], error) {
	var all []concentrator.Reading
	for r, err := range a.archive.Delivered(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return func(yield func(concentrator.Reading, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}, nil
}

// stay keeps everything running until the user has seen enough.
func (a *act) stay(ctx context.Context) {
	a.say(`
Everything stays up until Ctrl-C. Try, from another terminal:
  concentrator status --data %[1]s
  concentrator meters --data %[1]s
  center stations --data %[2]s
  center read %[3]s %[4]s 1.0.1.8.0.255 --data %[2]s`, a.stationDir(), a.centerDir(), stationID, a.street.anyMeter())
	if page, err := a.station.said(ctx, "url=http://"); err == nil {
		a.say("and open http://%s", page)
	}
	<-ctx.Done()
}
