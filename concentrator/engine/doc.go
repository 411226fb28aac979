// Package engine is the loop that decides and acts: it finds the meters, reads them
// round after round, keeps them alive on the line, and executes orders in between.
//
// It implements no clause of a standard. It joins the pure rooms roster, round,
// capture and order, which cite theirs, with the line and the disk.
//
// Below it stands a [Link] to the line and a [Journal] on the disk, both declared
// here and supplied by cmd. Above it the page and the status read its [Snapshot].
//
// Two goroutines run in it: Run owns discovery and rounds, RunOrders the orders. What
// both touch is behind one lock that is never held across a blocking call.
//
// It never imports a protocol layer, never sees a key, and never concludes anything
// about a meter from a failure of our own side.
package engine
