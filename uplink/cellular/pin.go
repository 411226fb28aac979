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

// pinRecord remembers every PIN that was sent, across restarts and power cuts. It is
// written before the PIN is sent: a SIM locks for good after three wrong ones, so
// in doubt the answer is no.
type pinRecord struct {
	Sent []pinTry `json:"sent"` // oldest first, at most maxPINTries
}

// pinTry is one PIN that was sent to the SIM.
type pinTry struct {
	Salt  string `json:"salt"`
	Hash  string `json:"hash"` // of salt and PIN: tells a new PIN from a known one
	State string `json:"state"`
}

const (
	pinSent     = "sent" // and nobody said what became of it
	pinAccepted = "accepted"
	pinRefused  = "refused"
)

// maxPINTries bounds the record; older tries are forgotten.
const maxPINTries = 16

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

// mayTry refuses, in this order: any PIN when the SIM says that it has one try left;
// a PIN that the SIM refused before; one whose last try ended unknown, unless all tries
// are left, and then once more only; and, when the SIM does not tell its tries, any
// PIN that it has not accepted after two that it did not. The last try is a person's.
func mayTry(ctx context.Context, d *dialog, pin, path string) error {
	rec, err := readRecord(path)
	if err != nil {
		return err
	}
	tries, known := remainingTries(ctx, d)
	last, unknown := rec.find(pin)
	switch {
	case known && tries < 2:
		return errPIN{"the SIM has one try left, which is not risked: check the PIN and the SIM in a telephone"}
	case last == pinRefused:
		return errPIN{"the SIM refused this PIN before; it is not tried again: correct it in the file cellular.secrets names"}
	case unknown > 1 || unknown == 1 && (!known || tries < 3):
		return errPIN{"the last try of this PIN ended without an answer, so it is not tried again; when it is right, delete " + path}
	case !known && rec.wrong() > 1:
		return errPIN{"two PINs were sent in vain and the SIM does not tell how many tries are left, so a third is not risked: unlock the SIM in a telephone, then delete " + path}
	}
	return nil
}

// find returns what became of a PIN when it was sent last, and how often that was
// not known since the SIM last said something about it.
func (r pinRecord) find(pin string) (last string, unknown int) {
	for _, t := range r.Sent {
		if !t.matches(pin) {
			continue
		}
		last = t.State
		if unknown++; last != pinSent {
			unknown = 0
		}
	}
	return last, unknown
}

// wrong counts the tries that the SIM may have counted since it last accepted a PIN.
func (r pinRecord) wrong() int {
	n := 0
	for _, t := range r.Sent {
		if n++; t.State == pinAccepted {
			n = 0
		}
	}
	return n
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
	if err := note(path, pin, pinSent); err != nil {
		return errPIN{fmt.Sprintf("the PIN is not sent, because %s cannot be written: %v", path, err)}
	}
	_, err := d.command(ctx, `AT+CPIN="`+pin+`"`, "AT+CPIN=…")
	state := pinAccepted
	if err != nil {
		state = verdict(ctx, d, err)
	}
	switch state {
	case pinAccepted:
		return note(path, pin, pinAccepted)
	case pinRefused:
		if werr := note(path, pin, pinRefused); werr != nil {
			return werr
		}
		return errPIN{"the SIM refused the PIN; it will not be tried again: correct it in the file cellular.secrets names"}
	}
	if isModemError(err) {
		return errPIN{fmt.Sprintf("whether the PIN is right is not known, because %v: "+
			"if the SIM says that all its tries are left it is sent once more, otherwise check the SIM in a telephone", err)}
	}
	return err
}

// verdict tells what an error of AT+CPIN= says about the PIN. A SIM that is busy or
// fails has not judged it; what it wants next then tells.
func verdict(ctx context.Context, d *dialog, err error) string {
	var m *ModemError
	switch {
	case !errors.As(err, &m):
		return pinSent
	case m.Code == cmePUKRequired, m.Code == cmeWrongPassword:
		return pinRefused
	}
	line, err := d.query(ctx, "AT+CPIN?", "+CPIN:")
	if err != nil {
		return pinSent
	}
	switch now, _ := ParsePINState(line); now {
	case PINReady:
		return pinAccepted
	case PUKRequired:
		return pinRefused
	}
	return pinSent
}

func (t pinTry) matches(pin string) bool {
	return t.Hash != "" && subtle.ConstantTimeCompare([]byte(t.Hash), []byte(pinHash(t.Salt, pin))) == 1
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

// note writes down what becomes of a PIN: that it is about to be sent, or what the SIM
// said to the try noted last. A power cut leaves the old or the new record.
func note(path, pin, state string) error {
	r, err := readRecord(path)
	if err != nil {
		return err
	}
	if state == pinSent || len(r.Sent) == 0 {
		salt := make([]byte, 16)
		_, _ = rand.Read(salt) // never fails
		t := pinTry{Salt: hex.EncodeToString(salt)}
		t.Hash = pinHash(t.Salt, pin)
		r.Sent = append(r.Sent, t)
		r.Sent = r.Sent[max(0, len(r.Sent)-maxPINTries):]
	}
	r.Sent[len(r.Sent)-1].State = state
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
