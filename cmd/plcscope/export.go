package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"busbar/cmd/plcscope/capture"
)

func newExport() *cobra.Command {
	v := &viewFlags{}
	meter, format, output := "", "pcapng", ""
	cmd := &cobra.Command{
		Use: "export FILE", Short: "Write a capture for Wireshark or as JSON", Args: cobra.ExactArgs(1),
		Long: `Writes a capture as pcapng, pcap or JSON. The payload on the power line is the LPDU of IEC 61334-4-32, with link type
USER 0 (147); HDLC is USER 1, TCP wrapper USER 2, bare APDUs USER 3. Wireshark is told what they hold under
Preferences, Protocols, DLT_USER. pcap has the power line only; addresses, credits and direction are in pcapng only.`,
		Example: `  plcscope export trace -o line.pcapng
  plcscope export trace --format json --keys keys.csv | jq .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			write := func(out io.Writer) error { return exportTo(cmd, v, args[0], meter, format, out) }
			if output == "" || output == "-" {
				return write(cmd.OutOrStdout())
			}
			return toFile(output, write)
		},
	}
	v.add(cmd)
	addFollow(cmd, &meter)
	cmd.Flags().StringVar(&format, "format", format, "pcapng, pcap or json")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write; standard output when not given")
	return cmd
}

// toFile writes a file that only its owner reads: frames tell how a household lives.
func toFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func exportTo(cmd *cobra.Command, v *viewFlags, path, meter, format string, out io.Writer) error {
	view, err := v.viewer(out)
	if err != nil {
		return err
	}
	order, complain := view.options.Order, cmd.ErrOrStderr()
	if format == "json" {
		view.asJSON = true
		return readCapture(cmd.Context(), path, meter, false, order, complain, func(f capture.Frame) error {
			view.show(f)
			return nil
		})
	}
	formats := map[string]capture.Format{"pcapng": capture.PcapNG, "pcap": capture.Pcap}
	if formats[format] == 0 {
		return fmt.Errorf("--format %q: want pcapng, pcap or json", format)
	}
	buffered := bufio.NewWriter(out)
	w, err := capture.NewWriter(buffered, formats[format], order)
	if err != nil {
		return err
	}
	if err := readCapture(cmd.Context(), path, meter, false, order, complain, w.Write); err != nil {
		return err
	}
	say(complain, "%d frames written, %d left out\n", w.Written, w.Left)
	return buffered.Flush()
}
