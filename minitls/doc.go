// Package minitls is a simplified TLS to learn from: JSON lines over TCP instead of records, one cipher suite, one kind
// of certificate. NOT FOR PRODUCTION: it has no second suite to fall back on, hides no certificate and no length, renews
// no key, and nobody attacks it but its own tests. The real thing is package tlscore.
//
// It knows the fifteen steps of the lesson as two machines, [Client] and [Server]: a line goes in, lines come out.
// It does NOT know sockets, files or clocks. docs/learn/minitls.md holds the protocol, with test vectors.
package minitls
