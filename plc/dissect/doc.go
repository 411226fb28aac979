// Package dissect shows what octets mean: a frame as a tree for people and programs, with
// the place of every field and every fault in words.
//
// It reads host frames of a modem, MAC frames, LPDUs, CIASE, HDLC, the TCP wrapper and
// APDUs, clear or, with keys, deciphered, with the codecs of plc; it has no parser of its
// own but for the envelopes that those do not take apart.
//
// Above are cmd/plcscope and the technicians' page; below are all codecs.
//
// It is pure: the same octets and options give the same tree, and whoever holds the
// octets may call it.
//
// It never refuses octets, because those that are wrong are the ones people look at, and
// it never prints a password or key that it finds in an APDU. The octets of a frame too
// damaged to be read are shown as they came.
package dissect
