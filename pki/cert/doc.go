// Package cert gives a tolerant view of one X.509 certificate: it reads the
// outer structure of RFC 5280, Section 4.1 and keeps every part as the bytes
// that were on the wire.
//
// It knows where each field lies, how to read RSA (also keys restricted to
// RSASSA-PSS), ECDSA on P-256, P-384 and P-521, and Ed25519 public keys, the key
// usage and the subject alternative names. Keys, curves and extensions it does
// not know are kept raw instead of being refused; what is odd but readable is
// listed in [Certificate.Defects].
//
// It does NOT know what a certificate is worth: no signature is checked here, no
// chain is built, no name or date is compared with anything. Whether a
// certificate is trusted is decided by package pki alone.
package cert
