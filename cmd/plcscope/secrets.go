package main

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"busbar/cmd/plcscope/reader"
	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/dlms/cipher"
)

// Environment variables that hold secrets.
const (
	envPassword       = "PLCSCOPE_PASSWORD"
	envEncryption     = "PLCSCOPE_ENCRYPTION"
	envAuthentication = "PLCSCOPE_AUTHENTICATION"
)

var mechanisms = map[string]dlms.Mechanism{"none": dlms.None, "lls": dlms.LLS, "hls-gmac": dlms.HLSGMAC}

// secrets fills in the keys for the mechanism asked for.
func (m *meterFlags) secrets(c *reader.Config) error {
	mechanism, ok := mechanisms[m.mechanism]
	switch {
	case m.mechanism == "" && m.keys == "", ok && mechanism == dlms.None:
		return nil
	case m.mechanism != "" && !ok:
		return fmt.Errorf("--mechanism %q: want none, lls or hls-gmac", m.mechanism)
	}
	c.Keys.Mechanism = mechanism
	if m.keys == "" {
		return environment(&c.Keys)
	}
	ring, err := readKeys(m.keys)
	if err != nil {
		return err
	}
	keys, err := ring.of(c.Meter)
	if err != nil {
		return fmt.Errorf("%s: %w", m.keys, err)
	}
	if m.mechanism != "" && keys.Mechanism != mechanism {
		return fmt.Errorf("%s: the keys are for another mechanism than --mechanism %s", m.keys, m.mechanism)
	}
	c.Keys = keys
	return keys.Validate()
}

func environment(k *dlms.Keys) (err error) {
	if k.Password, err = password(os.Getenv(envPassword)); err != nil {
		return fmt.Errorf("%s: %w", envPassword, err)
	}
	if k.Mechanism == dlms.HLSGMAC {
		if k.Encryption, err = key(os.Getenv(envEncryption)); err != nil {
			return fmt.Errorf("%s: %w", envEncryption, err)
		}
		if k.Authentication, err = key(os.Getenv(envAuthentication)); err != nil {
			return fmt.Errorf("%s: %w", envAuthentication, err)
		}
	}
	return k.Validate()
}

func password(s string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(s, "hex:"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, errors.New("password after hex: is not hexadecimal")
		}
		return b, nil
	}
	return []byte(s), nil
}

// key reads a key. Its errors quote nothing.
func key(s string) (cipher.Key, error) {
	var k cipher.Key
	if s == "" {
		return k, nil // Validate tells what is missing
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(k) {
		return k, fmt.Errorf("want a key of %d hexadecimal digits", 2*len(k))
	}
	copy(k[:], b)
	return k, nil
}

// ring are the keys of a file by system title.
type ring map[plc.SystemTitle]dlms.Keys

// of are the keys of one meter, or the only ones when its title is not known.
func (r ring) of(title plc.SystemTitle) (dlms.Keys, error) {
	if title.IsZero() {
		if len(r) != 1 {
			return dlms.Keys{}, fmt.Errorf("keys of %d meters: say which with --meter-title", len(r))
		}
		for _, k := range r {
			return k, nil
		}
	}
	k, ok := r[title]
	if !ok {
		return k, fmt.Errorf("no keys of meter %v", title)
	}
	return k, nil
}

// Columns of a key file.
const (
	columnTitle = iota
	columnMechanism
	columnEncryption
	columnAuthentication
	columnPassword
	columns
)

func readKeys(path string) (ring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = columns
	keys := ring{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if line == 1 && row[columnTitle] == "title" {
			continue
		}
		title, err := plc.ParseSystemTitle(row[columnTitle])
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, line, err)
		}
		if keys[title], err = keysOf(row); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, line, err)
		}
	}
}

func keysOf(row []string) (k dlms.Keys, err error) {
	mechanism, ok := mechanisms[row[columnMechanism]]
	if !ok {
		return k, errors.New("mechanism: want none, lls or hls-gmac")
	}
	k.Mechanism = mechanism
	if k.Encryption, err = key(row[columnEncryption]); err != nil {
		return k, fmt.Errorf("encryption: %w", err)
	}
	if k.Authentication, err = key(row[columnAuthentication]); err != nil {
		return k, fmt.Errorf("authentication: %w", err)
	}
	k.Password, err = password(row[columnPassword])
	return k, err
}
