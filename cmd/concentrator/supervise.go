package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// part is one long-lived goroutine.
type part struct {
	name string
	run  func(context.Context) error
}

// lastWords is how long the parts, and after them the database, may take to end.
// Whatever is then still busy is left to the operating system: a kill loses nothing.
const lastWords = 900 * time.Millisecond

// supervise runs the parts until ctx ends or one of them ends by itself, which it
// never should: that ends all of them and is the error.
func supervise(ctx context.Context, log *slog.Logger, parts []part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		name string
		err  error
	}
	ends := make(chan end, len(parts))
	var busy []string
	for _, p := range parts {
		busy = append(busy, p.name)
		go func() { ends <- end{p.name, p.run(ctx)} }()
	}
	var fault error
	for limit := (<-chan time.Time)(nil); len(busy) > 0; {
		done := ctx.Done()
		if limit != nil {
			done = nil
		}
		select {
		case <-done:
			limit = time.After(lastWords)
		case e := <-ends:
			busy = slices.DeleteFunc(busy, func(name string) bool { return name == e.name })
			if ctx.Err() == nil {
				fault = fmt.Errorf("%s: %w", e.name, cmp.Or(e.err, errEnded))
				cancel()
			}
		case <-limit:
			log.Warn("still busy at the end", "err", strings.Join(busy, ", "))
			return fault
		}
	}
	return fault
}

var errEnded = errors.New("ended without being told to")

// within gives fn some time and goes on without it when that is over.
func within(limit time.Duration, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("it took longer than %v", limit)
	}
}
