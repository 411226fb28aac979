package cipher_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Keys and titles of the Green Book examples.
var (
	encryption     = cipher.Key(unhex("000102030405060708090a0b0c0d0e0f"))
	authentication = cipher.Key(unhex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"))
	client         = plc.MustSystemTitle(unhex("4d4d4d0000000001"))
	server         = plc.MustSystemTitle(unhex("4d4d4d0000bc614e"))
)

const (
	getClock     = "c0010000080000010000ff0200"
	initiateFull = "0101 10 00112233445566778899aabbccddeeff 0000065f1f0400007e1f04b0"
)

func suite(t testing.TB) *cipher.Suite {
	t.Helper()
	s, err := cipher.NewSuite(encryption, authentication)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden are protected texts of the Green Book, without tag and length of their APDU.
var golden = []struct {
	id          string
	control     cipher.Control
	plain, want string
}{
	{
		"D1", cipher.AuthenticatedEncrypted, initiateFull,
		"3001234567801302ff8a7874133d414ced25b42534d28db0047720606b175bd52211be6841db204d39ee6fdb8e356855",
	},
	{"D2", cipher.Authenticated, getClock, "1001234567c0010000080000010000ff020006725d910f9221d263877516"},
	{"D3", cipher.Encrypted, getClock, "2001234567411312ff935a47566827c467bc"},
	{"D4", cipher.AuthenticatedEncrypted, getClock, "3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b"},
}

func TestGolden(t *testing.T) {
	s := suite(t)
	for _, g := range golden {
		t.Run(g.id, func(t *testing.T) {
			plain, want := unhex(g.plain), unhex(g.want)
			got, err := s.Protect([]byte("before"), g.control, server, 0x01234567, plain)
			if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Fatalf("protected, %v:\n% X\nwant\n% X", err, got[6:], want)
			}
			if len(want) != len(plain)+g.control.Overhead() {
				t.Errorf("overhead %d, want %d", g.control.Overhead(), len(want)-len(plain))
			}
			kept := bytes.Clone(want)
			p, n, err := cipher.Parse(want)
			if err != nil || n != len(want) || p.Control != g.control || p.Counter != 0x01234567 {
				t.Fatalf("parsed %d octets: %v, counter %X, %v", n, p.Control, p.Counter, err)
			}
			if again := p.Append(nil); !bytes.Equal(again, want) || p.Size() != len(want) {
				t.Errorf("written again: % X", again)
			}
			opened, err := s.Unprotect(server, p)
			if err != nil || !bytes.Equal(opened, plain) {
				t.Errorf("opened: % X, %v", opened, err)
			}
			if !bytes.Equal(want, kept) {
				t.Error("opening changed its input")
			}
		})
	}
}

// TestProof is vector E1: both proofs of HLS-GMAC.
func TestProof(t *testing.T) {
	s := suite(t)
	for _, tt := range []struct {
		id        string
		title     plc.SystemTitle
		counter   uint32
		challenge string
		want      string
	}{
		{"E1 pass 3", client, 1, "P6wRJ21F", "10000000011a52fe7dd3e72748973c1e28"},
		{"E1 pass 4", server, 0x01234567, "K56iVagY", "1001234567fe1466afb3dbcd4f9389e2b7"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			want := unhex(tt.want)
			got, err := s.Proof(tt.title, tt.counter, []byte(tt.challenge))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("proof % X, %v; want % X", got, err, want)
			}
			if c, err := s.VerifyProof(tt.title, want, []byte(tt.challenge)); err != nil || c != tt.counter {
				t.Errorf("verify: counter %d, %v", c, err)
			}
			if _, err := s.VerifyProof(tt.title, want, []byte("another1")); !errors.Is(err, cipher.ErrTag) {
				t.Errorf("proof of another challenge: %v", err)
			}
			if _, err := s.VerifyProof(plc.MustSystemTitle([]byte("ABCDEFGH")), want, []byte(tt.challenge)); !errors.Is(err, cipher.ErrTag) {
				t.Errorf("proof of another title: %v", err)
			}
			for i := range want {
				for bit := range 8 {
					b := bytes.Clone(want)
					b[i] ^= 1 << bit
					if _, err := s.VerifyProof(tt.title, b, []byte(tt.challenge)); err == nil {
						t.Fatalf("octet %d, bit %d flipped: accepted", i, bit)
					}
				}
				if _, err := s.VerifyProof(tt.title, want[:i], []byte(tt.challenge)); err == nil {
					t.Fatalf("cut to %d octets: accepted", i)
				}
			}
		})
	}
}

