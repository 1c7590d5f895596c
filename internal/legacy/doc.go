// Package legacy holds the cryptography of SSL 3.0 to TLS 1.2 that nobody should use any more: the key derivation of all
// four versions with the export rules, records with a stream cipher or with a MAC beside CBC, and the ciphers that
// crypto/* lacks - RC2, IDEA, SEED, Camellia, ARIA. A scanner needs it to finish a handshake with a server that speaks
// nothing better, and to send records that are broken in one chosen way.
//
// It knows suites, keys and records. It does NOT know handshakes, sockets or policy, and it does not try to be constant
// in time: nothing that ships but the scanner may import it, and no secret of a user ever passes through it.
package legacy
