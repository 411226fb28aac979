package dlms

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"busbar/plc/dlms/cipher"
)

// errProof says that a proof is wrong, and no more.
var errProof = errors.New("proof is wrong")

// prove answers a challenge with the mechanism of the association. Only HLSGMAC draws a
// counter.
func (a *association) prove(keys *Keys, h cipher.Handshake) ([]byte, error) {
	switch a.security.Mechanism {
	case HLSGMAC:
		counter, err := a.counter()
		if err != nil {
			return nil, err
		}
		return a.suite.Proof(h.From, counter, h.Challenge)
	case HLSECDSA:
		return keys.Signing.Sign(h.Text())
	}
	return digest(a.security.Mechanism, keys.Password, h)
}

// verify checks the answer to a challenge. The fresh challenge is what makes a proof
// new: the counter of HLSGMAC is older than that of the APDU around it, some meters
// draw it from another row, and so it moves nothing.
func (a *association) verify(keys *Keys, h cipher.Handshake, proof []byte) error {
	switch a.security.Mechanism {
	case HLSGMAC:
		_, err := a.suite.VerifyProof(h.From, proof, h.Challenge)
		return err
	case HLSECDSA:
		return keys.PeerSigning.Verify(h.Text(), proof)
	}
	want, err := digest(a.security.Mechanism, keys.Password, h)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(want, proof) != 1 {
		return errProof
	}
	return nil
}

// digest is the proof of the mechanisms that hash or encrypt a shared secret.
func digest(m Mechanism, secret cipher.Secret, h cipher.Handshake) ([]byte, error) {
	switch m {
	case HLSMaker:
		return cipher.BlockECB(secret, h.Challenge)
	case HLSMD5:
		return cipher.DigestMD5(secret, h.Challenge), nil
	case HLSSHA1:
		return cipher.DigestSHA1(secret, h.Challenge), nil
	case HLSSHA256:
		return cipher.DigestSHA256(secret, h), nil
	}
	return nil, fmt.Errorf("%v has no proof", m)
}

// challengeable checks the size of a challenge.
func challengeable(challenge []byte) error {
	if n := len(challenge); n < cipher.MinChallenge || n > cipher.MaxChallenge {
		return fmt.Errorf("challenge of %d octets: want %d to %d", n, cipher.MinChallenge, cipher.MaxChallenge)
	}
	return nil
}
