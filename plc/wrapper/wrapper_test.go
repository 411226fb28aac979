package wrapper

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded is an AARE that a foreign meter sent over TCP (dlms-vectors.md J1).
const recorded = "000100010010002b6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d00860007"

func TestGolden(t *testing.T) {
	b := unhex(t, recorded)
	f, n, err := Parse(b)
	if err != nil || n != len(b) || f.Source != 1 || f.Destination != 16 || len(f.APDU) != 43 || f.APDU[0] != 0x61 {
		t.Fatalf("%v, %d octets, %v", f, n, err)
	}
	if got := f.Append([]byte{9}); !bytes.Equal(got[1:], b) || f.Size() != len(b) {
		t.Errorf("Append: %X, Size %d", got, f.Size())
	}
	// Headers alone (J2): what they announce is awaited.
	for _, s := range []string{"0001000100010046", "00010001001100ed"} {
		if _, _, err := Parse(unhex(t, s)); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestTruncated(t *testing.T) {
	b := unhex(t, recorded)
	for i := range b {
		if _, _, err := Parse(b[:i]); !errors.Is(err, ErrIncomplete) {
			t.Errorf("cut to %d octets: %v", i, err)
		}
	}
}

func TestNotFrames(t *testing.T) {
	for _, s := range []string{"7e", "01", "0000", "0002", "0001000100100000"} {
		if _, _, err := Parse(unhex(t, s)); !errors.Is(err, ErrNotFrame) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestStream(t *testing.T) {
	b := bytes.Repeat(unhex(t, recorded), 3)
	var s Stream
	n := 0
	for _, o := range b {
		s.Feed([]byte{o})
		for {
			f, ok, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if n++; len(f.APDU) != 43 {
				t.Errorf("frame %d: %v", n, f)
			}
		}
	}
	if n != 3 || s.held != nil {
		t.Errorf("%d frames, %d octets held", n, len(s.held))
	}
	s.Feed([]byte("GET / HTTP/1.1"))
	for range 2 {
		if _, ok, err := s.Next(); ok || !errors.Is(err, ErrNotFrame) {
			t.Errorf("%v %v", ok, err)
		}
	}
	bounded := Stream{MaxAPDU: 42}
	bounded.Feed(b[:HeaderSize])
	if _, _, err := bounded.Next(); !errors.Is(err, ErrNotFrame) {
		t.Errorf("over the bound: %v", err)
	}
}

// TestMemory: a frame is read without any.
func TestMemory(t *testing.T) {
	b := unhex(t, recorded)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, recorded))
	f.Add(unhex(f, "0001000100010001c0"))
	f.Add(unhex(f, "00010001001100ed"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, n, err := Parse(b)
		if err == nil && !bytes.Equal(frame.Append(nil), b[:n]) {
			t.Fatalf("% X was written again as % X", b[:n], frame.Append(nil))
		}
		// In pieces the same frames come.
		var whole, pieces Stream
		whole.Feed(b)
		for i := range b {
			pieces.Feed(b[i : i+1])
		}
		for {
			f1, ok1, err1 := whole.Next()
			f2, ok2, err2 := pieces.Next()
			if ok1 != ok2 || (err1 == nil) != (err2 == nil) || !bytes.Equal(f1.APDU, f2.APDU) {
				t.Fatalf("whole %v %v, in pieces %v %v", f1, err1, f2, err2)
			}
			if max(cap(whole.held), cap(pieces.held)) > 4*len(b)+4096 {
				t.Fatalf("%d and %d octets of memory for %d", cap(whole.held), cap(pieces.held), len(b))
			}
			if !ok1 {
				return
			}
		}
	})
}
