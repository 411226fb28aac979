package dlms

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// State is where an association stands.
type State uint8

// States of an association. A meter knows only Closed, Authenticating and Opened.
const (
	Closed         State = iota
	Opening              // AARQ sent
	Authenticating       // AARE accepted, proofs outstanding
	Opened
	Releasing // RLRQ sent
)

var stateNames = [...]string{"closed", "opening", "authenticating", "open", "releasing"}

// String is the state in one word.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// association is what both ends keep of one association and how both protect and
// believe APDUs.
type association struct {
	security Security
	suite    *cipher.Suite // of the global keys, for proofs; nil when there are none
	shield   *shield       // global key; nil when not ciphered
	ded      *shield       // dedicated key of this association; nil: none
	signet   *signet       // nil when not signed
	state    State
	peer     window          // invocation counters of the other end under the global key
	dedPeer  window          // and under the dedicated key
	partner  plc.SystemTitle // the other end's title; zero when nothing needs it
	// counter draws the next invocation counter of ours.
	counter func() (uint32, error)

	granted apdu.Conformance
	limit   int // longest APDU the other end takes in octets; 0: no limit
}

// arm makes suite, shield and signet for the two ends.
func (a *association) arm(keys *Keys, own, peer plc.SystemTitle) error {
	if named(a.security.Mechanism) || a.security.Ciphered() || a.security.Signed {
		if err := titled(own, peer); err != nil {
			return err
		}
	}
	a.partner = peer
	if keys.symmetric() {
		suite, err := cipher.NewSuiteOf(keys.Suite, keys.encryption(), keys.authentication())
		if err != nil {
			return err
		}
		a.suite = suite
	}
	if a.security.Ciphered() {
		a.shield = &shield{suite: a.suite, protection: a.security.Protection, own: own, peer: peer}
	}
	if a.security.Signed {
		a.signet = &signet{signer: keys.Signing, verifier: keys.PeerSigning, own: own, peer: peer}
	}
	return nil
}

// protects reports whether APDUs of an open association are sealed or signed.
func (a *association) protects() bool { return a.shield != nil || a.signet != nil }

// dedicate makes the shield of a dedicated key.
func (a *association) dedicate(keys *Keys, key cipher.Secret) error {
	suite, err := cipher.NewSuiteOf(keys.Suite, key, keys.authentication())
	if err != nil {
		return err
	}
	sh := *a.shield
	sh.suite, sh.dedicated = suite, true
	a.ded, a.dedPeer = &sh, window{}
	return nil
}

// protect seals a plain APDU under a fresh counter when the association is ciphered.
func (a *association) protect(plain []byte, v via) ([]byte, error) {
	if v.sh == nil {
		return v.seal(plain, 0)
	}
	counter, err := a.counter()
	if err != nil {
		return nil, err
	}
	return v.seal(plain, counter)
}

// admit opens what came sealed to s. The counter moves only when the tag is right
// and the counter itself rises.
func (a *association) admit(s *shield, b []byte) (opened, error) {
	w, err := unwrap(b)
	if err != nil {
		return opened{}, err
	}
	if w.dedicated != s.dedicated {
		return opened{}, forged("it is not under the key agreed")
	}
	return a.believed(s, &a.peer, w)
}

// believed verifies w under s and then moves the counter. A text without a tag moves
// nothing: anybody can write a counter before it.
func (a *association) believed(s *shield, seen *window, w wrapped) (opened, error) {
	o, err := s.verify(w)
	if err != nil {
		return opened{}, err
	}
	switch {
	case seen.repeats(o.counter):
		return opened{}, errRepeated
	case !seen.fresh(o.counter):
		return opened{}, ErrReplayed
	}
	if w.Control&cipher.Authenticated != 0 {
		seen.moved(o.counter)
	}
	return o, nil
}

// open opens a protected APDU of any envelope under the key that it names.
func (a *association) open(keys *Keys, b []byte) (opened, error) {
	w, err := unwrap(b)
	if err != nil {
		return opened{}, err
	}
	sh, seen := a.shield, &a.peer
	switch {
	case w.dedicated || w.frame != nil && w.key == nil:
		sh, seen = a.ded, &a.dedPeer
	case w.key != nil:
		if sh, err = a.named(keys, w); err != nil {
			return opened{}, err
		}
	}
	if sh == nil {
		return opened{}, forged("it is under a key that was not agreed")
	}
	o, err := a.believed(sh, seen, w)
	if err != nil {
		return opened{}, err
	}
	if sh != a.ded {
		o.sh = a.shield // a key made for one APDU is not used for another
	}
	return o, nil
}

// named is the shield of the key that a general-ciphering APDU names. Counters of keys
// made for one APDU rise along with those of the global key.
func (a *association) named(keys *Keys, w wrapped) (*shield, error) {
	sh := *a.shield
	var key cipher.Secret
	var err error
	switch k := w.key; {
	case k.Choice == apdu.IdentifiedKey && k.ID == apdu.KeyGlobalUnicast:
		return a.shield, nil
	case k.Choice == apdu.WrappedKey && k.ID == apdu.KeyMaster && keys.Master != nil:
		key, err = cipher.UnwrapKey(keys.Master, k.Data)
	case k.Choice == apdu.AgreedKey && keys.Agreement != nil:
		key, err = agreed(keys, w, sh.peer, sh.own)
	default:
		return nil, forged("it is under a key that is not known")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if sh.suite, err = cipher.NewSuiteOf(keys.Suite, key, keys.authentication()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return &sh, nil
}

// agreed computes the key of one APDU: from the sender's ephemeral key, which he
// signed, or from both static keys and the transaction.
func agreed(keys *Keys, w wrapped, from, to plc.SystemTitle) (cipher.Secret, error) {
	public, u := keys.PeerAgreement, from.Bytes()
	switch w.key.ID {
	case apdu.SchemeOnePass:
		n := 2 * cipher.CurveSize(keys.Suite)
		if n == 0 || keys.PeerSigning == nil || len(w.key.Data) != 2*n {
			return nil, cipher.ErrSignature
		}
		public = w.key.Data[:n]
		if err := keys.PeerSigning.Verify(public, w.key.Data[n:]); err != nil {
			return nil, err
		}
	case apdu.SchemeStatic:
		u = append(u, w.frame.Transaction...)
	default:
		return nil, fmt.Errorf("key agreement scheme %d: want 1 or 2", w.key.ID)
	}
	z, err := keys.Agreement.Secret(public)
	if err != nil {
		return nil, err
	}
	return cipher.Derive(keys.Suite, z, u, to.Bytes())
}

// unsign checks the signature that every APDU of a signed association must have.
func (a *association) unsign(o opened) (opened, error) {
	signed := apdu.TagOf(o.plain) == apdu.TagGeneralSigning
	switch {
	case !a.security.Signed && !signed:
		return o, nil
	case a.signet == nil:
		return opened{}, forged("signed by nobody we know, or not signed although that was asked for")
	case !signed:
		return opened{}, forged("not signed, although that was asked for")
	}
	content, f, err := a.signet.open(o.plain)
	if err != nil {
		return opened{}, err
	}
	o.plain, o.signet, o.transaction = content, a.signet, f.Transaction
	return o, nil
}

// titled refuses titles that no initialization vector can be made of.
func titled(titles ...plc.SystemTitle) error {
	for _, t := range titles {
		if t.Size() != cipher.TitleSize {
			return fmt.Errorf("system title %v has %d octets: %w", t, t.Size(), cipher.ErrTitle)
		}
	}
	return nil
}
