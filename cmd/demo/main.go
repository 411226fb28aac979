// Command demo shows the product without any hardware: a simulated street of meters, a
// station that reads them and a center that gets what it reads.
//
// It starts the real programs concentrator and center and holds only the street, the
// link between them, and the proof at the end: every value that the center holds is
// compared with what the meters held. It leaves nothing behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// options of a demo.
type options struct {
	meters   int
	speed    float64
	seed     uint64
	profiles string
	noise    string
	security string
	limit    time.Duration
	keep     bool
	kill     bool
	dir      string
	trace    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// isTerminal reports whether a person may be watching f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func newRoot() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a station read a street of meters and prove that every value arrived",
		Long: `Starts a simulated street on a pseudo-terminal, a station (concentrator) and a center,
cuts the uplink for a while in the middle, and ends with a proof: what the center holds is
compared, value by value, with what the meters held. The exit code is 0 only if all are equal.`,
		Example: `  demo
  demo --meters 50 --keep
  demo --meters 1000 --speed 400 --limit 20m
  demo --profiles ../shared/profiles`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := &screen{out: cmd.OutOrStdout(), terminal: isTerminal(os.Stdout)}
			err := play(cmd.Context(), o, v)
			if errors.Is(err, context.Canceled) {
				return errors.New("stopped before the proof")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.meters, "meters", 300, "meters in the street, 1 to 1024")
	f.Float64Var(&o.speed, "speed", 250, "how many times the line is faster than a real one")
	f.Uint64Var(&o.seed, "seed", 1, "the same seed makes the same street")
	f.StringVar(&o.profiles, "profiles", os.Getenv("BUSBAR_PROFILES"), "directory of recorded household load profiles (or $BUSBAR_PROFILES); empty: a household model")
	f.StringVar(&o.noise, "noise", "standard", "noise on the line: quiet, standard or hostile")
	f.StringVar(&o.security, "security", "hls-gmac", "how meters are protected: none, lls, hls-gmac or mixed")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "give up after this time")
	f.BoolVar(&o.keep, "keep", false, "stay up after the proof, until Ctrl-C")
	f.BoolVar(&o.kill, "kill", false, "also kill the station without warning in the middle of the round")
	f.StringVar(&o.trace, "trace", "", "write every octet between station and modem to this file, for plcscope")
	f.StringVar(&o.dir, "dir", "", "keep the files of station and center in this new directory")
	return cmd
}
