// Package truth tells what the meters of a simulated town held, in the words of the
// proof.
//
// It implements no clause of a standard. It stands here because the line must not
// know the product and the product must not know the simulator.
//
// The commands street and demo use it; below it are plc/street/town and
// concentrator/proof.
//
// It asks the goroutine that owns the town, one meter after the other.
//
// It never decides which values a center must have: its caller does.
package truth
