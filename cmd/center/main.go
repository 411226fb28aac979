// Command center is the reference acquisition center: its server, its archive and
// its command line.
//
// It is the peer that a station is proven against, and a usable center for a few
// hundred stations. It wires uplink/center to storage/archive and decides nothing itself.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"busbar/storage/archive"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

// Exit codes of every command.
const (
	exitOK       = 0
	exitFailure  = 1 // something went wrong, or compared values differ; the message says what to do
	exitUsage    = 2 // wrong command line
	exitNotFound = 3 // the thing asked for is not there: no center, no such station
	exitNoAnswer = 4 // the order was given, and no value came: silent meter, no connection, too late
)

// exitError carries an exit code with its message.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

func exit(code int, err error) error {
	if err == nil {
		return nil
	}
	return exitError{code, err}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func execute(ctx context.Context, args []string, out, complaints io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(complaints)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(complaints, "center:", err)
	var e exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "center",
		Short: "Busbar's reference acquisition center: takes in what stations read, gives receipts and orders",
		Long: `The center waits for stations, stores what they deliver and gives a receipt for
every batch once it is safely on its disk. Orders go down the same connection.

Exit codes: 0 done; 1 something went wrong, or compared values differ; 2 wrong command
line; 3 no such center, station or meter; 4 an order brought no value.`,
		Example: `  center init /var/lib/center --host center.example.org --station TS-0001
  center run --data /var/lib/center --listen :8443
  center stations --data /var/lib/center
  center read TS-0001 4D4D4D0000BC614E 1.0.1.8.0.255 --data /var/lib/center`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	root.PersistentFlags().StringP("data", "d", dataDefault(), "directory of the center (or $CENTER_DATA)")
	root.AddCommand(newInit(), newAddStation(), newRun(), newStations(), newMeters(), newReadings(),
		newConflicts(), newEvents(), newOrders(), newExport(), newCompare(), newRead())
	return root
}

func dataDefault() string {
	if d := os.Getenv("CENTER_DATA"); d != "" {
		return d
	}
	return "/var/lib/center"
}

func dataDir(cmd *cobra.Command) string {
	d, err := cmd.Flags().GetString("data")
	if err != nil {
		panic(err) // every command has the flag
	}
	return d
}

func socketPath(dir string) string { return filepath.Join(dir, "center.sock") }

// openArchive opens the archive beside a running center, for reading.
func openArchive(cmd *cobra.Command) (*archive.Reader, error) {
	r, err := archive.OpenReader(cmd.Context(), dataDir(cmd))
	if errors.Is(err, archive.ErrNone) {
		return nil, exit(exitNotFound, err)
	}
	return r, exit(exitFailure, err)
}

// printJSON writes v as indented JSON.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// stamp is a time for people and for JSON, "-" and null for none. Meters may claim
// years that JSON's own times cannot hold.
type stamp time.Time

// String is the time in UTC.
func (s stamp) String() string {
	if time.Time(s).IsZero() {
		return "-"
	}
	return time.Time(s).UTC().Format("2006-01-02T15:04:05Z")
}

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	if time.Time(s).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(s.String())
}
