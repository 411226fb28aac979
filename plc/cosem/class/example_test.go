package class_test

import (
	"fmt"

	"busbar/plc/cosem"
	"busbar/plc/cosem/class"
)

func ExampleAttributeName() {
	ref := cosem.Ref{Class: cosem.ClassDisconnect, Object: cosem.MustOBIS("0.0.96.3.10.255"), Attribute: 3}
	c, _ := class.Find(ref.Class, 0)
	state, _ := c.Attribute(ref.Attribute)
	value, _ := state.Value(2)
	fmt.Println(class.AttributeName(ref, 0), "=", value)
	fmt.Println(class.UnitName(30), class.UnitName(255), class.UnitName(99))
	// Output:
	// Disconnectcontrol.control_state = ready for reconnection
	// Wh  unit 99
}
