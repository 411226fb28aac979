// Package pki makes the certificates of a test center and its stations: one
// authority, one certificate for the center, one for each station.
//
// It implements X.509 as RFC 5280 profiles it, with ECDSA keys on P-256.
//
// Only cmd/center and tests import it. A utility that has an authority of its own
// uses that; the center and the stations take any PEM files.
//
// Its functions read and write files and are called by one process at a time.
//
// It never overwrites a file unless it is told to, never writes a key that others
// could read, and never prints one.
package pki
