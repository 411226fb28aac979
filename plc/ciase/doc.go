// Package ciase holds the APDUs by which an initiator finds servers on the power
// line, gives them addresses, asks whether they are there, has them choose their
// repeaters and takes back alarms. One kind stands in one file.
//
// It implements the CIASE of IEC 61334-4-511 in A-XDR (IEC 61334-6).
//
// Above are the initiator and the simulated servers, below is the LLC frame
// (plc/llc) with access points of its own.
//
// It has no state: whoever holds the octets may call it. Parsed values share no
// memory with their input.
//
// It never decides whether, when or to whom anything is sent.
package ciase
