package cipher

import (
	"crypto/aes"
	"crypto/md5"  //nolint:gosec // HLS mechanism 3 is MD5
	"crypto/sha1" //nolint:gosec // HLS mechanism 4 is SHA-1
	"crypto/sha256"
	"errors"

	"busbar/plc"
)

// DigestMD5 answers a challenge under mechanism 3: MD5 of challenge and secret.
func DigestMD5(secret Secret, challenge []byte) []byte {
	h := md5.New() //nolint:gosec // as above
	h.Write(challenge)
	h.Write(secret)
	return h.Sum(nil)
}

// DigestSHA1 answers a challenge under mechanism 4: SHA-1 of challenge and secret.
func DigestSHA1(secret Secret, challenge []byte) []byte {
	h := sha1.New() //nolint:gosec // as above
	h.Write(challenge)
	h.Write(secret)
	return h.Sum(nil)
}

// Handshake is what the proofs of mechanisms 6 and 7 bind together: who proves
// himself to whom, the challenge he answers and the one he gave.
type Handshake struct {
	From, To         plc.SystemTitle
	Challenge, Given []byte
}

// text is titles and challenges in the order in which they are hashed or signed.
func (h Handshake) text(dst []byte) []byte {
	dst = h.To.Append(h.From.Append(dst))
	return append(append(dst, h.Challenge...), h.Given...)
}

// DigestSHA256 answers a challenge under mechanism 6: SHA-256 of the secret, the
// titles of the answerer and the asker, and both challenges.
func DigestSHA256(secret Secret, h Handshake) []byte {
	sum := sha256.Sum256(h.text(append([]byte{}, secret...)))
	return sum[:]
}

// Text is what the proof of mechanism 7 signs: the titles and both challenges.
func (h Handshake) Text() []byte { return h.text(nil) }

// BlockECB answers a challenge under mechanism 2 as meters of the Gurux family do: each
// block of the challenge is encrypted by itself under the secret, filled up with
// zeros to a key. The standard leaves mechanism 2 to the maker and has given it up.
func BlockECB(secret Secret, challenge []byte) ([]byte, error) {
	if len(secret) > aes.BlockSize {
		return nil, errors.New("secret of mechanism 2: want at most 16 octets")
	}
	if len(challenge)%aes.BlockSize != 0 {
		return nil, errors.New("challenge of mechanism 2: want whole blocks of 16 octets")
	}
	var key [aes.BlockSize]byte
	copy(key[:], secret)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(challenge))
	for i := 0; i < len(challenge); i += aes.BlockSize {
		block.Encrypt(out[i:], challenge[i:])
	}
	return out, nil
}
