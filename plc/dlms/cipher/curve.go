package cipher

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// CurveSize is the size of a coordinate and of a private key of a suite in octets: 32
// (P-256) for suite 1, 48 (P-384) for suite 2, 0 for a suite without a curve. A
// public key (x, y) and a signature (r, s) have twice as many.
func CurveSize(suite uint8) int {
	switch suite {
	case Suite1:
		return 32
	case Suite2:
		return 48
	}
	return 0
}

// ErrSignature says that a signature does not belong to the text and the key.
var ErrSignature = errors.New("signature is wrong: other key, or altered on the way")

func curves(suite uint8) (elliptic.Curve, ecdh.Curve, crypto.Hash, error) {
	switch suite {
	case Suite1:
		return elliptic.P256(), ecdh.P256(), crypto.SHA256, nil
	case Suite2:
		return elliptic.P384(), ecdh.P384(), crypto.SHA384, nil
	}
	return nil, nil, 0, fmt.Errorf("security suite %d has no elliptic curve: want 1 or 2", suite)
}

// digest hashes text with the hash function of a suite with a curve.
func digest(suite uint8, text []byte) []byte {
	if suite == Suite2 {
		sum := sha512.Sum384(text)
		return sum[:]
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// uncompressed is a public key (x, y) in the form of SEC 1 that Go reads.
func uncompressed(public []byte) []byte { return append([]byte{4}, public...) }

// Signer signs with ECDSA under one private key. It never prints the key.
type Signer struct {
	suite uint8
	key   func() *ecdsa.PrivateKey // a function prints as its address
}

// NewSigner returns the signer of a suite with private key d of CurveSize octets.
func NewSigner(suite uint8, d Secret) (*Signer, error) {
	curve, _, _, err := curves(suite)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil {
		return nil, fmt.Errorf("signing key of suite %d: %w", suite, err)
	}
	return &Signer{suite: suite, key: func() *ecdsa.PrivateKey { return key }}, nil
}

// Suite is the suite the signer is for.
func (s *Signer) Suite() uint8 { return s.suite }

// String hides the key.
func (s Signer) String() string { return fmt.Sprintf("signer of suite %d %s", s.suite, hidden) }

// Public is the public key (x, y).
func (s *Signer) Public() []byte {
	b, err := s.key().PublicKey.Bytes()
	if err != nil {
		panic(err) // the curve was checked by NewSigner
	}
	return b[1:]
}

// Sign returns the signature (r, s) of text. It is the same each time (RFC 6979), so
// that no bad source of randomness can give the key away.
func (s *Signer) Sign(text []byte) ([]byte, error) {
	_, _, hash, err := curves(s.suite)
	if err != nil {
		return nil, err
	}
	der, err := s.key().Sign(nil, digest(s.suite, text), hash)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	n := CurveSize(s.suite)
	out := make([]byte, 2*n)
	sig.R.FillBytes(out[:n])
	sig.S.FillBytes(out[n:])
	return out, nil
}

// Verifier checks signatures against one public key.
type Verifier struct {
	suite uint8
	key   *ecdsa.PublicKey
}

// NewVerifier returns the verifier of a suite for the public key (x, y).
func NewVerifier(suite uint8, public []byte) (*Verifier, error) {
	curve, _, _, err := curves(suite)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, uncompressed(public))
	if err != nil {
		return nil, fmt.Errorf("public key of suite %d: %w", suite, err)
	}
	return &Verifier{suite: suite, key: key}, nil
}

// Suite is the suite the verifier is for.
func (v *Verifier) Suite() uint8 { return v.suite }

// SignatureSize is the size of its signatures in octets.
func (v *Verifier) SignatureSize() int { return 2 * CurveSize(v.suite) }

// Verify checks the signature (r, s) of text.
func (v *Verifier) Verify(text, signature []byte) error {
	n := CurveSize(v.suite)
	if len(signature) != 2*n {
		return fmt.Errorf("signature of %d octets: want %d", len(signature), 2*n)
	}
	r, s := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
	if !ecdsa.Verify(v.key, digest(v.suite, text), r, s) {
		return ErrSignature
	}
	return nil
}

// Agreement is one private key of ECDH key agreement. It never prints the key.
type Agreement struct {
	suite uint8
	key   func() *ecdh.PrivateKey // a function prints as its address
}

// NewAgreement returns the agreement of a suite with a static private key d of
// CurveSize octets.
func NewAgreement(suite uint8, d Secret) (*Agreement, error) {
	_, curve, _, err := curves(suite)
	if err != nil {
		return nil, err
	}
	key, err := curve.NewPrivateKey(d)
	if err != nil {
		return nil, fmt.Errorf("key agreement key of suite %d: %w", suite, err)
	}
	return &Agreement{suite: suite, key: func() *ecdh.PrivateKey { return key }}, nil
}

// Ephemeral draws a key for one agreement from rand.
func Ephemeral(suite uint8, rand io.Reader) (*Agreement, error) {
	_, curve, _, err := curves(suite)
	if err != nil {
		return nil, err
	}
	key, err := curve.GenerateKey(rand)
	if err != nil {
		return nil, fmt.Errorf("draw a key: %w", err)
	}
	return &Agreement{suite: suite, key: func() *ecdh.PrivateKey { return key }}, nil
}

// Suite is the suite the key is for.
func (a *Agreement) Suite() uint8 { return a.suite }

// String hides the key.
func (a Agreement) String() string {
	return fmt.Sprintf("key agreement of suite %d %s", a.suite, hidden)
}

// Public is the public key (x, y).
func (a *Agreement) Public() []byte { return a.key().PublicKey().Bytes()[1:] }

// Secret is the shared secret Z with the owner of the public key (x, y): the x
// coordinate of the product. A point off the curve is refused.
func (a *Agreement) Secret(public []byte) (Secret, error) {
	_, curve, _, err := curves(a.suite)
	if err != nil {
		return nil, err
	}
	other, err := curve.NewPublicKey(uncompressed(public))
	if err != nil {
		return nil, fmt.Errorf("public key of suite %d: %w", a.suite, err)
	}
	z, err := a.key().ECDH(other)
	if err != nil {
		return nil, fmt.Errorf("agree on a key: %w", err)
	}
	return z, nil
}

// algorithm is the last arc of the name 2.16.756.5.8.3.x of what a derived key is for:
// AES-GCM-128 and AES-GCM-256.
var algorithm = map[uint8]byte{Suite1: 0, Suite2: 1}

// Derive is the key derivation function of suites 1 and 2 (NIST SP 800-56A, 5.8.1, one
// round): a key of KeySize octets from Z and what the two parties, U the originator
// and V the recipient, are known by: their titles, and for two static keys the
// transaction behind U's. The arrangement of suite 2 is by analogy: no published
// values were found for it.
func Derive(suite uint8, z Secret, u, v []byte) (Secret, error) {
	arc, ok := algorithm[suite]
	if !ok {
		return nil, fmt.Errorf("security suite %d agrees on no keys: want 1 or 2", suite)
	}
	text := append([]byte{0, 0, 0, 1}, z...)
	text = append(text, 0x60, 0x85, 0x74, 0x05, 0x08, 0x03, arc)
	text = append(append(text, u...), v...)
	return digest(suite, text)[:KeySize(suite)], nil
}
