package verify

import (
	"crypto"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// FitsTLS12 is Fits by the rules of TLS 1.2, where an ECDSA scheme goes with every curve (RFC 8446, Section 4.2.3).
func (k LeafKey) FitsTLS12(s *suite.Scheme) bool {
	return s.TLS12 && s.FitsTLS12(k.Kind) && k.allows(s)
}

// KeyExchangeProof says that the server has signed its ephemeral key for this connection. It is what TLS 1.2 has in
// place of a SignatureProof of the server.
type KeyExchangeProof struct {
	proven bool
	scheme wire.SignatureScheme
	key    crypto.PublicKey
}

// Holds reports whether this is a proof: ServerKeyExchange has made it.
func (p *KeyExchangeProof) Holds() bool { return p != nil && p.proven }

// Scheme returns the scheme of the signature.
func (p *KeyExchangeProof) Scheme() wire.SignatureScheme { return p.scheme }

// Key returns the key whose owner has signed.
func (p *KeyExchangeProof) Key() crypto.PublicKey { return p.key }

// ServerKeyExchangeInput returns what is signed in a ServerKeyExchange: the two randoms, the client's first, and the
// parameters as wire.ServerKeyExchange.AppendParams gives them (RFC 8422, Section 5.4).
func ServerKeyExchangeInput(r *keys.Randoms, params []byte) []byte {
	b := make([]byte, 0, len(r.Client)+len(r.Server)+len(params))
	b = append(b, r.Client[:]...)
	b = append(b, r.Server[:]...)
	return append(b, params...)
}

// ServerKeyExchange checks the signature of a ServerKeyExchange over its parameters. The errors are those of
// CertificateVerify. Whether the scheme and the group were offered and whether the key goes with the cipher suite are
// the caller's to check.
func ServerKeyExchange(scheme *suite.Scheme, key LeafKey, r *keys.Randoms, params, sig []byte) (*KeyExchangeProof, error) {
	if err := signed12("server_key_exchange", scheme, key, ServerKeyExchangeInput(r, params), sig); err != nil {
		return nil, err
	}
	return &KeyExchangeProof{proven: true, scheme: scheme.ID, key: key.Public}, nil
}

// CertificateVerify12 checks the signature of a client's CertificateVerify of TLS 1.2. messages are all handshake
// messages before it from the ClientHello on, headers included, as keys.Transcript.Messages gives them, and not their
// hash: the scheme has its own (RFC 5246, Section 7.4.8). The errors are those of CertificateVerify; whether the scheme
// was offered is the caller's to check.
func CertificateVerify12(scheme *suite.Scheme, key LeafKey, messages, sig []byte) (*SignatureProof, error) {
	// A signature over nothing could be replayed, and a transcript that was not kept must not pass for a short one.
	if len(messages) == 0 {
		return nil, errors.New("certificate_verify without a transcript")
	}
	if err := signed12("certificate_verify", scheme, key, messages, sig); err != nil {
		return nil, err
	}
	return &SignatureProof{proven: true, role: ClientSigner, scheme: scheme.ID, key: key.Public}, nil
}

// signed12 checks a signature by the rules of TLS 1.2.
func signed12(message string, scheme *suite.Scheme, key LeafKey, input, sig []byte) error {
	if scheme == nil || !key.FitsTLS12(scheme) {
		return schemeError(scheme, key)
	}
	if err := scheme.VerifyTLS12(key.Public, input, sig); err != nil {
		return fmt.Errorf("%s with %v: %w", message, scheme.ID, err)
	}
	return nil
}

// Finished12 checks the verify_data of a Finished of TLS 1.2, in constant time. role says who sent it, th ends before
// it (RFC 5246, Section 7.4.9).
func Finished12(role Signer, m keys.Master12, th, got []byte) (*FinishedProof, error) {
	if m.IsZero() {
		return nil, ErrFinished
	}
	var want []byte
	switch role {
	case ServerSigner:
		want = m.ServerFinished(th)
	case ClientSigner:
		want = m.ClientFinished(th)
	default:
		return nil, ErrFinished
	}
	if subtle.ConstantTimeCompare(want, got) != 1 {
		return nil, ErrFinished
	}
	return &FinishedProof{proven: true}, nil
}
