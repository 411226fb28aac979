// Command street is a low-voltage street with meters behind an emulated power-line
// modem on a pseudo-terminal, for a station without hardware.
//
// It wires plc/street/town to files and signals and decides nothing itself.
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
		fmt.Fprintf(os.Stderr, "street: %v\n", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	o := defaults()
	cmd := &cobra.Command{
		Use:   "street",
		Short: "Simulate a street of meters behind a power-line modem",
		Long: `Builds a low-voltage street: homes with a load profile, meters that register them, the mains with its
noise and repeaters, and the modem at the station's end. The modem answers on a pseudo-terminal as the real chip does.
One seed makes one street. It runs until Ctrl-C.

A file written with --keys holds the keys of the meters; it is readable by you alone. A file written with --held holds
what the meters captured and what they answered, to be compared with what a center received. SIGUSR1 writes it at once.`,
		Example: `  street --meters 50
  street --meters 300 --speed 150 --link ./modem --keys ./keys.csv --held ./held.csv
  street --meters 20 --security none --noise hostile --seed 7
  street --meters 12 --title-size 6 --security lls
  street --meters 3 --wrapper :4059 --hdlc :4060`,
		Version: version, Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.meters, "meters", o.meters, "meters in the street, 1 to 2000")
	f.Uint64Var(&o.seed, "seed", o.seed, "the same seed makes the same street")
	f.Float64Var(&o.speed, "speed", o.speed, "how many times the line is faster than a real one; the meters' time stays true")
	f.IntVar(&o.bitRate, "bit-rate", o.bitRate, "raw bits per second on the line: 300, 600, 1200 or 2400")
	f.StringVar(&o.profiles, "profiles", o.profiles, "directory of recorded household load profiles (or $BUSBAR_PROFILES); empty: a household model")
	f.StringVar(&o.link, "link", "", "make this symbolic link to the pseudo-terminal")
	f.StringVar(&o.keys, "keys", "", "write the keys of the meters to this CSV file")
	f.StringVar(&o.security, "security", o.security, "how meters are protected: none, lls, hls-gmac or mixed")
	f.StringVar(&o.held, "held", "", "write what the meters held to this CSV file, every few seconds and at the end")
	f.DurationVar(&o.back, "held-back", o.back, "how far before the start the station must read back")
	f.DurationVar(&o.grace, "held-grace", o.grace, "how long after its capture a value may still be missing at the center")
	f.IntVar(&o.titleSize, "title-size", o.titleSize, "octets of a system title: 6 to 10; ciphered meters have 8")
	f.StringVar(&o.noise, "noise", o.noise, "noise on the line: quiet, standard or hostile")
	f.StringVar(&o.doors.wrapper, "wrapper", "", "HOST:PORT at which foreign programs read the meters over the TCP wrapper; wrapper port n is meter n")
	f.StringVar(&o.doors.hdlc, "hdlc", "", "HOST:PORT for HDLC over TCP; lower address 16 is the first meter")
	f.StringVar(&o.doors.plc, "plc", "", "HOST:PORT for foreign S-FSK host frames over TCP; MAC address n is meter n")
	f.BoolVar(&o.doors.each, "port-per-meter", false, "one port for each meter, counted up from the one given")
	return cmd
}
