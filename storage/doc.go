// Package storage is the store of the station: one SQLite file that holds the
// meters, readings, visits, events, orders and batches, the keys of the meters
// and their invocation counters.
//
// It implements no clause of a standard. Its promises are the product's: what
// was acknowledged survives a power cut, a reading is stored once, a batch once
// sealed never changes, and an invocation counter is never given out twice.
//
// The engine sees it as its journal, the courier as its outbox and inbox, the
// initiator as its key ring and counter store. It imports none of them: the
// wiring hands it over, and only method sets meet. Nothing lies below it but
// the file system.
//
// Open starts one goroutine, the writer, which owns the only writing connection;
// Close ends it. Every method may be called from any goroutine. Readers have two
// read-only connections of their own and never wait for the writer.
//
// It never decides what to read, send or delete before its time, never speaks
// to the line or the center, and never puts a key into an error or a log.
package storage
