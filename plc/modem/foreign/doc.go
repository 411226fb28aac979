// Package foreign holds the host frame in which DLMS programs of other makers send MAC
// frames of an S-FSK line over TCP, as if to a modem. It resembles the host frame of
// AMIS-49587 (plc/modem) and differs in length, padding and check sequence.
//
// No standard describes it; it was learned from recorded frames.
//
// Above are the doors of the street (plc/street/door) and plc/dissect; inside is the LPDU
// of IEC 61334-4-32 (plc/llc). Below is a stream of octets.
//
// A [Stream] belongs to the goroutine of its connection. Frames share memory with
// their input.
//
// It never speaks to a real modem.
package foreign
