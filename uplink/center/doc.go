// Package center is the server of the reference acquisition center: stations
// connect to it, hand in batches, get receipts and orders.
//
// It speaks the envelope over WebSocket (RFC 6455) and TLS 1.3 with certificates on
// both sides; the common name of a station's certificate is its identity. A small
// HTTP API on a local socket serves the command line.
//
// cmd/center wires it to an archive and a listener; the stations' side of the same
// talk is uplink/ws.
//
// Per station one goroutine reads and stores, one writes. A receipt is made after
// the archive's commit and by the reading goroutine, so receipts keep the order of batches.
//
// It never gives a receipt for what is not on the disk, never decides what an order
// means, and never opens its API to the network.
package center
