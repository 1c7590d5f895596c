// Package publish answers those who rely on a CA's certificates, over HTTP: OCSP by GET and POST (RFC 6960, RFC 5019),
// CRLs whole, in partitions and as deltas, issuers' certificates for the AIA extension, the compressed revocation set, and
// a page with the roots, their fingerprints and how to trust them on each platform.
//
// Answers that are the same for everybody are signed once and kept until something changes or they grow old; a request
// with a nonce is answered live. It knows HTTP and how long things may be kept. It does NOT know what is revoked (that is
// internal/authority) or TLS: relying parties fetch these over plain HTTP, because they could not check a certificate
// otherwise, and every answer is signed.
package publish
