package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"busbar/cmd/concentrator/config"
	"busbar/storage"
	"busbar/uplink/ws"
)

// runFlags are the flags of run and the configuration keys they set.
var runFlags = []struct{ name, key, usage string }{
	{"modem", "line.modem", "serial port of the power-line modem, or a pseudo-terminal of the simulator"},
	{"baud", "line.baud", "speed of the modem's port"},
	{"speed", "line.speed", "shorten every slot on the line by this factor (simulator only)"},
	{"keys", "meters.keys", "key file imported before the start"},
	{"listen", "web.listen", "loopback address of the local page; empty: no page"},
	{"set-aside-corrupt", "storage.set_aside_corrupt", "true: move a damaged database aside and start with an empty one"},
	{"log-level", "log.level", "debug, info, warn or error"},
	{"log-format", "log.format", "text or json"},
}

func newRun() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use: "run", Short: "Run the station until it is told to stop", Args: cobra.NoArgs,
		Long: `Runs the station: it drives the modem, reads the meters, keeps what they say and
forwards it. It ends with SIGTERM or Ctrl-C within two seconds; a power cut or
kill -9 at any moment loses nothing that was stored.

A modem, center or disk that is away does not end it: it says so in its status
and tries again.`,
		Example: `  concentrator run --config /etc/concentrator/concentrator.yaml
  concentrator run --config concentrator.yaml --check
  concentrator run --station TS-1 --data ./data --modem /dev/ttyUSB0`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load(cmd)
			if err != nil {
				return err
			}
			if check {
				return checkOnly(cmd.OutOrStdout(), c)
			}
			return run(cmd.Context(), c, newLog(c.Log, cmd.ErrOrStderr()))
		},
	}
	for _, f := range runFlags {
		cmd.Flags().String(f.name, "", f.usage)
		annotate(cmd.Flags(), f.name, f.key)
	}
	cmd.Flags().Lookup("set-aside-corrupt").NoOptDefVal = "true"
	cmd.Flags().BoolVar(&check, "check", false, "say whether the configuration and the files it names are usable, and end")
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// checkOnly looks at what run would need, without touching the database or the line.
func checkOnly(out io.Writer, c config.Config) error {
	var errs []error
	if c.Meters.Keys != "" {
		f, err := openSecret(c.Meters.Keys)
		if err != nil {
			errs = append(errs, fmt.Errorf("meters.keys: %w", err))
		} else {
			_ = f.Close() // opened for reading only
		}
	}
	if _, err := dialer(c, slog.New(slog.DiscardHandler)); err != nil {
		errs = append(errs, err)
	}
	if _, err := readSecrets(c.Cellular.Secrets); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return exit(exitUsage, err)
	}
	fmt.Fprintf(out, "configuration of station %s is usable\n", c.Station)
	return nil
}

// memoryLimit keeps the garbage collector ahead of the memory that the unit file
// grants; GOMEMLIMIT overrides it.
const memoryLimit = 48 << 20

// run runs the station until ctx ends.
func run(ctx context.Context, c config.Config, log *slog.Logger) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	store, err := openStore(ctx, c)
	if err != nil {
		return exit(exitFailure, err)
	}
	s, err := assemble(ctx, c, store, log)
	if err == nil {
		log.Info("station runs", "station", c.Station, "version", version, "modem", c.Line.Modem, "data", c.Data)
		notify("READY=1")
		err = s.run(ctx)
		notify("STOPPING=1")
	}
	if closed := within(lastWords, store.Close); closed != nil {
		log.Warn("the database was not closed in order; nothing is lost", "err", closed)
	}
	if err != nil {
		var coded exitError
		if errors.As(err, &coded) {
			return err
		}
		return exit(exitFailure, err)
	}
	log.Info("station ended")
	return nil
}

func openStore(ctx context.Context, c config.Config) (*storage.Store, error) {
	store, err := storage.Open(ctx, storage.Options{
		Dir: c.Data, SetAsideCorrupt: c.Storage.SetAsideCorrupt,
		MaxBytes: int64(c.Storage.MaxMegabytes) << 20, RetainReadings: c.Storage.Retain,
	})
	if errors.Is(err, storage.ErrCorrupt) {
		err = fmt.Errorf("%w\nto move it aside and go on with an empty one: concentrator run --set-aside-corrupt", err)
	}
	if err != nil {
		return nil, err
	}
	if c.Meters.Keys == "" {
		return store, nil
	}
	if _, err := importKeys(store, c.Meters.Keys); err != nil {
		return nil, errors.Join(fmt.Errorf("meters.keys: %w", err), store.Close())
	}
	return store, nil
}

func importKeys(store *storage.Store, path string) (int, error) {
	f, err := openSecret(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return store.ImportKeys(f)
}

// newLog writes to standard error, where systemd takes it from.
func newLog(c config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked with the configuration
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// dialer is the way to the center, nil when there is none.
func dialer(c config.Config, log *slog.Logger) (*ws.Dialer, error) {
	if c.Uplink.URL == "" {
		return nil, nil
	}
	d, err := ws.New(ws.Config{
		URL: c.Uplink.URL, CA: c.Uplink.CA, Cert: c.Uplink.Cert, Key: c.Uplink.Key, KeepAlive: c.Uplink.KeepAlive, Log: log,
	})
	if err != nil {
		return nil, err
	}
	name, err := d.Station()
	if err != nil {
		return nil, err
	}
	if name != c.Station {
		return nil, fmt.Errorf("uplink.cert %s is the certificate of station %q, but this is station %q: correct one of them", c.Uplink.Cert, name, c.Station)
	}
	return d, nil
}

// openSecret opens a file that only its owner may read.
func openSecret(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s can be read by others (mode %v): chmod 600 it", path, info.Mode().Perm())
	}
	if err != nil {
		_ = f.Close() // opened for reading only
		return nil, err
	}
	return f, nil
}

// secrets of the SIM and the operator's dial-in.
type secrets struct{ pin, password string }

// readSecrets reads lines pin=… and password=… of a file that only its owner may read.
func readSecrets(path string) (secrets, error) {
	var s secrets
	if path == "" {
		return s, nil
	}
	f, err := openSecret(path)
	if err != nil {
		return s, fmt.Errorf("cellular.secrets: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading only
	b, err := io.ReadAll(f)
	if err != nil {
		return s, fmt.Errorf("cellular.secrets: %w", err)
	}
	for lines, n := bufio.NewScanner(strings.NewReader(string(b))), 1; lines.Scan(); n++ {
		name, value, found := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
		case found && name == "pin":
			s.pin = value
		case found && name == "password":
			s.password = value
		default: // the line may hold a secret: it is not shown
			return s, fmt.Errorf("cellular.secrets: %s, line %d is neither pin=… nor password=…", path, n)
		}
	}
	return s, nil
}
