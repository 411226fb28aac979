package main

import (
	"context"
	"net"
	"os"
	"strconv"
	"time"
)

// notify tells systemd about us (sd_notify(3)), when it wants to know.
func notify(state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return // nobody listens: systemd has its own time-out for that
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte(state))
}

// feed tells systemd's watchdog that we live, as often as it wants (WatchdogSec in the
// unit). Each time it looks at every part first: when a lock or the database is stuck it
// is stuck too, and systemd starts us anew. A modem or center that is away is no reason.
func (s *station) feed(ctx context.Context) error {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		<-ctx.Done() // nobody watches
		return nil
	}
	tick := time.NewTicker(time.Duration(usec) * time.Microsecond / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := s.view.Status(ctx); err == nil {
			notify("WATCHDOG=1")
		}
	}
}
