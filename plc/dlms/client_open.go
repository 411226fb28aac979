package dlms

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// replyToHLS is the method of the current association that carries the proofs of
// pass 3 and 4 (Blue Book, class 15, method 1).
var replyToHLS = cosem.Ref{Class: cosem.ClassAssociationLN, Object: cosem.OBIS{0, 0, 40, 0, 0, 255}, Attribute: 1}

// associate begins an association with a fresh challenge.
func (c *Client) associate() ([]byte, error) {
	c.granted, c.limit, c.due = 0, 0, 0
	c.close()
	if err := c.newTurns(); err != nil {
		c.op = nil
		return nil, err
	}
	if proves(c.security.Mechanism) {
		if err := c.newChallenge(); err != nil {
			c.op = nil
			return nil, err
		}
	}
	if c.cfg.Dedicated {
		if err := c.newDedicated(); err != nil {
			c.op = nil
			return nil, err
		}
	}
	c.state = Opening
	b, err := c.aarq()
	if err == nil && c.cfg.MaxSend > 0 && len(b) > c.cfg.MaxSend {
		err = &TooLongError{Size: len(b), Limit: c.cfg.MaxSend}
	}
	if err != nil {
		c.Reset()
		return nil, err
	}
	return b, nil
}

func (c *Client) newChallenge() error {
	if c.cfg.Challenge != nil {
		c.challenge = c.cfg.Challenge
		return challengeable(c.challenge)
	}
	c.challenge = make([]byte, challengeSize)
	if _, err := io.ReadFull(c.cfg.Rand, c.challenge); err != nil {
		return fmt.Errorf("draw a challenge: %w", err)
	}
	return nil
}

// newTurns begins the transactions of an association anywhere in their 64 bits, so that
// no answer that was recorded in another one, of an earlier run either, names one of
// them. In a signed association without ciphering nothing else tells old from new.
func (c *Client) newTurns() error {
	if !c.security.Signed && c.cfg.Form != CipheringForm {
		return nil // nothing carries a transaction
	}
	var b [8]byte
	if _, err := io.ReadFull(c.cfg.Rand, b[:]); err != nil {
		return fmt.Errorf("draw a transaction: %w", err)
	}
	c.turns = binary.BigEndian.Uint64(b[:])
	return nil
}

// newDedicated draws the key of one association. It is used once that is open.
func (c *Client) newDedicated() error {
	c.dedicated = make(cipher.Secret, cipher.KeySize(c.security.Suite))
	if _, err := io.ReadFull(c.cfg.Rand, c.dedicated); err != nil {
		return fmt.Errorf("draw a dedicated key: %w", err)
	}
	return nil
}

// aarq builds the association request; each call draws a counter when ciphered.
func (c *Client) aarq() ([]byte, error) {
	info, err := c.initiate()
	if err != nil {
		return nil, err
	}
	a := acse.AARQ{Context: c.security.context(), Mechanism: c.security.Mechanism, UserInfo: info}
	if named(c.security.Mechanism) || c.shield != nil {
		a.CallingTitle = c.cfg.ClientTitle.Bytes()
	}
	switch {
	case c.security.Mechanism == LLS:
		a.Authentication = c.keys().Password
	case proves(c.security.Mechanism):
		a.Authentication = c.challenge
	}
	c.due++
	return a.Append(make([]byte, 0, a.Size())), nil
}

// initiate is the initiate request, sealed when ciphered.
func (c *Client) initiate() ([]byte, error) {
	i := apdu.InitiateRequest{Version: apdu.Version, Conformance: c.cfg.Conformance, MaxPDU: uint16(c.cfg.MaxPDU)}
	if c.cfg.Dedicated {
		i.DedicatedKey = c.dedicated
	}
	return c.protect(i.Append(make([]byte, 0, i.Size())), via{sh: c.shield})
}

