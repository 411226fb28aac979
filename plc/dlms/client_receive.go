package dlms

import (
	"bytes"
	"errors"

	"busbar/plc/dlms/apdu"
)

// cipheringAllowance is added to the longest APDU we take when it is ciphered: many
// meters count their limit without the protection (envelope, header, tag, title).
const cipheringAllowance = 40

// reaction handles an APDU that was verified as far as its kind allows.
type reaction func(c *Client, plain []byte) (Effects, error)

// reactions is the association of the client as a table. What is not in it is a late
// or foreign answer and changes nothing.
var reactions = map[State]map[apdu.Tag]reaction{
	Opening: {
		apdu.TagAARE:                  (*Client).associated,
		apdu.TagExceptionResponse:     (*Client).excepted,
		apdu.TagConfirmedServiceError: (*Client).serviceError,
	},
	Authenticating: {
		// An AARE here answers an AARQ that was sent again: its challenge is the newer one.
		apdu.TagAARE:                  (*Client).associated,
		apdu.TagActionResponse:        (*Client).proved,
		apdu.TagExceptionResponse:     (*Client).excepted,
		apdu.TagConfirmedServiceError: (*Client).serviceError,
	},
	Opened: {
		apdu.TagGetResponse:           (*Client).got,
		apdu.TagSetResponse:           (*Client).written,
		apdu.TagActionResponse:        (*Client).acted,
		apdu.TagAccessResponse:        (*Client).accessed,
		apdu.TagReadResponse:          (*Client).readNames,
		apdu.TagWriteResponse:         (*Client).wroteNames,
		apdu.TagExceptionResponse:     (*Client).excepted,
		apdu.TagConfirmedServiceError: (*Client).serviceError,
	},
	Releasing: {
		apdu.TagRLRE:              (*Client).released,
		apdu.TagExceptionResponse: (*Client).gone,
	},
}

// Receive takes one APDU from the meter. Verification comes first: octets that are
// not believed or not understood move neither counter nor state, and the error says
// which (ErrForged, ErrReplayed, ErrGarbled). When Busy still holds afterwards, the
// answer may yet come. A *RefusedError and a *TooLongError end the operation.
func (c *Client) Receive(b []byte) (Effects, error) {
	e, err := c.receive(b)
	switch {
	case errors.Is(err, ErrForged):
		c.counts.Forged++
	case errors.Is(err, ErrGarbled):
		c.counts.Garbled++
	}
	return e, err
}

func (c *Client) receive(b []byte) (Effects, error) {
	if len(b) == 0 {
		return Effects{}, garbled("no octets")
	}
	limit := c.cfg.MaxPDU
	if c.protects() {
		limit += cipheringAllowance
	}
	if len(b) > limit && apdu.Tag(b[0]) != apdu.TagAARE { // an AARE comes before the limit is agreed
		return c.overlong(len(b), limit)
	}
	if apdu.Tag(b[0]) == apdu.TagGeneralBlockTransfer {
		return c.receiveBlock(b)
	}
	return c.receiveWhole(b)
}

// receiveWhole takes an APDU that is no block of another.
func (c *Client) receiveWhole(b []byte) (Effects, error) {
	tag := apdu.TagOf(b)
	switch tag {
	case apdu.TagAARE, apdu.TagRLRE, apdu.TagExceptionResponse, apdu.TagConfirmedServiceError:
		return c.react(tag, b)
	}
	if !tag.Protected() {
		return c.receivePlain(b)
	}
	if c.shield == nil {
		return Effects{}, garbled("%v in an association without ciphering", tag)
	}
	o, err := c.open(c.keys(), b)
	if errors.Is(err, errRepeated) {
		return c.ignore(), nil
	}
	if err != nil {
		return Effects{}, err
	}
	return c.receiveOpened(o)
}

// receiveOpened takes an APDU whose tag was right.
func (c *Client) receiveOpened(o opened) (Effects, error) {
	if tag := apdu.TagOf(o.plain); c.state == Opened || notifies(tag) || tag == apdu.TagGeneralSigning {
		var err error
		if o, err = c.unsign(o); err != nil {
			return Effects{}, err
		}
	}
	tag := apdu.TagOf(o.plain)
	switch {
	case notifies(tag):
		return c.noticed(o.plain)
	case c.ded != nil && o.sh != nil && o.sh != c.ded:
		return Effects{}, forged("%v under the global key where the dedicated one was agreed", tag)
	case o.transaction != nil && !bytes.Equal(o.transaction, transaction(c.turns)):
		return c.ignore(), nil // it answers an earlier attempt, or one of another association
	}
	return c.react(tag, o.plain)
}

