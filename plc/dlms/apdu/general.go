package apdu

// Frame is what general-ciphering and general-signing APDUs carry beside their
// content: who sends what to whom. Every field is under the tag or the signature.
type Frame struct {
	Transaction []byte // identity of the exchange, 8 octets as a rule
	Originator  []byte // system title of the one who protected it
	Recipient   []byte // system title of the one it is for
	Time        []byte // COSEM date-time of 12 octets, nil when there is none
	Other       []byte // other information, not used by COSEM
}

func (r *reader) frame() Frame {
	f := Frame{Transaction: r.octets(), Originator: r.octets(), Recipient: r.octets()}
	if t := r.octets(); len(t) == dateTimeSize {
		f.Time = t
	} else if len(t) > 0 {
		r.fail("date-time of %d octets: want 0 or %d", len(t), dateTimeSize)
	}
	f.Other = r.octets()
	return f
}

// Size is the number of octets Append writes.
func (f Frame) Size() int {
	return octetsSize(f.Transaction) + octetsSize(f.Originator) + octetsSize(f.Recipient) + octetsSize(f.Time) + octetsSize(f.Other)
}

// Append appends the fields to dst, each with its length: the form in which they are
// carried, authenticated and signed.
func (f Frame) Append(dst []byte) []byte {
	for _, field := range [][]byte{f.Transaction, f.Originator, f.Recipient, f.Time, f.Other} {
		dst = appendOctets(dst, field)
	}
	return dst
}

// KeyChoice is how a general-ciphering APDU names its key.
type KeyChoice uint8

// The choices, as they are numbered in key-info.
const (
	IdentifiedKey KeyChoice = 0 // one that both have: see the KeyID values
	WrappedKey    KeyChoice = 1 // a fresh one, wrapped under the master key
	AgreedKey     KeyChoice = 2 // one that both compute
)

// Values of KeyInfo.ID: the key of an identified key, the key under which a wrapped
// one is wrapped, and the scheme of an agreed one, C(1e,1s) or C(0e,2s).
const (
	KeyGlobalUnicast   uint8 = 0
	KeyGlobalBroadcast uint8 = 1
	KeyMaster          uint8 = 0
	SchemeOnePass      uint8 = 1
	SchemeStatic       uint8 = 2
)

// KeyInfo names the key of a general-ciphering APDU.
type KeyInfo struct {
	Choice KeyChoice
	ID     uint8
	// Data is the wrapped key, or for SchemeOnePass the ephemeral public key and its
	// signature; nil for an identified key.
	Data []byte
}

func (r *reader) keyInfo() *KeyInfo {
	if !r.flag("presence of key information") {
		return nil
	}
	k := &KeyInfo{Choice: KeyChoice(r.u8())}
	switch k.Choice {
	case IdentifiedKey:
		k.ID = r.u8()
		return k
	case WrappedKey:
		k.ID = r.u8()
	case AgreedKey:
		if p := r.octets(); len(p) == 1 {
			k.ID = p[0]
		} else {
			r.fail("key parameters of %d octets: want 1", len(p))
		}
	default:
		r.fail("key choice %d: want 0 (identified), 1 (wrapped) or 2 (agreed)", k.Choice)
	}
	k.Data = r.octets()
	return k
}

func (k *KeyInfo) size() int {
	switch {
	case k == nil:
		return 1
	case k.Choice == IdentifiedKey:
		return 3
	case k.Choice == AgreedKey:
		return 4 + octetsSize(k.Data)
	}
	return 3 + octetsSize(k.Data)
}

func (k *KeyInfo) append(dst []byte) []byte {
	if k == nil {
		return append(dst, absent)
	}
	dst = append(dst, present, byte(k.Choice))
	switch k.Choice {
	case IdentifiedKey:
		return append(dst, k.ID)
	case AgreedKey:
		dst = append(dst, 1)
	}
	return appendOctets(append(dst, k.ID), k.Data)
}

// GeneralCiphering is a general-ciphering APDU: any service from an originator to a
// recipient, who need not be the two ends of the association, under a key it names.
type GeneralCiphering struct {
	Frame
	Key  *KeyInfo // nil: the key is known
	Text []byte   // starts with the security control octet
}

// ParseGeneralCiphering reads a general-ciphering APDU. Fields share memory with b.
func ParseGeneralCiphering(b []byte) (GeneralCiphering, int, error) {
	r := read(b, TagGeneralCiphering)
	g := GeneralCiphering{Frame: r.frame(), Key: r.keyInfo(), Text: r.octets()}
	n, err := r.end()
	if err != nil {
		return GeneralCiphering{}, 0, err
	}
	return g, n, nil
}

// Size is the number of octets Append writes.
func (g GeneralCiphering) Size() int { return 1 + g.Frame.Size() + g.Key.size() + octetsSize(g.Text) }

// Append appends the encoded APDU to dst.
func (g GeneralCiphering) Append(dst []byte) []byte {
	dst = g.Frame.Append(append(dst, byte(TagGeneralCiphering)))
	return appendOctets(g.Key.append(dst), g.Text)
}

// GeneralSigning is a general-signing APDU: another APDU and the signature of its
// originator.
type GeneralSigning struct {
	Frame
	Content   []byte
	Signature []byte // r and s
}

// ParseGeneralSigning reads a general-signing APDU. Fields share memory with b.
func ParseGeneralSigning(b []byte) (GeneralSigning, int, error) {
	r := read(b, TagGeneralSigning)
	g := GeneralSigning{Frame: r.frame(), Content: r.octets(), Signature: r.octets()}
	n, err := r.end()
	if err != nil {
		return GeneralSigning{}, 0, err
	}
	return g, n, nil
}

// Size is the number of octets Append writes.
func (g GeneralSigning) Size() int {
	return 1 + g.Frame.Size() + octetsSize(g.Content) + octetsSize(g.Signature)
}

// Append appends the encoded APDU to dst.
func (g GeneralSigning) Append(dst []byte) []byte {
	dst = appendOctets(g.Frame.Append(append(dst, byte(TagGeneralSigning))), g.Content)
	return appendOctets(dst, g.Signature)
}

// Signed is what the signature covers: every field before it, as carried.
func (g GeneralSigning) Signed() []byte {
	dst := make([]byte, 0, g.Frame.Size()+octetsSize(g.Content))
	return appendOctets(g.Frame.Append(dst), g.Content)
}
