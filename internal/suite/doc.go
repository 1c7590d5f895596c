// Package suite leads from a number of the TLS registries to the cryptography behind it: cipher suites, groups and
// signature schemes, each a table with one row per number.
//
// It knows how a key share, an AEAD or a signature is computed and what a peer's part of it must look like. It does
// not know who may use what and when: which suites are offered, which is chosen, which alert follows an error and what
// is signed are decided by its callers. It never reads a message.
//
// The rows are shared and must not be changed by callers.
package suite
