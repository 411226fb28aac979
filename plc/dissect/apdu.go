package dissect

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/dlms/apdu"
)

// Options tell what the octets do not.
type Options struct {
	Order     plc.ByteOrder // of addresses in host frames
	TitleSize int           // octets of a system title in CIASE; 0 detects it

	// Keys gives the keys of a meter to decipher with; nil deciphers nothing. The zero
	// title is asked for when no title is known.
	Keys func(title plc.SystemTitle) (dlms.Keys, bool)
	// Client and Meter are the system titles of the two ends, where an APDU does not
	// carry its sender's. Sent says which end it is.
	Client, Meter plc.SystemTitle
}

// dissector is one dissection: it bounds how deep envelopes nest.
type dissector struct {
	Options
	depth int
	talk  *Conversation // nil for a frame by itself
}

// maxEnvelopes is how deep one APDU may lie in another: initiate in AARQ, service in
// general ciphering in block transfer.
const maxEnvelopes = 4

// APDU dissects one APDU.
func APDU(b []byte, o Options) Node {
	d := &dissector{Options: o}
	return d.apdu(b, 0)
}

// apdu dissects the APDU that fills b, which begins at base.
func (d *dissector) apdu(b []byte, base int) Node {
	n := Node{Name: "APDU", Offset: base, Size: len(b)}
	if len(b) == 0 {
		n.fault(base, "no octets where an APDU should be")
		return n
	}
	if d.depth++; d.depth > maxEnvelopes {
		n.fault(base, "envelopes nest deeper than %d", maxEnvelopes)
		return n
	}
	defer func() { d.depth-- }()
	tag := apdu.Tag(b[0])
	n.Text = tagName(tag)
	read := services[tag]
	if read == nil {
		if _, ciphered := tag.Plain(); ciphered {
			read = (*dissector).ciphered
		}
	}
	if read == nil {
		n.field("content", base+1, len(b)-1, "%s", bulk(b[1:]))
		return n
	}
	size, err := read(d, &n, b, base)
	switch {
	case err != nil:
		n.wrong(base, err)
		if tag == apdu.TagAARQ || tag == apdu.TagInitiateRequest {
			n.field("octets", base, len(b), "%d, not shown because a password or key may be among them", len(b))
			break
		}
		n.field("octets", base, len(b), "%s", bulk(b))
	case size < len(b):
		n.fault(base+size, "%d octets behind the APDU: %s", len(b)-size, bulk(b[size:]))
	}
	return n
}

// others are APDUs without a codec in plc/dlms/apdu.
var others = map[apdu.Tag]string{
	0x05: "read request (short names)", 0x06: "write request (short names)", 0x0C: "read response (short names)",
	0x0D: "write response (short names)", 0x16: "unconfirmed write request (short names)", 0x18: "information report (short names)",
	0xD0: "ded-GET request", 0xD1: "ded-SET request", 0xD2: "ded-event notification", 0xD3: "ded-ACTION request",
	0xD4: "ded-GET response", 0xD5: "ded-SET response", 0xD7: "ded-ACTION response",
	0xD9: "access request", 0xDA: "access response", 0xDC: "general-ded-ciphering", 0xDD: "general-ciphering",
	0xDF: "general-signing", 0xE0: "general block transfer",
}

func tagName(t apdu.Tag) string {
	if s, ok := others[t]; ok {
		return s
	}
	return t.String()
}

// service adds what an APDU says to n and returns the octets it took.
type service func(d *dissector, n *Node, b []byte, base int) (int, error)

var services map[apdu.Tag]service

func init() { // a table of methods that use the table
	services = map[apdu.Tag]service{
		apdu.TagAARQ: (*dissector).aarq, apdu.TagAARE: (*dissector).aare,
		apdu.TagRLRQ: (*dissector).rlrq, apdu.TagRLRE: (*dissector).rlre,
		apdu.TagInitiateRequest: (*dissector).initiateRequest, apdu.TagInitiateResponse: (*dissector).initiateResponse,
		apdu.TagGetRequest: (*dissector).getRequest, apdu.TagGetResponse: (*dissector).getResponse,
		apdu.TagSetRequest: (*dissector).setRequest, apdu.TagSetResponse: (*dissector).setResponse,
		apdu.TagActionRequest: (*dissector).actionRequest, apdu.TagActionResponse: (*dissector).actionResponse,
		apdu.TagExceptionResponse: (*dissector).exception, apdu.TagConfirmedServiceError: (*dissector).serviceError,
		apdu.TagDataNotification: (*dissector).notification, apdu.TagGeneralGlo: (*dissector).generalGlo,
		tagBlockTransfer: (*dissector).blockTransfer,
	}
}

func invoke(n *Node, i apdu.Invoke) {
	text := fmt.Sprintf("%d", i.ID())
	if !i.Confirmed() {
		text += ", unconfirmed"
	}
	if i&apdu.HighPriority != 0 {
		text += ", high priority"
	}
	n.field("invoke", n.Offset+2, 1, "%s", text)
}

// reference is an attribute in words.
func reference(r cosem.Ref) string {
	return fmt.Sprintf("%v %s, %s (%v)", r.Object, ClassName(r.Class), AttributeName(r.Class, r.Attribute), r)
}

// within is where part begins inside whole, whose first octet is at base: parsed values
// share memory with their input.
func within(whole, part []byte, base int) int {
	if cap(whole) == 0 || cap(part) == 0 || len(part) == 0 {
		return base
	}
	// Both have the same end of capacity when they share memory and nothing was cut off; codecs cut
	// capacity, so look for the address instead.
	for i := range whole {
		if &whole[i] == &part[0] {
			return base + i
		}
	}
	return base
}

