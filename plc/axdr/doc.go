// Package axdr reads and writes COSEM data in A-XDR: a tag, a length where the type
// needs one, and the content, most significant octet first.
//
// It implements the encoding of the Data type (IEC 62056-6-2 "Data", Blue Book 4.1.5,
// A-XDR of IEC 61334-6), compact-array included. Lengths are accepted in every form of
// up to four octets and written in the shortest.
//
// Above is plc/cosem, which gives values a meaning; the APDUs (plc/dlms/apdu) use it to
// learn how long a value is. Below is nothing.
//
// A Decoder is a plain value over a slice: whoever holds the octets may use it. What it
// returns shares memory with its input. It never allocates for what a count promises:
// a count can never exceed the octets that are left, and values nest 16 deep at most.
//
// It never interprets: an octet-string of twelve octets is no date here.
package axdr
