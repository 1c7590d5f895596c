// Package keystore keeps private keys and certificates in files: keys 0600 in
// 0700 folders, every write atomic, every key that others could read refused.
//
// It knows the layout of the home folder (ca/root.pem …), of a live folder
// (cert.pem chain.pem fullchain.pem privkey.pem), and how a file is replaced so
// that a crash at any moment leaves the old or the new content, never half of it.
//
// It does NOT know the network, what a certificate should contain or whether it is
// trusted: that is package pki. It hands [crypto.Signer] upward, so that a key
// which is no file can take its place.
package keystore
