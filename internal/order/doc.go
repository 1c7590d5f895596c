// Package order decides what becomes of ACME's orders, authorizations and challenges: what may be asked for, which state
// follows on which event, when something expires, whether a request for a certificate fits its order, and when a
// certificate is to be renewed.
//
//	newOrder ──Plan──▶ Order pending ──Observe (all authorizations valid)──▶ ready ──Finalize──▶ processing ──Issued──▶ valid
//	                     │ Authorization pending ──Result (a challenge valid)──▶ valid ──▶ expired, deactivated
//	                     └ Challenge pending ──Attempt──▶ processing ──Result──▶ valid, invalid          (anything wrong: invalid)
//
// These are values that change by method; times are arguments. The package knows RFC 8555, Section 7.1.6 and the policy
// of a CA. It does NOT know HTTP, signatures of requests, how a challenge is validated, where objects are kept, or how
// certificates are made.
package order
