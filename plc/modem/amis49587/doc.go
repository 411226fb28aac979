// Package amis49587 drives a power-line modem of the type AMIS-49587 or NCN49597
// with IEC 61334-5-1 firmware: it configures the chip as an initiator, sends and
// receives MAC frames, runs repeater calls and reads signal and counters.
//
// It implements the host's side of the dialog of sfsk.md 7.2 to 7.7. What the sources dispute is asked
// from the chip at bring-up (length of the configuration, D1), a field of
// plc.Profile (order of address octets, D3), or tried and counted (T_REQ over a
// pseudo-terminal).
//
// Above is the initiator, whose Line the Driver satisfies without knowing it; below
// are the codecs of plc/modem and the Port that Open returns.
//
// One goroutine, Driver.Run, owns the port and everything else; a second one only
// reads octets. The dialog itself is a pure state machine. Every good frame of the
// modem is acknowledged before anything else is done with it, and what it
// carries goes to a bounded queue, so a slow reader never delays an acknowledgment.
//
// It never knows what an MSDU means, never blocks on its user, and never gives up:
// a port that is lost is opened again and the modem configured anew.
package amis49587
