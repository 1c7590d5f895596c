package main

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// credential is a certificate with its key, as the flags name it.
type credential struct {
	chainFile, keyFile string
	schemes            []wire.SignatureScheme
	leftOut            bool // of the schemes, some
	mustMatchIssuer    bool
	staple             []byte
	scts               [][]byte
	raw                bool         // the key stands alone
	delegates          bool         // the key is that of a delegated credential
	delegated          []byte       // that credential
	psk                *tlscore.PSK // in the place of a certificate; nil: none

	number int // as -expect-selected-credential counts: from 0 in order of the flags; -1 for the fallback
	key    crypto.Signer
}

// signsWith adds a scheme to sign with. Those that we do not have, with SHA-1, are left out, as long as there are others.
func (c *credential) signsWith(v string) bool {
	var id wire.SignatureScheme
	if !number(&id, v) {
		return false
	}
	if suite.SchemeByID(id) == nil {
		c.leftOut = true
	} else {
		c.schemes = append(c.schemes, id)
	}
	return true
}

// identities loads the credentials, in order of preference: the fallback comes last.
func (c *settings) identities() ([]tlscore.Identity, error) {
	c.fallback.number = -1
	for i, cred := range c.credentials {
		cred.number = i
	}
	var out []tlscore.Identity
	for _, cred := range append(c.credentials, &c.fallback) {
		if cred.psk != nil || cred.chainFile == "" && cred.keyFile == "" {
			continue
		}
		if cred.leftOut && len(cred.schemes) == 0 {
			return nil, unimplemented("signature schemes")
		}
		if cred.chainFile == "" && !cred.raw || cred.keyFile == "" {
			return nil, unimplemented("certificate or key alone")
		}
		id, err := cred.load()
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// psks lists the external pre-shared keys among the credentials.
func (c *settings) psks() (out []tlscore.PSK) {
	for _, cred := range c.credentials {
		if cred.psk == nil {
			continue
		}
		cred.psk.Tag = cred
		if c.server {
			cred.psk.Role = tlscore.RoleServer
		}
		out = append(out, *cred.psk)
	}
	return out
}

func (c *credential) load() (tlscore.Identity, error) {
	data, err := os.ReadFile(c.keyFile)
	if err != nil {
		return tlscore.Identity{}, err
	}
	if c.key, err = pki.ParsePrivateKeyPEM(data); err != nil {
		return tlscore.Identity{}, unimplemented(fmt.Sprintf("key: %v", err))
	}
	if c.raw {
		key, err := cert.MarshalPublicKey(c.key.Public())
		if err != nil {
			return tlscore.Identity{}, unimplemented(fmt.Sprintf("key: %v", err))
		}
		return tlscore.Identity{Chain: [][]byte{key}, Type: wire.CertificateTypeRawPublicKey, Schemes: c.schemes, Tag: c}, nil
	}
	chain, err := readChain(c.chainFile)
	if err == nil && c.delegates {
		return c.loadDelegated(chain)
	}
	return tlscore.Identity{Chain: chain, Schemes: c.schemes, Staple: c.staple, SCTs: c.scts, Tag: c}, err
}

// readChain reads the certificates of a PEM file, as bytes: some of BoGo's are none that a parser would take.
func readChain(file string) ([][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		chain = append(chain, block.Bytes)
	}
	return chain, nil
}

// loadDelegated makes the identity of a delegated credential, which BoringSSL holds without the certificate's own key. The
// machine does not see the credential's key: whether it fits is the application's to know.
func (c *credential) loadDelegated(chain [][]byte) (id tlscore.Identity, err error) {
	var dc wire.DelegatedCredential
	if err := dc.Parse(c.delegated); err != nil {
		return id, fmt.Errorf(":DECODE_ERROR: %w", err)
	}
	key, err := cert.MarshalPublicKey(c.key.Public())
	if err != nil {
		return id, err
	}
	if !bytes.Equal(key, dc.PublicKey) {
		return id, errors.New(":KEY_VALUES_MISMATCH: the key is not the credential's")
	}
	return tlscore.Identity{Chain: chain, Staple: c.staple, SCTs: c.scts, Tag: c,
		Delegated: &tlscore.Delegated{Credential: c.delegated, Tag: c, Alone: true}}, nil
}
