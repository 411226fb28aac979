package dlms

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// Form is the envelope of protected APDUs.
type Form uint8

// The envelopes. What has no service-specific form (notifications, access) goes in the
// general one.
const (
	ServiceForm   Form = iota // glo- and ded- with the tag of the service
	GeneralForm               // general-glo- and general-ded-ciphering
	CipheringForm             // general-ciphering, with transaction and titles of both ends
)

// shield protects what one end sends and opens what the other sent under one
// encryption key. Both ends use it; it holds no counter.
type shield struct {
	suite      *cipher.Suite
	protection cipher.Control
	own, peer  plc.SystemTitle
	dedicated  bool // the key is that of this association
	broadcast  bool // the key is that of many meters
}

// via is the way one APDU goes: in which envelope, under whose keys, signed or not.
// Its zero value is in clear.
type via struct {
	sh          *shield // nil: in clear
	signet      *signet // nil: not signed
	form        Form
	transaction []byte
}

// opened is a verified text.
type opened struct {
	plain   []byte
	counter uint32
	via
}

// signs gives v the form that can carry a signed APDU.
func (v via) signs() via {
	if v.form == ServiceForm && v.signet != nil {
		v.form = GeneralForm
	}
	return v
}

// seal signs and protects a plain APDU. The counter is of no use in clear.
func (v via) seal(plain []byte, counter uint32) ([]byte, error) {
	v = v.signs()
	if v.signet != nil {
		var err error
		if plain, err = v.signet.sign(plain, v.transaction); err != nil {
			return nil, err
		}
	}
	if v.sh == nil {
		return plain, nil
	}
	return v.sh.seal(plain, counter, v)
}

// seal protects a plain APDU in the envelope of v.
func (s *shield) seal(plain []byte, counter uint32, v via) ([]byte, error) {
	c := s.protection
	if s.broadcast {
		c |= cipher.Broadcast
	}
	var frame apdu.Frame
	var with []byte
	if v.form == CipheringForm {
		frame = frameOf(v.transaction, s.own, s.peer)
		with = frame.Append(make([]byte, 0, frame.Size()))
	}
	text, err := s.suite.ProtectWith(make([]byte, 0, len(plain)+c.Overhead()), c, s.own, counter, with, plain)
	if err != nil {
		return nil, err
	}
	if v.form == CipheringForm {
		g := apdu.GeneralCiphering{Frame: frame, Key: s.keyInfo(), Text: text}
		return g.Append(make([]byte, 0, g.Size())), nil
	}
	tag, ok := s.tag(apdu.Tag(plain[0]))
	if v.form == GeneralForm || !ok {
		g := apdu.GeneralGlo{Title: s.own.Bytes(), Text: text, Dedicated: s.dedicated}
		return g.Append(make([]byte, 0, g.Size())), nil
	}
	e := apdu.Ciphered{Tag: tag, Text: text}
	return e.Append(make([]byte, 0, e.Size())), nil
}

// keyInfo names the key of s in a general-ciphering APDU.
func (s *shield) keyInfo() *apdu.KeyInfo {
	switch {
	case s.dedicated:
		return nil
	case s.broadcast:
		return &apdu.KeyInfo{Choice: apdu.IdentifiedKey, ID: apdu.KeyGlobalBroadcast}
	}
	return &apdu.KeyInfo{Choice: apdu.IdentifiedKey, ID: apdu.KeyGlobalUnicast}
}

// tag is the tag of a service under the key of s, and false when there is none.
func (s *shield) tag(t apdu.Tag) (apdu.Tag, bool) {
	if s.dedicated {
		return t.Ded()
	}
	return t.Glo()
}

// envelope is what stands before the length of a sealed text.
func (v via) envelope() int {
	switch v.form {
	case GeneralForm:
		return 1 + 1 + v.sh.own.Size()
	case CipheringForm:
		n := 1 + frameOf(v.transaction, v.sh.own, v.sh.peer).Size() + 1
		if !v.sh.dedicated {
			n += 2
		}
		return n
	}
	return 1
}

