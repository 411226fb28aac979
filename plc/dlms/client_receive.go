package dlms

import (
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
	if c.shield != nil {
		limit += cipheringAllowance
	}
	tag := apdu.Tag(b[0])
	if len(b) > limit && tag != apdu.TagAARE { // an AARE comes before the limit is agreed
		return c.overlong(len(b), limit)
	}
	switch tag {
	case apdu.TagAARE, apdu.TagRLRE, apdu.TagExceptionResponse, apdu.TagConfirmedServiceError:
		return c.react(tag, b)
	}
	if _, glo := tag.Plain(); !glo && tag != apdu.TagGeneralGlo {
		return c.receivePlain(tag, b)
	}
	if c.shield == nil {
		return Effects{}, garbled("%v in an association without ciphering", tag)
	}
	o, err := c.admit(c.shield, b)
	if errors.Is(err, errRepeated) {
		return c.ignore(), nil
	}
	if err != nil {
		return Effects{}, err
	}
	return c.react(apdu.Tag(o.plain[0]), o.plain)
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
func (c *Client) receivePlain(tag apdu.Tag, b []byte) (Effects, error) {
	if tag == apdu.TagDataNotification || tag == apdu.TagEventNotification {
		return c.ignore(), nil
	}
	if c.shield != nil {
		return Effects{}, forged("%v without the protection that was asked for", tag)
	}
	return c.react(tag, b)
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
	r := refusedException(e, c.shield != nil)
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
	c.state = Closed
	return c.finish(nil), nil
}

func (c *Client) serviceError(b []byte) (Effects, error) {
	e, n, err := apdu.ParseConfirmedServiceError(b)
	if err := whole(b, n, err); err != nil {
		return Effects{}, err
	}
	r := &RefusedError{Refusal: RefusedService, Reason: e.String(), Unauthenticated: c.shield != nil}
	if c.state == Opened {
		return c.fail(r)
	}
	r.Refusal = RefusedAssociation
	return c.lose(r)
}
