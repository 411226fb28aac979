package llc_test

import (
	"fmt"

	"busbar/plc/llc"
)

func ExampleLPDU() {
	get := []byte{0xC0, 0x01, 0xC1, 0x00, 0x03, 1, 0, 1, 8, 0, 255, 2, 0}
	b := llc.LPDU{DSAP: 1, SSAP: 16, APDU: get}.Append(nil)
	fmt.Printf("% X\n", b)

	answer, _, err := llc.Parse([]byte{0x90, 16, 1, 0xC4, 0x01, 0xC1, 0x00, 0x06, 0, 1, 0x23, 0x45})
	fmt.Println(answer.DSAP, answer.SSAP, len(answer.APDU), err)
	// Output:
	// 90 01 10 C0 01 C1 00 03 01 00 01 08 00 FF 02 00
	// 16 1 9 <nil>
}
