package pkitest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// restrictToPSS replaces the key algorithm of a certificate by id-RSASSA-PSS
// without parameters (RFC 4055, Section 3.1) and has it signed anew: crypto/x509
// cannot make such certificates.
func restrictToPSS(t testing.TB, c *x509.Certificate, issuer crypto.Signer) *x509.Certificate {
	t.Helper()
	tbs, ok := patchKeyAlgorithm(c)
	if !ok {
		t.Fatal("the certificate to restrict to RSASSA-PSS cannot be taken apart")
	}
	signature, err := issuer.Sign(rand.Reader, digest(c.SignatureAlgorithm, tbs, issuer), hashOf(c.SignatureAlgorithm))
	if err != nil {
		t.Fatalf("sign RSASSA-PSS certificate: %v", err)
	}
	in := cryptobyte.String(c.Raw)
	var outer, old, algorithm cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Element(&old, cbasn1.SEQUENCE) || !outer.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		t.Fatal("the certificate to restrict to RSASSA-PSS cannot be taken apart")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	patched, err := x509.ParseCertificate(b.BytesOrPanic())
	if err != nil {
		t.Fatalf("read RSASSA-PSS certificate: %v", err)
	}
	return patched
}

// patchKeyAlgorithm rewrites the TBSCertificate with another algorithm in its
// SubjectPublicKeyInfo.
func patchKeyAlgorithm(c *x509.Certificate) (tbs []byte, ok bool) {
	in := cryptobyte.String(c.RawTBSCertificate)
	var fields cryptobyte.String
	if !in.ReadASN1(&fields, cbasn1.SEQUENCE) {
		return nil, false
	}
	spki := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var info, algorithm, key cryptobyte.String
	if !spki.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !info.ReadASN1Element(&key, cbasn1.BIT_STRING) {
		return nil, false
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for !fields.Empty() {
			var field cryptobyte.String
			var tag cbasn1.Tag
			if !fields.ReadAnyASN1Element(&field, &tag) {
				ok = false
				return
			}
			if string(field) != string(c.RawSubjectPublicKeyInfo) {
				b.AddBytes(field)
				continue
			}
			ok = true
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10})
				})
				b.AddBytes(key)
			})
		}
	})
	tbs, err := b.Bytes()
	return tbs, ok && err == nil
}

func hashOf(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.PureEd25519:
		return crypto.Hash(0)
	case x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.ECDSAWithSHA512:
		return crypto.SHA512
	}
	return crypto.SHA256
}

// digest is what the issuer signs: a hash, or the message itself for Ed25519.
func digest(a x509.SignatureAlgorithm, message []byte, issuer crypto.Signer) []byte {
	if _, ok := issuer.(ed25519.PrivateKey); ok {
		return message
	}
	h := hashOf(a).New()
	h.Write(message)
	return h.Sum(nil)
}
