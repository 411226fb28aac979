// Command plcscope shows what happens on a power line and reads meters of any maker
// without one.
//
// It takes apart frames (plc/dissect), follows and replays captures (plc/trace), and
// reads a meter over TCP or a serial port.
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "plcscope: %v\n", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plcscope", Short: "Look into power-line and meter communication",
		Long: `Takes apart frames of S-FSK power lines and of DLMS/COSEM, and reads meters of any maker
over the TCP wrapper, over HDLC on TCP or on a serial port.`,
		Version: version, SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(newDissect(), newShow(), newSniff(), newReplay(), newExport(), newGet(), newWalk())
	return cmd
}
