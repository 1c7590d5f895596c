// Package acme puts real ACME clients, unmodified and as Debian has them, against our CA as a service: `tlswright ca serve`
// as people run it, with its own TLS stack. Each client gets certificates in the ways it knows, renews and revokes them;
// docs/interop-acme.md must say what happened.
//
// It holds tests alone. It knows the clients' command lines and nothing of how our server works inside.
package acme
