package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"busbar/concentrator/web"
	"busbar/storage/archive"
)

// watcher asks the running station and reads the center's archive, both as any user could.
type watcher struct {
	client  http.Client
	archive *archive.Reader
}

func newWatcher(socket string) *watcher {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &watcher{client: http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: dial}}}
}

// status is what `concentrator status --json` prints.
func (w *watcher) status(ctx context.Context) (s web.Status, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://station/api/v1/status", nil)
	if err != nil {
		return s, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the station answered %s", res.Status)
	}
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// delivered is the number of values at the center.
func (w *watcher) delivered(ctx context.Context) (n int, err error) {
	list, err := w.archive.Stations(ctx)
	for _, s := range list {
		n += s.Readings
	}
	return n, err
}

// look makes a scene of the station's status.
func look(s web.Status, meters int) scene {
	sc := scene{
		meters: meters, known: s.Meters.Known, registered: s.Meters.Registered, phase: s.Round.Phase,
		round: s.Round.Number, read: s.Round.Done, roundTotal: s.Round.Total, again: s.Round.Failed,
		stored: int(s.Storage.Readings), waiting: s.Outbox.Readings, connected: s.Uplink.Connected,
	}
	if !s.Line.Ready || s.Storage.Error != "" {
		sc.trouble = s.Verdict
	}
	return sc
}
