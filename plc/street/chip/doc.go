// Package chip is an emulator of the modem chip AMIS-49587 with IEC 61334-5-1 firmware,
// octet for octet as the host sees it, with a simulated street behind it.
//
// It plays the modem's side of the host protocol of sfsk.md 7.2 to 7.7: status message
// and T_REQ, ACK and NAK, reset and configuration, database, MA_Data, repeater call.
// Where the sources dispute something, [Config] decides what this chip does.
//
// Below is the street; above is whatever host opens its port: a pseudo-terminal in real
// time ([Terminal]) or a port in memory in virtual time ([Port]). Only the octets of
// plc/modem are shared with our own driver.
//
// A [Chip] is a plain value without goroutine or clock. A [Server] is the one goroutine
// that owns a chip and its street and moves them with the time. What comes late by
// the clock is worked off at the slot it belongs to.
//
// It never waits for its host: octets that nobody takes are dropped and counted, as a
// serial line without flow control does.
package chip
