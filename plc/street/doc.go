// Package street is a low-voltage street in the mind of one goroutine: the mains
// with its feeders, phases and noise, and the modem side of every meter on it.
//
// It plays the other end of IEC 61334-5-1 and IEC 61334-4-511 on a grid of virtual
// slots: chorus repetition and credits (sfsk.md 2.4), synchronization and its
// time-outs (2.5), the repeater call (2.6), discovery and registration (4.6). Below
// the MAC frame there is nothing: a subframe arrives or it does not.
//
// Above it are the two ways to attach a station: [Line], which has the shape of the
// initiator's line, for nights in virtual time, and the emulated modem in
// plc/street/chip. The meters behind the modems are an [Application] each.
//
// One goroutine owns a [Mains] and calls its methods; nothing in it waits or looks
// at a clock. Only a Line has a goroutine, its Run. One seed makes one night.
//
// It never simulates an idle slot, never keeps a goroutine for a meter, and shares
// codecs with the station but no state machine.
package street