// associated takes an AARE. All checks come before anything moves. One for each AARQ is
// taken, whatever else the line carries: nobody gets more proofs than we asked for.
func (c *Client) associated(b []byte) (Effects, error) {
	a, n, err := acse.ParseAARE(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	if c.due == 0 {
		return c.ignore(), nil
	}
	if a.Result != acse.Accepted {
		if c.state == Authenticating {
			// Our AARQ was accepted before; this answers a repeat of it that came too late.
			return c.ignore(), nil
		}
		return c.lose(refusedAssociation(a, c.security))
	}
	if err := c.believable(a); err != nil {
		return Effects{}, err
	}
	i, err := c.openInitiate(a.UserInfo)
	if errors.Is(err, errRepeated) {
		return c.ignore(), nil
	}
	if err != nil {
		return Effects{}, err
	}
	if i.Version != apdu.Version {
		return c.lose(&RefusedError{
			Refusal: RefusedAssociation, Reason: fmt.Sprintf("DLMS version %d", i.Version), Hint: "this client speaks version 6",
		})
	}
	c.due--
	c.granted = i.Conformance & c.cfg.Conformance
	c.limit = int(i.MaxPDU)
	if !proves(c.security.Mechanism) {
		return c.opened()
	}
	c.meterChallenge = bytes.Clone(a.Authentication)
	if bytes.Equal(c.meterChallenge, c.lastChallenge) {
		c.counts.ConstantChallenges++
	}
	c.lastChallenge = c.meterChallenge
	c.state = Authenticating
	down, err := c.askProof()
	if err != nil {
		return c.lose(err)
	}
	return Effects{Down: down}, nil
}

// opened begins to use the association.
func (c *Client) opened() (Effects, error) {
	c.state = Opened
	if c.cfg.Dedicated {
		if err := c.dedicate(c.keys(), c.dedicated); err != nil {
			return c.lose(err)
		}
	}
	return c.advance()
}

// believable checks an accepting AARE against what was asked for: never less.
func (c *Client) believable(a acse.AARE) error {
	if a.Context != c.security.context() {
		return forged("association accepted with %v, asked for %v", a.Context, c.security.context())
	}
	title := c.cfg.ServerTitle
	if len(a.RespondingTitle) > 0 && title.Size() == len(a.RespondingTitle) && !bytes.Equal(a.RespondingTitle, title.Bytes()) {
		return forged("the answer names another system title than %v", title)
	}
	if !proves(c.security.Mechanism) {
		if a.Diagnostic == acse.AuthenticationRequired {
			return garbled("the meter wants to continue with %v, asked for %v", a.Mechanism, c.security.Mechanism)
		}
		return nil
	}
	if a.Diagnostic != acse.AuthenticationRequired || a.Mechanism != c.security.Mechanism {
		return forged("association accepted with %v and no proof (%v), asked for %v", a.Mechanism, a.Diagnostic, c.security.Mechanism)
	}
	if err := challengeable(a.Authentication); err != nil {
		return garbled("%v", err)
	}
	if bytes.Equal(a.Authentication, c.challenge) {
		return forged("our own challenge came back: somebody wants us to answer it for him")
	}
	return nil
}

// openInitiate opens the initiate response, protected when that was asked for.
func (c *Client) openInitiate(info []byte) (apdu.InitiateResponse, error) {
	if c.shield != nil {
		if len(info) > 0 && apdu.Tag(info[0]) == apdu.TagInitiateResponse {
			return apdu.InitiateResponse{}, forged("initiate response without the protection that was asked for")
		}
		o, err := c.admit(c.shield, info)
		if err != nil {
			return apdu.InitiateResponse{}, err
		}
		info = o.plain
	}
	i, n, err := apdu.ParseInitiateResponse(info)
	return i, whole(info, n, err)
}

// askProof is pass 3: our answer to the meter's challenge.
func (c *Client) askProof() ([]byte, error) {
	proof, err := c.prove(c.keys(), cipher.Handshake{
		From: c.cfg.ClientTitle, To: c.cfg.ServerTitle, Challenge: c.meterChallenge, Given: c.challenge,
	})
	if err != nil {
		return nil, err
	}
	c.invoke = c.invoke.Next()
	a := apdu.ActionRequest{Invoke: c.invoke, Ref: replyToHLS, Data: axdr.AppendOctets(nil, proof)}
	return c.protect(a.Append(make([]byte, 0, a.Size())), via{sh: c.shield})
}

// proved takes pass 4: the meter's answer to our challenge.
func (c *Client) proved(b []byte) (Effects, error) {
	a, n, err := apdu.ParseActionResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	if a.Invoke.ID() != c.invoke.ID() {
		return c.ignore(), nil
	}
	if a.Result != 0 {
		return c.lose(&RefusedError{
			Refusal: RefusedAuthentication, Reason: "authentication: " + a.Result.String(), Hint: hintKey,
		})
	}
	proof, ok := octetString(a.Return)
	if !ok {
		return c.lose(garbled("authentication without a proof of the meter"))
	}
	err = c.verify(c.keys(), cipher.Handshake{
		From: c.cfg.ServerTitle, To: c.cfg.ClientTitle, Challenge: c.challenge, Given: c.meterChallenge,
	}, proof)
	if err != nil {
		return c.lose(fmt.Errorf("%w: proof of the meter: %w", ErrForged, err))
	}
	return c.opened()
}

// octetString takes a short octet-string out of a method's return value.
func octetString(r *cosem.Result) ([]byte, bool) {
	if r == nil || r.Access != cosem.Success {
		return nil, false
	}
	return shortOctets(r.Data)
}

// shortOctets takes apart an encoded octet-string of less than 128 octets.
func shortOctets(b []byte) ([]byte, bool) {
	if len(b) < 2 || axdr.Tag(b[0]) != axdr.OctetString || b[1] >= 0x80 || int(b[1]) != len(b)-2 {
		return nil, false
	}
	return b[2:], true
}

// rlrq builds the release request. In a ciphered association it carries a sealed
// initiate request, so that nobody else can end the association.
func (c *Client) rlrq() ([]byte, error) {
	r := acse.RLRQ{Reason: acse.ReasonNormal}
	if c.shield != nil {
		info, err := c.initiate()
		if err != nil {
			return nil, err
		}
		r.UserInfo = info
	}
	return r.Append(make([]byte, 0, r.Size())), nil
}

// released takes an RLRE. Whatever it says, the association is over.
func (c *Client) released(b []byte) (Effects, error) {
	r, n, err := acse.ParseRLRE(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	if r.Loose {
		c.counts.LooseReleases++
	}
	c.close()
	return c.finish(nil), nil
}
