package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/spf13/cobra"

	"busbar/concentrator/proof"
)

func newExport() *cobra.Command {
	var path string
	var csv, force bool
	cmd := &cobra.Command{
		Use: "export", Short: "Write readings as CSV",
		Long: `Export writes readings in the order of meter, channel and meter time. Values are whole
numbers: the quantity is value x 10^scaler in the unit of that number (30 is Wh).`,
		Example: `  center export -o readings.csv
  center export --meter 4D4D4D0000BC614E --from 2026-03-01 | head`,
		Args: cobra.NoArgs,
	}
	chosen := selection(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !csv {
			return errors.New("CSV is the only form there is: leave --csv alone")
		}
		q, err := chosen()
		if err != nil {
			return err
		}
		r, err := openArchive(cmd)
		if err != nil {
			return err
		}
		err = toFile(path, force, cmd.OutOrStdout(), func(w io.Writer) error { return proof.WriteCSV(w, r.Readings(cmd.Context(), q)) })
		return exit(exitFailure, errors.Join(err, r.Close()))
	}
	cmd.Flags().BoolVar(&csv, "csv", true, "write CSV")
	cmd.Flags().StringVarP(&path, "output", "o", "", "file to write; standard output when empty")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	return cmd
}

// toFile has fn write to a new file, or to out when path is empty.
func toFile(path string, force bool, out io.Writer, fn func(io.Writer) error) error {
	if path == "" {
		return fn(out)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists: choose another file, or say --force", path)
	}
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	return errors.Join(fn(b), b.Flush(), f.Close())
}

func newCompare() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "compare --held FILE", Short: "Compare what the center holds with what the meters held",
		Long: `Compare reads a file of what simulated meters held and prints one line: how many
values are equal, missing, duplicated and different. Exit code 1 when not all are equal.`,
		Example: "  center compare --held out/held.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := os.Open(path)
			if err != nil {
				return exit(exitNotFound, fmt.Errorf("what the meters held: %w", err))
			}
			defer f.Close()
			r, err := openArchive(cmd)
			if err != nil {
				return err
			}
			res, err := proof.Compare(proof.ReadHeld(bufio.NewReader(f)), r.Delivered(cmd.Context()))
			again, err2 := r.Duplicates(cmd.Context())
			if err = errors.Join(err, err2, r.Close()); err != nil {
				return exit(exitFailure, err)
			}
			res.Duplicated += again
			fmt.Fprintln(cmd.OutOrStdout(), res)
			if res.OK() {
				return nil
			}
			printExamples(cmd.ErrOrStderr(), res)
			return exit(exitFailure, errors.New("what the center holds is not what the meters held"))
		},
	}
	cmd.Flags().StringVar(&path, "held", "", "file of what the meters held")
	_ = cmd.MarkFlagRequired("held") // the flag exists
	return cmd
}

func printExamples(out io.Writer, res proof.Result) {
	kinds := make([]string, 0, len(res.ExamplesByKind))
	for kind := range res.ExamplesByKind {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		for _, example := range res.ExamplesByKind[kind] {
			fmt.Fprintf(out, "%s: %s\n", kind, example)
		}
	}
}
