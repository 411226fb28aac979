// Package acse holds the four APDUs that open and close an association: AARQ,
// AARE, RLRQ and RLRE.
//
// It implements the ACSE APDUs of IEC 62056-5-3 (after ISO/IEC 8650) in BER, as far
// as COSEM uses them, with a BER reader of its own that knows short and long
// definite lengths and nothing else.
//
// Above is the association machine (plc/dlms), which knows what the values mean;
// the user information stays octets and is read by plc/dlms/apdu.
//
// It has no state: whoever holds the octets may call it. Parsed values share
// memory with their input.
//
// It never checks a password or a proof, and never prints one.
package acse
