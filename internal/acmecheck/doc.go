// Package acmecheck holds an ACME server against RFC 8555 and what was added to it (RFC 8737, RFC 8738, RFC 9773,
// profiles), from outside: it sends sound requests and broken ones, and notes for each rule whether the server keeps it.
//
//	Run ──▶ checks(), in order ──▶ session.send (signed, or damaged on purpose) ──▶ server
//	                                   │
//	                                   └──▶ tally: what must hold of every answer (nonce, links, problem documents)
//
// A run is small: one or two accounts, a dozen orders, two certificates, one proof that fails. It goes one request at a
// time, waits when the server says so, and at the end deactivates its accounts and revokes what it got.
//
// The package does NOT know how names come to lead here, nor what a server does inside: a rule that does not show on the
// wire is not checked.
package acmecheck
