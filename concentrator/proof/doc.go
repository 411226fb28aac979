// Package proof compares what the acquisition center holds with what the meters
// held, value by value, and writes both as CSV.
//
// It implements no clause of a standard. Its rule is the product's promise: every
// value that a meter captured arrives once, unaltered, and none is invented.
//
// The commands street, center and demo use it: the first writes what its meters
// held, the other two compare.
//
// It is pure: whoever calls it owns the files.
//
// It never repairs, rounds or leaves out a value.
package proof
