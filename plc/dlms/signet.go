package dlms

import (
	"bytes"
	"encoding/binary"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// signet signs what one end sends and checks what the other signed.
type signet struct {
	signer    *cipher.Signer
	verifier  *cipher.Verifier
	own, peer plc.SystemTitle
}

// sign wraps a plain APDU in a general-signing APDU.
func (s *signet) sign(plain []byte, transaction []byte) ([]byte, error) {
	g := apdu.GeneralSigning{Frame: frameOf(transaction, s.own, s.peer), Content: plain}
	var err error
	if g.Signature, err = s.signer.Sign(g.Signed()); err != nil {
		return nil, err
	}
	return g.Append(make([]byte, 0, g.Size())), nil
}

// open checks the signature of b and returns what was signed.
func (s *signet) open(b []byte) (content []byte, f apdu.Frame, err error) {
	g, n, err := apdu.ParseGeneralSigning(b)
	if err := whole(b, n, err); err != nil {
		return nil, f, err
	}
	if err := framed(g.Frame, s.own, s.peer); err != nil {
		return nil, f, err
	}
	if err := s.verifier.Verify(g.Signed(), g.Signature); err != nil {
		return nil, f, forged("%v", err)
	}
	if len(g.Content) == 0 {
		return nil, f, garbled("nothing was signed")
	}
	return g.Content, g.Frame, nil
}

// overhead is the number of octets before the length of the content and behind it.
func (s *signet) overhead(f apdu.Frame) int {
	n := 2 * cipher.CurveSize(s.signer.Suite())
	return 1 + f.Size() + axdr.LengthSize(n) + n
}

// frameOf names an exchange and its two ends.
func frameOf(transaction []byte, own, peer plc.SystemTitle) apdu.Frame {
	return apdu.Frame{Transaction: transaction, Originator: own.Bytes(), Recipient: peer.Bytes()}
}

// framed checks that f goes from peer to own.
func framed(f apdu.Frame, own, peer plc.SystemTitle) error {
	if !bytes.Equal(f.Originator, peer.Bytes()) || !bytes.Equal(f.Recipient, own.Bytes()) {
		return forged("it names other system titles")
	}
	return nil
}

// transaction is the identity, of 8 octets, with the given number.
func transaction(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
