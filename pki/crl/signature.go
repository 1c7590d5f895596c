package crl

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxRSABits bounds the RSA keys that are used: the work grows with the cube of their size.
const maxRSABits = 8192

// CheckSignature checks that a certificate's key signed the list, that the certificate's name is the list's issuer, and that
// its key usage, if it has one, contains cRLSign (RFC 5280, Section 6.3.3 (f) and (g)). Signatures with MD5 and SHA-1
// are refused. Whether the certificate itself is trusted is not asked, nor that it is a CA's: a list may have a signer of its own.
func (l *List) CheckSignature(issuer *x509.Certificate) error {
	switch {
	case !cert.SameName(issuer.RawSubject, l.RawIssuer):
		return errors.New("the CRL is from another issuer")
	case issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		return errors.New("the issuer's certificate may not sign CRLs by its key usage")
	}
	return l.checkOnce(issuer)
}

// checkOnce remembers who was found to have signed the list: it is asked about for every certificate, and a large one takes
// long to hash.
func (l *List) checkOnce(issuer *x509.Certificate) error {
	if len(issuer.Raw) == 0 {
		return l.checkSignature(issuer) // one that was not parsed
	}
	id := sha256.Sum256(issuer.Raw)
	if known := l.signer.Load(); known != nil && *known == id {
		return nil
	}
	if err := l.checkSignature(issuer); err != nil {
		return err
	}
	l.signer.Store(&id)
	return nil
}

func (l *List) checkSignature(issuer *x509.Certificate) error {
	if l.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		return errors.New("the CRL is signed with an algorithm that is not known or not safe")
	}
	if k, ok := issuer.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
		return fmt.Errorf("the issuer's RSA key of %d bits is more than the limit of %d", k.N.BitLen(), maxRSABits)
	}
	if err := cert.CheckSignature(issuer, l.SignatureAlgorithm, l.RawTBS, l.Signature); err != nil {
		return fmt.Errorf("the CRL's signature is wrong: %w", err)
	}
	return nil
}
