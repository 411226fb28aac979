// Package archive is the store of the reference acquisition center: one SQLite
// file with the batches, readings, events and orders of all its stations.
//
// It implements no clause of a standard. Its promises are those a receipt stands
// for: what StoreBatch returned is on the disk; a batch that comes again changes
// nothing; a second, different value for a stored key is kept beside the first and
// counted, never written over it.
//
// The center's server above it is the only writer. Command-line tools open the
// same file beside it, for reading only.
//
// Its methods may be called from any goroutine; writers take turns on one
// connection.
//
// It never deletes anything.
package archive
