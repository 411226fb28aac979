package cipher

import (
	"fmt"

	"busbar/plc"
)

// ProofSize is the size of a GMAC proof: security control, counter and tag.
const ProofSize = HeaderSize + TagSize

// Bounds of a challenge in octets (IEC 62056-5-3, authentication mechanisms).
const (
	MinChallenge = 8
	MaxChallenge = 64
)

// Proof answers a challenge under mechanism 5: the one who sends it, title, shows
// that he holds both keys. The counter is drawn from the same row as those of
// ciphered APDUs, because it enters the same initialization vector.
func (s *Suite) Proof(title plc.SystemTitle, counter uint32, challenge []byte) ([]byte, error) {
	iv, err := vector(title, counter)
	if err != nil {
		return nil, err
	}
	k, c := s.keyed(), Authenticated|s.number
	dst := appendHeader(make([]byte, 0, ProofSize), c, counter)
	return k.gcm.Seal(dst, iv, nil, k.aad(c, nil, challenge)), nil
}

// VerifyProof checks the answer that title gave to challenge and returns the
// counter it was made with.
func (s *Suite) VerifyProof(title plc.SystemTitle, proof, challenge []byte) (counter uint32, err error) {
	if len(proof) != ProofSize {
		return 0, fmt.Errorf("proof of %d octets: want %d", len(proof), ProofSize)
	}
	p, _, err := Parse(proof)
	if err != nil {
		return 0, err
	}
	if p.Control != Authenticated|s.number {
		return 0, fmt.Errorf("%w, got %02Xh in a proof", ErrControl, byte(p.Control))
	}
	iv, err := vector(title, p.Counter)
	if err != nil {
		return 0, err
	}
	k := s.keyed()
	if _, err := k.gcm.Open(nil, iv, p.Tag, k.aad(p.Control, nil, challenge)); err != nil {
		return 0, ErrTag
	}
	return p.Counter, nil
}
