package tlsnet

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Delegated is a delegated credential with its key (RFC 9345): what a certificate's owner hands to a server at the edge in the
// place of the certificate's own key. Whoever gets hold of it has it for some days, and cannot make another.
type Delegated struct {
	Credential []byte // as [tlscore.Delegate] makes it, for the role that shows it
	Key        crypto.Signer
}

// certified is the machine's form of an identity with certificates.
func (id *Identity) certified(role tlscore.Role) (tlscore.Identity, error) {
	out := tlscore.Identity{Chain: id.Chain, Names: id.Names, Staple: id.Staple, SCTs: id.SCTs, Above: id.Above, Tag: id.Key}
	if err := keyFits(*id); err != nil {
		return out, err
	}
	if id.Delegated == nil {
		return out, nil
	}
	if _, err := tlscore.CheckDelegated(id.Chain[0], role, id.Delegated.Credential); err != nil {
		return out, err
	}
	if err := id.Delegated.fits(); err != nil {
		return out, err
	}
	out.Delegated = &tlscore.Delegated{Credential: id.Delegated.Credential, Tag: id.Delegated.Key, Alone: id.Key == nil}
	return out, nil
}

// fits refuses a key that is not the credential's.
func (d *Delegated) fits() error {
	var dc wire.DelegatedCredential
	if err := dc.Parse(d.Credential); err != nil {
		return fmt.Errorf("delegated credential: %w", err)
	}
	if d.Key == nil {
		return errors.New("delegated credential: it has no key")
	}
	spki, err := cert.MarshalPublicKey(d.Key.Public())
	if err != nil {
		return fmt.Errorf("delegated credential: %w", err)
	}
	if !bytes.Equal(spki, dc.PublicKey) {
		return errors.New("delegated credential: the private key is not the one of the credential")
	}
	return nil
}

// delegatedBlock is the type of the PEM block of a delegated credential.
const delegatedBlock = "DELEGATED CREDENTIAL"

// MarshalPEM gives a credential and its key as one text, which [ParseDelegated] reads. The key must be at hand.
func (d *Delegated) MarshalPEM() ([]byte, error) {
	if err := d.fits(); err != nil {
		return nil, err
	}
	key, err := pki.MarshalPrivateKeyPEM(d.Key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: delegatedBlock, Bytes: d.Credential}), key...), nil
}

// ParseDelegated reads a credential and its key in PEM, in one text.
func ParseDelegated(text []byte) (*Delegated, error) {
	d := &Delegated{}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == delegatedBlock {
			d.Credential = block.Bytes
		}
	}
	if d.Credential == nil {
		return nil, fmt.Errorf("there is no PEM block %q", delegatedBlock)
	}
	var err error
	if d.Key, err = pki.ParsePrivateKeyPEM(text); err != nil {
		return nil, fmt.Errorf("read the credential's key: %w", err)
	}
	return d, d.fits()
}
