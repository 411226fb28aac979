package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"busbar/concentrator"
	"busbar/concentrator/capture"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/storage/archive"
)

// table prints rows under a heading.
func table(out io.Writer, heading string, rows func(row func(cells ...any))) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, heading)
	rows(func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = fmt.Sprint(c)
		}
		fmt.Fprintln(w, strings.Join(text, "\t"))
	})
	_ = w.Flush() // standard output that fails is its reader's trouble
}

// lister is a command that shows part of the archive as a table or as JSON.
func lister(use, short, example string, show func(cmd *cobra.Command, r *archive.Reader, asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := openArchive(cmd)
			if err != nil {
				return err
			}
			return errors.Join(show(cmd, r, asJSON), r.Close())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// stationRow is a station for people and programs.
type stationRow struct {
	Station    string `json:"station"`
	Connected  bool   `json:"connected"`
	Seen       stamp  `json:"last_connected"`
	Program    string `json:"version"`
	Backlog    int    `json:"backlog"`
	Meters     int    `json:"meters"`
	Readings   int    `json:"readings"`
	Batches    int    `json:"batches"`
	Repeats    int    `json:"repeats"`
	Duplicates int    `json:"duplicates"`
	Conflicts  int    `json:"conflicts"`
	Refused    int    `json:"refused"`
	Missing    int    `json:"missing"`
}

func newStations() *cobra.Command {
	return lister("stations", "List the stations and what they delivered",
		"  center stations\n  center stations --json | jq '.[] | select(.missing > 0)'",
		func(cmd *cobra.Command, r *archive.Reader, asJSON bool) error {
			list, err := r.Stations(cmd.Context())
			if err != nil {
				return exit(exitFailure, err)
			}
			live := liveStations(cmd.Context(), dataDir(cmd))
			rows := []stationRow{}
			for _, s := range list {
				rows = append(rows, stationRow{
					s.Name, live[s.Name], stamp(s.Seen), s.Program, s.Backlog, s.Meters, s.Readings, s.Batches,
					s.Repeats, s.Duplicates, s.Conflicts, s.Refused, s.Missing,
				})
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			table(cmd.OutOrStdout(), "STATION\tCONNECTED\tLAST\tVERSION\tMETERS\tREADINGS\tBATCHES\tREPEATED\tDUPLICATES\tCONFLICTS\tREFUSED\tMISSING", func(row func(...any)) {
				for _, s := range rows {
					row(s.Station, yes(s.Connected), s.Seen, s.Program, s.Meters, s.Readings, s.Batches, s.Repeats, s.Duplicates, s.Conflicts, s.Refused, s.Missing)
				}
			})
			if len(rows) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "no station has connected yet: `center init` and `center add-station` print what a station needs")
			}
			return nil
		})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// meterRow is a meter for people and programs.
type meterRow struct {
	Meter     plc.SystemTitle `json:"meter"`
	Station   string          `json:"station"`
	Readings  int             `json:"readings"`
	Conflicts int             `json:"conflicts"`
	Newest    stamp           `json:"newest"`
	Received  stamp           `json:"received"`
}

func newMeters() *cobra.Command {
	return lister("meters", "List the meters with the number and the age of their readings",
		"  center meters\n  center meters --json | jq length",
		func(cmd *cobra.Command, r *archive.Reader, asJSON bool) error {
			list, err := r.Meters(cmd.Context())
			if err != nil {
				return exit(exitFailure, err)
			}
			rows := []meterRow{}
			for _, m := range list {
				rows = append(rows, meterRow{m.Title, m.Station, m.Readings, m.Conflicts, stamp(m.Newest), stamp(m.Received)})
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			table(cmd.OutOrStdout(), "METER\tSTATION\tREADINGS\tCONFLICTS\tNEWEST\tRECEIVED", func(row func(...any)) {
				for _, m := range rows {
					row(m.Meter, m.Station, m.Readings, m.Conflicts, m.Newest, m.Received)
				}
			})
			return nil
		})
}

// readingRow is a reading for people and programs.
type readingRow struct {
	Meter     plc.SystemTitle `json:"meter"`
	Profile   string          `json:"profile,omitempty"`
	Class     cosem.Class     `json:"class"`
	Object    cosem.OBIS      `json:"object"`
	Attribute int8            `json:"attribute"`
	Time      stamp           `json:"time"`
	Value     int64           `json:"value"`
	Scaler    int8            `json:"scaler"`
	Unit      uint8           `json:"unit"`
	Text      string          `json:"text"`
	Quality   uint16          `json:"quality"`
	Received  stamp           `json:"received"`
}

func rowOf(r concentrator.Reading) readingRow {
	row := readingRow{
		Meter: r.Meter, Class: r.Channel.Class, Object: r.Channel.Object, Attribute: r.Channel.Attribute,
		Time: stamp(r.Time), Value: r.Value, Scaler: r.Scaler, Unit: r.Unit,
		Text: quantity(r.Value, r.Scaler, r.Unit), Quality: uint16(r.Quality), Received: stamp(r.Received),
	}
	if !r.Channel.Profile.IsZero() {
		row.Profile = r.Channel.Profile.String()
	}
	return row
}

func quantity(value int64, scaler int8, unit uint8) string {
	return strings.TrimSpace(capture.Decimal(value, scaler) + " " + capture.UnitName(unit))
}

// selection adds the flags that choose readings.
func selection(cmd *cobra.Command) func() (archive.Query, error) {
	meter := cmd.Flags().String("meter", "", "only this meter (system title in hexadecimal)")
	object := cmd.Flags().String("obis", "", "only this object, for example 1.0.1.8.0.255")
	from := cmd.Flags().String("from", "", "meter time to begin with, for example 2026-03-01 or 2026-03-01T12:00:00Z")
	to := cmd.Flags().String("to", "", "meter time to end before")
	return func() (q archive.Query, err error) {
		if *meter != "" {
			if q.Meter, err = plc.ParseSystemTitle(*meter); err != nil {
				return q, err
			}
		}
		if *object != "" {
			if q.Object, err = cosem.ParseOBIS(*object); err != nil {
				return q, err
			}
		}
		if q.From, err = parseTime("--from", *from); err != nil {
			return q, err
		}
		q.To, err = parseTime("--to", *to)
		return q, err
	}
}

func parseTime(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: want a time in UTC like 2026-03-01 or 2026-03-01T12:00:00Z", flag, s)
}

func newReadings() *cobra.Command {
	return readingsCommand("readings", "Show the newest readings",
		"  center readings --meter 4D4D4D0000BC614E --obis 1.0.1.8.0.255 --limit 96\n  center readings --from 2026-03-01 --to 2026-03-02 --limit 0 --json",
		(*archive.Reader).Readings)
}

func newConflicts() *cobra.Command {
	return readingsCommand("conflicts", "Show values that came for a key which held another value already",
		"  center conflicts\n  center conflicts --meter 4D4D4D0000BC614E --json",
		(*archive.Reader).Conflicts)
}

func readingsCommand(use, short, example string, query func(*archive.Reader, context.Context, archive.Query) iter.Seq2[concentrator.Reading, error]) *cobra.Command {
	var limit int
	var chosen func() (archive.Query, error)
	cmd := lister(use, short, example, func(cmd *cobra.Command, r *archive.Reader, asJSON bool) error {
		q, err := chosen()
		if err != nil {
			return err
		}
		q.Limit, q.Newest = limit, true
		rows := []readingRow{}
		for reading, err := range query(r, cmd.Context(), q) {
			if err != nil {
				return exit(exitFailure, err)
			}
			rows = append(rows, rowOf(reading))
		}
		if asJSON {
			return printJSON(cmd, rows)
		}
		table(cmd.OutOrStdout(), "METER TIME\tMETER\tPROFILE\tOBJECT\tVALUE\tQUALITY\tRECEIVED", func(row func(...any)) {
			for _, r := range rows {
				row(r.Time, r.Meter, dash(r.Profile), r.Object, r.Text, quality(concentrator.Quality(r.Quality)), r.Received)
			}
		})
		if limit > 0 && len(rows) == limit {
			fmt.Fprintf(cmd.ErrOrStderr(), "the newest %d; --limit 0 shows all, `center export` writes a file\n", limit)
		}
		return nil
	})
	chosen = selection(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "show at most so many, 0: all")
	return cmd
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// qualities are the flags of a reading in words, lowest bit first.
var qualities = []string{"clock invalid", "no meter time", "status raised", "not a number", "time implausible", "station clock"}

func quality(q concentrator.Quality) string {
	if q == 0 {
		return "good"
	}
	var words []string
	for i, word := range qualities {
		if q&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	if q >= 1<<len(qualities) {
		words = append(words, fmt.Sprintf("flags %#x", uint16(q)))
	}
	return strings.Join(words, ", ")
}

// eventRow is an event for people and programs.
type eventRow struct {
	Time    stamp           `json:"time"`
	Station string          `json:"station"`
	Meter   plc.SystemTitle `json:"meter"`
	Code    string          `json:"code"`
	Text    string          `json:"text"`
}

func newEvents() *cobra.Command {
	var limit int
	cmd := lister("events", "Show what stations and meters reported, newest first", "  center events --limit 20",
		func(cmd *cobra.Command, r *archive.Reader, asJSON bool) error {
			list, err := r.Events(cmd.Context(), limit)
			if err != nil {
				return exit(exitFailure, err)
			}
			rows := []eventRow{}
			for _, e := range list {
				rows = append(rows, eventRow{stamp(e.Event.Time), e.Station, e.Event.Meter, string(e.Event.Code), e.Event.Text})
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			table(cmd.OutOrStdout(), "TIME\tSTATION\tMETER\tCODE\tTEXT", func(row func(...any)) {
				for _, e := range rows {
					row(e.Time, e.Station, dash(e.Meter.String()), e.Code, e.Text)
				}
			})
			return nil
		})
	cmd.Flags().IntVar(&limit, "limit", 50, "show at most so many")
	return cmd
}

func newOrders() *cobra.Command {
	var limit int
	cmd := lister("orders", "Show orders and what came of them, newest first", "  center orders --limit 20",
		func(cmd *cobra.Command, r *archive.Reader, asJSON bool) error {
			list, err := r.Orders(cmd.Context(), limit)
			if err != nil {
				return exit(exitFailure, err)
			}
			rows := []orderRow{}
			for _, o := range list {
				rows = append(rows, orderRowOf(o))
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			table(cmd.OutOrStdout(), "ISSUED\tORDER\tSTATION\tMETER\tOBJECT\tSTATE\tRESULT", func(row func(...any)) {
				for _, o := range rows {
					row(o.Issued, o.ID, o.Station, o.Meter, o.Object, o.State, dash(o.Text+o.Detail))
				}
			})
			return nil
		})
	cmd.Flags().IntVar(&limit, "limit", 50, "show at most so many")
	return cmd
}

// orderRow is an order for people and programs.
type orderRow struct {
	ID      string          `json:"id"`
	Station string          `json:"station"`
	Meter   plc.SystemTitle `json:"meter"`
	Object  cosem.OBIS      `json:"object"`
	Issued  stamp           `json:"issued"`
	Expires stamp           `json:"expires"`
	State   string          `json:"state"`
	Text    string          `json:"text,omitempty"`
	Detail  string          `json:"detail,omitempty"`
}

func orderRowOf(o archive.Order) orderRow {
	row := orderRow{
		ID: o.Order.ID, Station: o.Station, Meter: o.Order.Meter, Object: o.Order.Ref.Object,
		Issued: stamp(o.Order.Issued), Expires: stamp(o.Order.Expires), State: o.Order.State.String(),
	}
	if o.Order.State == 0 {
		row.State = "waiting"
		if time.Now().After(o.Order.Expires) {
			row.State = "expired"
		}
	}
	if r := o.Order.Result; r != nil {
		row.Text, row.Detail = r.Text, r.Detail
	}
	return row
}
