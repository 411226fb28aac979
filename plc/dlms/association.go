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
	shield   *shield // nil when not ciphered
	state    State
	peer     window // invocation counters of the other end
	// counter draws the next invocation counter of ours.
	counter func() (uint32, error)

	granted apdu.Conformance
	limit   int // longest APDU the other end takes in octets; 0: no limit
}

// protect seals a plain APDU under a fresh counter when the association is ciphered.
func (a *association) protect(plain []byte, general bool) ([]byte, error) {
	if a.shield == nil {
		return plain, nil
	}
	counter, err := a.counter()
	if err != nil {
		return nil, err
	}
	return a.shield.seal(plain, counter, general)
}

// admit opens what came sealed to s. The counter moves only when the tag is right
// and the counter itself rises.
func (a *association) admit(s *shield, b []byte) (opened, error) {
	o, err := s.open(b)
	if err != nil {
		return opened{}, err
	}
	switch {
	case a.peer.repeats(o.counter):
		return opened{}, errRepeated
	case !a.peer.fresh(o.counter):
		return opened{}, ErrReplayed
	}
	a.peer.moved(o.counter)
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

// newShield makes the shield of a ciphered association between two titles.
func newShield(keys *Keys, own, peer plc.SystemTitle) (*shield, error) {
	if err := titled(own, peer); err != nil {
		return nil, err
	}
	suite, err := cipher.NewSuite(keys.Encryption, keys.Authentication)
	if err != nil {
		return nil, err
	}
	return &shield{suite: suite, protection: keys.Security().Protection, own: own, peer: peer}, nil
}
