// Package door lets programs of other makers read the meters of a street without a power
// line: over the TCP wrapper, over HDLC on TCP, and with the host frames that some of
// them speak for S-FSK modems.
//
// It serves IEC 62056-47 (plc/wrapper), IEC 62056-46 (plc/hdlc) and the frames of
// plc/modem/foreign. What the meters answer is not its business.
//
// Above is cmd/street, which listens; below are the meters (plc/street/meter), reached
// only through the goroutine that owns them.
//
// One goroutine serves each connection and one accepts them; the number of connections
// is bounded, a connection that is silent for long is closed.
//
// It never speaks to the line: what goes through a door costs no slot, and associations
// are those of the meter, so that a client at a door takes the place of the station
// that has the same access point.
package door
