// Package capture turns the records of a black box into whole frames, tells whose they
// are, and writes them in the formats of other programs.
//
// It implements pcapng (IETF opsawg draft) and classic pcap as far as Wireshark needs
// them: one interface for each kind of payload, with a user link type.
//
// Above are the commands of plcscope; below are plc/trace and the codecs.
//
// A [Splitter] and a [Writer] belong to the goroutine that reads the capture.
//
// It never explains a frame: that is plc/dissect's.
package capture
