package verify

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// ErrSignature is returned, wrapped, for a signature that does not match.
var ErrSignature = suite.ErrSignature

// ErrScheme is returned, wrapped, for a scheme that must not sign a CertificateVerify, or not with this key
// (RFC 8446, Section 4.4.3: illegal_parameter).
var ErrScheme = errors.New("signature scheme does not go with the key")

// Signer says who signed: the context string differs, so that a signature of the one never passes for the other's.
type Signer uint8

// The two signers of a handshake.
const (
	ServerSigner Signer = iota + 1
	ClientSigner
)

// context is the context string of RFC 8446, Section 4.4.3.
func (s Signer) context() string {
	if s == ServerSigner {
		return "TLS 1.3, server CertificateVerify"
	}
	return "TLS 1.3, client CertificateVerify"
}

// CertificateVerifyInput returns what is signed in a CertificateVerify: 64 spaces, a context string, a zero byte and
// the transcript hash, which ends at the Certificate message (RFC 8446, Section 4.4.3). The spaces undo an attack on
// earlier versions, where the peer could choose the first 32 or 64 bytes of what is signed.
func CertificateVerifyInput(role Signer, th []byte) []byte {
	const spaces = "                                                                "
	context := role.context()
	b := make([]byte, 0, len(spaces)+len(context)+1+len(th))
	b = append(b, spaces...)
	b = append(b, context...)
	b = append(b, 0)
	return append(b, th...)
}

// SignatureProof says that the signature of a CertificateVerify holds.
type SignatureProof struct {
	proven bool
	role   Signer
	scheme wire.SignatureScheme
	key    crypto.PublicKey
}

// Holds reports whether this is a proof: CertificateVerify has made it.
func (p *SignatureProof) Holds() bool { return p != nil && p.proven }

// Role returns who signed.
func (p *SignatureProof) Role() Signer { return p.role }

// Scheme returns the scheme of the signature.
func (p *SignatureProof) Scheme() wire.SignatureScheme { return p.scheme }

// Key returns the key whose owner has signed.
func (p *SignatureProof) Key() crypto.PublicKey { return p.key }

// CertificateVerify checks the signature of a CertificateVerify over the transcript hash th. The error wraps ErrScheme
// where the scheme cannot be used in TLS 1.3 or not with this kind of key, ErrSignature where the signature does not
// match, and suite.ErrKeySize for an RSA key too small or too large. Whether the scheme was offered is the caller's
// to check.
func CertificateVerify(role Signer, scheme *suite.Scheme, key LeafKey, th, sig []byte) (*SignatureProof, error) {
	if scheme == nil || !scheme.TLS13 || !key.Fits(scheme) {
		return nil, schemeError(scheme, key)
	}
	if role != ServerSigner && role != ClientSigner {
		return nil, errors.New("no such signer")
	}
	if err := scheme.Verify(key.Public, CertificateVerifyInput(role, th), sig); err != nil {
		return nil, fmt.Errorf("certificate_verify with %v: %w", scheme.ID, err)
	}
	return &SignatureProof{proven: true, role: role, scheme: scheme.ID, key: key.Public}, nil
}

func schemeError(scheme *suite.Scheme, key LeafKey) error {
	if scheme == nil {
		return fmt.Errorf("%w: unknown scheme", ErrScheme)
	}
	return fmt.Errorf("%w: %v and %v", ErrScheme, scheme.ID, key.Kind)
}
