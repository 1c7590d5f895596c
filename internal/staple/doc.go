// Package staple keeps the OCSP responses that a server sends along with its certificates: fetched ahead, kept on disk,
// and there before a handshake asks.
//
// It knows when a response has to be replaced, how long to wait after a failure, and where responses are kept. It does NOT
// know what makes one valid (package pki checks that), how to go out (internal/fetch), nor the handshake: who serves asks
// for the bytes, and is told when they change.
package staple
