package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"busbar/plc/street"
	"busbar/plc/street/door"
	"busbar/plc/street/town"
)

// doorOptions are the addresses at which foreign programs find the meters; empty: nowhere.
type doorOptions struct {
	wrapper, hdlc, plc string
	each               bool // one port for each meter, counted up from the one given
}

// openDoors listens and returns a function that closes the doors again.
func openDoors(ctx context.Context, t *town.Town, o doorOptions, out io.Writer) (func(), error) {
	cfg := door.Config{Do: func(ctx context.Context, f func()) error { return t.Do(ctx, func(*street.Mains) { f() }) }}
	for _, m := range t.Meters() {
		cfg.Meters = append(cfg.Meters, m)
	}
	d, err := door.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var open sync.WaitGroup
	closeAll := func() {
		cancel()
		open.Wait()
	}
	for _, one := range []struct {
		kind    door.Kind
		address string
	}{{door.Wrapper, o.wrapper}, {door.HDLC, o.hdlc}, {door.PLC, o.plc}} {
		if one.address == "" {
			continue
		}
		listeners, err := listen(one.address, o.each, len(cfg.Meters))
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("door for %v: %w", one.kind, err)
		}
		for i, l := range listeners {
			which := door.All
			if o.each {
				which = i
			}
			open.Go(func() { _ = d.Serve(ctx, l, one.kind, which) }) // ends with the street
		}
		say(out, "door for %v on %v%s\n", one.kind, listeners[0].Addr(), andMore(len(listeners)))
	}
	return closeAll, nil
}

func andMore(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" and the %d ports behind it", n-1)
}

// listen opens one port, or one for each meter. Without a host only this machine is served.
func listen(address string, each bool, meters int) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q: want HOST:PORT or :PORT", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	first, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: want a number from 0 to 65535", port)
	}
	if !each {
		meters = 1
	}
	var all []net.Listener
	for i := range meters {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(first)+i)))
		if err != nil {
			for _, open := range all {
				_ = open.Close()
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}
