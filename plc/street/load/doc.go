// Package load is the consumption of the households behind simulated meters: whole
// watt-hours for every quarter of an hour of any date, import and export.
//
// It follows no standard. Homes are replayed from recorded series, when a directory of
// them is at hand (Open), or from a household model fitted to the same series (NewModel).
//
// Above are the simulated meters (plc/street/meter). Below is nothing.
//
// A Street shares its few base series among all its homes and is not changed after it
// was made, so any goroutine may read it. One seed gives one street, to the watt-hour.
//
// It never uses the clock, and it never leaves out a quarter: energy at any time is the
// sum of the quarters before it.
package load