func (d *dissector) getRequest(n *Node, b []byte, base int) (int, error) {
	g, size, err := apdu.ParseGetRequest(b)
	if err != nil {
		return 0, err
	}
	invoke(n, g.Invoke)
	if d.talk != nil && !g.Next {
		d.talk.list = g.List
	}
	if g.Next {
		n.Text += ", next block"
		n.field("block received", base+3, 4, "%d", g.Block)
		return size, nil
	}
	if g.List {
		n.Text += fmt.Sprintf(", list of %d", len(g.Refs))
	}
	for _, r := range g.Refs {
		d.ref(n, "attribute", r, b, base)
	}
	return size, nil
}

func (d *dissector) ref(n *Node, name string, r cosem.Ref, b []byte, base int) {
	c := Node{Name: name, Text: reference(r), Offset: base + 3, Size: 9}
	if r.Select != nil {
		c.add(value(fmt.Sprintf("selection %d", r.Select.Selector), r.Select.Parameters, within(b, r.Select.Parameters, base)))
	}
	n.add(c)
}

func (d *dissector) result(n *Node, r cosem.Result, b []byte, base int) {
	if r.Access != cosem.Success {
		n.field("result", base, 0, "%v", r.Access)
		return
	}
	n.add(value("data", r.Data, within(b, r.Data, base)))
}

func (d *dissector) getResponse(n *Node, b []byte, base int) (int, error) {
	g, size, err := apdu.ParseGetResponse(b)
	if err != nil {
		return 0, err
	}
	invoke(n, g.Invoke)
	switch {
	case g.Block != nil:
		d.block(n, g.Block, b, base)
		d.joinBlock(n, g.Block)
	case g.List:
		n.Text += fmt.Sprintf(", list of %d", len(g.Results))
	}
	for _, r := range g.Results {
		d.result(n, r, b, base)
	}
	return size, nil
}

func (d *dissector) block(n *Node, k *apdu.DataBlock, b []byte, base int) {
	n.Text += fmt.Sprintf(", block %d", k.Number)
	if k.Last {
		n.Text += ", the last"
	}
	if k.Access != cosem.Success {
		n.field("result", base, 0, "%v", k.Access)
		return
	}
	n.field("piece", within(b, k.Raw, base), len(k.Raw), "%s", bulk(k.Raw))
}

// attributeSecret is the password of an association (class 15).
const attributeSecret = 7

func (d *dissector) setRequest(n *Node, b []byte, base int) (int, error) {
	s, size, err := apdu.ParseSetRequest(b)
	if err != nil {
		return 0, err
	}
	invoke(n, s.Invoke)
	if !s.Next {
		d.ref(n, "attribute", s.Ref, b, base)
	}
	if s.Block != nil {
		d.block(n, s.Block, b, base)
		return size, nil
	}
	if s.Ref.Class == cosem.ClassAssociationLN && s.Ref.Attribute == attributeSecret {
		n.field("data", within(b, s.Data, base), len(s.Data), "a new secret (hidden)")
		return size, nil
	}
	n.add(value("data", s.Data, within(b, s.Data, base)))
	return size, nil
}

func (d *dissector) setResponse(n *Node, b []byte, _ int) (int, error) {
	s, size, err := apdu.ParseSetResponse(b)
	if err != nil {
		return 0, err
	}
	invoke(n, s.Invoke)
	if s.Kind == apdu.SetBlock {
		n.field("block received", n.Offset+3, 4, "%d", s.Block)
		return size, nil
	}
	n.field("result", n.Offset+3, 1, "%v", s.Access)
	return size, nil
}

func (d *dissector) actionRequest(n *Node, b []byte, base int) (int, error) {
	a, size, err := apdu.ParseActionRequest(b)
	if err != nil {
		return 0, err
	}
	invoke(n, a.Invoke)
	n.field("method", base+3, 9, "%v %s, method %d", a.Ref.Object, ClassName(a.Ref.Class), a.Ref.Attribute)
	if a.Data != nil {
		n.add(value("parameter", a.Data, within(b, a.Data, base)))
	}
	return size, nil
}

func (d *dissector) actionResponse(n *Node, b []byte, base int) (int, error) {
	a, size, err := apdu.ParseActionResponse(b)
	if err != nil {
		return 0, err
	}
	invoke(n, a.Invoke)
	n.field("result", base+3, 1, "%v", a.Result)
	if a.Return != nil {
		d.result(n, *a.Return, b, base)
	}
	return size, nil
}

func (d *dissector) exception(n *Node, b []byte, _ int) (int, error) {
	e, size, err := apdu.ParseExceptionResponse(b)
	if err == nil {
		n.field("reason", n.Offset+1, size-1, "%v", e)
		if e.Service == apdu.InvocationCounter {
			n.field("counter expected", n.Offset+3, 4, "%d", e.Counter)
		}
	}
	return size, err
}

func (d *dissector) serviceError(n *Node, b []byte, _ int) (int, error) {
	e, size, err := apdu.ParseConfirmedServiceError(b)
	if err == nil {
		n.field("reason", n.Offset+1, size-1, "%v", e)
	}
	return size, err
}

func (d *dissector) notification(n *Node, b []byte, base int) (int, error) {
	a, size, err := apdu.ParseDataNotification(b)
	if err != nil {
		return 0, err
	}
	n.field("long invoke", base+1, 4, "%08X", a.LongInvoke)
	if a.Time != nil {
		if t, _, err := cosem.ParseDateTime(a.Time); err == nil {
			n.field("time", within(b, a.Time, base), len(a.Time), "%v", t)
		}
	}
	n.add(value("body", a.Body, within(b, a.Body, base)))
	return size, nil
}
