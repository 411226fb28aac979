// Package town puts a whole street together: homes, meters, mains and the modem chip
// at the station's end, from one configuration and one seed.
//
// It implements nothing of its own; the clauses are those of plc/street, chip and meter.
//
// Above are the commands street and demo and the nights of tests; below is everything
// that a street consists of.
//
// A [Town] is attached in one of three ways, each with one goroutine that owns it from
// then on: [Town.Serve] on a pseudo-terminal in real time, [Town.ServePort] on a port in memory, or
// [Town.Line] without a chip, both in virtual time. Everything else asks that goroutine.
//
// It never knows what a station is or does with what it reads.
package town
