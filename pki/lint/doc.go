// Package lint holds the requirements on certificates as data: one file for each,
// with the requirement in our own words, where it is written, since when it holds,
// and the check. [Run] applies them all to one certificate, signed or not yet.
//
// It knows the bytes of a certificate (RFC 5280 and its kin, what browsers ask
// beyond that) and reads them itself, so that what crypto/x509 would refuse can be
// examined too. It does NOT know trust, signatures, revocation or the network:
// nothing here decides whether a chain is accepted.
package lint
