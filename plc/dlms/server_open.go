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
	sh, d := s.acceptable(a)
	if d != acse.NoDiagnostic {
		return s.reject(d, apdu.InitiateOther)
	}
	info, general := []byte(a.UserInfo), false
	if sh != nil {
		if len(info) > 0 && apdu.Tag(info[0]) == apdu.TagInitiateRequest {
			s.counts.Forged++
			return s.reject(acse.AuthenticationFailure, apdu.InitiateOther)
		}
		o, err := s.believe(sh, info)
		if err != nil {
			return nil, err
		}
		info, general = o.plain, o.general
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
	case limit > 0 && (limit < minMaxPDU || sh.room(limit, general) < minRoom):
		return s.reject(acse.NoReason, apdu.PDUSizeTooShort)
	}
	return s.accept(a, i, sh, general)
}

// acceptable checks who asks, for what context and how he wants to prove himself. It
// returns the shield to open his initiate request with.
func (s *Server) acceptable(a acse.AARQ) (*shield, acse.Diagnostic) {
	switch {
	case s.fault != nil:
		return nil, acse.NoReason
	case a.Context != s.security.context():
		return nil, acse.ContextNotSupported
	case a.Mechanism == acse.NoSecurity && s.security.Mechanism != None:
		return nil, acse.MechanismRequired
	case a.Mechanism != s.security.Mechanism:
		return nil, acse.MechanismNotRecognized
	}
	switch s.security.Mechanism {
	case LLS:
		if subtle.ConstantTimeCompare(a.Authentication, s.keys().Password) != 1 {
			s.counts.Forged++
			return nil, acse.AuthenticationFailure
		}
	case HLSGMAC:
		title, err := plc.NewSystemTitle(a.CallingTitle)
		if err != nil || !s.cfg.ClientTitle.IsZero() && title != s.cfg.ClientTitle || title == s.cfg.Title {
			return nil, acse.CallingTitleUnknown
		}
		sh, err := newShield(s.keys(), s.cfg.Title, title)
		if err != nil {
			return nil, acse.CallingTitleUnknown
		}
		if n := len(a.Authentication); n < cipher.MinChallenge || n > cipher.MaxChallenge {
			return nil, acse.AuthenticationFailure
		}
		return sh, acse.NoDiagnostic
	}
	return nil, acse.NoDiagnostic
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
func (s *Server) accept(a acse.AARQ, i apdu.InitiateRequest, sh *shield, general bool) ([]byte, error) {
	// A client whose AARE was lost asks again with the same challenge. It gets the same
	// challenge of ours, so that a proof already on its way is still good.
	again := s.state == Authenticating && bytes.Equal(a.Authentication, s.clientChallenge)
	challenge := s.challenge
	s.Reset()
	s.shield, s.granted, s.limit = sh, i.Conformance&s.cfg.Conformance, int(i.MaxPDU)

	r := apdu.NewInitiateResponse(s.granted, uint16(s.cfg.MaxPDU))
	info, err := s.protect(r.Append(make([]byte, 0, r.Size())), general)
	if err != nil {
		s.Reset()
		return nil, err
	}
	answer := acse.AARE{Context: s.security.context(), UserInfo: info}
	if s.security.Mechanism != HLSGMAC {
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
	answer.RespondingTitle = s.cfg.Title.Bytes()
	answer.Mechanism, answer.Authentication = HLSGMAC, s.challenge
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
		_, err := s.shield.suite.VerifyProof(s.shield.peer, proof, s.challenge)
		ok = err == nil
	}
	if !ok {
		s.counts.Forged++
		s.state = Closed
		answer.Result = actionOther
		return answer.Append(make([]byte, 0, answer.Size())), nil
	}
	counter, err := s.counter()
	if err != nil {
		return nil, err
	}
	own, err := s.shield.suite.Proof(s.cfg.Title, counter, s.clientChallenge)
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
	answer := acse.RLRE{Reason: acse.ReasonNormal}
	if s.shield != nil {
		o, err := s.believe(s.shield, q.UserInfo)
		if err != nil {
			return nil, err
		}
		r := apdu.NewInitiateResponse(s.granted, uint16(s.cfg.MaxPDU))
		if answer.UserInfo, err = s.protect(r.Append(make([]byte, 0, r.Size())), o.general); err != nil {
			return nil, err
		}
	}
	s.Reset()
	return answer.Append(make([]byte, 0, answer.Size())), nil
}
