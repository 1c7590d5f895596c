package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// Draft is a certificate to be: complete and encoded, but not signed. It cannot be
// changed any more, so what is examined is what will be signed.
type Draft struct {
	tbs         []byte
	algorithm   signatureAlgorithm
	certificate *x509.Certificate // with an empty signature
	signer      crypto.PublicKey
}

// DraftSelfSigned prepares a certificate that its own key shall sign: that of
// Request.Key. One that has no subject is called by the first of its names, for its
// subject is its issuer, too. What cannot be sound is refused with a [*RefusedError].
func DraftSelfSigned(req Request, now time.Time) (*Draft, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	if req.Spec == nil && req.Profile == ProfileIntermediate {
		return nil, refuse("make it with an issuer, or ask for a root", "an intermediate cannot be signed by itself")
	}
	t, spki, err := newTemplate(spec, req, now)
	if err != nil {
		return nil, err
	}
	if Name(t.Subject) == "" {
		// RFC 5280, Section 4.1.2.4: the issuer field MUST contain a non-empty distinguished name.
		t.Subject.CommonName = firstName(t)
	}
	subject, err := encodeName(t.Subject)
	if err != nil {
		return nil, err
	}
	return newDraft(t, subject, subject, spki, req.Key)
}

// firstName gives the first subject alternative name that can be a common name, those of DNS before others.
func firstName(t *x509.Certificate) string {
	names := slices.Clone(t.DNSNames)
	for _, a := range t.IPAddresses {
		names = append(names, a.String())
	}
	for _, u := range t.URIs {
		names = append(names, u.String())
	}
	for _, name := range append(names, t.EmailAddresses...) {
		if len([]rune(name)) <= maxCommonName {
			return name
		}
	}
	return "self-signed"
}

// Draft prepares a certificate that this CA shall sign. What cannot be sound is
// refused with a [*RefusedError]. The issuer's key may be nil: it is not used.
func (i Issuer) Draft(req Request, now time.Time) (*Draft, error) {
	if req.Spec == nil && req.Profile == ProfileRoot {
		return nil, refuse("ask for an intermediate", "a root is signed by its own key, not by an issuer")
	}
	if req.Key == nil {
		return nil, errors.New("no public key to certify")
	}
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	if _, ok := i.Key.(*PSSKey); ok && req.SignatureAlgorithm == 0 {
		req.SignatureAlgorithm = x509.SHA256WithRSAPSS
	}
	t, spki, err := newTemplate(spec, req, now)
	if err != nil {
		return nil, err
	}
	if err := i.checkIssuer(now); err != nil {
		return nil, err
	}
	if err := i.fit(t, req); err != nil {
		return nil, err
	}
	if t.AuthorityKeyId = i.Certificate.SubjectKeyId; len(t.AuthorityKeyId) == 0 {
		if t.AuthorityKeyId, err = KeyID(i.Certificate.PublicKey); err != nil {
			return nil, err
		}
	}
	subject, err := encodeName(t.Subject)
	if err != nil {
		return nil, err
	}
	if string(subject) == string(i.Certificate.RawSubject) {
		return nil, refuse("choose another common name", "the certificate would carry its issuer's name %q and look self-signed", describe(t))
	}
	d, err := newDraft(t, i.Certificate.RawSubject, subject, spki, i.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	return d, i.checkNames(d.certificate)
}

// newDraft encodes the template. Names and key come encoded.
func newDraft(t *x509.Certificate, issuer, subject, spki []byte, signer crypto.PublicKey) (*Draft, error) {
	algorithm, err := signatureAlgorithmFor(signer, t.SignatureAlgorithm)
	if err != nil {
		return nil, err
	}
	tbs, err := encodeTBS(t, algorithm.identifier, issuer, subject, spki)
	if err != nil {
		return nil, fmt.Errorf("encode certificate: %w", err)
	}
	der, err := joinCertificate(tbs, algorithm.identifier, nil)
	if err != nil {
		return nil, fmt.Errorf("encode certificate: %w", err)
	}
	c, err := cert.ParseX509(der)
	if err != nil {
		return nil, fmt.Errorf("read back certificate: %w", err)
	}
	return &Draft{tbs: tbs, algorithm: algorithm, certificate: c, signer: signer}, nil
}

// Serial is the serial number the certificate will have.
func (d *Draft) Serial() *big.Int { return new(big.Int).Set(d.certificate.SerialNumber) }

// Certificate is the certificate to be, with a signature of no bits, for those who
// examine it. It must not be changed.
func (d *Draft) Certificate() *x509.Certificate { return d.certificate }

// Sign signs exactly the bytes of the draft, checks what a foreign signer made, and returns the
// certificate. The key must be that of the issuer the draft was made for; another is refused with
// a [*RefusedError].
func (d *Draft) Sign(key crypto.Signer) (*x509.Certificate, error) {
	if key == nil {
		return nil, errors.New("no key to sign with")
	}
	if !SameKey(d.signer, key.Public()) {
		return nil, refuse("sign with the issuer's own key", "the key that should sign is not that of the issuer %q", issuerName(d.certificate))
	}
	var opts crypto.SignerOpts = d.algorithm.hash
	if d.algorithm.pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: d.algorithm.hash}
	}
	signature, err := crypto.SignMessage(key, rand.Reader, d.tbs, opts)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	// A signer that errs must not get a bad certificate out: a faulty signature can even give the key away. The standard
	// library's own keys are taken at their word, as every TLS server takes them (decision 0016).
	if !isLibraryKey(key) {
		if err := cert.CheckSignature(&x509.Certificate{PublicKey: d.signer}, d.algorithm.algorithm, d.tbs, signature); err != nil {
			return nil, fmt.Errorf("sign certificate: the signature that was made is invalid: %w", err)
		}
	}
	der, err := joinCertificate(d.tbs, d.algorithm.identifier, signature)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	// All but the signature has been read already, from the same bytes.
	c := *d.certificate
	c.Raw, c.Signature = der, signature
	return &c, nil
}

// isLibraryKey reports whether a key signs by the standard library in this process, and not by a token or a service.
func isLibraryKey(key crypto.Signer) bool {
	switch key.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
		return true
	}
	return false
}
