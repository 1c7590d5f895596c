// Package jks reads and writes Java key stores of the old kind (JKS), which Java
// itself no longer makes but many a server still keeps: private keys with their
// chains, and trusted certificates, each under an alias.
//
// It knows how long each part of such a file claims to be, and checks it against
// what is there before the library that reads it allocates anything. The format's
// protection of keys (SHA-1 as a stream cipher, and no iterations) is worth little;
// package pkcs12 writes what Java prefers since version 9.
//
// It does NOT know files, or whether a certificate is trusted. JCEKS and the BKS of
// Bouncy Castle are not its business, and are refused by name.
package jks
