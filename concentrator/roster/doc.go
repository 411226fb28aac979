// Package roster is the life of the meters on the line: who was heard, who has
// which address, who proved it, who is lost, and what the next step is to find
// and keep them.
//
// It follows the client's side of the discovery procedure of IEC 61334-4-511
// (sfsk.md 4.6), the repeater call (2.6), the time-out not addressed (2.5) and the
// rule that a freed address is not issued again before its old owner has forgotten
// it (4.8).
//
// The engine above asks Next what to do, does it on the line and reports what
// came of it. It knows no protocol layer below; it speaks in words of package plc.
//
// The engine's goroutine owns a Roster; a caller with more than one goroutine
// guards it with a lock. Its methods return at once.
//
// It never reads a clock, never sends, and never writes to disk: what must be
// stored waits in Unsaved, and is stored before the step that depends on it.
package roster
