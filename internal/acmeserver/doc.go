// Package acmeserver is the server side of ACME over HTTP (RFC 8555): it reads and checks signed requests, keeps accounts,
// orders, authorizations and challenges in internal/store, has challenges validated and certificates issued, and answers
// with objects and problem documents.
//
//	request ──readJWS──▶ signature, nonce, url, account ──▶ handler ──▶ internal/order (what may be) ──▶ internal/store (what is)
//	                                                          │                                            ▲
//	                                                          ├─ validations ──▶ internal/challenge ───────┤
//	                                                          └─ issuing ──────▶ internal/authority ───────┘
//
// Several directories, each with its own issuing CA and policy, live in one server; several servers may share one store:
// what one of them leaves half-done when it dies, another takes up. The package does NOT know sockets or TLS of its own,
// how names are proven, or what a sound certificate is.
package acmeserver
