package acse

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// message is what every APDU here can do.
type message interface {
	Append(dst []byte) []byte
	Size() int
}

// parse reads the APDU that the tag of b tells.
func parse(b []byte) (message, int, error) {
	if len(b) > 0 {
		switch b[0] {
		case tagAARQ:
			return ParseAARQ(b)
		case tagRLRQ:
			return ParseRLRQ(b)
		case tagRLRE:
			return ParseRLRE(b)
		}
	}
	return ParseAARE(b)
}

const (
	initiate = "01000000065f1f0400007e1f04b0"
	granted  = "0800065f1f040000501f01f40007"
)

// golden are association APDUs of the Green Book and of other programs.
var golden = []struct {
	id, octets string
	want       message
}{
	{"B1", "601da109060760857405080101be10040e" + initiate, AARQ{Context: LogicalNames, UserInfo: unhex(initiate)}},
	{
		"B2", "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738be10040e" + initiate,
		AARQ{Context: LogicalNames, Mechanism: LowLevel, Authentication: []byte("12345678"), UserInfo: unhex(initiate)},
	},
	{
		"B3", "6036a1090607608574050801018a0207808b0760857405080205ac0a80084b35366956616759be10040e" + initiate,
		AARQ{Context: LogicalNames, Mechanism: HighGMAC, Authentication: []byte("K56iVagY"), UserInfo: unhex(initiate)},
	},
	{
		"B4",
		`6066a109060760857405080103a60a04084d4d4d0000bc614e8a0207808b0760857405080201ac0a8008313233343536
		3738be34043221303001234567801302ff8a7874133d414ced25b42534d28db0047720606b175bd52211be6841db204d
		39ee6fdb8e356855`,
		AARQ{
			Context: LogicalNamesCipher, CallingTitle: unhex("4d4d4d0000bc614e"), Mechanism: LowLevel, Authentication: []byte("12345678"),
			UserInfo: unhex(`21303001234567801302ff8a7874133d414ced25b42534d28db0047720606b175bd52211be6841db204d
				39ee6fdb8e356855`),
		},
	},
	{
		"B5", "6036a1090607608574050801018a0207808b0760857405080202ac0a80083132333435363738be10040e01000000065f1f0400007e1fffff",
		AARQ{Context: LogicalNames, Mechanism: HighLevel, Authentication: []byte("12345678"), UserInfo: unhex("01000000065f1f0400007e1fffff")},
	},
	{
		"B6", "601da109060760857405080101be10040e01000000065f1f0400001e1dffff",
		AARQ{Context: LogicalNames, UserInfo: unhex("01000000065f1f0400001e1dffff")},
	},
	{
		"B8", "6036a1090607608574050801018a0207808b0760857405080201ac0a80083333333333333333be10040e01000000065f1f0400007e1f0000",
		AARQ{Context: LogicalNames, Mechanism: LowLevel, Authentication: []byte("33333333"), UserInfo: unhex("01000000065f1f0400007e1f0000")},
	},
	{
		"B10", "6129a109060760857405080101a203020100a305a103020100be10040e" + granted,
		AARE{Context: LogicalNames, UserInfo: unhex(granted)},
	},
	{
		"B11", "6129a109060760857405080101a203020101a305a103020102be10040e" + granted,
		AARE{Context: LogicalNames, Result: RejectedPermanent, Diagnostic: ContextNotSupported, UserInfo: unhex(granted)},
	},
	{
		"B12", "611fa109060760857405080101a203020101a305a103020101be0604040e010601",
		AARE{Context: LogicalNames, Result: RejectedPermanent, Diagnostic: NoReason, UserInfo: unhex("0e010601")},
	},
	{
		"B13", "6142a109060760857405080101a203020100a305a10302010e88020780890760857405080205aa0a8008503677524a323146be10040e" + granted,
		AARE{
			Context: LogicalNames, Diagnostic: AuthenticationRequired, Mechanism: HighGMAC,
			Authentication: []byte("P6wRJ21F"), UserInfo: unhex(granted),
		},
	},
	{
		"B15", "611fa109060760857405080101a203020101a305a10302010dbe0604040e010600",
		AARE{Context: LogicalNames, Result: RejectedPermanent, Diagnostic: AuthenticationFailure, UserInfo: unhex("0e010600")},
	},
	{
		"B16", "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000381f009b0007",
		AARE{Context: LogicalNames, UserInfo: unhex("0800065f1f040000381f009b0007")},
	},
	{
		"B17", "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000101d00800007",
		AARE{Context: LogicalNames, UserInfo: unhex("0800065f1f040000101d00800007")},
	},
	{"B18 request", "6203800100", RLRQ{}},
	{"B18 response", "6303800100", RLRE{}},
	{
		"I30 request",
		`605da109060760857405080103a60a040847727578000000018a0207808b0760857405080205ac12801070389cce67b3
		59ac56ab552a158a4522be230421211f30000000016fcf9cea92011b3c0bc18966129c6825494e5534cc591a215197`,
		AARQ{
			Context: LogicalNamesCipher, CallingTitle: unhex("4772757800000001"), Mechanism: HighGMAC,
			Authentication: unhex("70389cce67b359ac56ab552a158a4522"),
			UserInfo:       unhex("211f30000000016fcf9cea92011b3c0bc18966129c6825494e5534cc591a215197"),
		},
	},
	{
		"I30 response",
		`6169a109060760857405080103a203020100a305a10302010ea40a0408414243444546474888020780890760857405080205
		aa12801070389cce67b359ac56ab552a158a4522be230421281f300000000016584d6f2bf43753196dda5081772032c147d3dfa1e4c911852d`,
		AARE{
			Context: LogicalNamesCipher, Diagnostic: AuthenticationRequired, RespondingTitle: []byte("ABCDEFGH"), Mechanism: HighGMAC,
			Authentication: unhex("70389cce67b359ac56ab552a158a4522"),
			UserInfo:       unhex("281f300000000016584d6f2bf43753196dda5081772032c147d3dfa1e4c911852d"),
		},
	},
	{
		"L1", "6033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10040e01000000065f1f0400401e1dffff",
		AARQ{Context: LogicalNames, Mechanism: LowLevel, Authentication: []byte("Gurux"), UserInfo: unhex("01000000065f1f0400401e1dffff")},
	},
	{
		"release with user information", "6215800100be10040e" + initiate, RLRQ{UserInfo: unhex(initiate)},
	},
	{"release without a reason", "6200", RLRQ{Reason: -1}},
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.id, func(t *testing.T) {
			b := unhex(g.octets)
			m, n, err := parse(b)
			if err != nil || n != len(b) {
				t.Fatalf("parsed %d of %d octets, %v", n, len(b), err)
			}
			if !reflect.DeepEqual(m, g.want) {
				t.Errorf("parsed %#v\nwant   %#v", m, g.want)
			}
			if got := m.Append(nil); !bytes.Equal(got, b) {
				t.Errorf("written again:\n% X\nwant\n% X", got, b)
			}
			if m.Size() != len(b) {
				t.Errorf("Size %d, want %d", m.Size(), len(b))
			}
		})
	}
}

