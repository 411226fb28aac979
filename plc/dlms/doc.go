// Package dlms holds the two ends of a DLMS/COSEM application association as
// machines without input or output: [Client], which a concentrator is, and
// [Server], which a meter is.
//
// It implements the association control and the xDLMS procedures of IEC 62056-5-3:
// opening with every mechanism from none to HLS-ECDSA, ciphering and signing by suites 0
// to 2 in every envelope, GET, SET and ACTION with lists and blocks, access, general
// block transfer, notifications and release; for the client also short names. docs/dlms.md
// lists all of it with its tests. The APDUs themselves are in plc/dlms/apdu, acse and cipher.
//
// Above, the initiator binds a Client to a meter's address and gives it octets;
// another carrier could do the same. The simulated street does so with Servers.
//
// The one goroutine that owns the stack owns every machine in it. Time, randomness,
// keys and counters are handed in.
//
// It never waits, resends of its own accord, accepts less protection than was asked
// for, moves a counter before the octets behind it were verified, or prints a key.
package dlms
