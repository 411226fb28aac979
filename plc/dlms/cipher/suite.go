package cipher

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"busbar/plc"
)

// TitleSize is the size of a system title in an initialization vector, in octets.
const TitleSize = 8

// The security suites: AES-GCM-128 alone, with P-256 and SHA-256, and AES-GCM-256
// with P-384 and SHA-384.
const (
	Suite0   uint8 = 0
	Suite1   uint8 = 1
	Suite2   uint8 = 2
	MaxSuite       = Suite2
)

// KeySize is the size of the symmetric keys of a suite in octets, 0 for a suite that
// does not exist.
func KeySize(suite uint8) int {
	switch suite {
	case Suite0, Suite1:
		return 16
	case Suite2:
		return 32
	}
	return 0
}

// Suite is the symmetric half of a security suite with one pair of keys. Every
// counter may be used once per key and direction: the caller draws counters, Suite
// never does.
type Suite struct {
	// keyed is behind a function, which prints as its address whatever the verb: fmt
	// follows pointers when a verb does not fit.
	keyed  func() keyed
	number Control
}

// keyed is everything from which a key could be told.
type keyed struct {
	block cipher.Block
	gcm   cipher.AEAD
	auth  Secret
}

// NewSuite returns suite 0 with the global unicast encryption key and the
// authentication key.
func NewSuite(encryption, authentication Key) (*Suite, error) {
	return NewSuiteOf(Suite0, encryption[:], authentication[:])
}

// NewSuiteOf returns the suite of the given number. Both keys have KeySize octets and
// are copied. The encryption key may be global, dedicated or agreed for one text.
func NewSuiteOf(number uint8, encryption, authentication Secret) (*Suite, error) {
	size := KeySize(number)
	if size == 0 {
		return nil, fmt.Errorf("security suite %d: want 0, 1 or 2", number)
	}
	if len(encryption) != size || len(authentication) != size {
		return nil, fmt.Errorf("security suite %d: keys of %d and %d octets: want %d", number, len(encryption), len(authentication), size)
	}
	block, err := aes.NewCipher(encryption)
	if err != nil {
		return nil, fmt.Errorf("security suite %d: %w", number, err)
	}
	gcm, err := cipher.NewGCMWithTagSize(block, TagSize)
	if err != nil {
		return nil, fmt.Errorf("security suite %d: %w", number, err)
	}
	k := keyed{block: block, gcm: gcm, auth: append(Secret{}, authentication...)}
	return &Suite{keyed: func() keyed { return k }, number: Control(number)}, nil
}

// Number is the number of the suite.
func (s *Suite) Number() uint8 { return uint8(s.number) }

// String says what it is and hides the keys.
func (s Suite) String() string { return fmt.Sprintf("security suite %d %s", uint8(s.number), hidden) }

// vector is the initialization vector: system title of the sender, then counter.
func vector(title plc.SystemTitle, counter uint32) ([]byte, error) {
	if title.Size() != TitleSize {
		return nil, fmt.Errorf("system title %v has %d octets: %w", title, title.Size(), ErrTitle)
	}
	return binary.BigEndian.AppendUint32(title.Append(make([]byte, 0, 12)), counter), nil
}

// aad is what a tag covers besides the ciphered text: security control and
// authentication key, what the envelope adds, and the text when it stays clear.
func (k keyed) aad(c Control, with, clear []byte) []byte {
	b := make([]byte, 0, 1+len(k.auth)+len(with)+len(clear))
	b = append(b, byte(c))
	b = append(b, k.auth...)
	b = append(b, with...)
	return append(b, clear...)
}

// accepts refuses a c that names another suite than this one or asks for compression.
func (s *Suite) accepts(c Control) error {
	if c&compressed != 0 || c&suiteMask != s.number {
		return fmt.Errorf("%w, got %02Xh in suite %d", ErrControl, byte(c), s.Number())
	}
	return nil
}

// Protect appends to dst the security header, plain in the form that c asks for,
// and the tag. title is the sender's and must have 8 octets. The suite in c may be 0
// for this suite.
func (s *Suite) Protect(dst []byte, c Control, title plc.SystemTitle, counter uint32, plain []byte) ([]byte, error) {
	return s.ProtectWith(dst, c, title, counter, nil, plain)
}

// ProtectWith is Protect with further octets under the tag: those that a
// general-ciphering APDU carries beside the text.
func (s *Suite) ProtectWith(dst []byte, c Control, title plc.SystemTitle, counter uint32, with, plain []byte) ([]byte, error) {
	iv, err := vector(title, counter)
	if err != nil {
		return nil, err
	}
	if c&suiteMask == 0 {
		c |= s.number
	}
	if err := s.accepts(c); err != nil {
		return nil, err
	}
	k := s.keyed()
	switch c.Protection() {
	case Authenticated:
		dst = append(appendHeader(dst, c, counter), plain...)
		return k.gcm.Seal(dst, iv, nil, k.aad(c, with, plain)), nil
	case Encrypted:
		dst = appendHeader(dst, c, counter)
		start := len(dst)
		dst = append(dst, plain...)
		k.stream(iv, dst[start:])
		return dst, nil
	case AuthenticatedEncrypted:
		dst = appendHeader(dst, c, counter)
		return k.gcm.Seal(dst, iv, plain, k.aad(c, with, nil)), nil
	}
	return nil, fmt.Errorf("%w, got %02Xh", ErrControl, byte(c))
}

// Unprotect verifies and opens p, which title sent. The returned text never shares
// memory with p. A text that is only encrypted carries no proof of its origin:
// whether that is enough is the caller's judgement.
func (s *Suite) Unprotect(title plc.SystemTitle, p Protected) ([]byte, error) {
	return s.UnprotectWith(title, nil, p)
}

// UnprotectWith is Unprotect with the further octets that ProtectWith put under the tag.
func (s *Suite) UnprotectWith(title plc.SystemTitle, with []byte, p Protected) ([]byte, error) {
	iv, err := vector(title, p.Counter)
	if err != nil {
		return nil, err
	}
	if err := s.accepts(p.Control); err != nil {
		return nil, err
	}
	if p.Control&Authenticated != 0 && len(p.Tag) != TagSize {
		return nil, ErrTruncated
	}
	k := s.keyed()
	switch p.Control.Protection() {
	case Authenticated:
		if _, err := k.gcm.Open(nil, iv, p.Tag, k.aad(p.Control, with, p.Text)); err != nil {
			return nil, ErrTag
		}
		return append([]byte{}, p.Text...), nil
	case Encrypted:
		plain := append([]byte{}, p.Text...)
		k.stream(iv, plain)
		return plain, nil
	case AuthenticatedEncrypted:
		sealed := append(append(make([]byte, 0, len(p.Text)+TagSize), p.Text...), p.Tag...)
		plain, err := k.gcm.Open(sealed[:0], iv, sealed, k.aad(p.Control, with, nil))
		if err != nil {
			return nil, ErrTag
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w, got %02Xh", ErrControl, byte(p.Control))
}

// stream encrypts or decrypts b in place as GCM does without its tag: AES in
// counter mode, the first text block at counter 2 (NIST SP 800-38D, 7.1).
func (k keyed) stream(iv, b []byte) {
	start := append(append(make([]byte, 0, aes.BlockSize), iv...), 0, 0, 0, 2)
	cipher.NewCTR(k.block, start).XORKeyStream(b, b)
}
