package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/uplink/center"
)

func newRead() *cobra.Command {
	var class uint16
	var attribute int8
	var timeout time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use: "read STATION METER OBIS", Short: "Have a station read one value of a meter now",
		Long: `Read gives the station an order and waits for its end. The order expires with
--timeout: it is never carried out later. Without --class and --attribute the object is
taken as a register and its value is read.`,
		Example: `  center read TS-0001 4D4D4D0000BC614E 1.0.1.8.0.255
  center read TS-0001 4D4D4D0000BC614E 0.0.1.0.0.255 --class 8       # its clock
  center read TS-0001 4D4D4D0000BC614E 1-0:1.8.0 --timeout 5m --json`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := center.Request{Station: args[0], Class: cosem.Class(class), Attribute: attribute, ExpiresIn: timeout.Seconds()}
			var err error
			if req.Meter, err = plc.ParseSystemTitle(args[1]); err != nil {
				return err
			}
			if req.Object, err = cosem.ParseOBIS(args[2]); err != nil {
				return err
			}
			if timeout < time.Second || timeout > time.Hour {
				return fmt.Errorf("--timeout %v: want 1s to 1h", timeout)
			}
			a, err := order(cmd.Context(), dataDir(cmd), req, timeout)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd, a); err != nil {
					return err
				}
			}
			return report(cmd, a, asJSON, timeout)
		},
	}
	cmd.Flags().Uint16Var(&class, "class", uint16(cosem.ClassRegister), "interface class of the object")
	cmd.Flags().Int8Var(&attribute, "attribute", 2, "attribute of the object")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait; the order expires then")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// order submits a request and waits for its end or the time-out.
func order(ctx context.Context, dir string, req center.Request, timeout time.Duration) (a center.Answer, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return a, err
	}
	if err := ask(ctx, dir, http.MethodPost, "/v1/orders", body, &a); err != nil {
		return a, err
	}
	// A little longer than the order lives: its last word needs a way home.
	wait := timeout + 2*time.Second
	err = ask(ctx, dir, http.MethodGet, fmt.Sprintf("/v1/orders/%s?wait=%.3f", a.ID, min(wait, time.Hour).Seconds()), nil, &a)
	return a, err
}

// report prints the value, or fails with why there is none.
func report(cmd *cobra.Command, a center.Answer, asJSON bool, timeout time.Duration) error {
	switch {
	case a.State == concentrator.OrderDone.String() && a.Result != nil:
		if !asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "%s  (%s, read %s, meter %v, %v)\n",
				a.Result.Text, quality(a.Result.Quality), stamp(a.Result.Time), a.Meter, a.Object)
		}
		return nil
	case a.Result != nil:
		why := a.Result.Detail
		if why == "" {
			why = "the meter is " + a.Result.Outcome
		}
		return exit(exitNoAnswer, fmt.Errorf("no value, the order is %s: %s", a.State, why))
	case a.State == "waiting" && !a.Connected:
		return exit(exitNoAnswer, fmt.Errorf("station %s is not connected and did not come within %v: the order is void; see `center stations`", a.Station, timeout))
	case a.State == "waiting":
		return exit(exitNoAnswer, fmt.Errorf("station %s is connected but did not accept the order within %v", a.Station, timeout))
	}
	return exit(exitNoAnswer, fmt.Errorf("the order is %s and brought nothing within %v: see `center orders` later", a.State, timeout))
}

// ask calls the API of the running center.
func ask(ctx context.Context, dir, method, path string, body []byte, v any) error {
	socket := socketPath(dir)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://center"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return exit(exitNotFound, fmt.Errorf("no center is running in %s: start it with `center run --data %s`", dir, dir))
	case errors.Is(err, fs.ErrPermission):
		return exit(exitFailure, fmt.Errorf("no permission to open %s: run as the center's user", socket))
	case err != nil:
		return exit(exitFailure, fmt.Errorf("the center in %s does not answer: %w", dir, err))
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		var refusal struct {
			Error string `json:"error"`
		}
		if err := json.NewDecoder(res.Body).Decode(&refusal); err != nil || refusal.Error == "" {
			refusal.Error = res.Status
		}
		code := exitFailure
		if res.StatusCode == http.StatusNotFound {
			code = exitNotFound
		}
		return exit(code, errors.New(refusal.Error))
	}
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return exit(exitFailure, fmt.Errorf("the center's answer cannot be read: %w", err))
	}
	return nil
}

// liveStations asks which stations are connected; none when no center runs.
func liveStations(ctx context.Context, dir string) map[string]bool {
	live := map[string]bool{}
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var list []center.LiveStation
	if err := ask(limited, dir, http.MethodGet, "/v1/live", nil, &list); err != nil {
		return live
	}
	for _, s := range list {
		live[s.Station] = true
	}
	return live
}
