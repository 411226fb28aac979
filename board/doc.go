// Package board is the station's hardware: the serial port of the power-line modem and the AT
// port of a cellular modem.
//
// It implements no protocol. Ports are 8N1 and raw; the request line of the modem (T_REQ)
// is RTS, or over a pseudo-terminal, which has no such line, the number of stop bits.
//
// cmd gives its ports to the modem driver and the cellular bearer, which know only
// their shapes; below are go.bug.st/serial and a few system calls that it does not offer.
//
// A port belongs to whoever opened it, and to no other process: one goroutine may read
// while another writes, and Close ends both.
//
// It never retries, interprets octets, or imports anything of the house.
package board
