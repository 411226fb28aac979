// Package cipher protects and opens APDUs with the security suites of DLMS/COSEM:
// AES-GCM with keys of 128 (suites 0 and 1) and 256 bits (suite 2) and a tag of 12
// octets, the proofs of high-level security, ECDSA signatures and ECDH key
// agreement (P-256 in suite 1, P-384 in suite 2), and AES key wrap.
//
// It implements the clauses on information security of IEC 62056-5-3: the
// security header (security control and invocation counter), the three forms of
// protection (authentication, encryption, both), mechanisms 2 to 7 and the key
// derivation function; and RFC 3394.
//
// The association machine above (plc/dlms) decides what protection it wants and
// which counter comes next; below is only Go's own cryptography.
//
// An association owns one [Suite] for each pair of keys. It keeps no state between
// calls and is safe to share.
//
// It never counts, never judges whether a counter is fresh, never prints a key,
// and never returns a single octet of a text whose tag is wrong.
package cipher
