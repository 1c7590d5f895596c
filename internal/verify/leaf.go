package verify

import (
	"crypto"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
)

var (
	// ErrCertificate is returned, wrapped, for a leaf that is no certificate: bad_certificate.
	ErrCertificate = errors.New("malformed certificate")
	// ErrKeyType is returned, wrapped, for a key we have no signature scheme for, or one too large to read:
	// unsupported_certificate.
	ErrKeyType = errors.New("unsupported key type")
	// ErrKeyUsage is returned for a certificate whose key usage leaves out digitalSignature
	// (RFC 8446, Section 4.4.2.2: the digitalSignature bit MUST be set if the Key Usage extension is present).
	ErrKeyUsage = errors.New("key usage does not allow digital signatures")
	// ErrKeySize is returned, wrapped, by CertificateVerify for an RSA key too small or too large for the scheme.
	ErrKeySize = suite.ErrKeySize
)

// LeafKey is the key of an end-entity certificate, fit to sign handshakes. It says nothing about trust.
type LeafKey struct {
	// Public is an *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or *mldsa.PublicKey.
	Public crypto.PublicKey
	// Kind tells what it can sign with.
	Kind suite.KeyKind
	// pss restricts an RSA-PSS key further; nil does not.
	pss *cert.PSSParameters
}

// Leaf reads the key of an end-entity certificate. The error wraps ErrCertificate or ErrKeyType or is ErrKeyUsage; with
// the last one the key is there all the same, for callers whom the usage does not matter to.
func Leaf(der []byte) (LeafKey, error) {
	c, err := cert.Parse(der)
	if err != nil {
		return LeafKey{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	kind := suite.KindOf(c.PublicKey, c.PSSOnly)
	if kind == 0 {
		if c.KeyError != nil {
			return LeafKey{}, fmt.Errorf("%w: %w", ErrKeyType, c.KeyError)
		}
		return LeafKey{}, fmt.Errorf("%w: %v", ErrKeyType, c.SPKIAlgorithm)
	}
	key := LeafKey{Public: c.PublicKey, Kind: kind, pss: c.PSS}
	if c.HasKeyUsage && c.KeyUsage&cert.DigitalSignature == 0 {
		return key, ErrKeyUsage
	}
	return key, nil
}

// Fits reports whether the key may sign with the scheme: its kind, and the parameters a certificate may bind an
// RSA-PSS key to (RFC 4055, Section 3.3: the same hashes, and a salt at least as long).
func (k LeafKey) Fits(s *suite.Scheme) bool {
	return s.Fits(k.Kind) && k.allows(s)
}

// allows reports whether the parameters that may be in the certificate let the key sign with the scheme.
func (k LeafKey) allows(s *suite.Scheme) bool {
	return k.pss == nil || (k.pss.Hash == s.Hash && k.pss.MGFHash == s.Hash && k.pss.SaltLength <= s.Hash.Size())
}

// RawKey reads a raw public key, a SubjectPublicKeyInfo in DER (RFC 7250, Section 3). The error wraps ErrCertificate for
// bytes that are none, and ErrKeyType for a key that we have no signature scheme for.
func RawKey(der []byte) (LeafKey, error) {
	public, err := cert.ParsePublicKey(der)
	if err != nil {
		if !isKeyInfo(der) {
			return LeafKey{}, fmt.Errorf("%w: %w", ErrCertificate, err)
		}
		return LeafKey{}, fmt.Errorf("%w: %w", ErrKeyType, err)
	}
	kind := suite.KindOf(public, false)
	if kind == 0 {
		return LeafKey{}, fmt.Errorf("%w: %T", ErrKeyType, public)
	}
	return LeafKey{Public: public, Kind: kind}, nil
}

// isKeyInfo reports whether the bytes have the form of a SubjectPublicKeyInfo, whatever key is in it.
func isKeyInfo(der []byte) bool {
	in := cryptobyte.String(der)
	var outer, algorithm cryptobyte.String
	var key []byte
	return in.ReadASN1(&outer, asn1.SEQUENCE) && in.Empty() && outer.ReadASN1(&algorithm, asn1.SEQUENCE) &&
		outer.ReadASN1BitStringAsBytes(&key) && outer.Empty()
}
