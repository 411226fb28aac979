package mac_test

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/mac"
)

func ExampleFrame() {
	discover := []byte{0x90, 0x00, 0x01, 0x1D, 100, 0, 10, 0, 0}
	f := mac.Frame{
		Credits: plc.Credits{Initial: 7, Current: 7},
		Source:  0xC00, Destination: plc.AllPhysical,
		MSDU: discover,
	}
	b := f.Append(nil)
	fmt.Printf("%d octets: % X ... % X\n", len(b), b[:7], b[33:])

	back, _, err := mac.ParseFrame(b)
	fmt.Println(back.Source, back.Destination, len(back.MSDU), err)
	// Output:
	// 36 octets: 6C 6C FC C0 0F FF 11 ... FB 8B C8
	// C00 FFF 9 <nil>
}
