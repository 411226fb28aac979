package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"busbar/storage"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Import the meters' keys, list which meters have some, or raise an invocation counter"}
	cmd.AddCommand(newKeysImport(), newKeysList(), newKeysRaise())
	return cmd
}

func newKeysImport() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Import keys from a file, or from standard input when FILE is -", Args: cobra.ExactArgs(1),
		Long: `Imports the keys of meters into the station's database, all of the file or, when a
line is wrong, nothing. Each line is

  title,mechanism,encryption,authentication,password

with title and keys in hexadecimal and the mechanism none, lls or hls-gmac.
Keys of meters that the file does not name stay. A running station uses them
from its next association on.`,
		Example: `  concentrator keys import keys.csv
  gpg --decrypt keys.csv.gpg | concentrator keys import -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readKeyFile(cmd, args[0])
			if err != nil {
				return exit(exitFailure, err)
			}
			n, err := sendKeys(cmd, file)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "keys of %d meters imported\n", n)
			return nil
		},
	}
}

func readKeyFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path != "-" {
		return os.ReadFile(path)
	}
	return io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxKeyFile+1))
}

// sendKeys gives a key file to the running station or, when none runs, to its database.
func sendKeys(cmd *cobra.Command, file []byte) (int, error) {
	var done imported
	err := call(cmd, http.MethodPost, "/api/v1/keys", bytes.NewReader(file), &done)
	if !notRunning(err) {
		return done.Meters, err
	}
	store, err := openOwn(cmd)
	if err != nil {
		return 0, err
	}
	n, err := store.ImportKeys(bytes.NewReader(file))
	return n, exit(exitFailure, errors.Join(err, store.Close()))
}

func notRunning(err error) bool {
	var e exitError
	return errors.As(err, &e) && e.code == exitNotFound
}

// openOwn opens the database of a station that does not run.
func openOwn(cmd *cobra.Command) (*storage.Store, error) {
	dir, _ := cmd.Flags().GetString("data")
	if dir == "" {
		c, err := load(cmd)
		if err != nil {
			return nil, err
		}
		dir = c.Data
	}
	store, err := storage.Open(cmd.Context(), storage.Options{Dir: dir})
	return store, exit(exitFailure, err)
}

func newKeysList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the meters that have keys; secrets are never shown", Args: cobra.NoArgs,
		Example: "  concentrator keys list\n  concentrator keys list --json | jq length",
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := findKeys(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, rows)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "METER\tMECHANISM")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\n", r.Title, r.Mechanism)
			}
			_ = w.Flush() // standard output that fails is its reader's trouble
			fmt.Fprintf(cmd.OutOrStdout(), "%d meters have keys\n", len(rows))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// lastQuarter begins the counters that a key should still have when it is replaced: a
// wrong digit must not spend a key.
const lastQuarter = 3 << 30

func newKeysRaise() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "raise TITLE N", Short: "Make N the next invocation counter of a meter", Args: cobra.ExactArgs(2),
		Long: `Makes N the next invocation counter that this station uses towards a meter, for one
that refuses ours because it has seen higher ones. The counter is never lowered.

What a meter says it expects comes unprotected, and whoever speaks on the line
could say it. A key has 4,294,967,295 counters, and a raised one does not come
back: compare N with the meter's own records first.`,
		Example: `  concentrator meters --sort failures              # says which counter is expected
  concentrator keys raise 4253420000000001 81250`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n, err := strconv.ParseUint(args[1], 10, 32); err == nil && n >= lastQuarter && !force {
				return exit(exitUsage, fmt.Errorf("%d lies in the last quarter of the %d counters that a key has, and it cannot be taken back: compare it with the meter, then say --force", n, uint64(1)<<32))
			}
			res, err := raise(cmd, args[0], args[1])
			if err != nil {
				return err
			}
			before := "none was used before"
			if res.Before > 0 {
				before = fmt.Sprintf("it was %d", res.Before)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the next invocation counter of meter %s is %d, %s\n", strings.ToUpper(args[0]), res.After, before)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also into the last quarter of a key's counters")
	return cmd
}

// raise has the running station raise a counter or, when none runs, does it in its database.
func raise(cmd *cobra.Command, meter, counter string) (raised, error) {
	title, next, err := parseCounter(meter, counter)
	if err != nil {
		return raised{}, exit(exitUsage, err)
	}
	var res raised
	err = call(cmd, http.MethodPost, fmt.Sprintf("/api/v1/keys/%v/counter?next=%d", title, next), nil, &res)
	if !notRunning(err) {
		return res, err
	}
	store, err := openOwn(cmd)
	if err != nil {
		return res, err
	}
	res.Before, res.After, err = store.RaiseCounter(title, next)
	return res, exit(exitFailure, errors.Join(err, store.Close()))
}

func findKeys(cmd *cobra.Command) ([]keyRow, error) {
	var rows []keyRow
	err := ask(cmd, "/api/v1/keys", &rows)
	if !notRunning(err) {
		return rows, err
	}
	store, err := openOwn(cmd)
	if err != nil {
		return nil, err
	}
	rows, err = keyRows(cmd.Context(), store)
	return rows, exit(exitFailure, errors.Join(err, store.Close()))
}

func keyRows(ctx context.Context, store *storage.Store) ([]keyRow, error) {
	keys, err := store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]keyRow, 0, len(keys))
	for _, k := range keys {
		rows = append(rows, keyRow{Title: k.Title.String(), Mechanism: mechanismNames[k.Mechanism]})
	}
	return rows, nil
}

var mechanismNames = map[uint8]string{storage.MechanismNone: "none", storage.MechanismLLS: "lls", storage.MechanismHLSGMAC: "hls-gmac"}
