package dissect

import (
	"busbar/plc"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

func (d *dissector) ciphered(n *Node, b []byte, base int) (int, error) {
	c, size, err := apdu.ParseCiphered(b)
	if err != nil {
		return 0, err
	}
	who, sender := "meter", d.Meter
	if fromClient[c.Tag] {
		who, sender = "client", d.Client
	}
	d.protected(n, c.Text, within(b, c.Text, base), who, sender)
	return size, nil
}

func (d *dissector) generalGlo(n *Node, b []byte, base int) (int, error) {
	g, size, err := apdu.ParseGeneralGlo(b)
	if err != nil {
		return 0, err
	}
	who, senders := "", []plc.SystemTitle{d.Meter, d.Client}
	if len(g.Title) > 0 {
		n.field("title of the sender", within(b, g.Title, base), len(g.Title), "%X", g.Title)
		if t, err := plc.NewSystemTitle(g.Title); err == nil {
			who, senders = d.role(t), []plc.SystemTitle{t}
		}
	}
	d.protected(n, g.Text, within(b, g.Text, base), who, senders...)
	return size, nil
}

// fromClient are the service-specific APDUs that only a client seals.
var fromClient = map[apdu.Tag]bool{
	apdu.TagGloInitiateRequest: true, apdu.TagGloGetRequest: true, apdu.TagGloSetRequest: true, apdu.TagGloActionRequest: true,
}

// role is whose counters an APDU of a sender belongs to.
func (d *dissector) role(t plc.SystemTitle) string {
	switch t {
	case d.Client:
		return "client"
	case d.Meter:
		return "meter"
	}
	return t.String()
}

// protected shows the security header and, when the keys fit, what is inside.
func (d *dissector) protected(n *Node, text []byte, at int, who string, senders ...plc.SystemTitle) {
	if len(text) < cipher.HeaderSize {
		n.fault(at, "%v", cipher.ErrTruncated)
		return
	}
	p, _, err := cipher.Parse(text)
	if err != nil {
		n.wrong(at, err)
		n.field("text", at, len(text), "%s", bulk(text))
		return
	}
	n.field("security control", at, 1, "%02Xh: %v", byte(p.Control), p.Control)
	n.field("invocation counter", at+1, 4, "%d", p.Counter)
	d.count(n, p.Counter, who, at+1)
	plain, why := d.open(p, senders)
	if plain == nil {
		n.field("text", at+cipher.HeaderSize, len(p.Text), "%s (%s)", bulk(p.Text), why)
		return
	}
	n.field("text", at+cipher.HeaderSize, len(p.Text), "%d octets, deciphered below", len(p.Text))
	inner := d.apdu(plain, 0)
	inner.Name = "inside"
	n.add(inner)
}

// open tries the keys of each possible sender, and says why nothing was opened.
func (d *dissector) open(p cipher.Protected, senders []plc.SystemTitle) ([]byte, string) {
	if d.Keys == nil {
		return nil, "ciphered; no keys given"
	}
	why := "ciphered; the sender's system title is not known"
	for _, sender := range senders {
		if sender.IsZero() {
			continue
		}
		keys, ok := d.Keys(d.Meter)
		if !ok {
			if keys, ok = d.Keys(sender); !ok {
				why = "ciphered; no keys of the meter"
				continue
			}
		}
		s, err := cipher.NewSuite(keys.Encryption, keys.Authentication)
		if err != nil {
			return nil, err.Error()
		}
		plain, err := s.Unprotect(sender, p)
		if err == nil && len(plain) > 0 {
			return plain, ""
		}
		if err != nil {
			why = err.Error()
		}
	}
	return nil, why
}
