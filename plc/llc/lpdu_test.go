package llc

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"busbar/plc"
	"busbar/plc/mac"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden are LPDUs printed in public sources (sfsk.md 9.1) and computed (9.2).
var golden = []struct {
	name, lpdu string
	dsap, ssap byte
	apdu       string
}{
	{"class 53 attribute 2", "900201 0C0100010102021212340612345678", 2, 1, "0C0100010102021212340612345678"},
	{
		"class 53 attribute 3", "900201 0C01000205060000001206000000340600000056060000007806000000 90", 2, 1,
		"0C0100020506000000120600000034060000005606000000780600000090",
	},
	{"class 53 attribute 4", "900201 0C0100010102021212340656789012", 2, 1, "0C0100010102021212340656789012"},
	{"class 53 attribute 5", "900201 0C0100 0612345600", 2, 1, "0C01000612345600"},
	{"class 53 reset", "900201 0D0100", 2, 1, "0D0100"},
	{"read request", "900102 0501020008", 1, 2, "0501020008"},
	{"Discover", "9000011D64000A0000", 0, 1, "1D64000A0000"},
	{"DiscoverReport", "90FD001E014142434445460101", 0xFD, 0, "1E014142434445460101"},
	{"GET", "900110C001C100030100010800FF0200", 1, 16, "C001C100030100010800FF0200"},
	{"its answer", "901001C401C1000600012345", 16, 1, "C401C1000600012345"},
}

func TestGoldenLPDUs(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			b := unhex(t, g.lpdu)
			l, n, err := Parse(b)
			if err != nil || n != len(b) {
				t.Fatalf("Parse: %d octets, %v", n, err)
			}
			if l.DSAP != g.dsap || l.SSAP != g.ssap || !bytes.Equal(l.APDU, unhex(t, g.apdu)) {
				t.Errorf("got %+v", l)
			}
			if got := l.Append([]byte{1}); !bytes.Equal(got[1:], b) || l.Size() != len(b) {
				t.Errorf("Append: %X, Size %d", got, l.Size())
			}
		})
	}
}

// TestRecordedFrames takes the LPDU out of frames that programs of another origin
// exchanged (dlms-vectors.md L1 to L5). Around it is a host frame of their own:
// 02 length 50 credits addresses pad-length LPDU padding check.
func TestRecordedFrames(t *testing.T) {
	tests := []struct {
		name, frame string
		pad         byte
		credits     plc.Credits
		dsap, ssap  byte
		apdu        string
	}{
		{
			"AARQ", "02405090c00fff089001116033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10" +
				"040e01000000065f1f0400401e1dffff000000000000000087f3", 8,
			plc.Credits{Initial: 4, Current: 4},
			1, 17,
			"6033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10040e01000000065f1f0400401e1dffff",
		},
		{
			"AARE", "02365000c00fff129001116129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000" +
				"1e1d0200000700000000000000000000000000000000000002fe", 18,
			plc.Credits{},
			1, 17,
			"6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d02000007",
		},
		{
			"GET", "02185090c00fff0c900111c001c1000f0000280000ff02000000000000000000000000008dea", 12,
			plc.Credits{Initial: 4, Current: 4},
			1, 17, "c001c1000f0000280000ff0200",
		},
		{
			"RLRQ", "02105090c00fff149001116203800100000000000000000000000000000000000000000080f7", 20,
			plc.Credits{Initial: 4, Current: 4},
			1, 17, "6203800100",
		},
		{
			"RLRE without access points", "02105000c00fff1490000063038001000000000000000000000000000000000000000000eac4", 20,
			plc.Credits{},
			0, 0, "6303800100",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.frame)
			if credits := plc.ParseCredits(b[3]); credits != tt.credits {
				t.Errorf("credits %+v", credits)
			}
			if source, destination := mac.ParseAddresses([3]byte(b[4:7])); source != 0xC00 || destination != plc.AllPhysical {
				t.Errorf("addresses %v, %v", source, destination)
			}
			if b[7] != tt.pad {
				t.Errorf("%d pad octets", b[7])
			}
			end := len(b) - 2 - int(b[7])
			l, _, err := Parse(b[8:end])
			if err != nil || l.DSAP != tt.dsap || l.SSAP != tt.ssap || !bytes.Equal(l.APDU, unhex(t, tt.apdu)) {
				t.Errorf("got %+v, %v", l, err)
			}
			if got := l.Append(nil); !bytes.Equal(got, b[8:end]) {
				t.Errorf("Append: %X", got)
			}
		})
	}
}

// TestTruncatedLPDUs: the APDU ends where the frame ends, so only prefixes without an
// octet of it can be told.
func TestTruncatedLPDUs(t *testing.T) {
	b := unhex(t, golden[0].lpdu)
	for n := range b {
		l, used, err := Parse(b[:n])
		if n <= HeaderSize && (err == nil || used != 0 || l.APDU != nil) {
			t.Errorf("prefix of %d octets: %+v, %d, %v", n, l, used, err)
		}
		if n > HeaderSize && (err != nil || used != n) {
			t.Errorf("prefix of %d octets: %d, %v", n, used, err)
		}
	}
}

func TestOtherControls(t *testing.T) {
	for _, control := range []byte{0x00, 0x03, 0x7E, 0x91, 0xE6} {
		if l, _, err := Parse([]byte{control, 1, 16, 0xC0}); err == nil {
			t.Errorf("control %02X: %+v", control, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.lpdu))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, n, err := Parse(b)
		if err != nil {
			return
		}
		if n != len(b) || n != l.Size() || !bytes.Equal(l.Append(nil), b) {
			t.Fatalf("%d octets, appended again: %X", n, l.Append(nil))
		}
	})
}
