package tlsnet

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// ErrUnknownKey is the error, or Peer.Problem, of a peer whose raw public key is none of Config.RawKeys.
var ErrUnknownKey = errors.New("tlsnet: the peer shows a raw public key that is not pinned")

// checkRawKeys refuses pins that no raw key can match.
func (c *Config) checkRawKeys() error {
	for _, p := range c.RawKeys {
		if p.Kind != pki.PinKindSPKI {
			return errors.New("raw keys: only the pin of a public key can match one")
		}
	}
	if len(c.RawKeys) > maxPins {
		return errors.New("raw keys: too many pins")
	}
	return nil
}

// peerTypes says which types of certificates are taken, where the caller does not.
func (c *Config) peerTypes(role tlscore.Role) []wire.CertificateType {
	certificates := len(c.Roots) > 0 || c.SystemRoots
	if role == tlscore.RoleServer {
		certificates = len(c.ClientRoots) > 0
	}
	switch {
	case len(c.RawKeys) == 0:
		return nil
	case certificates:
		return []wire.CertificateType{wire.CertificateTypeRawPublicKey, wire.CertificateTypeX509}
	}
	return []wire.CertificateType{wire.CertificateTypeRawPublicKey}
}

// rawIdentity is the machine's form of a key without a certificate.
func rawIdentity(id Identity) (tlscore.Identity, error) {
	der, err := cert.MarshalPublicKey(id.Key.Public())
	return tlscore.Identity{Chain: [][]byte{der}, Type: wire.CertificateTypeRawPublicKey, Names: id.Names, Tag: id.Key}, err
}

// judgeKey looks whether a raw public key is pinned.
func (s *settings) judgeKey(der []byte) (*Peer, error) {
	p := &Peer{Raw: [][]byte{der}, RawKey: der}
	sum := sha256.Sum256(der)
	for _, pin := range s.rawKeys {
		if subtle.ConstantTimeCompare(pin.SHA256[:], sum[:]) == 1 {
			p.keyPinned = true
			return p, nil
		}
	}
	return p, ErrUnknownKey
}
