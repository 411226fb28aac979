package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"busbar/storage/archive"
	"busbar/uplink/center"
	"busbar/uplink/pki"
)

func newRun() *cobra.Command {
	var listen, level string
	cmd := &cobra.Command{
		Use: "run", Short: "Take in what stations deliver, until stopped",
		Long: `Run waits for stations on --listen and stores what they deliver. Other commands may
read the archive meanwhile; orders go through the socket center.sock in the data
directory, which only the center's user can open. SIGTERM stops it in order.`,
		Example: `  center run --data /var/lib/center
  center run --data ./center --listen :8443 --log debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var threshold slog.Level
			if err := threshold.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("--log %q: want debug, info, warn or error", level)
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: threshold}))
			return run(cmd.Context(), dataDir(cmd), listen, log)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", "address for stations; :8443 for all interfaces")
	cmd.Flags().StringVar(&level, "log", "info", "how much to write to standard error: debug, info, warn, error")
	return cmd
}

// run serves stations and the local API until ctx ends or one of them fails.
func run(ctx context.Context, dir, listen string, log *slog.Logger) (err error) {
	if _, err := os.Stat(filepath.Join(dir, pki.CenterCert)); err != nil {
		return exit(exitNotFound, fmt.Errorf("%s is not the directory of a center (%w): make one with `center init %s`", dir, err, dir))
	}
	store, err := archive.Open(ctx, dir, nil)
	if err != nil {
		return exit(exitFailure, err)
	}
	defer func() { err = errors.Join(err, exit(exitFailure, store.Close())) }()
	server, err := center.New(center.Config{
		Archive: store, Log: log,
		CA:   filepath.Join(dir, pki.AuthorityCert),
		Cert: filepath.Join(dir, pki.CenterCert), Key: filepath.Join(dir, pki.CenterKey),
	})
	if err != nil {
		return exit(exitFailure, err)
	}
	ln, err := center.Listen(ctx, listen)
	if err != nil {
		return exit(exitFailure, err)
	}
	local, err := center.ListenLocal(ctx, socketPath(dir))
	if err != nil {
		return exit(exitFailure, errors.Join(err, ln.Close()))
	}
	log.Info("center is listening", "address", ln.Addr().String(), "data", dir)
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(both, ln) }()
	go func() { ended <- server.ServeLocal(both, local) }()
	err = <-ended
	cancel()
	err = errors.Join(err, <-ended)
	log.Info("center stopped")
	return exit(exitFailure, err)
}
