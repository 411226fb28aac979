package ciase_test

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/ciase"
)

func Example() {
	discover := ciase.Discover{Probability: 100, Slots: 10}
	fmt.Printf("% X\n", discover.Append(nil))

	// A server reports. Nothing tells how long its title is but the length of the whole.
	report := append([]byte{0x1E, 1}, "MMM\x00\x00\xBC\x61\x4E\x00"...)
	a, _, err := ciase.Parse(report, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	title := a.(ciase.DiscoverReport).Titles[0]
	fmt.Println(title)

	register := ciase.Register{
		Initiator: plc.MustSystemTitle([]byte("BUSBAR01")),
		Servers:   []plc.Registration{{Title: title, Address: 1}},
	}
	fmt.Printf("% X\n", register.Append(nil))
	// Output:
	// 1D 64 00 0A 00 00
	// 4D4D4D0000BC614E
	// 1C 42 55 53 42 41 52 30 31 01 4D 4D 4D 00 00 BC 61 4E 00 01
}
