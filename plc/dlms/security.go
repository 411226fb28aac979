package dlms

import (
	"bytes"
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
	None      Mechanism = acse.NoSecurity // anyone may read what the meter shows to anyone
	LLS       Mechanism = acse.LowLevel   // a password in clear
	HLSMaker  Mechanism = acse.HighLevel  // a maker's own proof, given up by the standard: only when Keys.AllowMaker
	HLSMD5    Mechanism = acse.HighMD5
	HLSSHA1   Mechanism = acse.HighSHA1
	HLSGMAC   Mechanism = acse.HighGMAC // a proof both ways; every APDU authenticated and encrypted
	HLSSHA256 Mechanism = acse.HighSHA256
	HLSECDSA  Mechanism = acse.HighECDSA
)

// proves reports whether m has passes 3 and 4: a proof both ways.
func proves(m Mechanism) bool { return m >= HLSMaker && m <= HLSECDSA }

// named reports whether the proof of m holds the titles of both ends.
func named(m Mechanism) bool { return m == HLSGMAC || m == HLSSHA256 || m == HLSECDSA }

// Security is what an association must have. Less is refused, whatever the meter says.
type Security struct {
	Mechanism  Mechanism
	Suite      uint8          // 0: AES-GCM-128; 1 and 2 with ECDSA and ECDH
	Protection cipher.Control // of every APDU after the association request
	Signed     bool           // every APDU after the association is signed by its sender
	ShortNames bool           // objects are named by short names
}

// Ciphered reports whether APDUs are protected at all.
func (s Security) Ciphered() bool { return s.Protection != cipher.None }

func (s Security) context() acse.Context {
	switch {
	case s.ShortNames && s.Ciphered():
		return acse.ShortNamesCiphering
	case s.ShortNames:
		return acse.ShortNames
	case s.Ciphered():
		return acse.LogicalNamesCipher
	}
	return acse.LogicalNames
}

// String is the security in words, e.g. "HLS-GMAC, suite 0, authenticated and encrypted".
func (s Security) String() string {
	text := s.Mechanism.String()
	if s.Ciphered() {
		text = fmt.Sprintf("%v, suite %d, %v", s.Mechanism, s.Suite, s.Protection)
	}
	if s.Signed {
		text += ", signed"
	}
	return text
}

// Keys are the secrets shared with one meter and what they must be used for. No verb
// prints them.
type Keys struct {
	Mechanism Mechanism
	Password  []byte // of LLS; the secret of HLSMaker, HLSMD5, HLSSHA1 and HLSSHA256

	Suite          uint8
	Encryption     cipher.Key // GUEK of suites 0 and 1
	Authentication cipher.Key // GAK of suites 0 and 1
	// LongEncryption and LongAuthentication are the GUEK and GAK of suite 2, 32 octets each.
	LongEncryption, LongAuthentication cipher.Secret
	// BroadcastKey is the GBEK, under which a client speaks to many meters; nil: none.
	BroadcastKey cipher.Secret
	// Master is the key under which fresh keys are wrapped; nil: none are taken.
	Master cipher.Secret

	// Protection is what every APDU must have, at the least and as it is sent. Zero is
	// authenticated and encrypted with HLSGMAC and nothing with other mechanisms.
	Protection cipher.Control
	// Unciphered lets HLSGMAC prove who both are and nothing more.
	Unciphered bool

	Signing     *cipher.Signer   // our own; of HLSECDSA and Sign
	PeerSigning *cipher.Verifier // the other end's
	Sign        bool             // every APDU after the association must be signed

	Agreement     *cipher.Agreement // our own static key of key agreement; nil: none are agreed on
	PeerAgreement []byte            // public key (x, y) of the other end's

	AllowMaker bool // HLSMaker is wanted although the standard gave it up
}

// Security is what these keys are for.
func (k Keys) Security() Security {
	s := Security{Mechanism: k.Mechanism, Suite: k.Suite, Protection: k.Protection.Protection(), Signed: k.Sign}
	if k.Mechanism == HLSGMAC && s.Protection == cipher.None && !k.Unciphered {
		s.Protection = cipher.AuthenticatedEncrypted
	}
	return s
}

// encryption and authentication are the global keys of the suite.
func (k *Keys) encryption() cipher.Secret {
	if k.Suite == cipher.Suite2 {
		return k.LongEncryption
	}
	return k.Encryption[:]
}

func (k *Keys) authentication() cipher.Secret {
	if k.Suite == cipher.Suite2 {
		return k.LongAuthentication
	}
	return k.Authentication[:]
}

// symmetric reports whether the global keys are needed.
func (k *Keys) symmetric() bool { return k.Mechanism == HLSGMAC || k.Security().Ciphered() }

