// Package plc holds the words of the line: the identities, addresses,
// credits and outcomes that every layer between the modem's serial bytes and a
// COSEM value speaks of.
//
// It implements no protocol. The numbers come from IEC 61334-5-1 (MAC) and
// IEC 61334-4-511 (CIASE); those that no two sources agree on are not constants
// but fields of [Profile].
//
// Every other package below plc may import it; it imports nothing of the house.
//
// Its values are plain data and safe to share once built.
//
// It never reads a clock, starts a goroutine or knows of the product above.
package plc
