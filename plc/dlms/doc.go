// Package dlms holds the two ends of a DLMS/COSEM application association as
// machines without input or output: [Client], which a concentrator is, and
// [Server], which a meter is.
//
// It implements the association control and the xDLMS procedures of IEC 62056-5-3
// for logical names: opening with no security, a password, or HLS-GMAC with
// ciphering by suite 0; GET with lists, selective access and block transfer; SET, in
// blocks when long; ACTION; release. The APDUs themselves are in plc/dlms/apdu, acse and cipher.
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
