// Package pkcs12 reads and writes PKCS #12 files (PFX, RFC 7292): a private key with its chain under a password, and
// the trust stores that Java keeps in them.
//
// # How to begin
//
//	file, err := pkcs12.Encode(pkcs12.Bundle{Key: key, Chain: chain}, []byte(password), pkcs12.Modern)
//
//	bundle, err := pkcs12.Decode(file, []byte(password))
//	if errors.Is(err, pkcs12.ErrWrongPassword) {
//		// ask again
//	}
//
// # What matters
//
// A [Bundle] is what a file holds: at most one key, its chain with the leaf first, and certificates for Java to trust.
// A [Profile] chooses how it is protected: [Modern] (PBES2 with AES and SHA-256) or [Legacy] for programs of before
// 2019.
//
// It knows the containers and bags, the modern protection (PBES2 with AES, HMAC with SHA-2, PBMAC1 of RFC 9579) and the
// old one (3DES and RC2 with SHA-1). What a file demands to be computed is counted before it is computed, at every
// level, those within encrypted containers included; this, keys restricted to RSASSA-PSS and the friendly name are why
// the reader is our own.
//
// # What it does not do
//
// It does NOT know files, or whether a certificate is trusted: it hands over what it finds, sorted by the private key
// only. Files protected by public keys (RFC 7292, Section 3.1) and bags of CRLs and secrets are not its business: the
// first are refused, the second left out.
//
// # What is safe, and what is not
//
// Modern costs a moment each way, on purpose. Legacy protects nothing against a weak password. A file without a
// password is neither encrypted nor authenticated. Bundle.FriendlyName may hold anything: make it printable first.
//
// # Errors
//
// [ErrWrongPassword] is a password that does not fit, or a damaged file, which cannot be told apart. What cannot be
// written is a [*pki.RefusedError] with a hint. All others say what of the file cannot be read, or would cost too much.
package pkcs12
