package wrapper_test

import (
	"fmt"

	"busbar/plc/wrapper"
)

func ExampleFrame() {
	get := []byte{0xC0, 0x01, 0xC1, 0x00, 0x03, 1, 0, 1, 8, 0, 255, 2, 0}
	b := wrapper.Frame{Source: wrapper.Public, Destination: wrapper.Management, APDU: get}.Append(nil)
	fmt.Printf("% X\n", b[:wrapper.HeaderSize])

	f, n, err := wrapper.Parse(b)
	fmt.Println(f, n, err)
	// Output:
	// 00 01 00 10 00 01 00 0D
	// wrapper 16 to 1, APDU of 13 octets 21 <nil>
}

// A connection delivers octets as it likes; frames come out whole.
func ExampleStream() {
	var s wrapper.Stream
	for _, piece := range []string{"\x00\x01\x00\x01\x00", "\x10\x00\x02\xD8", "\x01"} {
		s.Feed([]byte(piece))
		f, ok, err := s.Next()
		fmt.Println(ok, len(f.APDU), err)
	}
	// Output:
	// false 0 <nil>
	// false 0 <nil>
	// true 2 <nil>
}
