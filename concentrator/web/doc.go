// Package web is the local page and the local API: what a technician sees on site
// and what `concentrator status` prints, from one set of values.
//
// It implements no standard. Everything it shows is also in the API: there is no
// screen-only knowledge.
//
// cmd/concentrator gives it a Source and serves its Handler twice: on loopback
// for a browser and on a unix socket for the command line.
//
// Its Handler is safe for concurrent use; live connections are bounded.
//
// It never waits for the power line, never imports storage, and never changes
// anything: there is no sign-in yet, so there is nothing to press.
package web
