package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"busbar/plc"
	"busbar/plc/street"
	"busbar/plc/street/chip"
	"busbar/plc/street/town"
)

type options struct {
	meters, bitRate, titleSize            int
	seed                                  uint64
	speed                                 float64
	profiles, link, keys, security, noise string
	held                                  string
	back, grace                           time.Duration
	doors                                 doorOptions
}

func defaults() *options {
	return &options{
		meters: 50, seed: 1, speed: 1, bitRate: 2400, titleSize: 8,
		profiles: os.Getenv("BUSBAR_PROFILES"), security: string(town.Ciphered), noise: "standard",
		back: 23 * time.Hour, grace: 20 * time.Minute,
	}
}

// config is the town that the options ask for, and in a few words where its energy comes from.
func (o *options) config() (town.Config, string, error) {
	noise, err := street.NoiseByName(o.noise)
	if err != nil {
		return town.Config{}, "", err
	}
	security, err := town.ParseSecurity(o.security)
	if err != nil {
		return town.Config{}, "", err
	}
	homes, source, err := town.Homes(o.profiles, o.seed)
	if err != nil {
		return town.Config{}, "", err
	}
	p := plc.DefaultProfile()
	p.Speed, p.BitRate, p.TitleSize = o.speed, o.bitRate, o.titleSize
	return town.Config{
		Meters: o.meters, Seed: o.seed, Profile: p, Noise: noise, Security: security, Homes: homes,
		Chip: chip.Config{Firmware: 0x10},
	}, source, nil
}

// run serves the street until ctx ends.
func run(ctx context.Context, o *options, out io.Writer) error {
	cfg, source, err := o.config()
	if err != nil {
		return err
	}
	begun := time.Now()
	cfg.Start = begun
	t, err := town.New(cfg)
	if err != nil {
		return err
	}
	if o.keys != "" {
		if err := replaceFile(o.keys, t.WriteKeys); err != nil {
			return fmt.Errorf("key file: %w", err)
		}
	}
	terminal, err := t.OpenTerminal()
	if err != nil {
		return err
	}
	if o.link != "" {
		if err := link(terminal.Path(), o.link); err != nil {
			return errors.Join(err, terminal.Close())
		}
		defer unlink(terminal.Path(), o.link)
	}
	say(out, "street of %d meters, %s, %s, seed %d, slots of %v\n", o.meters, o.security, source, o.seed, cfg.Profile.Slot())
	say(out, "modem on %s%s\n", terminal.Path(), named(o.link))

	// The town outlives ctx a little, so that the last look at it sees it whole.
	owner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- t.Serve(owner, terminal) }()
	shut, err := openDoors(owner, t, o.doors, out)
	if err != nil {
		return err
	}
	defer shut()
	w := &watch{town: t, options: o, begun: begun, out: out}
	err = w.follow(ctx, ended)
	if ctx.Err() != nil && o.held != "" {
		if last := w.writeHeld(owner); last != nil {
			err = last
		}
	}
	stop()
	return err
}

func named(link string) string {
	if link == "" {
		return ""
	}
	return ", linked as " + link
}

// say writes to the terminal of whoever watches; that it is gone is no reason to end.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }

// watch shows the street and keeps the file of what the meters held.
type watch struct {
	town *town.Town
	*options
	begun time.Time
	out   io.Writer
	width int // of the last line shown
}

// Pauses between two looks.
const (
	heldPause  = 5 * time.Second
	heldShare  = 20 // writing takes at most one part of so many of the time
	livePause  = time.Second
	plainPause = 10 * time.Second
)

// follow shows and writes until ctx ends or the street does.
func (w *watch) follow(ctx context.Context, ended <-chan error) error {
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	defer signal.Stop(usr1)
	live := isTerminal(w.out)
	pause := plainPause
	if live {
		pause = livePause
	}
	show := time.NewTicker(pause)
	defer show.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			w.show(context.WithoutCancel(ctx), live)
			say(w.out, "\n")
			return ctx.Err()
		case err := <-ended:
			return fmt.Errorf("the modem's terminal: %w", err)
		case <-show.C:
			w.show(ctx, live)
		case <-usr1:
			err = w.writeHeld(ctx)
		case <-due.C:
			began := time.Now()
			err = w.writeHeld(ctx)
			due.Reset(max(heldPause, heldShare*time.Since(began)))
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// show writes one line over the last one, or below it when nobody watches live.
func (w *watch) show(ctx context.Context, live bool) {
	s, err := w.town.Summary(ctx)
	if err != nil {
		return // the street is ending, which another case tells
	}
	line := s.String()
	if !live {
		say(w.out, "%s\n", line)
		return
	}
	say(w.out, "\r%s%s", line, strings.Repeat(" ", max(0, w.width-len(line))))
	w.width = len(line)
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
