package object_test

import (
	"encoding/hex"
	"fmt"
	"slices"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/cosem/object"
)

// The blocks that two meters miss are broadcast once more for both.
func ExampleBlockSet() {
	again := object.NewBlockSet(12)
	again.Fill()
	for _, status := range []string{"040cffb0", "040cdff0"} { // what they answer
		b, _ := hex.DecodeString(status)
		meter, _, err := object.ParseBlockSet(b)
		if err != nil {
			fmt.Println(err)
			return
		}
		again.Keep(meter)
	}
	fmt.Println(slices.Collect(again.Missing(12)))
	// Output: [2 9]
}

// A meter with short names: the value of a register is read at its base name plus 8.
func ExampleShortObject() {
	clock := object.ShortObject{Base: 0x0C00, Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255")}
	time, _ := clock.Attribute(2)
	shift, _ := clock.Method(object.ClockShiftTime)
	fmt.Printf("%04X %04X\n", time, shift)
	// Output: 0C08 0C88
}

// A threshold goes out in the type of the value that it limits.
func ExampleAppendNumber() {
	b, err := object.AppendNumber(nil, axdr.DoubleLongU, 3450)
	fmt.Printf("%x %v\n", b, err)
	_, err = object.AppendNumber(nil, axdr.Unsigned, 3450)
	fmt.Println(err)
	// Output:
	// 0600000d7a <nil>
	// 3450 as unsigned: want a type of numbers that has room for it
}
