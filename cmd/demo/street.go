package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"busbar/cmd/truth"
	"busbar/concentrator/proof"
	"busbar/plc"
	busstreet "busbar/plc/street"
	"busbar/plc/street/town"
)

// street is the simulated street, served on a pseudo-terminal in this process.
type street struct {
	town   *town.Town
	modem  string // path of the pseudo-terminal
	keys   string // path of the meters' key file
	source string // of the meters' energy

	cancel context.CancelFunc
	done   chan error
}

// newStreet builds the street and serves it.
func newStreet(o options, dir string) (*street, error) {
	security, err := town.ParseSecurity(o.security)
	if err != nil {
		return nil, err
	}
	noise, err := busstreet.NoiseByName(o.noise)
	if err != nil {
		return nil, err
	}
	homes, source, err := town.Homes(o.profiles, o.seed)
	if err != nil {
		return nil, err
	}
	profile := plc.DefaultProfile()
	profile.Speed = o.speed
	t, err := town.New(town.Config{Meters: o.meters, Seed: o.seed, Profile: profile, Noise: noise, Security: security, Homes: homes})
	if err != nil {
		return nil, err
	}
	s := &street{town: t, source: source, keys: filepath.Join(dir, "keys.csv"), done: make(chan error, 1)}
	if err := s.writeKeys(); err != nil {
		return nil, err
	}
	terminal, err := t.OpenTerminal()
	if err != nil {
		return nil, err
	}
	s.modem = terminal.Path()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.done <- t.Serve(ctx, terminal) }()
	return s, nil
}

func (s *street) writeKeys() (err error) {
	f, err := os.OpenFile(s.keys, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return s.town.WriteKeys(f)
}

// err tells when the street has ended by itself.
func (s *street) err() error {
	select {
	case err := <-s.done:
		s.done <- err
		return fmt.Errorf("ended: %w", err)
	default:
		return nil
	}
}

// close ends the street.
func (s *street) close() {
	s.cancel()
	s.done <- <-s.done
}

// held is what the meters held in the last day. What they captured in must has to be
// at the center.
func (s *street) held(ctx context.Context, must truth.Window) iter.Seq2[proof.Held, error] {
	now := time.Now()
	return truth.Held(ctx, s.town, truth.Window{From: now.Add(-25 * time.Hour), To: now.Add(time.Hour)}, must)
}

// summary is what happened on the mains.
func (s *street) summary() string {
	sum, err := s.town.Summary(context.Background())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s frames and %s repetitions on the mains", thousands(int(sum.Frames)), thousands(int(sum.Repeats)))
}

func (s *street) anyMeter() plc.SystemTitle { return s.town.Titles()[0] }
