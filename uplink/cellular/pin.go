package cellular

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// pinRecord remembers what became of a PIN, across restarts and power cuts. It is
// written before the PIN is sent: a SIM locks for good after three wrong ones, so
// in doubt the answer is no.
type pinRecord struct {
	Salt  string `json:"salt"`
	Hash  string `json:"hash"` // of salt and PIN: tells a new PIN from a known one
	State string `json:"state"`
}

const (
	pinSent     = "sent"
	pinAccepted = "accepted"
	pinRefused  = "refused"
)

// errPIN is a fault that waiting does not cure: a person must act.
type errPIN struct{ text string }

func (e errPIN) Error() string { return e.text }

// unlock brings the SIM to READY or says in words why it must not try.
func unlock(ctx context.Context, d *dialog, pin, recordPath string) error {
	line, err := d.query(ctx, "AT+CPIN?", "+CPIN:")
	if err != nil {
		return simError(err)
	}
	state, err := ParsePINState(line)
	if err != nil {
		return err
	}
	switch state {
	case PINReady:
		return nil
	case PINRequired:
	case PUKRequired:
		return errPIN{"the SIM is locked and wants its PUK: take it out and unlock it in a telephone"}
	default:
		return errPIN{fmt.Sprintf("the SIM wants %q, which this station cannot give", string(state))}
	}
	if pin == "" {
		return errPIN{"the SIM wants a PIN and none is configured: write pin=… into the file cellular.secrets names"}
	}
	if !validPIN(pin) {
		return errPIN{"the configured PIN is not 4 to 8 digits; it was not sent"}
	}
	if err := mayTry(ctx, d, pin, recordPath); err != nil {
		return err
	}
	return sendPIN(ctx, d, pin, recordPath)
}

func simError(err error) error {
	var m *ModemError
	if errors.As(err, &m) && m.Code == 10 {
		return errPIN{"there is no SIM in the modem"}
	}
	return err
}

func validPIN(pin string) bool {
	if len(pin) < 4 || len(pin) > 8 {
		return false
	}
	for _, c := range pin {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// mayTry refuses a PIN that was refused before, one whose last try ended unknown
// (unless all tries are left), and any PIN when the SIM is down to its last try.
func mayTry(ctx context.Context, d *dialog, pin, path string) error {
	rec, err := readRecord(path)
	if err != nil {
		return err
	}
	tries, known := remainingTries(ctx, d)
	same := rec.matches(pin)
	switch {
	case same && rec.State == pinAccepted:
		return nil
	case same && rec.State == pinRefused:
		return errPIN{"the SIM refused this PIN before; it is not tried again: correct it in the file cellular.secrets names"}
	case same && rec.State == pinSent && (!known || tries < 3):
		return errPIN{"the last try of this PIN ended without an answer, so it is not tried again; when it is right, delete " + path}
	case known && tries < 2:
		return errPIN{"the SIM has one try left; a new PIN is not risked: check the SIM in a telephone"}
	}
	return nil
}

func remainingTries(ctx context.Context, d *dialog) (int, bool) {
	line, err := d.query(ctx, `AT+CPINR="SIM PIN"`, "+CPINR: SIM PIN")
	if err != nil {
		return 0, false // many modems do not know the command
	}
	n, err := ParsePINTries(line)
	return n, err == nil
}

func sendPIN(ctx context.Context, d *dialog, pin, path string) error {
	if err := writeRecord(path, pin, pinSent); err != nil {
		return errPIN{fmt.Sprintf("the PIN is not sent, because %s cannot be written: %v", path, err)}
	}
	_, err := d.command(ctx, `AT+CPIN="`+pin+`"`, "AT+CPIN=…")
	switch {
	case err == nil:
		return writeRecord(path, pin, pinAccepted)
	case isModemError(err):
		if werr := writeRecord(path, pin, pinRefused); werr != nil {
			return werr
		}
		return errPIN{"the SIM refused the PIN; it will not be tried again: correct it in the file cellular.secrets names"}
	}
	return err
}

func (r pinRecord) matches(pin string) bool {
	return r.Hash != "" && subtle.ConstantTimeCompare([]byte(r.Hash), []byte(pinHash(r.Salt, pin))) == 1
}

func pinHash(salt, pin string) string {
	sum := sha256.Sum256([]byte("busbar pin\x00" + salt + "\x00" + pin))
	return hex.EncodeToString(sum[:])
}

func readRecord(path string) (pinRecord, error) {
	var r pinRecord
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, errPIN{fmt.Sprintf("the PIN is not sent, because %s cannot be read: %v", path, err)}
	}
	return r, nil
}

// writeRecord replaces the record so that a power cut leaves the old or the new one.
func writeRecord(path, pin, state string) error {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	r := pinRecord{Salt: hex.EncodeToString(salt), State: state}
	r.Hash = pinHash(r.Salt, pin)
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return replaceFile(path, b)
}

func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
