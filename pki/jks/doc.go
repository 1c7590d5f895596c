// Package jks reads and writes Java key stores of the old kind (JKS), which Java itself no longer makes but many a
// server still keeps: private keys with their chains, and trusted certificates, each under an alias.
//
// # How to begin
//
//	entries, err := jks.Decode(file, []byte("changeit"), nil)
//	if err != nil {
//		return err
//	}
//	for _, e := range entries {
//		fmt.Println(pki.Printable(e.Alias), e.Key != nil, len(e.Chain))
//	}
//	file, err = jks.Encode(entries, []byte("changeit"))
//
// An [Entry] is a key with its chain, or, where Key is nil, one certificate to trust.
//
// # What it does not do
//
// It does NOT know files, or whether a certificate is trusted. JCEKS and the BKS of Bouncy Castle are not its business,
// and are refused by name. The store that Java prefers since version 9 is PKCS #12: package pkcs12.
//
// # What is safe, and what is not
//
// The format's protection of keys (SHA-1 as a stream cipher, and no iterations) is worth little: write it only for what
// reads nothing else. Reading is bounded: how long each part of a file claims to be is checked against what is there
// before the library that reads it allocates anything. Aliases may hold anything: make them printable first.
//
// # Errors
//
// [ErrWrongPassword] is a password that does not fit the file or a key in it, or a damaged file, which cannot be told
// apart. What keytool could not open is not written, with a [*pki.RefusedError] that has a hint.
package jks
