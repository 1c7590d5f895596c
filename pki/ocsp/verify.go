package ocsp

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxRSABits bounds the RSA keys that are used: the work grows with the cube of their size.
const maxRSABits = 8192

// Verify checks that a response was made by somebody who may speak for an issuer, see [Response.Signer]. What it says, about
// which certificates and until when, is not looked at.
func (r *Response) Verify(issuer *x509.Certificate, now time.Time) error {
	_, err := r.Signer(issuer, now)
	return err
}

// Signer finds the certificate that signed a response and may: the issuer's own, or one among those in the response and the
// extra ones that the issuer itself signed, that is in force at now and has the extended key usage id-kp-OCSPSigning
// (RFC 6960, Section 4.2.2.2). Signatures with MD5 and SHA-1 are refused. Whether the delegated certificate was revoked is not
// asked: see [NoCheck].
func (r *Response) Signer(issuer *x509.Certificate, now time.Time, extra ...*x509.Certificate) (*x509.Certificate, error) {
	switch {
	case r.Status != Successful:
		return nil, fmt.Errorf("the responder gave no answer but the error %v", r.Status)
	case r.UnknownCritical:
		return nil, errors.New("the response has a critical extension that is not understood")
	case r.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
		return nil, errors.New("the response is signed with an algorithm that is not known or not safe")
	}
	if r.isBy(issuer) {
		err := r.checkSignature(issuer)
		if err == nil {
			return issuer, nil
		}
		if len(r.Certificates)+len(extra) == 0 {
			return nil, err
		}
	}
	refusal := errors.New("the response is signed by somebody whose certificate is not at hand")
	candidates := slices.Clone(extra[:min(len(extra), maxCertificates)])
	for _, der := range r.Certificates {
		if c, err := cert.ParseX509(der); err == nil {
			candidates = append(candidates, c)
		}
	}
	for _, c := range candidates {
		if !r.isBy(c) {
			continue
		}
		if err := checkDelegate(c, issuer, now); err != nil {
			refusal = err
			continue
		}
		if err := r.checkSignature(c); err != nil {
			refusal = err
			continue
		}
		return c, nil
	}
	return nil, refusal
}

// isBy reports whether a certificate is the one that the response names as its signer's.
func (r *Response) isBy(c *x509.Certificate) bool {
	if r.ResponderName != nil {
		return sameName(r.ResponderName, c.RawSubject)
	}
	key, ok := publicKeyBits(c.RawSubjectPublicKeyInfo)
	// RFC 6960, Section 4.2.1: KeyHash is the SHA-1 hash of the responder's public key.
	return ok && bytes.Equal(r.ResponderKey, sum(crypto.SHA1, key))
}

func (r *Response) checkSignature(c *x509.Certificate) error {
	if tooLarge(c) {
		return errors.New("the responder's RSA key is larger than we are willing to use")
	}
	// RFC 5280, Section 4.2.1.3: signatures other than those on certificates and CRLs need digitalSignature. CAs that answer
	// themselves often lack it, and everybody takes their answers.
	if !c.IsCA && c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return errors.New("the responder's certificate may not sign by its key usage")
	}
	if err := cert.CheckSignature(c, r.SignatureAlgorithm, r.RawTBS, r.Signature); err != nil {
		return fmt.Errorf("the response's signature is wrong: %w", err)
	}
	return nil
}

// checkDelegate says why a certificate may not speak for an issuer.
//
// RFC 6960, Section 4.2.2.2: this certificate MUST be issued directly by the CA that issued the certificate in question, and
// MUST include id-kp-OCSPSigning.
func checkDelegate(c, issuer *x509.Certificate, now time.Time) error {
	switch {
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("the response is signed by somebody who may not: no extended key usage OCSPSigning")
	case !sameName(c.RawIssuer, issuer.RawSubject):
		return errors.New("the response is signed by somebody who may not: another CA issued its certificate")
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return errors.New("the response is signed with a certificate that is not in force")
	case len(c.UnhandledCriticalExtensions) > 0:
		return errors.New("the responder's certificate has a critical extension that is not understood")
	case tooLarge(issuer):
		return errors.New("the issuer's RSA key is larger than we are willing to use")
	}
	if err := cert.CheckSignatureFrom(c, issuer); err != nil {
		return fmt.Errorf("the response is signed by somebody who may not: %w", err)
	}
	return nil
}

func tooLarge(c *x509.Certificate) bool {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && k.N.BitLen() > maxRSABits
}

// NoCheck reports whether a responder's certificate says that nobody need ask for its own status
// (RFC 6960, Section 4.2.2.2.1).
func NoCheck(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.String() == idNoCheck })
}