// TestMeters opens what real meters sent (testdata/meters.txt).
func TestMeters(t *testing.T) {
	text, err := os.ReadFile("testdata/meters.txt")
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]error{
		"H5":  cipher.ErrTag,     // the authentication key was not published
		"K50": cipher.ErrControl, // names suite 1 for what is suite 0
		"K51": cipher.ErrControl,
	}
	seen := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 5 || f[0] == "#" {
			continue
		}
		seen++
		t.Run(f[0], func(t *testing.T) {
			plain, err := open(cipher.Key(unhex(f[1])), cipher.Key(unhex(f[2])), unhex(f[3]))
			if want := refused[f[0]]; want != nil {
				if !errors.Is(err, want) || plain != nil {
					t.Errorf("%d octets, %v; want %v", len(plain), err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d, n, err := apdu.ParseDataNotification(plain)
			if err != nil || n != len(plain) || d.LongInvoke != binary.BigEndian.Uint32(unhex(f[4])) {
				t.Errorf("inside: identity %08X, %d of %d octets, %v", d.LongInvoke, n, len(plain), err)
			}
		})
	}
	if seen != 7 {
		t.Errorf("%d meters in testdata, want 7", seen)
	}
}

func open(encryption, authentication cipher.Key, b []byte) ([]byte, error) {
	g, _, err := apdu.ParseGeneralGlo(b)
	if err != nil {
		return nil, err
	}
	s, err := cipher.NewSuite(encryption, authentication)
	if err != nil {
		return nil, err
	}
	p, _, err := cipher.Parse(g.Text)
	if err != nil {
		return nil, err
	}
	title, err := plc.NewSystemTitle(g.Title)
	if err != nil {
		return nil, err
	}
	return s.Unprotect(title, p)
}

// TestAltered flips every bit of authenticated texts: all must be refused, none may
// give a single octet.
func TestAltered(t *testing.T) {
	s := suite(t)
	for _, g := range golden {
		if g.control&cipher.Authenticated == 0 {
			continue
		}
		for i := range unhex(g.want) {
			for bit := range 8 {
				b := unhex(g.want)
				b[i] ^= 1 << bit
				p, _, err := cipher.Parse(b)
				if err != nil {
					continue
				}
				if p.Control.Protection() == cipher.Encrypted {
					continue // no longer claims to be authenticated: the caller's judgement
				}
				want := cipher.ErrTag
				if p.Control.Suite() != cipher.Suite0 {
					want = cipher.ErrControl
				}
				if plain, err := s.Unprotect(server, p); !errors.Is(err, want) || plain != nil {
					t.Fatalf("%s, octet %d, bit %d: %d octets, %v", g.id, i, bit, len(plain), err)
				}
			}
		}
	}
}

func TestOtherTitleOrKey(t *testing.T) {
	b := unhex(golden[3].want)
	p, _, _ := cipher.Parse(b)
	if _, err := suite(t).Unprotect(client, p); !errors.Is(err, cipher.ErrTag) {
		t.Errorf("other title: %v", err)
	}
	for _, keys := range [][2]cipher.Key{{encryption, encryption}, {authentication, authentication}} {
		s, _ := cipher.NewSuite(keys[0], keys[1])
		if _, err := s.Unprotect(server, p); !errors.Is(err, cipher.ErrTag) {
			t.Errorf("other key: %v", err)
		}
	}
	p.Tag = p.Tag[:8]
	if _, err := suite(t).Unprotect(server, p); !errors.Is(err, cipher.ErrTruncated) {
		t.Errorf("tag of 8 octets: %v", err)
	}
}

func TestTitleOfOtherSize(t *testing.T) {
	s, six := suite(t), plc.MustSystemTitle([]byte("sixsix"))
	p, _, _ := cipher.Parse(unhex(golden[3].want))
	_, protect := s.Protect(nil, cipher.AuthenticatedEncrypted, six, 1, []byte("text"))
	_, unprotect := s.Unprotect(six, p)
	_, proof := s.Proof(six, 1, []byte("challenge"))
	_, verify := s.VerifyProof(six, unhex("10000000011a52fe7dd3e72748973c1e28"), []byte("challenge"))
	for _, err := range []error{protect, unprotect, proof, verify} {
		if !errors.Is(err, cipher.ErrTitle) {
			t.Errorf("title of 6 octets: %v", err)
		}
	}
}

func TestControlsRefused(t *testing.T) {
	for _, c := range []cipher.Control{0x00, 0x40, 0x31, 0x32, 0x33, 0xB0, 0x21} {
		b := unhex(golden[3].want)
		b[0] = byte(c)
		_, _, err := cipher.Parse(b)
		if known := c.Suite() == 1 || c.Suite() == 2; known == errors.Is(err, cipher.ErrControl) {
			t.Errorf("%v: %v", c, err)
		}
		if _, err := suite(t).Protect(nil, c, server, 1, nil); !errors.Is(err, cipher.ErrControl) {
			t.Errorf("protect with %v: %v", c, err)
		}
		if _, err := suite(t).Unprotect(server, cipher.Protected{Control: c, Tag: make([]byte, 12)}); !errors.Is(err, cipher.ErrControl) {
			t.Errorf("unprotect with %v: %v", c, err)
		}
	}
	if !cipher.AuthenticatedEncrypted.Covers(cipher.Authenticated) || cipher.Encrypted.Covers(cipher.AuthenticatedEncrypted) {
		t.Error("Covers: both must cover one, one must not cover both")
	}
}

func TestTruncation(t *testing.T) {
	for _, g := range golden {
		b := unhex(g.want)
		for i := range len(b) {
			p, _, err := cipher.Parse(b[:i])
			if err == nil && p.Control&cipher.Authenticated != 0 {
				_, err = suite(t).Unprotect(server, p)
			}
			if err == nil && g.control != cipher.Encrypted || i < cipher.HeaderSize && err == nil {
				t.Errorf("%s cut to %d octets: no error", g.id, i)
			}
		}
	}
}

// TestSecretsAreHidden prints keys and secrets in every way that logs and errors do.
func TestSecretsAreHidden(t *testing.T) {
	secret := cipher.Secret("password")
	holder := struct {
		Key    cipher.Key
		Secret cipher.Secret
		Suite  *cipher.Suite
	}{encryption, secret, suite(t)}
	var texts []string
	for _, v := range []any{encryption, &authentication, secret, &secret, holder, &holder, suite(t), *suite(t)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("test", "value", v)
		texts = append(texts, log.String())
		if b, err := json.Marshal(v); err == nil {
			texts = append(texts, string(b))
		}
	}
	for _, text := range texts {
		for _, leak := range []string{"password", "70617373", "70 61", "112 97", "0102", "1 2 3", "0x1, 0x2", "0x01, 0x02", "d0d1", "D0D1", "208 209", "0xd0"} {
			if strings.Contains(text, leak) {
				t.Errorf("%q holds %q", text, leak)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(g.want))
	}
	s := suite(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, n, err := cipher.Parse(b)
		if err != nil {
			return
		}
		if again := p.Append(nil); n != len(b) || !bytes.Equal(again, b) || p.Size() != n {
			t.Fatalf("% X was written again as % X", b, again)
		}
		plain, err := s.Unprotect(server, p)
		if err != nil {
			return
		}
		sealed, err := s.Protect(nil, p.Control, server, p.Counter, plain)
		if err != nil || !bytes.Equal(sealed, b) {
			t.Fatalf("% X was opened and protected again as % X, %v", b, sealed, err)
		}
	})
}

func BenchmarkUnprotect(b *testing.B) {
	s := suite(b)
	sealed, _ := s.Protect(nil, cipher.AuthenticatedEncrypted, server, 1, make([]byte, 220))
	b.SetBytes(220)
	b.ReportAllocs()
	for b.Loop() {
		p, _, _ := cipher.Parse(sealed)
		if _, err := s.Unprotect(server, p); err != nil {
			b.Fatal(err)
		}
	}
}

// A meter's clock is asked for under authenticated encryption.
func ExampleSuite_Protect() {
	s, err := cipher.NewSuite(encryption, authentication)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := s.Protect(nil, cipher.AuthenticatedEncrypted, server, 0x01234567, unhex(getClock))
	fmt.Printf("% X %v\n", b[:cipher.HeaderSize], err)
	p, _, _ := cipher.Parse(b)
	plain, err := s.Unprotect(server, p)
	fmt.Printf("%v: % X %v\n", p.Control, plain, err)
	// Output:
	// 30 01 23 45 67 <nil>
	// authenticated and encrypted: C0 01 00 00 08 00 00 01 00 00 FF 02 00 <nil>
}