// TestTruncation cuts every golden APDU everywhere. An RLRE may be cut behind its
// reason: that is the leniency it documents.
func TestTruncation(t *testing.T) {
	for _, g := range golden {
		b := unhex(g.octets)
		for i := range len(b) {
			if m, n, err := parse(b[:i]); err == nil {
				t.Errorf("%s cut to %d octets: parsed %d as %#v", g.id, i, n, m)
			}
		}
	}
}

// TestLooseRelease reads the release response of vector M1, whose lengths are wrong.
func TestLooseRelease(t *testing.T) {
	b := unhex("6311800100be0f040e0800065f1f040000021c00860007")
	r, n, err := ParseRLRE(b)
	if err != nil || n != len(b) || !r.Loose || r.Reason != ReasonNormal {
		t.Errorf("parsed %d of %d octets as %+v, %v", n, len(b), r, err)
	}
	if _, _, err := ParseRLRE(unhex("6311be0f040e0800065f1f040000021c00860007")); err == nil {
		t.Error("wrong lengths without a reason: no error")
	}
}

// TestTolerance holds what is read although it would not be written so.
func TestTolerance(t *testing.T) {
	want := AARQ{Context: LogicalNames, UserInfo: unhex(initiate)}
	for id, s := range map[string]string{
		"length 81 1D":              "60811da109060760857405080101be10040e" + initiate,
		"length 84 0000001D":        "60840000001da109060760857405080101be10040e" + initiate,
		"inner length 81 09":        "601ea18109060760857405080101be10040e" + initiate,
		"fields of no use":          "6026a109060760857405080101a2030601 01a8020200be10040e" + initiate,
		"two octets behind, unread": "601da109060760857405080101be10040e" + initiate + "0102",
	} {
		t.Run(id, func(t *testing.T) {
			got, n, err := ParseAARQ(unhex(s))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("parsed %d octets as %#v, %v", n, got, err)
			}
		})
	}
	if a, _, err := ParseAARQ(unhex("600ba1090607608574050901 01")); err != nil || a.Context != OtherContext {
		t.Errorf("a context that is not COSEM's: %v, %v", a.Context, err)
	}
}

// TestLies are associations that must be refused.
func TestLies(t *testing.T) {
	for id, s := range map[string]string{
		"length far above the data":  "6084ffffffffa1",
		"length of five octets":      "6085000000001da1",
		"indefinite length":          "6080a10906076085740508010100",
		"tag of two octets":          "60047f010100",
		"a field twice":              "6016a109060760857405080101a109060760857405080101",
		"context is no name":         "600ba1090407608574050801 01",
		"octets behind the name":     "600da10b0607608574050801010000",
		"mechanism is not COSEM's":   "60098b0760857405090205",
		"AARE without a result":      "610ca10a060760857405080101a3",
		"AARE without a diagnostic":  "6110a109060760857405080101a203020100",
		"result 3":                   "6118a109060760857405080101a203020103a305a103020100",
		"result of three octets":     "611aa109060760857405080101a2050203000000a305a103020100",
		"diagnostic of nobody":       "6118a109060760857405080101a203020100a305a303020100",
		"diagnostic above 255":       "6119a109060760857405080101a203020100a306a10402020100",
		"two choices in diagnostic":  "611da109060760857405080101a203020100a30aa103020100a103020100",
		"empty":                      "",
		"AARQ where AARE should be":  "01",
		"release reason of 3 octets": "6205800300000 0",
	} {
		t.Run(id, func(t *testing.T) {
			if m, _, err := parse(unhex(s)); err == nil {
				t.Errorf("parsed as %#v", m)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"logical names with ciphering":       LogicalNamesCipher.String(),
		"short names":                        ShortNames.String(),
		"short names with ciphering":         ShortNamesCiphering.String(),
		"unknown application context 9":      Context(9).String(),
		"HLS-GMAC":                           HighGMAC.String(),
		"unknown mechanism 8":                Mechanism(8).String(),
		"rejected for now":                   RejectedTransient.String(),
		"result 7":                           Result(7).String(),
		"authentication failure":             AuthenticationFailure.String(),
		"no common ACSE version":             NoCommonProviderVersion.String(),
		"diagnostic 200":                     Diagnostic{Code: 200}.String(),
		"AARQ, octet 9: a field comes twice": (&Error{APDU: "AARQ", Offset: 9, What: "a field comes twice"}).Error(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
