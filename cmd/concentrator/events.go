package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"busbar/concentrator/web"
)

func newEvents() *cobra.Command {
	var asJSON bool
	var since string
	var limit int
	cmd := &cobra.Command{
		Use: "events", Short: "List what happened to the station and its meters, oldest first", Args: cobra.NoArgs,
		Example: `  concentrator events
  concentrator events --since 24h
  concentrator events --since 2026-03-01T12:00:00Z --json | jq '.[] | select(.code == "meter.lost")'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := parseSince(since, time.Now())
			if err != nil {
				return exit(exitUsage, err)
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if !from.IsZero() {
				q.Set("since", from.UTC().Format(time.RFC3339))
			}
			var events []web.Event
			if err := ask(cmd, "/api/v1/events?"+q.Encode(), &events); err != nil {
				return err
			}
			slices.Reverse(events)
			if asJSON {
				return printJSON(cmd, events)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "TIME\tCODE\tMETER\tWHAT")
			for _, e := range events {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Time.Format("2006-01-02 15:04:05"), e.Code, e.Meter, e.Text)
			}
			_ = w.Flush() // standard output that fails is its reader's trouble
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&since, "since", "", "only events after this: a time such as 2026-03-01T12:00:00Z, or a duration such as 24h ago")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many, the newest, 1 to 1000")
	return cmd
}

// parseSince reads a time, or a duration before now. Empty is no bound.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--since %q: want a duration such as 90m or 24h, or a time such as 2026-03-01T12:00:00Z", s)
}

func newRounds() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "rounds", Short: "List the rounds since the start, newest first", Args: cobra.NoArgs,
		Example: "  concentrator rounds\n  concentrator rounds --json | jq '.[0]'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rounds []web.Round
			if err := ask(cmd, "/api/v1/rounds", &rounds); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, rounds)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ROUND\tSTARTED\tTOOK\tMETERS\tREAD\tGIVEN UP")
			for _, r := range rounds {
				if r.Started != nil && r.Finished != nil {
					took := r.Finished.Sub(*r.Started).Round(time.Second)
					fmt.Fprintf(w, "%d\t%s\t%v\t%d\t%d\t%d\n", r.Number, r.Started.Format("2006-01-02 15:04:05"), took, r.Total, r.Done, r.Failed)
				}
			}
			_ = w.Flush() // standard output that fails is its reader's trouble
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
