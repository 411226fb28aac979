package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"busbar/cmd/plcscope/capture"
	"busbar/plc"
	"busbar/plc/trace"
)

func newShow() *cobra.Command {
	v := &viewFlags{}
	meter, follow := "", false
	cmd := &cobra.Command{
		Use: "show FILE", Short: "Show the frames of a capture", Args: cobra.ExactArgs(1),
		Long: `Shows the frames that a station's black box kept, one a line or as trees. Each meter's frames are one conversation:
blocks are joined, titles are learned for deciphering, invocation counters are watched.`,
		Example: `  plcscope show trace --meter 02A --tree
  plcscope show trace --meter 4242520000002711 --keys keys.csv --follow
  plcscope show trace --faults --json | jq .frame`,
		RunE: func(cmd *cobra.Command, args []string) error {
			view, err := v.viewer(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return readCapture(cmd.Context(), args[0], meter, follow, view.options.Order, cmd.ErrOrStderr(), func(f capture.Frame) error {
				view.show(f)
				return nil
			})
		},
	}
	v.add(cmd)
	addFollow(cmd, &meter)
	cmd.Flags().BoolVar(&v.tree, "tree", false, "show every frame as a tree")
	cmd.Flags().BoolVar(&v.faults, "faults", false, "show only frames in which something is wrong")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more frames")
	return cmd
}

func addFollow(cmd *cobra.Command, meter *string) {
	cmd.Flags().StringVar(meter, "meter", "", "only frames of this meter: an address like 02A, or a system title, whose address is learned")
}

// followPause is how often a growing file is looked at.
const followPause = 200 * time.Millisecond

// readCapture gives the wanted frames of a capture file to each.
func readCapture(ctx context.Context, path, meter string, follow bool, order plc.ByteOrder, complain io.Writer, each func(capture.Frame) error) error {
	want, err := capture.NewFollow(meter)
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	var source io.Reader = bufio.NewReader(in)
	if follow {
		source = in // what is buffered at the end would hide what follows
	}
	records, frames := trace.NewReader(source), capture.Splitter{Order: order}
	for {
		r, err := records.Next()
		switch {
		case errors.Is(err, io.EOF) && follow:
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(followPause):
				continue
			}
		case errors.Is(err, io.EOF):
			if n := records.Skipped + int64(records.Torn()); n > 0 {
				say(complain, "%d octets of %s belong to no whole record, as after a power cut\n", n, path)
			}
			if frames.Rubbish > 0 {
				say(complain, "%d octets begin no frame\n", frames.Rubbish)
			}
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, f := range frames.Add(r) {
			if !want.Wants(f, order) {
				continue
			}
			if err := each(f); err != nil {
				return err
			}
		}
	}
}
