// Package challenge finds out for a CA whether somebody controls a name: it asks the web server, the TLS server or the
// DNS of the name for the proof that ACME prescribes (RFC 8555, Section 8, RFC 8737, RFC 8738, dns-account-01,
// dns-persist-01), from several places of the network if there are several, and whether the name's CAA records let the CA
// issue (RFC 8659, RFC 8657).
//
// It knows what the proofs look like and where they stand. What it connects to was chosen by whoever ordered, so
// everything goes through the gate of internal/fetch: public addresses and those that were opened. It does NOT know
// orders, accounts or what follows from an outcome.
package challenge
