package tlsnet

import (
	"fmt"

	"github.com/tlswright/tlswright/pki"
)

// ParseIdentity makes an [Identity] of what stands in a server's files: the certificates in PEM, leaf first, and the
// private key of the leaf in PEM. Both may be one text. For a key under a passphrase see [pki.ParsePrivateKeyPEMWith].
// The error says which of the two cannot be read, or that they do not belong together.
func ParseIdentity(chain, key []byte) (Identity, error) {
	certificates, err := pki.CertificatesPEM(chain)
	if err != nil {
		return Identity{}, fmt.Errorf("read the certificates: %w", err)
	}
	signer, err := pki.ParsePrivateKeyPEM(key)
	if err != nil {
		return Identity{}, fmt.Errorf("read the private key: %w", err)
	}
	id := Identity{Chain: certificates, Key: signer}
	if err := keyFits(id); err != nil {
		return Identity{}, err
	}
	return id, nil
}
