package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"

	"filippo.io/mldsa"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxMLDSAChecks bounds the signatures of ML-DSA that are checked before the library is asked.
const maxMLDSAChecks = 100

// askLibrary asks crypto/x509 for the trusted chains.
func (v *verification) askLibrary() ([][]*x509.Certificate, error) {
	return v.ask(v.leaf, v.sent, v.options.Roots, v.options.SystemRoots)
}

// ask asks crypto/x509 about a leaf.
func (v *verification) ask(leaf *x509.Certificate, sent, roots []*x509.Certificate, system *x509.CertPool) ([][]*x509.Certificate, error) {
	if system != nil && len(roots) > 0 && signedMLDSA(leaf, sent) {
		// A pool keeps one of two equal certificates. It would be the system's, whose key the library does not know.
		if chains, err := v.ask(leaf, sent, roots, nil); err == nil {
			return chains, nil
		}
	}
	return libraryChains(leaf, sent, roots, func(sent, roots []*x509.Certificate) x509.VerifyOptions {
		return v.libraryOptions(sent, roots, system)
	})
}

// signedMLDSA reports whether there is a signature of ML-DSA in the way from a leaf to a root.
func signedMLDSA(leaf *x509.Certificate, sent []*x509.Certificate) bool {
	signed := func(c *x509.Certificate) bool { return cert.IsMLDSA(cert.Complete(c).SignatureAlgorithm) }
	return signed(leaf) || slices.ContainsFunc(sent, signed)
}

// libraryChains asks crypto/x509 about a leaf, with options that are made of the certificates to choose from. crypto/x509 of Go
// 1.26 cannot check signatures of ML-DSA, and judges everything else. So where one of them is in the way, it is checked here,
// and the library is asked about copies, in which a signature that is right was made by an Ed25519 key that exists during this
// call only, and a wrong one is left for the library to refuse.
func libraryChains(leaf *x509.Certificate, sent, roots []*x509.Certificate, options func(sent, roots []*x509.Certificate) x509.VerifyOptions) ([][]*x509.Certificate, error) {
	if !signedMLDSA(leaf, sent) {
		return leaf.Verify(options(sent, roots))
	}
	s := &standIns{of: make(map[*x509.Certificate]*x509.Certificate), keys: make(map[string]ed25519.PrivateKey)}
	all := slices.Concat([]*x509.Certificate{leaf}, sent, roots)
	for _, c := range all {
		if err := s.add(c); err != nil {
			return nil, err
		}
	}
	for _, c := range all[:1+len(sent)] {
		s.sign(c, all[1:])
	}
	chains, err := s.of[leaf].Verify(options(s.these(sent), s.these(roots)))
	for _, chain := range chains {
		for i, c := range chain {
			chain[i] = s.original(c)
		}
	}
	return chains, s.originalError(err)
}

// standIns are copies of certificates that crypto/x509 can check.
type standIns struct {
	of     map[*x509.Certificate]*x509.Certificate
	keys   map[string]ed25519.PrivateKey // by the ML-DSA key, encoded
	checks int
}

// add makes the copy of a certificate, with another key if its own is one of ML-DSA.
func (s *standIns) add(c *x509.Certificate) error {
	if s.of[c] != nil {
		return nil
	}
	plain := *cert.Complete(c)
	s.of[c] = &plain
	if _, ok := plain.PublicKey.(*mldsa.PublicKey); !ok {
		return nil
	}
	id := string(c.RawSubjectPublicKeyInfo)
	if s.keys[id] == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		s.keys[id] = key
	}
	plain.PublicKey, plain.PublicKeyAlgorithm = s.keys[id].Public(), x509.Ed25519
	return nil
}

// sign has the stand-in of the key that signed a certificate sign its copy. Which of the issuers is the right one and may sign
// is the library's to say.
func (s *standIns) sign(c *x509.Certificate, issuers []*x509.Certificate) {
	id := s.of[c].SignatureAlgorithm
	if !cert.IsMLDSA(id) {
		return
	}
	tried := make(map[string]bool)
	for _, parent := range issuers {
		key := string(parent.RawSubjectPublicKeyInfo)
		if s.keys[key] == nil || tried[key] || !bytes.Equal(parent.RawSubject, s.of[c].RawIssuer) || s.checks >= maxMLDSAChecks {
			continue
		}
		tried[key] = true
		s.checks++
		if cert.CheckSignature(parent, id, c.RawTBSCertificate, c.Signature) == nil {
			s.of[c].SignatureAlgorithm, s.of[c].Signature = x509.PureEd25519, ed25519.Sign(s.keys[key], c.RawTBSCertificate)
			return
		}
	}
}

func (s *standIns) these(list []*x509.Certificate) []*x509.Certificate {
	out := make([]*x509.Certificate, len(list))
	for i, c := range list {
		out[i] = s.of[c]
	}
	return out
}

// original is the certificate behind a copy. A root of the system's has none.
func (s *standIns) original(c *x509.Certificate) *x509.Certificate {
	for own, copied := range s.of {
		if copied == c {
			return own
		}
	}
	return c
}

// originalError has the library's error speak of the certificate and not of its copy.
func (s *standIns) originalError(err error) error {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid):
		invalid.Cert = s.original(invalid.Cert)
		return invalid
	case errors.As(err, &host):
		host.Certificate = s.original(host.Certificate)
		return host
	case errors.As(err, &unknown):
		unknown.Cert = s.original(unknown.Cert)
		return unknown
	}
	return err
}
