// Package modem holds the octets that a PLC modem and its host exchange over the
// serial port: frames, status messages, the chip's configuration and database,
// and the payloads that carry MAC frames.
//
// It implements the host protocol of AMIS-49587 and NCN49597 with IEC 61334-5-1
// firmware (sfsk.md 7.2 to 7.7). What the sources dispute is decoded either way
// and kept as it came (D1, D2) or is an argument (D3, plc.ByteOrder).
//
// Above are the driver (plc/modem/amis49587) and the emulator of the chip, which
// share these codecs but no state machine; below is only plc.
//
// Its values are plain data. Parsed values share memory with their input unless
// they say otherwise.
//
// It never reads or writes a port, waits, retries, or decides what to send; Port
// is only the shape of what the driver is given.
package modem