// Equal reports whether both are the same keys for the same use.
func (k Keys) Equal(o Keys) bool {
	return k.Mechanism == o.Mechanism && k.Suite == o.Suite && k.Protection == o.Protection &&
		k.Unciphered == o.Unciphered && k.Sign == o.Sign && k.AllowMaker == o.AllowMaker &&
		k.Encryption == o.Encryption && k.Authentication == o.Authentication &&
		bytes.Equal(k.Password, o.Password) && bytes.Equal(k.LongEncryption, o.LongEncryption) &&
		bytes.Equal(k.LongAuthentication, o.LongAuthentication) && bytes.Equal(k.BroadcastKey, o.BroadcastKey) &&
		bytes.Equal(k.Master, o.Master) && bytes.Equal(k.PeerAgreement, o.PeerAgreement) &&
		k.Signing == o.Signing && k.PeerSigning == o.PeerSigning && k.Agreement == o.Agreement
}

// Validate tells what is missing for the mechanism.
func (k Keys) Validate() error {
	if cipher.KeySize(k.Suite) == 0 {
		return fmt.Errorf("security suite %d: want 0, 1 or 2", k.Suite)
	}
	if err := k.validateMechanism(); err != nil {
		return err
	}
	if k.symmetric() || k.BroadcastKey != nil {
		if err := k.validateSymmetric(); err != nil {
			return err
		}
	}
	if err := k.validateCurves(); err != nil {
		return err
	}
	if k.Sign && (k.Signing == nil || k.PeerSigning == nil) {
		return errors.New("signing without both keys: give our signing key and the meter's public one")
	}
	for _, fresh := range []cipher.Secret{k.BroadcastKey, k.Master} {
		if fresh != nil && len(fresh) != cipher.KeySize(k.Suite) {
			return fmt.Errorf("broadcast or master key of %d octets: suite %d wants %d", len(fresh), k.Suite, cipher.KeySize(k.Suite))
		}
	}
	return nil
}

// validateCurves finds keys of another suite than the one agreed on: signatures and
// agreements would be weaker, or of another size, than the suite says.
func (k Keys) validateCurves() error {
	for _, key := range []struct {
		name  string
		given bool
		fits  func() bool
	}{
		{"our signing key", k.Signing != nil, func() bool { return k.Signing.Suite() == k.Suite }},
		{"the meter's public signing key", k.PeerSigning != nil, func() bool { return k.PeerSigning.Suite() == k.Suite }},
		{"our key agreement key", k.Agreement != nil, func() bool { return k.Agreement.Suite() == k.Suite }},
		{"the meter's public key agreement key", k.PeerAgreement != nil, func() bool {
			return k.Suite != cipher.Suite0 && len(k.PeerAgreement) == 2*cipher.CurveSize(k.Suite)
		}},
	} {
		if key.given && !key.fits() {
			return fmt.Errorf("%s is not of security suite %d: give one of this suite, or set the suite that the key is of", key.name, k.Suite)
		}
	}
	return nil
}

func (k Keys) validateMechanism() error {
	switch k.Mechanism {
	case None, HLSGMAC:
		return nil
	case LLS:
		if len(k.Password) == 0 {
			return errors.New("LLS without a password: give the meter's password or use no security")
		}
		return nil
	case HLSMaker:
		if !k.AllowMaker {
			return errors.New("HLS by the maker's own proof was given up by the standard: set AllowMaker for this meter or use another mechanism")
		}
		fallthrough
	case HLSMD5, HLSSHA1, HLSSHA256:
		if len(k.Password) == 0 {
			return fmt.Errorf("%v without a secret: give the meter's secret", k.Mechanism)
		}
		return nil
	case HLSECDSA:
		if k.Signing == nil || k.PeerSigning == nil {
			return errors.New("HLS-ECDSA without both keys: give our signing key and the meter's public one")
		}
		return nil
	}
	return fmt.Errorf("mechanism %v is not spoken here: want no security, LLS or one of HLS", k.Mechanism)
}

func (k Keys) validateSymmetric() error {
	if k.Suite == cipher.Suite2 {
		if n := cipher.KeySize(k.Suite); len(k.LongEncryption) != n || len(k.LongAuthentication) != n {
			return fmt.Errorf("suite 2 without both keys of %d octets: give the meter's encryption key (GUEK) and authentication key (GAK)", n)
		}
		return nil
	}
	if k.Encryption.IsZero() || k.Authentication.IsZero() {
		return fmt.Errorf("%v without both keys: give the meter's encryption key (GUEK) and authentication key (GAK)", k.Mechanism)
	}
	return nil
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
