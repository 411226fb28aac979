package dlms

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"busbar/plc"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/cipher"
)

// Mechanism is how client and meter prove who they are.
type Mechanism = acse.Mechanism

// The mechanisms spoken here.
const (
	None    Mechanism = acse.NoSecurity // anyone may read what the meter shows to anyone
	LLS     Mechanism = acse.LowLevel   // a password in clear
	HLSGMAC Mechanism = acse.HighGMAC   // a proof both ways; every APDU authenticated and encrypted
)

// Security is what an association must have. Less is refused, whatever the meter says.
type Security struct {
	Mechanism  Mechanism
	Suite      uint8          // 0: AES-GCM-128
	Protection cipher.Control // of every APDU after the association request
}

// Ciphered reports whether APDUs are protected at all.
func (s Security) Ciphered() bool { return s.Protection != cipher.None }

func (s Security) context() acse.Context {
	if s.Ciphered() {
		return acse.LogicalNamesCipher
	}
	return acse.LogicalNames
}

// String is the security in words, e.g. "HLS-GMAC, suite 0, authenticated and encrypted".
func (s Security) String() string {
	if !s.Ciphered() {
		return s.Mechanism.String()
	}
	return fmt.Sprintf("%v, suite %d, %v", s.Mechanism, s.Suite, s.Protection)
}

// Keys are the secrets shared with one meter. No verb prints them.
type Keys struct {
	Mechanism      Mechanism
	Password       []byte     // of LLS
	Encryption     cipher.Key // GUEK, of HLSGMAC
	Authentication cipher.Key // GAK, of HLSGMAC
}

// Security is what these keys are for.
func (k Keys) Security() Security {
	s := Security{Mechanism: k.Mechanism}
	if k.Mechanism == HLSGMAC {
		s.Protection = cipher.AuthenticatedEncrypted
	}
	return s
}

// Validate tells what is missing for the mechanism.
func (k Keys) Validate() error {
	switch k.Mechanism {
	case None:
		return nil
	case LLS:
		if len(k.Password) == 0 {
			return errors.New("LLS without a password: give the meter's password or use no security")
		}
		return nil
	case HLSGMAC:
		if k.Encryption.IsZero() || k.Authentication.IsZero() {
			return errors.New("HLS-GMAC without both keys: give the meter's encryption key (GUEK) and authentication key (GAK)")
		}
		return nil
	}
	return fmt.Errorf("mechanism %v is not spoken here: want no security, LLS or HLS-GMAC", k.Mechanism)
}

// String tells the mechanism and hides the secrets.
func (k Keys) String() string { return "keys for " + k.Mechanism.String() + " (hidden)" }

// GoString hides the secrets.
func (k Keys) GoString() string { return k.String() }

// Format hides the secrets from every verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue hides the secrets in logs.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText hides the secrets in JSON and other text forms.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// KeyRing gives the keys of a meter by its system title, and false when it has none.
type KeyRing interface {
	Keys(title plc.SystemTitle) (Keys, bool, error)
}
