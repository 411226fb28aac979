// Package hdlc holds the data link that carries APDUs over serial lines, optical heads
// and TCP: frames with addresses and check sequences, the negotiation of frame size and
// window, and both ends of a link.
//
// It implements IEC 62056-46: frame format type 3, the commands SNRM, DISC, UI, I, RR and
// RNR and their answers, segmentation, and the LLC header of clause 5; and the opening of
// mode E of IEC 62056-21, which turns an optical head to HDLC.
//
// Above are the associations (plc/dlms), of which a link carries one APDU at a time;
// below is a stream of octets.
//
// A [Stream], a [Primary] and a [Secondary] belong to the goroutine of their line. Time-outs
// are its business: it calls Expire. Parsed frames share memory with their input.
//
// It never opens a port, waits, or reads an APDU.
package hdlc
