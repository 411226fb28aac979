// Package meter is the COSEM side of one simulated meter: its objects, its load profile
// and its associations.
//
// It has the interface classes Data, Register, Profile generic, Clock, Association LN,
// Disconnect control and the S-FSK classes 50 to 53, 55 and 56 (Blue Book 4.3 to 4.5
// and 4.10).
//
// Above is the street, which gives it the APDUs that its modem received; below are the
// association machine (plc/dlms) and the consumption of a household (plc/street/load).
//
// A meter is passive and owned by the one goroutine of its street: nothing happens
// between two calls. Its profile is computed when it is read, so that a thousand meters
// are no more than their configuration.
//
// It never sees its modem: what the modem knows stands in a LineState that the street
// fills. It is a test double and never part of the station.
package meter
