package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"busbar/board"
	"busbar/cmd/plcscope/capture"
	"busbar/plc/trace"
)

func newSniff() *cobra.Command {
	v := &viewFlags{}
	meter, as, output, baud := "", "host", "", 38400
	cmd := &cobra.Command{
		Use: "sniff PORT", Short: "Listen on a serial port and show what passes", Args: cobra.ExactArgs(1),
		Long: `Listens on a serial port that taps the line between host and modem, or on the port of a modem in monitor mode,
and shows every frame. Nothing is sent. With --write the frames are kept in a file that show, export and replay read.`,
		Example: `  plcscope sniff /dev/ttyUSB0 --baud 38400
  plcscope sniff /dev/ttyUSB1 --as hdlc --baud 9600 --write line.trace`,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := map[string]trace.Kind{"host": trace.Host, "hdlc": trace.HDLC}[as]
			if kind == 0 {
				return fmt.Errorf("--as %q: want host or hdlc", as)
			}
			view, err := v.viewer(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			want, err := capture.NewFollow(meter)
			if err != nil {
				return err
			}
			port, err := board.OpenOptical(args[0], baud)
			if err != nil {
				return err
			}
			defer port.Close()
			return sniff(cmd.Context(), port, kind, output, func(f capture.Frame) {
				if want.Wants(f, view.options.Order) {
					view.show(f)
				}
			})
		},
	}
	v.add(cmd)
	addFollow(cmd, &meter)
	cmd.Flags().StringVar(&as, "as", as, "what passes: host (frames of a modem) or hdlc")
	cmd.Flags().IntVar(&baud, "baud", baud, "speed of the port")
	cmd.Flags().StringVar(&output, "write", "", "keep the frames in this file")
	cmd.Flags().BoolVar(&v.tree, "tree", false, "show every frame as a tree")
	cmd.Flags().BoolVar(&v.faults, "faults", false, "show only frames in which something is wrong")
	return cmd
}

// listener is what sniff needs of a port.
type listener interface {
	io.Reader
	SetReadDeadline(t time.Time) error
}

// sniffPause bounds how long the end of the command may take.
const sniffPause = 200 * time.Millisecond

// sniff reads until ctx ends or the port does.
func sniff(ctx context.Context, port listener, kind trace.Kind, output string, each func(capture.Frame)) error {
	box := trace.New(trace.Config{Path: output})
	ended := make(chan error, 1)
	boxes, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() { ended <- box.Run(boxes) }()
	err := listen(ctx, port, kind, box, each)
	stop()
	if kept := <-ended; !errors.Is(kept, context.Canceled) {
		err = errors.Join(err, kept)
	}
	return err
}

func listen(ctx context.Context, port listener, kind trace.Kind, box *trace.Box, each func(capture.Frame)) error {
	var frames capture.Splitter
	buffer := make([]byte, trace.MaxOctets)
	for ctx.Err() == nil {
		if err := port.SetReadDeadline(time.Now().Add(sniffPause)); err != nil {
			return err
		}
		n, err := port.Read(buffer)
		if n > 0 {
			r := trace.Record{At: time.Now(), Kind: kind, Octets: buffer[:n]}
			box.Record(r)
			for _, f := range frames.Add(r) {
				each(f)
			}
		}
		switch {
		case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
	return nil
}
