package foreign

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"busbar/plc"
	"busbar/plc/llc"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded are frames that foreign programs exchanged (dlms-vectors.md L1 to L5).
var recorded = []string{
	"02405090c00fff089001116033a1090607608574050801018a0207808b0760857405080201ac0780054775727578be10040e01000000065f1f0400401e1dffff000000000000000087f3",
	"02365000c00fff129001116129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d0200000700000000000000000000000000000000000002fe",
	"02185090c00fff0c900111c001c1000f0000280000ff02000000000000000000000000008dea",
	"02105090c00fff149001116203800100000000000000000000000000000000000000000080f7",
	"02105000c00fff1490000063038001000000000000000000000000000000000000000000eac4",
}

func TestGolden(t *testing.T) {
	for _, s := range recorded {
		b := unhex(t, s)
		f, n, err := Parse(b)
		if err != nil || n != len(b) || f.Source != 0xC00 || f.Destination != plc.AllPhysical || f.MSDU[0] != 0x90 {
			t.Fatalf("%s: %+v, %d, %v", s, f, n, err)
		}
		if got := f.Append([]byte{1}); !bytes.Equal(got[1:], b) || f.Size() != len(b) {
			t.Errorf("Append % X, Size %d", got[1:], f.Size())
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, s := range recorded {
		b := unhex(t, s)
		for i := range b {
			if _, _, err := Parse(b[:i]); !errors.Is(err, ErrIncomplete) {
				t.Errorf("%s cut to %d octets: %v", s, i, err)
			}
		}
		for i := range b {
			d := bytes.Clone(b)
			d[i] ^= 0x01
			if f, _, err := Parse(d); err == nil {
				t.Errorf("octet %d altered: %+v", i, f)
			}
		}
	}
}

// TestMemory: a frame is read without any.
func TestMemory(t *testing.T) {
	b := unhex(t, recorded[0])
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range recorded {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if frame, n, err := Parse(b); err == nil {
			again, _, err := Parse(frame.Append(nil))
			if err != nil || n > len(b) || again.Credits != frame.Credits || again.Source != frame.Source ||
				again.Destination != frame.Destination || !bytes.Equal(again.MSDU, frame.MSDU) {
				t.Fatalf("%+v was read again as %+v, %v", frame, again, err)
			}
		}
		var s Stream
		s.Feed(b)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
		if len(s.held)+s.Rubbish > len(b) || cap(s.held) > 4*len(b)+4096 {
			t.Fatalf("%+v of %d octets", s, len(b))
		}
	})
}

func ExampleFrame() {
	get := llc.LPDU{DSAP: 1, SSAP: 17, APDU: []byte{0xC0, 0x01, 0xC1, 0x00, 0x0F, 0, 0, 40, 0, 0, 255, 2, 0}}
	f := Frame{Credits: plc.Credits{Initial: 4, Current: 4}, Source: 0xC00, Destination: plc.AllPhysical, MSDU: get.Append(nil)}
	b := f.Append(nil)
	fmt.Printf("% X\n", b[:8])
	again, n, err := Parse(b)
	fmt.Println(again.Source, again.Destination, len(again.MSDU), n, err)
	// Output:
	// 02 18 50 90 C0 0F FF 0C
	// C00 FFF 16 38 <nil>
}
