// Package keystore keeps private keys and certificates in files: keys 0600 in
// 0700 folders, every write atomic, every key that others could read refused.
//
// It knows the layout of the home folder and of a live folder (cert.pem chain.pem
// fullchain.pem privkey.pem), how keys are read and written under a passphrase,
// how a file is replaced so that a crash at any moment leaves the old or the new
// content, never half of it, and, where it was built with the tag pkcs11, keys
// that stay in a token. Of the home folder these files are its own:
//
//	ca/root.pem, root.key                   the root; its key may be moved away
//	ca/intermediate.pem, intermediate.key   the intermediate made with it, "default"
//	ca/intermediates/NAME/intermediate.pem, intermediate.key
//	                                        others, NAME: a-z, 0-9, hyphen, underscore, dot
//	ca.lock                                 held while ca/ is being changed
//
// A .key file is PKCS #8 in PEM, plain or encrypted, or one line with the
// pkcs11: URI of a key in a token.
//
// It does NOT know the network, what a certificate should contain or whether it is
// trusted: that is package pki. It never asks a person for a passphrase: it calls
// whom it was given. It hands [crypto.Signer] upward, so that a key which is no
// file can take its place.
package keystore
