package mac

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/bits"
	"strings"
	"testing"

	"busbar/plc"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zeros(n int) string { return strings.Repeat("00", n) }

// golden are the frames of sfsk.md 9.2, and the HDLC frame that a program of another
// origin sends (dlms-vectors.md L6).
var golden = []struct {
	name, frame, msdu   string
	credits             plc.Credits
	source, destination plc.Address
}{
	{
		"Discover, credit 0", "6C6C 00 C00FFF 11 9000011D64000A0000" + zeros(17) + "13F954",
		"9000011D64000A0000",
		plc.Credits{},
		0xC00, plc.AllPhysical,
	},
	{
		"Discover, credit 7", "6C6C FC C00FFF 11 9000011D64000A0000" + zeros(17) + "FB8BC8",
		"9000011D64000A0000",
		plc.Credits{Initial: 7, Current: 7},
		0xC00, plc.AllPhysical,
	},
	{
		"DiscoverReport", "6C6C 00 FFEC00 0D 90FD001E014142434445460101" + zeros(13) + "286142",
		"90FD001E014142434445460101",
		plc.Credits{},
		plc.New, 0xC00,
	},
	{
		"Register", "6C6C 00 C00FFF 07 9000011C434F4E433031014142434445460001" + zeros(7) + "415377",
		"9000011C434F4E43303101414243444546 0001",
		plc.Credits{},
		0xC00, plc.AllPhysical,
	},
	{
		"GET", "6C6C 24 C00001 0A 900110C001C100030100010800FF0200" + zeros(10) + "7BD955",
		"900110C001C100030100010800FF0200",
		plc.Credits{Initial: 1, Current: 1},
		0xC00, 1,
	},
	{
		"its answer", "6C6C 21 001C00 0E 901001C401C1000600012345" + zeros(14) + "13171A",
		"901001C401C1000600012345",
		plc.Credits{Initial: 1, Current: 0, Delta: 1},
		1, 0xC00,
	},
	{
		"RepeaterCall, credit 7", "6C6C FC C00FFF 12 9000011F00630000" + zeros(18) + "2ED141",
		"9000011F00630000",
		plc.Credits{Initial: 7, Current: 7},
		0xC00, plc.AllPhysical,
	},
	{
		"HDLC frame of another program", "6C6C 00 C01FFF 11 7EA007032393BF327E" + zeros(17) + "A1CFCA",
		"7EA007032393BF327E",
		plc.Credits{},
		0xC01, plc.AllPhysical,
	},
}

func TestGoldenFrames(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			b := unhex(t, g.frame)
			f, n, err := ParseFrame(append(b, 0xAA)) // what follows is not ours
			if err != nil || n != len(b) {
				t.Fatalf("ParseFrame: %d octets, %v", n, err)
			}
			if f.Credits != g.credits || f.Source != g.source || f.Destination != g.destination || !bytes.Equal(f.MSDU, unhex(t, g.msdu)) {
				t.Errorf("got %+v", f)
			}
			if got := f.Append([]byte{1}); !bytes.Equal(got[1:], b) || f.Size() != len(b) {
				t.Errorf("Append: %X, Size %d", got, f.Size())
			}
		})
	}
}

func TestCheckSequence(t *testing.T) {
	for in, want := range map[string]uint32{"80": 0x010000, "01": 0x800000, hex.EncodeToString([]byte("123456789")): 0x2694A8, "": 0} {
		if got := FCS(unhex(t, in)); got != want {
			t.Errorf("FCS(%s) = %06X, want %06X", in, got, want)
		}
	}
}

// bitwise is the check sequence as the standard defines it, bit by bit.
func bitwise(b []byte) uint32 {
	var r uint32
	for _, octet := range b {
		for i := 7; i >= 0; i-- {
			r = r<<1 | uint32(octet>>i&1)
			if r&(1<<24) != 0 {
				r ^= 1<<24 | 0x5D6DCB
			}
		}
	}
	return bits.Reverse32(r) >> 8
}

func TestMarksDifferInFourBits(t *testing.T) {
	for i, a := range marks {
		for _, b := range marks[:i] {
			if d := bits.OnesCount8(a ^ b); d != 4 {
				t.Errorf("%02X and %02X differ in %d bits", a, b, d)
			}
		}
	}
}