// sealedSize is the size of a plain APDU of n octets once signed and sealed. One without
// a service-specific form must go by the general one.
func (v via) sealedSize(n int) int {
	v = v.signs()
	if v.signet != nil {
		n += axdr.LengthSize(n) + v.signet.overhead(frameOf(v.transaction, v.signet.own, v.signet.peer))
	}
	if v.sh == nil {
		return n
	}
	n += v.sh.protection.Overhead()
	return v.envelope() + axdr.LengthSize(n) + n
}

// room is the size of the longest plain APDU that has at most limit octets once sealed.
func (v via) room(limit int) int {
	v = v.signs()
	if v.sh != nil {
		limit = fit(limit-v.envelope()) - v.sh.protection.Overhead()
	}
	if v.signet != nil {
		limit = fit(limit - v.signet.overhead(frameOf(v.transaction, v.signet.own, v.signet.peer)))
	}
	return limit
}

// fit is the largest n that takes at most limit octets together with its length.
func fit(limit int) int {
	n := limit - 1
	for n > 0 && n+axdr.LengthSize(n) > limit {
		n--
	}
	return n
}

// wrapped is a protected APDU taken out of its envelope, not verified.
type wrapped struct {
	cipher.Protected
	want      apdu.Tag // the service that must be inside, 0: any
	form      Form
	dedicated bool
	title     []byte      // of the sender, empty when not named
	frame     *apdu.Frame // of the general-ciphering form
	key       *apdu.KeyInfo
}

// unwrap takes a protected APDU out of its envelope.
func unwrap(b []byte) (wrapped, error) {
	var w wrapped
	var text []byte
	switch tag := apdu.TagOf(b); tag {
	case apdu.TagGeneralGlo, apdu.TagGeneralDed:
		g, n, err := apdu.ParseGeneralGlo(b)
		if err := whole(b, n, err); err != nil {
			return w, err
		}
		w.form, w.dedicated, w.title, text = GeneralForm, g.Dedicated, g.Title, g.Text
	case apdu.TagGeneralCiphering:
		g, n, err := apdu.ParseGeneralCiphering(b)
		if err := whole(b, n, err); err != nil {
			return w, err
		}
		w.form, w.title, w.frame, w.key, text = CipheringForm, g.Originator, &g.Frame, g.Key, g.Text
	default:
		c, n, err := apdu.ParseCiphered(b)
		if err := whole(b, n, err); err != nil {
			return w, err
		}
		w.want, _ = c.Tag.Plain()
		w.dedicated, text = c.Tag.Dedicated(), c.Text
	}
	var err error
	if w.Protected, _, err = cipher.Parse(text); err != nil {
		return w, undecodable(err)
	}
	return w, nil
}

// open verifies b and returns what is inside. Its errors wrap ErrForged or ErrGarbled.
func (s *shield) open(b []byte) (opened, error) {
	w, err := unwrap(b)
	if err != nil {
		return opened{}, err
	}
	return s.verify(w)
}

// verify opens w and returns what is inside.
func (s *shield) verify(w wrapped) (opened, error) {
	if len(w.title) > 0 && string(w.title) != string(s.peer.Bytes()) {
		return opened{}, forged("it names another system title")
	}
	if !w.Control.Covers(s.protection) {
		return opened{}, forged("%v where %v was asked for", w.Control, s.protection)
	}
	if s.broadcast != (w.Control&cipher.Broadcast != 0) {
		return opened{}, forged("%v under another key", w.Control)
	}
	o := opened{counter: w.Counter, via: via{sh: s, form: w.form}}
	var with []byte
	if w.frame != nil {
		if err := framed(*w.frame, s.own, s.peer); err != nil && !s.broadcast {
			return opened{}, err
		}
		with = w.frame.Append(make([]byte, 0, w.frame.Size()))
		o.transaction = w.frame.Transaction
	}
	var err error
	if o.plain, err = s.suite.UnprotectWith(s.peer, with, w.Protected); err != nil {
		return opened{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if len(o.plain) == 0 || w.want != 0 && apdu.Tag(o.plain[0]) != w.want {
		return opened{}, garbled("what is inside is another service than the tag says")
	}
	return o, nil
}

// whole turns the result of a parser into an error unless it consumed all of b.
func whole(b []byte, n int, err error) error {
	if err != nil {
		return undecodable(err)
	}
	if n != len(b) {
		return garbled("%d octets behind the APDU", len(b)-n)
	}
	return nil
}
