// Package cipher protects and opens APDUs with security suite 0 of DLMS/COSEM:
// AES-GCM with a 128-bit key and a 12-octet tag, and the GMAC proofs of
// high-level security.
//
// It implements the clauses on information security of IEC 62056-5-3: the
// security header (security control and invocation counter), the three forms of
// protection (authentication, encryption, both) and mechanism 5.
//
// The association machine above (plc/dlms) decides what protection it wants and
// which counter comes next; below is only Go's own cryptography.
//
// An association owns one [Suite] for a pair of keys. It keeps no state between
// calls and is safe to share.
//
// It never counts, never judges whether a counter is fresh, never prints a key,
// and never returns a single octet of a text whose tag is wrong.
package cipher
