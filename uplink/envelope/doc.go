// Package envelope turns what a station and its center say to each other into
// octets and back: hello and welcome, batches of readings, events and order
// results, receipts, orders.
//
// It implements busbar.proto, this house's own schema on Protocol Buffers 3, and
// the signature of a receipt (ECDSA or Ed25519 over a SHA-256 digest).
//
// The courier seals batches with it; the transport and the center speak it. It
// imports the words of the product and nothing else of the house.
//
// Its functions are pure: octets in, values out. A batch is encoded once and then
// repeated unchanged, so nothing depends on two encodings being equal.
//
// It never trusts a count it has not compared with the octets that are there, and
// never allocates more than the bounds beside it allow.
package envelope
