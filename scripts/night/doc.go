// Package night runs the whole station on a simulated street in virtual time: an
// evening and a night of rounds in the time of a breath.
//
// It implements no standard. The slots are those of a real line at 2,400 bit/s, the
// database is a real SQLite file; the modem chip and the cellular link are left out,
// because a pseudo-terminal and a socket cannot be part of virtual time.
//
// Nothing imports it. It puts together what cmd/concentrator wires, on a
// plc/street/town instead of a modem, with a center in memory.
//
// Every goroutine of a night is started in its bubble and has ended before the night
// does; one seed makes one night, to the bit.
//
// It never judges by real time: BenchmarkNight tells it, no test looks at it.
package night
