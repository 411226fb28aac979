// Package concentrator holds the words of the product: meters, readings,
// visits, orders, batches, receipts and events.
//
// It implements no clause of a standard; what a reading must carry follows from
// the rule that no float and no guess stands between a meter and the center.
//
// The rooms below it (roster, round, engine and the others) decide; storage,
// uplink and web carry, keep and show. All of them import this package.
//
// Its values are plain data, safe to share once built.
//
// It knows no SQL, no center protocol, no serial port and no key.
package concentrator
