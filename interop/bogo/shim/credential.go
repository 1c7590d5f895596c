package main

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// credential is a certificate with its key, as the flags name it.
type credential struct {
	chainFile, keyFile string
	schemes            []wire.SignatureScheme
	mustMatchIssuer    bool
	staple             []byte
	scts               [][]byte

	number int // as -expect-selected-credential counts: from 0 in order of the flags; -1 for the fallback
	key    crypto.Signer
}

// identities loads the credentials, in order of preference: the fallback comes last.
func (c *settings) identities() ([]tlscore.Identity, error) {
	c.fallback.number = -1
	for i, cred := range c.credentials {
		cred.number = i
	}
	var out []tlscore.Identity
	for _, cred := range append(c.credentials, &c.fallback) {
		if cred.chainFile == "" && cred.keyFile == "" {
			continue
		}
		if cred.chainFile == "" || cred.keyFile == "" {
			return nil, unimplemented("certificate or key alone")
		}
		id, err := cred.load()
		if err != nil {
			return nil, err
		}
		if c.ocsp.decline {
			id.Staple = nil
		}
		out = append(out, id)
	}
	return out, nil
}

func (c *credential) load() (tlscore.Identity, error) {
	data, err := os.ReadFile(c.keyFile)
	if err != nil {
		return tlscore.Identity{}, err
	}
	if c.key, err = pki.ParsePrivateKeyPEM(data); err != nil {
		return tlscore.Identity{}, unimplemented(fmt.Sprintf("key: %v", err))
	}
	chain, err := readChain(c.chainFile)
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
