// Package pkcs12 reads and writes PKCS #12 files (PFX, RFC 7292): a private key
// with its chain under a password, and the trust stores that Java keeps in them.
//
// It knows the containers and bags, the modern protection (PBES2 with AES, HMAC
// with SHA-2, PBMAC1 of RFC 9579) and the old one (3DES and RC2 with SHA-1). What
// a file demands to be computed is counted before it is computed, at every level,
// those within encrypted containers included; this, keys restricted to RSASSA-PSS
// and the friendly name are why the reader is our own.
//
// It does NOT know files, or whether a certificate is trusted: it hands over what
// it finds, sorted by the private key only. Files protected by public keys
// (RFC 7292, Section 3.1) and bags of CRLs and secrets are not its business: the
// first are refused, the second left out.
package pkcs12
