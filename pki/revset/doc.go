// Package revset packs the revocations of whole CAs into a set that is tens of times smaller than their CRLs and still
// never wrong about a certificate that it was made for: a filter in two levels, as CRLite and Clubcard have it.
//
// # How to begin
//
// Who knows all certificates of a CA builds a set; who has it asks, without a network:
//
//	set, err := revset.Build(revoked, valid, revset.Options{Created: now, Expires: now.Add(7 * 24 * time.Hour)})
//	if err != nil {
//		return err
//	}
//	file := set.Marshal()
//
//	set, err = revset.Parse(file)
//	revoked, known := set.Revoked(sha256.Sum256(issuer.RawSubjectPublicKeyInfo), leaf.SerialNumber.Bytes())
//
// Both lists are of names that [Key] gives. pki.RevocationOptions takes sets among its sources, and sees to all that
// follows here.
//
// # What is safe, and what is not
//
// The answer is right for certificates that the set was made for, and a guess for others: one whose validity starts
// after [Set.Covers] must not be asked about, nor any after [Set.Expires]. A set is worth what its signature is:
// [Set.CheckSignature] comes before the first question, unless it came from where one trusts anyway. What cannot be
// read is a [*ParseError].
//
// # How it works
//
// For each issuer there are R revoked certificates and U others, each reduced to the SHA-256 digest of issuer and
// serial number. A ribbon filter of about k·R bits lets all revoked ones pass, and each other one with probability
// 2^-k. A second ribbon, one bit for each that passes, says for those which they are. k is chosen so that the two
// together are smallest: for one revoked certificate in twenty about six and a half bits for each revoked one.
//
// A ribbon of m bits is the solution X of linear equations over GF(2): one for each key, whose 256 coefficients in a
// row start at a place that a hash gives. The first level's equations have 0 on their right side, the second level's
// whether the key is revoked. To ask is to multiply again.
//
// # Format, version 1
//
// All numbers are big endian; times are seconds since 1970.
//
//	4 octets "TWRS", 1 octet version (1)
//	8 octets each: created, covers, expires
//	4 octets: number of issuers; then for each, ascending by key hash:
//	  32 octets  SHA-256 of the issuer's SubjectPublicKeyInfo
//	   4 octets  R, revoked certificates
//	   4 octets  R + U, all certificates
//	   1 octet   k
//	   4 octets  m of the first level, 1 octet its seed; k times (m+7)/8 octets follow at the end
//	   4 octets  m of the second level, 1 octet its seed; (m+7)/8 octets follow at the end
//	   the bits of the first level, column by column, and of the second; bit i is bit i%8 of octet i/8
//	2 octets: length of the signature's AlgorithmIdentifier, DER (0: not signed), and that; 2 octets: length of the signature, and it.
//	The signature is over all that comes before its first length.
//
// Where all are revoked or none is, both m are 0.
//
// This package does NOT know who issued what, where sets come from or whom to trust: it neither fetches nor reads a
// clock.
package revset
