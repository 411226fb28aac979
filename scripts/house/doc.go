// Package house tests the code itself: who may import whom, and the manners that
// a compiler does not check.
//
// It implements no standard; the rules are those of CONTRIBUTING.md, each with
// its reason beside it.
//
// Nothing imports it. It reads the sources of every other package.
//
// It has no run time beyond go test.
//
// It never changes a file.
package house
