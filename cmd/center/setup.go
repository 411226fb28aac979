package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"busbar/uplink/center"
	"busbar/uplink/pki"
)

func newInit() *cobra.Command {
	var hosts, stations []string
	var force bool
	cmd := &cobra.Command{
		Use: "init DIR", Short: "Make the directory of a new center: its authority, its certificate, those of the first stations",
		Long: `Init makes a certificate authority, the center's certificate for every --host by
which stations will dial it, and a directory with certificate and key for every
--station. Keys are readable by their owner only. Nothing is overwritten without --force.`,
		Example: `  center init /var/lib/center --host center.example.org --station TS-0001 --station TS-0002
  center init ./center        # for this machine only, with one station`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := pki.Maker{Dir: args[0], Force: force}
			for _, id := range stations {
				if err := pki.CheckID(id); err != nil {
					return err
				}
			}
			if err := m.Init(hosts); err != nil {
				return exit(exitFailure, err)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "center in %s: authority and certificate for %v made\n", args[0], hosts)
			for _, id := range stations {
				dir, err := m.AddStation(id)
				if err != nil {
					return exit(exitFailure, err)
				}
				explainStation(out, id, dir, hosts[0])
			}
			fmt.Fprintf(out, "\nNext: center run --data %s\n", args[0])
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&hosts, "host", []string{"localhost", "127.0.0.1", "::1"}, "name or address by which stations dial the center; repeatable")
	cmd.Flags().StringSliceVar(&stations, "station", []string{"TS-0001"}, "id of a first station; repeatable")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite what is there; every station of the old authority is cut off")
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

func newAddStation() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "add-station ID", Short: "Make the certificate of one more station",
		Example: "  center add-station TS-0002 --data /var/lib/center",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := pki.CheckID(args[0]); err != nil {
				return err
			}
			dir, err := pki.Maker{Dir: dataDir(cmd), Force: force}.AddStation(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return exit(exitNotFound, err)
			}
			if err != nil {
				return exit(exitFailure, err)
			}
			explainStation(cmd.OutOrStdout(), args[0], dir, "CENTER")
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the station's certificate and key")
	return cmd
}

// explainStation prints the lines of configuration that a new station needs.
func explainStation(out io.Writer, id, dir, host string) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	fmt.Fprintf(out, `
station %s: copy %s to it, and put into its configuration
  station: %s
  uplink:
    url: wss://%s:8443%s
    ca: %s
    cert: %s
    key: %s
`, id, dir, id, host, center.Path, filepath.Join(dir, pki.AuthorityCert), filepath.Join(dir, pki.StationCert), filepath.Join(dir, pki.StationKey))
}
