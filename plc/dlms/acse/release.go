package acse

// Tags of the release APDUs.
const (
	tagRLRQ   = 0x62
	tagRLRE   = 0x63
	tagReason = 0x80
)

// ReasonNormal is the release reason of a client that has simply finished, and of
// the meter that agrees.
const ReasonNormal = 0

// RLRQ asks to end the association.
type RLRQ struct {
	Reason   int    // -1 when not sent
	UserInfo []byte // initiate request, ciphered in a ciphered association; nil when not sent
}

// RLRE agrees to the end of the association.
type RLRE struct {
	Reason   int // -1 when not sent
	UserInfo []byte
	// Loose reports that a length in the APDU was wrong and what followed the reason
	// was passed over. Java meters of the Gurux family send such an RLRE.
	Loose bool
}

// ParseRLRQ reads an RLRQ. UserInfo shares memory with b.
func ParseRLRQ(b []byte) (RLRQ, int, error) {
	c, n, err := open("RLRQ", b, tagRLRQ)
	if err != nil {
		return RLRQ{}, 0, err
	}
	r := RLRQ{Reason: -1}
	if err := c.release(&r.Reason, &r.UserInfo); err != nil {
		return RLRQ{}, 0, err
	}
	return r, n, nil
}

// ParseRLRE reads an RLRE. Because nothing depends on what it carries, lengths that
// contradict each other are tolerated once the tag and the reason are right.
// UserInfo shares memory with b.
func ParseRLRE(b []byte) (RLRE, int, error) {
	c, n, err := open("RLRE", b, tagRLRE)
	if err != nil {
		return RLRE{}, 0, err
	}
	r := RLRE{Reason: -1}
	err = c.release(&r.Reason, &r.UserInfo)
	if err != nil && r.Reason >= 0 {
		return RLRE{Reason: r.Reason, Loose: true}, len(b), nil
	}
	if err != nil {
		return RLRE{}, 0, err
	}
	return r, n, nil
}

func (c *cursor) release(reason *int, info *[]byte) error {
	return c.each(func(e element) error {
		var err error
		switch e.tag {
		case tagReason:
			*reason, err = c.number(e, e.body)
		case tagUserInfo:
			*info, err = c.only(e, tagOctets)
		}
		return err
	})
}

// Size is the number of octets Append writes.
func (r RLRQ) Size() int { return releaseSize(r.Reason, r.UserInfo) }

// Append appends the encoded RLRQ to dst.
func (r RLRQ) Append(dst []byte) []byte { return appendRelease(dst, tagRLRQ, r.Reason, r.UserInfo) }

// Size is the number of octets Append writes.
func (r RLRE) Size() int { return releaseSize(r.Reason, r.UserInfo) }

// Append appends the encoded RLRE to dst.
func (r RLRE) Append(dst []byte) []byte { return appendRelease(dst, tagRLRE, r.Reason, r.UserInfo) }

func releaseFields(reason int, info []byte) int {
	n := 0
	if reason >= 0 {
		n += size(1)
	}
	if info != nil {
		n += nestedSize(len(info))
	}
	return n
}

func releaseSize(reason int, info []byte) int { return size(releaseFields(reason, info)) }

func appendRelease(dst []byte, tag byte, reason int, info []byte) []byte {
	dst = appendLength(append(dst, tag), releaseFields(reason, info))
	if reason >= 0 {
		dst = appendElement(dst, tagReason, []byte{byte(reason)})
	}
	if info != nil {
		dst = appendNested(dst, tagUserInfo, tagOctets, info)
	}
	return dst
}
