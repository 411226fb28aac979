package dlms

import (
	"bytes"
	"crypto/subtle"
	"io"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// minRoom is the plain octets that a client must take at the least: a block with one
// octet in it.
const minRoom = blockHeader + 1 + 1

// associate answers an AARQ. An association that is open is replaced by one whose
// request is believed, because a client that restarted does not know of the old one.
func (s *Server) associate(b []byte) ([]byte, error) {
	a, n, err := acse.ParseAARQ(b)
	if err != nil || n != len(b) {
		return nil, refuse(apdu.ServiceUnknown, apdu.OtherReason)
	}
	armed, d := s.acceptable(a)
	if d != acse.NoDiagnostic {
		return s.reject(d, apdu.InitiateOther)
	}
	info, way := []byte(a.UserInfo), via{}
	if armed.shield != nil {
		if len(info) > 0 && apdu.Tag(info[0]) == apdu.TagInitiateRequest {
			s.counts.Forged++
			return s.reject(acse.AuthenticationFailure, apdu.InitiateOther)
		}
		o, err := s.believe(armed.shield, info)
		if err != nil {
			return nil, err
		}
		info, way = o.plain, o.via
	}
	i, n, err := apdu.ParseInitiateRequest(info)
	if err != nil || n != len(info) {
		return s.reject(acse.NoReason, apdu.InitiateOther)
	}
	granted := i.Conformance & s.cfg.Conformance
	switch limit := int(i.MaxPDU); {
	case i.Version != apdu.Version:
		return s.reject(acse.NoReason, apdu.DLMSVersionTooLow)
	case granted == 0:
		return s.reject(acse.NoReason, apdu.IncompatibleConformance)
	case limit > 0 && (limit < minMaxPDU || way.room(limit) < minRoom):
		return s.reject(acse.NoReason, apdu.PDUSizeTooShort)
	case i.DedicatedKey != nil:
		if way.sh == nil || way.sh.protection&cipher.Encrypted == 0 || armed.dedicate(s.keys(), i.DedicatedKey) != nil {
			return s.reject(acse.NoReason, apdu.InitiateOther)
		}
	}
	return s.accept(a, i, armed, way)
}

// acceptable checks who asks, for what context and how he wants to prove himself. It
// returns the keys of an association with him.
func (s *Server) acceptable(a acse.AARQ) (*association, acse.Diagnostic) {
	switch {
	case s.fault != nil, s.cfg.PreEstablished:
		return nil, acse.NoReason
	case a.Context != s.security.context():
		return nil, acse.ContextNotSupported
	case a.Mechanism == acse.NoSecurity && s.security.Mechanism != None:
		return nil, acse.MechanismRequired
	case a.Mechanism != s.security.Mechanism:
		return nil, acse.MechanismNotRecognized
	}
	armed := &association{security: s.security}
	var title plc.SystemTitle
	if named(s.security.Mechanism) || s.security.Ciphered() || s.security.Signed {
		var err error
		title, err = plc.NewSystemTitle(a.CallingTitle)
		if err != nil || !s.cfg.ClientTitle.IsZero() && title != s.cfg.ClientTitle || title == s.cfg.Title {
			return nil, acse.CallingTitleUnknown
		}
	}
	if err := armed.arm(s.keys(), s.cfg.Title, title); err != nil {
		return nil, acse.CallingTitleUnknown
	}
	switch {
	case proves(s.security.Mechanism) && challengeable(a.Authentication) != nil:
		return nil, acse.AuthenticationFailure
	case s.security.Mechanism == LLS && subtle.ConstantTimeCompare(a.Authentication, s.keys().Password) != 1:
		s.counts.Forged++
		return nil, acse.AuthenticationFailure
	}
	return armed, acse.NoDiagnostic
}

// reject answers with a rejecting AARE; what was open stays open.
func (s *Server) reject(d acse.Diagnostic, initiate byte) ([]byte, error) {
	s.counts.Refused++
	e := apdu.ConfirmedServiceError{Service: apdu.ErrorOfInitiate, Group: apdu.GroupInitiate, Value: initiate}
	a := acse.AARE{
		Context: s.security.context(), Result: acse.RejectedPermanent, Diagnostic: d,
		UserInfo: e.Append(make([]byte, 0, e.Size())),
	}
	return a.Append(make([]byte, 0, a.Size())), nil
}

// accept replaces whatever association there was and answers.
func (s *Server) accept(a acse.AARQ, i apdu.InitiateRequest, armed *association, way via) ([]byte, error) {
	// A client whose AARE was lost asks again with the same challenge. It gets the same
	// challenge of ours, so that a proof already on its way is still good.
	again := s.state == Authenticating && bytes.Equal(a.Authentication, s.clientChallenge)
	challenge := s.challenge
	s.Reset()
	s.suite, s.shield, s.ded, s.signet, s.partner = armed.suite, armed.shield, armed.ded, armed.signet, armed.partner
	s.dedPeer = window{}
	s.granted, s.limit = i.Conformance&s.cfg.Conformance, int(i.MaxPDU)

	r := apdu.NewInitiateResponse(s.granted, uint16(s.cfg.MaxPDU))
	info, err := s.protect(r.Append(make([]byte, 0, r.Size())), way)
	if err != nil {
		s.Reset()
		return nil, err
	}
	answer := acse.AARE{Context: s.security.context(), UserInfo: info}
	if s.shield != nil || named(s.security.Mechanism) {
		answer.RespondingTitle = s.cfg.Title.Bytes()
	}
	if !proves(s.security.Mechanism) {
		s.state = Opened
		s.counts.Opened++
		return answer.Append(make([]byte, 0, answer.Size())), nil
	}
	s.clientChallenge = bytes.Clone(a.Authentication)
	if s.challenge = challenge; !again {
		if err := s.newChallenge(); err != nil {
			s.Reset()
			return nil, err
		}
	}
	s.state = Authenticating
	answer.Diagnostic = acse.AuthenticationRequired
	answer.Mechanism, answer.Authentication = s.security.Mechanism, s.challenge
	return answer.Append(make([]byte, 0, answer.Size())), nil
}

// newChallenge draws our challenge, never the client's own.
func (s *Server) newChallenge() error {
	if s.cfg.Challenge != nil {
		s.challenge = s.cfg.Challenge
		return nil
	}
	s.challenge = make([]byte, challengeSize)
	if _, err := io.ReadFull(s.cfg.Rand, s.challenge); err != nil {
		return err
	}
	if bytes.Equal(s.challenge, s.clientChallenge) {
		s.challenge[0] ^= 1
	}
	return nil
}

// authenticate is pass 3 and 4: the client's proof is checked and ours returned. A
// client that did not hear ours may prove himself again. A wrong proof ends the
// association, so that each guess costs a new one.
func (s *Server) authenticate(a apdu.ActionRequest) ([]byte, error) {
	answer := apdu.ActionResponse{Invoke: a.Invoke}
	proof, ok := shortOctets(a.Data)
	if ok {
		ok = s.verify(s.keys(), cipher.Handshake{
			From: s.partner, To: s.cfg.Title, Challenge: s.challenge, Given: s.clientChallenge,
		}, proof) == nil
	}
	if !ok {
		s.counts.Forged++
		s.state = Closed
		answer.Result = actionOther
		return answer.Append(make([]byte, 0, answer.Size())), nil
	}
	own, err := s.prove(s.keys(), cipher.Handshake{
		From: s.cfg.Title, To: s.partner, Challenge: s.clientChallenge, Given: s.challenge,
	})
	if err != nil {
		return nil, err
	}
	if s.state != Opened {
		s.state = Opened
		s.counts.Opened++
	}
	answer.Return = octetResult(axdr.AppendOctets(nil, own))
	return answer.Append(make([]byte, 0, answer.Size())), nil
}

// release answers an RLRQ. A ciphered association ends only for one who holds its keys.
func (s *Server) release(b []byte) ([]byte, error) {
	q, n, err := acse.ParseRLRQ(b)
	if err != nil || n != len(b) {
		return nil, refuse(apdu.ServiceUnknown, apdu.OtherReason)
	}
	if s.cfg.PreEstablished {
		return nil, refuse(apdu.ServiceNotAllowed, apdu.OperationNotPossible)
	}
	answer := acse.RLRE{Reason: acse.ReasonNormal}
	if s.shield != nil {
		o, err := s.believe(s.shield, q.UserInfo)
		if err != nil {
			return nil, err
		}
		r := apdu.NewInitiateResponse(s.granted, uint16(s.cfg.MaxPDU))
		if answer.UserInfo, err = s.protect(r.Append(make([]byte, 0, r.Size())), o.via); err != nil {
			return nil, err
		}
	}
	s.Reset()
	return answer.Append(make([]byte, 0, answer.Size())), nil
}
