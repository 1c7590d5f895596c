// Package admin is the CA's service for those who run it: an API over HTTPS to look at certificates, ACME accounts and
// orders, to issue and revoke, and what machines ask of a service: metrics for Prometheus and signs of health.
//
// Who may act comes with a client certificate of the admin CA, which is another one than any that ACME or "ca issue"
// issue from, and must be on the list in the CA's records besides: each certificate with its roles. Without a role
// everything is refused. Every write is in the audit log with the admin's name.
//
// It knows HTTP, JSON, roles, what may be asked for and how it is shown. It does NOT know TLS (the listener checks
// certificates, this package only which they are), how certificates are made, or ACME beyond what is on file of it.
package admin
