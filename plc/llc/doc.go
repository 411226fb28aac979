// Package llc holds the frame of the connectionless link control of a power line,
// which tells by two access points for whom an APDU is and from whom it comes.
//
// It implements IEC 61334-4-32, service DL_Data, as IEC 62056-8-3 uses it.
//
// Above are CIASE (plc/ciase) and the associations (plc/dlms), below is the MSDU
// of a MAC frame (plc/mac).
//
// It has no state: whoever holds the octets may call it. Parsed values share
// memory with their input.
//
// It never numbers, acknowledges, repeats or cuts an APDU: one APDU is one frame.
package llc
