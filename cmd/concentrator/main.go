// Command concentrator is the station's daemon and its command line.
//
// It wires the rooms together: the modem driver under the initiator, the engine
// over it, storage beside it, the courier and the local page at the edges. It
// decides nothing itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

// Exit codes of every command.
const (
	exitOK       = 0
	exitFailure  = 1 // something went wrong; the message says what to do
	exitUsage    = 2 // wrong command line or configuration
	exitNotFound = 3 // the thing asked for is not there: no daemon, no such meter
	exitTrouble  = 4 // the station works but is not healthy (status --check)
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
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	os.Exit(execute(ctx, os.Args[1:]))
}

func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "concentrator:", err)
	var e exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "concentrator",
		Short: "Busbar: reads the electricity meters behind a transformer and forwards what they say",
		Long: `Busbar drives an S-FSK power-line modem, finds and registers the meters behind
the transformer, reads them in rounds, keeps every value in its database and
forwards it to the acquisition center until the center confirms it.`,
		Example: `  concentrator run --config /etc/concentrator/concentrator.yaml
  concentrator status
  concentrator meters --json`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	root.PersistentFlags().StringP("config", "c", "", "configuration file (default /etc/concentrator/concentrator.yaml if it exists)")
	root.PersistentFlags().String("socket", "", "local socket of the running station (default: concentrator.sock in the data directory)")
	root.PersistentFlags().String("data", "", "data directory")
	root.PersistentFlags().String("station", "", "id of the station")
	root.AddCommand(newRun(), newStatus(), newMeters(), newRounds(), newEvents(), newKeys(), newConfig())
	return root
}
