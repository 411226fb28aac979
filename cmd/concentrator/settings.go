package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"busbar/cmd/concentrator/config"
)

const defaultConfig = "/etc/concentrator/concentrator.yaml"

// load reads the configuration for cmd: file, environment, flags.
func load(cmd *cobra.Command) (config.Config, error) {
	annotate(cmd.Flags(), "data", "data")
	annotate(cmd.Flags(), "station", "station")
	annotate(cmd.Flags(), "socket", "socket")
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return config.Config{}, err
	}
	if path == "" {
		if _, err := os.Stat(defaultConfig); err == nil || !errors.Is(err, fs.ErrNotExist) {
			path = defaultConfig
		}
	}
	c, err := config.Load(path, os.Environ(), cmd.Flags())
	if err != nil {
		return c, exit(exitUsage, fmt.Errorf("the configuration is not usable:\n%w", err))
	}
	return c, nil
}

// annotate lets the flag set the configuration key.
func annotate(flags *pflag.FlagSet, name, key string) {
	if f := flags.Lookup(name); f != nil {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[config.KeyAnnotation] = []string{key}
	}
}

// socketPath is where the running station answers.
func socketPath(c config.Config) string {
	if c.Socket != "" {
		return c.Socket
	}
	return filepath.Join(c.Data, "concentrator.sock")
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check the configuration or print an example"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Read the configuration as `run` would and say what is wrong with it", Args: cobra.NoArgs,
			Example: "  concentrator config check --config concentrator.yaml",
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := load(cmd)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "configuration of station %s is usable\n", c.Station)
				return nil
			},
		},
		&cobra.Command{
			Use: "example", Short: "Print a complete configuration file with every default", Args: cobra.NoArgs,
			Example: "  concentrator config example > concentrator.yaml",
			Run:     func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), config.Example()) },
		},
	)
	return cmd
}
