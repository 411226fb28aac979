package main

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"busbar/concentrator/web"
)

func newStatus() *cobra.Command {
	var asJSON, check bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say how the station is", Args: cobra.NoArgs,
		Example: `  concentrator status
  concentrator status --json | jq .outbox
  concentrator status --check && echo healthy    # exit code 4 when not`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s web.Status
			if err := ask(cmd, "/api/v1/status", &s); err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd, s); err != nil {
					return err
				}
			} else {
				printStatus(cmd.OutOrStdout(), s)
			}
			if check && !s.Healthy {
				return exit(exitTrouble, errors.New(s.Verdict))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole status as JSON")
	cmd.Flags().BoolVar(&check, "check", false, "exit with code 4 when the station is not healthy")
	return cmd
}

func printStatus(out io.Writer, s web.Status) {
	fmt.Fprintln(out, s.Verdict+".")
	if s.Hint != "" {
		fmt.Fprintln(out, "  "+s.Hint)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
	row("station", "%s, version %s, up %s", s.Station, s.Version, s.Now.Sub(s.Started).Round(time.Second))
	row("power line", "%s  %s  %s", s.Line.State, s.Line.Port, s.Line.Detail)
	row("meters", "%d registered, %d new, %d lost, %d known", s.Meters.Registered, s.Meters.New, s.Meters.Lost, s.Meters.Known)
	row("round", "%s", roundText(s))
	row("center", "%s", centerText(s))
	row("outbox", "%d readings, %d batches of %d bytes sealed; %s", s.Outbox.Readings, s.Outbox.Batches, s.Outbox.Bytes, web.Waiting(s))
	row("storage", "%d readings, %d bytes in %s %s", s.Storage.Readings, s.Storage.Bytes, s.Storage.Path, s.Storage.Error)
	if c := s.Cellular; c != nil {
		row("cellular", "%s", cellularText(c))
		for _, e := range c.History {
			row("", "%s  %s  %s", e.Time.Format("2006-01-02 15:04:05"), e.State, e.Text)
		}
	}
	_ = w.Flush() // standard output that fails is its reader's trouble
}

func roundText(s web.Status) string {
	r := s.Round
	if r.Started == nil {
		return "none yet since the start, " + r.Phase
	}
	text := fmt.Sprintf("%d, %s, %d of %d read, %d given up", r.Number, r.Phase, r.Done, r.Total, r.Failed)
	if r.EndsAt != nil && r.Finished == nil {
		text += ", ends about " + r.EndsAt.Format("15:04:05") + " UTC"
	}
	return text
}

func centerText(s web.Status) string {
	u := s.Uplink
	switch {
	case !u.Enabled:
		return "off: no uplink.url in the configuration"
	case u.Connected:
		return "connected, last receipt " + web.Age(s.Now, u.LastReceipt)
	}
	return "no link, last receipt " + web.Age(s.Now, u.LastReceipt) + ": " + u.Error
}

func cellularText(c *web.Cellular) string {
	parts := []string{c.State}
	for _, p := range []string{c.Detail, c.Operator, c.Technology} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if c.SignalDBm != nil {
		parts = append(parts, fmt.Sprintf("%d dBm", *c.SignalDBm))
	}
	return strings.Join(parts, ", ")
}

func newMeters() *cobra.Command {
	var asJSON bool
	var state, sortBy string
	cmd := &cobra.Command{
		Use: "meters", Short: "List the meters with their last reading, credit and signal", Args: cobra.NoArgs,
		Example: `  concentrator meters
  concentrator meters --state lost
  concentrator meters --sort signal
  concentrator meters --json | jq '.[] | select(.failures > 0)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			less, ok := meterOrders[sortBy]
			if !ok {
				return exit(exitUsage, fmt.Errorf("cannot sort by %q: use title, credit, signal, reading or failures", sortBy))
			}
			var meters []web.Meter
			if err := ask(cmd, "/api/v1/meters", &meters); err != nil {
				return err
			}
			meters = withState(meters, state)
			sort.SliceStable(meters, func(i, j int) bool { return less(meters[i], meters[j]) })
			if asJSON {
				return printJSON(cmd, meters)
			}
			printMeters(cmd.OutOrStdout(), meters)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&state, "state", "", "only meters in this state: new, registered or lost")
	cmd.Flags().StringVar(&sortBy, "sort", "title", "order: title, credit, signal, reading or failures")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"new", "registered", "lost"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]string{"title", "credit", "signal", "reading", "failures"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// meterOrders put the troublesome first, except by title.
var meterOrders = map[string]func(a, b web.Meter) bool{
	"title":    func(a, b web.Meter) bool { return a.Title < b.Title },
	"credit":   func(a, b web.Meter) bool { return a.Credit > b.Credit },
	"failures": func(a, b web.Meter) bool { return a.Failures > b.Failures },
	"signal": func(a, b web.Meter) bool {
		return b.SNR != nil && (a.SNR == nil || *a.SNR < *b.SNR)
	},
	"reading": func(a, b web.Meter) bool {
		return b.LastReading != nil && (a.LastReading == nil || a.LastReading.Before(*b.LastReading))
	},
}

func withState(meters []web.Meter, state string) []web.Meter {
	if state == "" {
		return meters
	}
	kept := meters[:0]
	for _, m := range meters {
		if m.State == state {
			kept = append(kept, m)
		}
	}
	return kept
}

func printMeters(out io.Writer, meters []web.Meter) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "METER\tNAME\tSTATE\tADDR\tCREDIT\tUP/DOWN\tSNR\tLAST READING\tWHY NOT")
	for _, m := range meters {
		snr, reading := "", "never"
		if m.SNR != nil {
			snr = fmt.Sprintf("%.0f dB", *m.SNR)
		}
		if m.LastReading != nil {
			reading = m.LastReading.Format("2006-01-02 15:04")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d/%d\t%s\t%s\t%s\n", m.Title, m.Name, m.State, m.Address, m.Credit, m.Up, m.Down, snr, reading, m.Detail)
	}
	_ = w.Flush() // standard output that fails is its reader's trouble
	fmt.Fprintf(out, "%d meters\n", len(meters))
}