// TestSizes walks through every length of an MSDU (sfsk.md 1.5: longest MSDU for each
// number of subframes).
func TestSizes(t *testing.T) {
	longest := [...]int{26, 62, 98, 134, 170, 206, 242}
	for size := 1; size <= MaxMSDU; size++ {
		want := 1
		for size > longest[want-1] {
			want++
		}
		if got := Subframes(size); got != want {
			t.Fatalf("Subframes(%d) = %d, want %d", size, got, want)
		}
		f := Frame{Credits: plc.Credits{Initial: 3, Current: 1, Delta: 2}, Source: 0x123, Destination: 0xABC, MSDU: bytes.Repeat([]byte{0x5A}, size)}
		b := f.Append(nil)
		if len(b) != f.Size() || len(b) != 36*want {
			t.Fatalf("MSDU of %d: %d octets, Size %d", size, len(b), f.Size())
		}
		back, n, err := ParseFrame(b)
		if err != nil || n != len(b) || back.Credits != f.Credits || back.Source != 0x123 || back.Destination != 0xABC || !bytes.Equal(back.MSDU, f.MSDU) {
			t.Fatalf("MSDU of %d: %+v, %d, %v", size, back, n, err)
		}
	}
	if Subframes(MaxMSDU+1) != 8 || Subframes(0) != 1 {
		t.Error("lengths out of bounds")
	}
}

func TestAppendRefusesWhatNoFrameCarries(t *testing.T) {
	for _, size := range []int{0, MaxMSDU + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("MSDU of %d octets was appended", size)
				}
			}()
			Frame{MSDU: make([]byte, size)}.Append(nil)
		}()
	}
}

func TestTruncatedFrames(t *testing.T) {
	long := Frame{Source: 1, Destination: 2, MSDU: make([]byte, 100)}.Append(nil)
	for _, b := range append([][]byte{long}, unhex(t, golden[0].frame)) {
		for n := range b {
			if f, used, err := ParseFrame(b[:n]); !errors.Is(err, ErrTruncated) || used != 0 || f.MSDU != nil {
				t.Fatalf("prefix of %d octets: %+v, %d, %v", n, f, used, err)
			}
		}
	}
}

func TestDamagedFrames(t *testing.T) {
	b := unhex(t, golden[4].frame)
	for i := range b {
		for bit := range 8 {
			damaged := bytes.Clone(b)
			damaged[i] ^= 1 << bit
			if _, _, err := ParseFrame(damaged); err == nil {
				t.Errorf("octet %d bit %d damaged: accepted", i, bit)
			} else if i >= 2 && !errors.Is(err, ErrFCS) {
				t.Errorf("octet %d bit %d damaged: %v", i, bit, err)
			}
		}
	}
}

func TestPaddingThatCannotBe(t *testing.T) {
	for _, pad := range []byte{26, 27, 36, 255} {
		b := unhex(t, golden[0].frame)
		b[6] = pad
		fcs := FCS(b[2:33])
		b[33], b[34], b[35] = byte(fcs>>16), byte(fcs>>8), byte(fcs)
		if f, _, err := ParseFrame(b); err == nil {
			t.Errorf("%d pad octets: accepted with an MSDU of %d", pad, len(f.MSDU))
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.frame))
	}
	f.Add(Frame{Source: 1, Destination: 2, MSDU: make([]byte, MaxMSDU)}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if FCS(b) != bitwise(b) {
			t.Fatal("the table and the definition of the check sequence differ")
		}
		frame, n, err := ParseFrame(b)
		if err != nil {
			return
		}
		if n != frame.Size() || len(frame.MSDU) == 0 || len(frame.MSDU) > MaxMSDU || Subframes(len(frame.MSDU))*36 != n {
			t.Fatalf("%d octets, MSDU of %d", n, len(frame.MSDU))
		}
		again := frame.Append(nil)
		pad := int(b[6])
		if !bytes.Equal(again[:n-3-pad], b[:n-3-pad]) {
			t.Fatalf("appended again: %X", again)
		}
		if bytes.Equal(b[n-3-pad:n-3], make([]byte, pad)) && !bytes.Equal(again, b[:n]) {
			t.Fatalf("appended again: %X", again)
		}
	})
}
