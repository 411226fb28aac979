package apdu_test

import (
	"fmt"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// A GET request for the clock of a meter.
func ExampleGetRequest() {
	g := apdu.GetRequest{
		Invoke: apdu.Confirmed | apdu.HighPriority | 1,
		Refs:   []cosem.Ref{{Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255"), Attribute: 2}},
	}
	fmt.Printf("% X\n", g.Append(nil))
	// Output: C0 01 C1 00 08 00 00 01 00 00 FF 02 00
}

// A meter's answer: the value stays encoded.
func ExampleParseGetResponse() {
	g, n, err := apdu.ParseGetResponse([]byte{0xC4, 0x01, 0xC1, 0x00, 0x06, 0x00, 0x00, 0x13, 0x91})
	fmt.Println(g, n, err)
	fmt.Printf("% X\n", g.Results[0].Data)
	// Output:
	// GET response 1 9 <nil>
	// 06 00 00 13 91
}
