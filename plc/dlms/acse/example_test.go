package acse_test

import (
	"fmt"

	"busbar/plc/dlms/acse"
)

// A meter refuses the password.
func ExampleParseAARE() {
	b := []byte("\x61\x1f\xa1\x09\x06\x07\x60\x85\x74\x05\x08\x01\x01\xa2\x03\x02\x01\x01\xa3\x05\xa1\x03\x02\x01\x0d\xbe\x06\x04\x04\x0e\x01\x06\x00")
	a, n, err := acse.ParseAARE(b)
	fmt.Println(a.Context, n, err)
	fmt.Println(a.Result, a.Diagnostic)
	// Output:
	// logical names 33 <nil>
	// rejected for good authentication failure
}

// A request to end the association, and its answer.
func ExampleRLRQ() {
	fmt.Printf("% X\n", acse.RLRQ{Reason: acse.ReasonNormal}.Append(nil))
	fmt.Printf("% X\n", acse.RLRE{Reason: acse.ReasonNormal}.Append(nil))
	// Output:
	// 62 03 80 01 00
	// 63 03 80 01 00
}