// receiveBlock takes a block of a general block transfer.
func (c *Client) receiveBlock(b []byte) (Effects, error) {
	block, n, err := apdu.ParseGeneralBlock(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	if c.state != Opened || c.op == nil || !c.granted.Has(apdu.GeneralBlockTransfer) {
		return c.ignore(), nil
	}
	more := c.block.sending() && c.block.acknowledged(block)
	if block.Data == nil {
		c.block.heard(block)
		if more {
			if c.block.stalled() {
				return c.fail(errStalled)
			}
			return Effects{Down: c.block.block(c.cfg.Window)}, nil
		}
		return Effects{Ignored: true}, nil
	}
	switch c.block.receive(block, c.cfg.MaxTransfer) {
	case overflow:
		return c.fail(garbled("more than %d octets in blocks: ask for less at a time", c.cfg.MaxTransfer))
	case complete:
		return c.receiveJoined(c.block.take())
	}
	if block.Streaming {
		return Effects{Ignored: true}, nil
	}
	if c.block.stalled() {
		return c.fail(errStalled)
	}
	return Effects{Down: c.block.acknowledge(c.cfg.Window)}, nil
}

// receiveJoined takes the APDU that blocks made together.
func (c *Client) receiveJoined(b []byte) (Effects, error) {
	if apdu.TagOf(b) == apdu.TagGeneralBlockTransfer {
		return Effects{}, garbled("blocks within blocks")
	}
	c.block = general{}
	return c.receiveWhole(b)
}

// overlong ends the operation that got an answer longer than agreed.
func (c *Client) overlong(n, limit int) (Effects, error) {
	err := garbled("answer of %d octets, but %d were agreed", n, limit)
	if c.shield != nil || c.state != Opened {
		return Effects{}, err
	}
	return c.fail(err)
}

// receivePlain takes an unprotected APDU that could have been protected.
func (c *Client) receivePlain(b []byte) (Effects, error) {
	tag := apdu.TagOf(b)
	switch {
	case c.security.Ciphered() && notifies(tag):
		return c.ignore(), nil // whoever sent it: it is not believed
	case c.shield != nil:
		return Effects{}, forged("%v without the protection that was asked for", tag)
	}
	return c.receiveOpened(opened{plain: b})
}

func (c *Client) react(tag apdu.Tag, plain []byte) (Effects, error) {
	r := reactions[c.state][tag]
	if r == nil || c.op == nil {
		if c.op != nil && !known(tag) {
			return Effects{}, garbled("%v", tag)
		}
		return c.ignore(), nil
	}
	return r(c, plain)
}

// known reports whether any state reacts to tag.
func known(tag apdu.Tag) bool {
	for _, row := range reactions {
		if row[tag] != nil {
			return true
		}
	}
	return false
}

// excepted takes an exception response. It carries no invoke id and no proof, so it
// is reported and nothing lasting follows: at worst the association is opened again.
func (c *Client) excepted(b []byte) (Effects, error) {
	e, n, err := apdu.ParseExceptionResponse(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	r := refusedException(e, c.protects())
	if c.state == Opened && r.Refusal == RefusedService {
		return c.fail(r)
	}
	if c.state != Opened && r.Refusal == RefusedLost {
		r.Refusal, r.Hint = RefusedAssociation, "the meter takes no association request of this client now"
	}
	return c.lose(r)
}

// gone takes an exception while releasing: there is no association left to release.
func (c *Client) gone([]byte) (Effects, error) {
	c.close()
	return c.finish(nil), nil
}

func (c *Client) serviceError(b []byte) (Effects, error) {
	e, n, err := apdu.ParseConfirmedServiceError(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	r := &RefusedError{Refusal: RefusedService, Reason: e.String(), Unauthenticated: c.protects()}
	if c.state == Opened {
		return c.fail(r)
	}
	r.Refusal = RefusedAssociation
	return c.lose(r)
}
