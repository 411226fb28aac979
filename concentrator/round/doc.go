// Package round decides which meter to visit next and why: the order of a round,
// retries, the credit of each meter, the air-time budget and the forecast of the end.
//
// It implements no clause of a standard; the credit control follows sfsk.md 8.3,
// which builds on the credits of IEC 61334-5-1 (sfsk.md 2.4).
//
// The engine above asks Next, visits, and reports. Below there is nothing.
//
// The engine's goroutine owns a Planner; its methods return at once.
//
// It never reads a clock and never touches the line or the disk.
package round
