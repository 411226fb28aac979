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

// Suite is security suite 0 with one pair of keys. Every counter may be used once
// per key and direction: the caller draws counters, Suite never does.
type Suite struct {
	// keyed is behind a function, which prints as its address whatever the verb: fmt
	// follows pointers when a verb does not fit.
	keyed func() keyed
}

// keyed is everything from which a key could be told.
type keyed struct {
	block cipher.Block
	gcm   cipher.AEAD
	auth  *Key
}

// NewSuite returns suite 0 with the global unicast encryption key and the
// authentication key.
func NewSuite(encryption, authentication Key) (*Suite, error) {
	block, err := aes.NewCipher(encryption[:])
	if err != nil {
		return nil, fmt.Errorf("security suite 0: %w", err)
	}
	gcm, err := cipher.NewGCMWithTagSize(block, TagSize)
	if err != nil {
		return nil, fmt.Errorf("security suite 0: %w", err)
	}
	k := keyed{block: block, gcm: gcm, auth: &authentication}
	return &Suite{keyed: func() keyed { return k }}, nil
}

// String says what it is and hides the keys.
func (Suite) String() string { return "security suite 0 " + hidden }

// vector is the initialization vector: system title of the sender, then counter.
func vector(title plc.SystemTitle, counter uint32) ([]byte, error) {
	if title.Size() != TitleSize {
		return nil, fmt.Errorf("system title %v has %d octets: %w", title, title.Size(), ErrTitle)
	}
	return binary.BigEndian.AppendUint32(title.Append(make([]byte, 0, 12)), counter), nil
}

// aad is security control and authentication key, and the text when it stays clear.
func (k keyed) aad(c Control, clear []byte) []byte {
	b := make([]byte, 0, 1+len(k.auth)+len(clear))
	b = append(b, byte(c))
	b = append(b, k.auth[:]...)
	return append(b, clear...)
}

// Protect appends to dst the security header, plain in the form that c asks for,
// and the tag. title is the sender's and must have 8 octets.
func (s *Suite) Protect(dst []byte, c Control, title plc.SystemTitle, counter uint32, plain []byte) ([]byte, error) {
	iv, err := vector(title, counter)
	if err != nil {
		return nil, err
	}
	k := s.keyed()
	switch c {
	case Authenticated:
		dst = append(appendHeader(dst, c, counter), plain...)
		return k.gcm.Seal(dst, iv, nil, k.aad(c, plain)), nil
	case Encrypted:
		dst = appendHeader(dst, c, counter)
		start := len(dst)
		dst = append(dst, plain...)
		k.stream(iv, dst[start:])
		return dst, nil
	case AuthenticatedEncrypted:
		dst = appendHeader(dst, c, counter)
		return k.gcm.Seal(dst, iv, plain, k.aad(c, nil)), nil
	}
	return nil, fmt.Errorf("%w, got %02Xh", ErrControl, byte(c))
}

// Unprotect verifies and opens p, which title sent. The returned text never shares
// memory with p. A text that is only encrypted carries no proof of its origin:
// whether that is enough is the caller's judgement.
func (s *Suite) Unprotect(title plc.SystemTitle, p Protected) ([]byte, error) {
	iv, err := vector(title, p.Counter)
	if err != nil {
		return nil, err
	}
	if p.Control&Authenticated != 0 && len(p.Tag) != TagSize {
		return nil, ErrTruncated
	}
	k := s.keyed()
	switch p.Control {
	case Authenticated:
		if _, err := k.gcm.Open(nil, iv, p.Tag, k.aad(p.Control, p.Text)); err != nil {
			return nil, ErrTag
		}
		return append([]byte{}, p.Text...), nil
	case Encrypted:
		plain := append([]byte{}, p.Text...)
		k.stream(iv, plain)
		return plain, nil
	case AuthenticatedEncrypted:
		sealed := append(append(make([]byte, 0, len(p.Text)+TagSize), p.Text...), p.Tag...)
		plain, err := k.gcm.Open(sealed[:0], iv, sealed, k.aad(p.Control, nil))
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
