package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// ask reads path of the local API of the running station into v.
func ask(cmd *cobra.Command, path string, v any) error {
	return call(cmd, http.MethodGet, path, nil, v)
}

// call makes one request to the local API and reads the answer into v.
func call(cmd *cobra.Command, method, path string, body io.Reader, v any) error {
	socket, err := findSocket(cmd)
	if err != nil {
		return err
	}
	client := http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}},
	}
	req, err := http.NewRequestWithContext(cmd.Context(), method, "http://localhost"+path, body)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return exit(exitNotFound, socketError(socket, err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return exit(exitFailure, told(res))
	}
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return exit(exitFailure, fmt.Errorf("the station's answer cannot be read: %w", err))
	}
	return nil
}

// findSocket prefers --socket and --data, which need no configuration file.
func findSocket(cmd *cobra.Command) (string, error) {
	if s, _ := cmd.Flags().GetString("socket"); s != "" {
		return s, nil
	}
	if d, _ := cmd.Flags().GetString("data"); d != "" {
		return d + "/concentrator.sock", nil
	}
	if s := os.Getenv("CONCENTRATOR_SOCKET"); s != "" {
		return s, nil
	}
	c, err := load(cmd)
	if err != nil {
		return "", fmt.Errorf("%w\nor name the running station with --data DIR or --socket PATH", err)
	}
	return socketPath(c), nil
}

func socketError(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no station is running at %s: start it with `concentrator run`, or name another with --data DIR or --socket PATH", socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to open %s: run as the station's user", socket)
	}
	return fmt.Errorf("the station at %s does not answer: %w", socket, err)
}

// printJSON writes v as indented JSON.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
