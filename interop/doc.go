// Package interop lets tlswright talk to the TLS programs of others, on loopback, in both roles: OpenSSL, GnuTLS, NSS,
// Go's crypto/tls, curl and nginx. It has no code of its own outside its tests.
//
// It knows how to start those programs, how to steer what they negotiate and how to get bytes through them, and it keeps
// docs/interop.md, the table of what was negotiated with whom. It does not know TLS: what a connection settled is
// read from its Facts and compared with what the case asked for.
//
// A program that is not installed is a skip with a reason, and a failure where CI=true. The long ones, loads on
// the built binary, run where TLSWRIGHT_ACCEPT=1 ("make accept").
package interop
