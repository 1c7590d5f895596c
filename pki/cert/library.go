package cert

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ParseX509 is x509.ParseCertificate, and fills in what crypto/x509 of Go 1.26 leaves out: the PublicKey of a certificate with
// an ML-DSA key, and the SignatureAlgorithm of one that is signed with ML-DSA. An ML-DSA key that breaks the rules is an error,
// as other keys are there. Signatures of such certificates are checked with [CheckSignature].
func ParseX509(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := complete(c); err != nil {
		return nil, err
	}
	return c, nil
}

// Complete gives a certificate that x509.ParseCertificate has read what [ParseX509] would have filled in, in a copy; one that
// lacks nothing is returned as it is.
func Complete(c *x509.Certificate) *x509.Certificate {
	if c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm && c.PublicKey != nil || len(c.Raw) == 0 {
		return c
	}
	full := *c
	if complete(&full) != nil || full.PublicKey == nil && full.SignatureAlgorithm == c.SignatureAlgorithm {
		return c
	}
	return &full
}

// complete fills in what the library does not know.
func complete(c *x509.Certificate) error {
	if c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		c.SignatureAlgorithm = outerAlgorithm(c.Raw)
	}
	if c.PublicKey != nil || c.PublicKeyAlgorithm != x509.UnknownPublicKeyAlgorithm {
		return nil
	}
	key, err := namedMLDSA(c.RawSubjectPublicKeyInfo)
	if key != nil {
		c.PublicKey = key
	}
	return err
}

// ParseRequest is x509.ParseCertificateRequest, and fills in what ParseX509 does.
func ParseRequest(der []byte) (*x509.CertificateRequest, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	if r.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		r.SignatureAlgorithm = outerAlgorithm(r.Raw)
	}
	if r.PublicKey == nil && r.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		key, err := namedMLDSA(r.RawSubjectPublicKeyInfo)
		if err != nil {
			return nil, err
		}
		if key != nil {
			r.PublicKey = key
		}
	}
	return r, nil
}

// CheckRequest checks that a request is signed by its own key.
func CheckRequest(r *x509.CertificateRequest) error {
	if _, ok := r.PublicKey.(*mldsa.PublicKey); !ok {
		return r.CheckSignature()
	}
	return checkMLDSA(r.PublicKey, r.SignatureAlgorithm, r.RawTBSCertificateRequest, r.Signature)
}

// outerAlgorithm is the ML-DSA algorithm that stands behind the signed part of a certificate, CRL or request; unknown: some other.
func outerAlgorithm(der cryptobyte.String) x509.SignatureAlgorithm {
	var outer, identifier cryptobyte.String
	if !der.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.SkipASN1(cbasn1.SEQUENCE) || !outer.ReadASN1Element(&identifier, cbasn1.SEQUENCE) {
		return x509.UnknownSignatureAlgorithm
	}
	if id := SignatureAlgorithm(identifier); IsMLDSA(id) {
		return id
	}
	return x509.UnknownSignatureAlgorithm
}

// namedMLDSA reads a key that claims to be one of ML-DSA; nil, nil: it does not.
func namedMLDSA(spki cryptobyte.String) (*mldsa.PublicKey, error) {
	whole := spki
	var outer, algorithm, oid cryptobyte.String
	if !spki.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) ||
		mldsaParameters(string(oid)) == (mldsa.Parameters{}) {
		return nil, nil
	}
	key, err := ParsePublicKey(whole)
	if err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	return key.(*mldsa.PublicKey), nil
}

// CheckSignature checks that a certificate's key made a signature, as its method of this name does, ML-DSA included.
func CheckSignature(by *x509.Certificate, id x509.SignatureAlgorithm, signed, signature []byte) error {
	if by = Complete(by); !hasMLDSA(by) {
		return by.CheckSignature(id, signed, signature)
	}
	return checkMLDSA(by.PublicKey, id, signed, signature)
}

// CheckSignatureFrom checks that a CA's key signed a certificate, as its method of this name does, ML-DSA included.
func CheckSignatureFrom(c, parent *x509.Certificate) error {
	if parent = Complete(parent); !hasMLDSA(parent) {
		return c.CheckSignatureFrom(parent)
	}
	c = Complete(c)
	// The conditions are the library's (RFC 5280, Section 4.2.1.9 and 4.2.1.3).
	if parent.Version == 3 && !parent.BasicConstraintsValid || parent.BasicConstraintsValid && !parent.IsCA ||
		parent.KeyUsage != 0 && parent.KeyUsage&x509.KeyUsageCertSign == 0 {
		return x509.ConstraintViolationError{}
	}
	return checkMLDSA(parent.PublicKey, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}

func hasMLDSA(c *x509.Certificate) bool {
	_, ok := c.PublicKey.(*mldsa.PublicKey)
	return ok
}

// checkMLDSA checks a signature with an ML-DSA key. The algorithm must be that of the key.
func checkMLDSA(key crypto.PublicKey, id x509.SignatureAlgorithm, signed, signature []byte) error {
	k, ok := key.(*mldsa.PublicKey)
	if !ok || k == nil {
		return x509.ErrUnsupportedAlgorithm
	}
	if own, err := mldsaAlgorithm(k); err != nil || own != id {
		return fmt.Errorf("x509: signature with %s, but the key is one of %v", AlgorithmName(id), k.Parameters())
	}
	if mldsa.Verify(k, signed, signature, nil) != nil {
		return fmt.Errorf("x509: %v verification failure", k.Parameters())
	}
	return nil
}

// CreateRequest is x509.CreateCertificateRequest, for ML-DSA keys too.
func CreateRequest(t *x509.CertificateRequest, key crypto.Signer) ([]byte, error) {
	pub, ok := key.Public().(*mldsa.PublicKey)
	if !ok {
		return x509.CreateCertificateRequest(rand.Reader, t, key)
	}
	// The library writes it for a key of its own, which makes way for the right one.
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	plain := *t
	plain.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	der, err := x509.CreateCertificateRequest(rand.Reader, &plain, other)
	if err != nil {
		return nil, err
	}
	spki, err := MarshalPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return signRequest(der, spki, key)
}

// signRequest puts another key into a request and signs it.
//
//	CertificationRequestInfo ::= SEQUENCE {
//	     version       INTEGER { v1(0) } (v1,...),
//	     subject       Name,
//	     subjectPKInfo SubjectPublicKeyInfo{{ PKInfoAlgorithms }},
//	     attributes    [0] Attributes{{ CRIAttributes }} }
//
// RFC 2986, Section 4.1.
func signRequest(der cryptobyte.String, spki []byte, key crypto.Signer) ([]byte, error) {
	var outer, info, version, subject cryptobyte.String
	if !der.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Element(&version, cbasn1.INTEGER) ||
		!info.ReadASN1Element(&subject, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.SEQUENCE) {
		return nil, errors.New("malformed certificate request")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, part := range [][]byte{version, subject, spki, info} {
			b.AddBytes(part)
		}
	})
	signed, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	id, err := UsualAlgorithm(key.Public())
	if err != nil {
		return nil, err
	}
	signature, err := Sign(key, id, signed)
	if err != nil {
		return nil, err
	}
	var whole cryptobyte.Builder
	whole.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		b.AddBytes(AlgorithmIdentifier(id))
		b.AddASN1BitString(signature)
	})
	return whole.Bytes()
}
