package apdu

// Ciphered is a service-specific ciphered APDU: the tag tells the service and whether
// the key is global or dedicated; the text starts with the security control octet.
type Ciphered struct {
	Tag  Tag // one of the TagGlo or TagDed tags
	Text []byte
}

// ParseCiphered reads an APDU whose tag is one of the TagGlo or TagDed tags. Text
// shares memory with b.
func ParseCiphered(b []byte) (Ciphered, int, error) {
	r := &reader{apdu: "ciphered APDU", b: b}
	c := Ciphered{Tag: Tag(r.u8())}
	if _, ok := c.Tag.Plain(); !ok {
		r.off = 0
		r.fail("tag %02Xh is not that of a ciphered service", byte(c.Tag))
	}
	c.Text = r.octets()
	n, err := r.end()
	if err != nil {
		return Ciphered{}, 0, err
	}
	return c, n, nil
}

// Size is the number of octets Append writes.
func (c Ciphered) Size() int { return 1 + octetsSize(c.Text) }

// Append appends the encoded APDU to dst.
func (c Ciphered) Append(dst []byte) []byte { return appendOctets(append(dst, byte(c.Tag)), c.Text) }

// GeneralGlo is a general-glo-ciphering APDU, or with Dedicated a
// general-ded-ciphering one: any service, with the title of its sender.
type GeneralGlo struct {
	Title     []byte // system title of the sender; empty when both sides know it
	Text      []byte
	Dedicated bool
}

// ParseGeneralGlo reads a general-glo- or general-ded-ciphering APDU. Both fields
// share memory with b.
func ParseGeneralGlo(b []byte) (GeneralGlo, int, error) {
	tag := TagGeneralGlo
	if len(b) > 0 && Tag(b[0]) == TagGeneralDed {
		tag = TagGeneralDed
	}
	r := read(b, tag)
	g := GeneralGlo{Title: r.octets(), Text: r.octets(), Dedicated: tag == TagGeneralDed}
	n, err := r.end()
	if err != nil {
		return GeneralGlo{}, 0, err
	}
	return g, n, nil
}

// Size is the number of octets Append writes.
func (g GeneralGlo) Size() int { return 1 + octetsSize(g.Title) + octetsSize(g.Text) }

// Append appends the encoded APDU to dst.
func (g GeneralGlo) Append(dst []byte) []byte {
	tag := TagGeneralGlo
	if g.Dedicated {
		tag = TagGeneralDed
	}
	return appendOctets(appendOctets(append(dst, byte(tag)), g.Title), g.Text)
}
