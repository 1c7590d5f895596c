// Package pkcs7 reads and writes bundles of certificates as PKCS #7 (.p7b, .p7c):
// SignedData that signs nothing (RFC 2315, Section 9, "degenerate").
//
// It knows how to take the certificates out of any SignedData, DER or BER, bare or
// in PEM, and how to write certs-only ones.
//
// It does NOT know files, or whether a certificate is trusted; signatures over
// content are not looked at, and encrypted content is refused.
package pkcs7
