// Package cosem gives COSEM data its meaning: logical names, classes and attributes,
// values, date-times, scalers and units, and the selective access to and the buffer of
// a load profile.
//
// It implements the types that the interface classes Register, Clock and Profile
// generic need (Blue Book 4.1, 4.3 and 4.5; IEC 62056-6-2).
//
// Above are the associations and services (plc/dlms), the product (concentrator) and
// the simulated meters (plc/street/meter), which use it in both directions. Below is
// plc/axdr, the encoding.
//
// It holds no state and may be called from anywhere. Parsed values share memory with
// their input and are bounded by a small multiple of it.
//
// It never reads a clock and never guesses a time that a meter left open: a date-time
// that does not name one instant is an error.
package cosem
