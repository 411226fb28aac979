package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"busbar/concentrator"
)

// ErrSignature means that a receipt is not the center's word.
var ErrSignature = errors.New("the receipt is not signed by the center")

// receiptContext begins what is signed, so that a receipt's signature can never
// be taken for anything else the same key signs.
const receiptContext = "busbar receipt 1\x00"

// receiptDigest covers all that a receipt says, and to whom. A text is preceded by
// its length, so that no two receipts run together to the same octets.
func receiptDigest(station string, r concentrator.Receipt) []byte {
	b := []byte(receiptContext)
	b = appendText(b, station)
	b = binary.BigEndian.AppendUint64(b, r.ID.Epoch)
	b = append(b, byte(r.ID.Lane))
	b = binary.BigEndian.AppendUint64(b, r.ID.Seq)
	b = append(b, r.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(millis(r.CenterAt))) //nolint:gosec // same 64 bits
	if r.Refused {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = appendText(b, clean(r.Reason, maxText))
	sum := sha256.Sum256(b)
	return sum[:]
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s))) //nolint:gosec // texts are bounded
	return append(dst, s...)
}

// Sign makes the receipt that the center gives to station. The key is that of
// the center's certificate: ECDSA or Ed25519.
func Sign(key crypto.Signer, station string, r concentrator.Receipt) (Receipt, error) {
	var opts crypto.SignerOpts = crypto.SHA256
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		opts = crypto.Hash(0) // Ed25519 hashes itself; the digest is its message
	}
	signature, err := key.Sign(rand.Reader, receiptDigest(station, r), opts)
	if err != nil {
		return Receipt{}, fmt.Errorf("envelope: sign a receipt: %w", err)
	}
	return Receipt{Receipt: r, Signature: signature}, nil
}

// Verify reports whether the owner of key gave this receipt to station; it is
// ErrSignature when not.
func (r Receipt) Verify(key crypto.PublicKey, station string) error {
	digest, ok := receiptDigest(station, r.Receipt), false
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, digest, r.Signature)
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, digest, r.Signature)
	default:
		return fmt.Errorf("envelope: the center's certificate has a key of type %T: want ECDSA or Ed25519", key)
	}
	if !ok {
		return fmt.Errorf("envelope: batch %d of lane %d: %w", r.Receipt.ID.Seq, r.Receipt.ID.Lane, ErrSignature)
	}
	return nil
}
