package dissect_test

import (
	"fmt"

	"busbar/plc/dissect"
)

// An LPDU from the client to a logical device.
func ExampleFrame() {
	b := []byte{0x90, 1, 16, 0xC0, 0x01, 0xC1, 0x00, 0x03, 1, 0, 1, 8, 0, 255, 2, 0}
	n := dissect.Frame(dissect.LayerAny, b, dissect.Options{})
	fmt.Print(n)
	// Output:
	//    0  LPDU: 16 to 1
	//    3    APDU: GET request
	//    5      invoke: 1, high priority
	//    6      attribute: 1.0.1.8.0.255 register, value (3/1.0.1.8.0.255/2)
}

// Faults are told in words, with the place.
func ExampleAPDU() {
	n := dissect.APDU([]byte{0xC4, 0x01, 0xC1, 0x00, 0x06, 0x00, 0x01}, dissect.Options{})
	fmt.Print(n)
	fmt.Println(n.Faulty())
	// Output:
	//    0  APDU: GET response
	//    4    ! at octet 4: data: octet 1: double-long-unsigned wants 4 octets, has 2
	//    0    octets: C4 01 C1 00 06 00 01
	// true
}
