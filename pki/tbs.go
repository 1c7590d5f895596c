package pki

import (
	"crypto/x509"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// typicalCertificate is room enough for most certificates, in bytes.
const typicalCertificate = 1024

// encodeTBS writes what is signed of a certificate, byte for byte as
// x509.CreateCertificate would for the same template. The algorithm identifier,
// both names and the key come encoded.
//
//	TBSCertificate  ::=  SEQUENCE  {
//	     version         [0]  EXPLICIT Version DEFAULT v1,
//	     serialNumber         CertificateSerialNumber,
//	     signature            AlgorithmIdentifier,
//	     issuer               Name,
//	     validity             Validity,
//	     subject              Name,
//	     subjectPublicKeyInfo SubjectPublicKeyInfo,
//	     extensions      [3]  EXPLICIT Extensions OPTIONAL }
//
// RFC 5280, Section 4.1. The unique identifiers of version 2 are never written.
func encodeTBS(t *x509.Certificate, algorithm, issuer, subject, spki []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, typicalCertificate))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		b.AddASN1BigInt(t.SerialNumber)
		b.AddBytes(algorithm)
		b.AddBytes(issuer)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.NotBefore)
			addTime(b, t.NotAfter)
		})
		b.AddBytes(subject)
		b.AddBytes(spki)
		addExtensions(b, t, len(subject) == 2)
	})
	return b.Bytes()
}

// addTime writes a UTCTime through 2049 and a GeneralizedTime from 2050 on
// (RFC 5280, Section 4.1.2.5).
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() >= 1950 && t.Year() < 2050 {
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}

// joinCertificate puts the three parts of a certificate together. A signature of
// no bytes makes a certificate that nobody accepts, but everybody can read.
func joinCertificate(tbs, algorithm, signature []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, len(tbs)+len(algorithm)+len(signature)+16))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}
