// Package mac holds the long MAC frame of a power line and the service primitives
// through which a modem offers it.
//
// It implements the MAC sublayer frame of IEC 61334-5-1: number of subframes,
// credits, addresses, padding and the check sequence of 24 bits.
//
// Above is the LLC (plc/llc). Below is the modem, which builds and checks frames
// by itself: a host sees the primitives only, a simulated mains or a sniffer the
// frames.
//
// It has no state: whoever holds the octets may call it. Parsed values share
// memory with their input.
//
// It never repeats a frame, counts a credit down or decides who may send.
package mac
