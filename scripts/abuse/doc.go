// Package abuse treats the built programs as the world will: it kills them, unplugs
// their modem, fills their disk, damages their files and gives them wrong certificates.
//
// It implements no standard. What has to hold in every case: a message or a state says
// what is wrong, where, and what to do; the daemon goes on or starts again; nothing that
// was stored is lost; and at the end the center holds what the meters held.
//
// Nothing imports it. It builds cmd/concentrator and cmd/center as the Makefile does and
// runs them as processes, on a plc/street/town behind a real pseudo-terminal, with real
// TLS on loopback.
//
// Every test has a town, a directory and programs of its own and ends all of them.
//
// It never judges by real time: a wait that is too long for any machine fails a test,
// nothing shorter does.
package abuse
