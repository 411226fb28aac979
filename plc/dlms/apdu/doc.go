// Package apdu holds the xDLMS APDUs that a client and a meter exchange, one kind
// per file: GET, SET, ACTION, access, the initiate pair inside an association request,
// exceptions and errors, notifications, read and write by short names, and the
// envelopes of ciphered, signed and segmented APDUs.
//
// It implements the A-XDR encodings of IEC 62056-5-3 (xDLMS APDUs) for logical and
// short name referencing. COSEM data inside an APDU stays encoded and is only measured.
//
// Above is the association machine (plc/dlms); below are plc/axdr, which knows how
// long a COSEM value is, and the names of plc/cosem.
//
// It has no state: whoever holds the octets may call it. Parsed values share
// memory with their input.
//
// It never verifies, decrypts, remembers an invoke id or decides what to answer.
package apdu
