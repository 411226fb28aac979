// Package order is the life of an order of the center: admission, attempts, expiry
// and the one table that says which state may follow which.
//
// It implements no clause of a standard. The rule behind it is that an order that
// acted without an answer is in doubt, never done and never repeated; a read acts on
// nothing and may be repeated.
//
// The engine above lists the pending orders, asks the Desk what to do, commits the
// state, acts on the line and commits what came of it.
//
// The goroutine that runs orders owns the Desk; its methods return at once.
//
// It never reads a clock and never touches the line or the disk.
package order
