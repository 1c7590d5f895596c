// Package authority is the one way to issue, revoke and answer for certificates:
// package issue prepares and signs, internal/store remembers, and this package
// keeps the order between them.
//
// A serial number is reserved on disk before anything is prepared; what was signed
// is on disk before anybody gets it; a CRL's number is on disk before the CRL is
// signed, and the CRL is noted before it leaves. So a crash at any moment costs at
// most a serial number, which the next start finds and closes as lost.
//
// It knows how CRLs (whole, delta, in partitions), OCSP answers and revocation sets
// are made of the records, the layout of a CA's home folder, backup and restore.
//
// It does NOT know what a sound certificate is (packages pki and issue), who may
// ask for one, or the network: it makes and answers bytes.
package authority
