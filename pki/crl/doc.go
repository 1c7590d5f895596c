// Package crl reads, searches, checks and makes certificate revocation lists (RFC 5280, Section 5): full, delta,
// partitioned and indirect ones.
//
// # How to begin
//
//	list, err := crl.Parse(der)
//	if err != nil {
//		return err
//	}
//	if err := list.CheckSignature(issuer); err != nil {
//		return err
//	}
//	entry, revoked := list.Find(leaf.SerialNumber.Bytes(), leaf.RawIssuer)
//
// [Create] makes one of a [Template], signed by a CA's key.
//
// # What matters
//
// A [List] is the structure and its extensions; the entries are not kept but walked, by [List.All] or [List.Find],
// which finds one serial number among a million without holding more than the list itself and a small index. Serial
// numbers are bytes, big endian, as big.Int.Bytes gives them.
//
// # What it does not do
//
// It does NOT know which list answers for which certificate, nor whether the one who signed it is trusted: that is
// RFC 5280, Section 6.3 and lives in package pki (pki.JudgeRevocation), which is what to ask before a connection. It
// fetches nothing and knows no clock.
//
// # What is safe, and what is not
//
// "Not found" means "not revoked" only after CheckSignature, while NextUpdate has not passed, where IDP covers the
// certificate, where Base is nil (else it is a delta), and where UnknownCritical is empty. All that is what pki looks
// at. A list is at most [MaxSize] bytes.
//
// # Errors
//
// A list that cannot be read is a [*ParseError], which names the field. Other errors say in words why a signature is
// not accepted, or what of a Template cannot be written.
package crl
