package main

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/pki"
)

const (
	serverName  = "localhost"
	clientName  = "alice" // the common name that authorization asks for
	freshClient = 512     // certificates for connections of clients that nobody has seen before
)

// certificates are ECDSA P-256 leaves right below an ECDSA P-256 root, as they stand in the folder of a run.
type certificates struct {
	dir    string
	issuer pki.Issuer
	client tls.Certificate
	now    time.Time
}

func newCertificates(dir string) (*certificates, error) {
	now := time.Now()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, err
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Bench Root"}, key, now)
	if err != nil {
		return nil, err
	}
	c := &certificates{dir: dir, issuer: pki.Issuer{Certificate: root, Key: key}, now: now}
	if err := c.write("root.pem", pki.AppendCertificatePEM(nil, root.Raw)); err != nil {
		return nil, err
	}
	server, serverKey, err := c.issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{serverName, "127.0.0.1"}})
	if err != nil {
		return nil, err
	}
	keyPEM, err := pki.MarshalPrivateKeyPEM(serverKey)
	if err != nil {
		return nil, err
	}
	chain := pki.AppendCertificatePEM(nil, server.Raw)
	for name, text := range map[string][]byte{
		"server.pem": chain, "server.key": keyPEM, "both.pem": append(chain[:len(chain):len(chain)], keyPEM...),
	} {
		if err := c.write(name, text); err != nil {
			return nil, err
		}
	}
	c.client, err = c.newClient()
	return c, err
}

func (c *certificates) write(name string, text []byte) error {
	return os.WriteFile(filepath.Join(c.dir, name), text, 0o600)
}

func (c *certificates) issue(r pki.Request) (*x509.Certificate, crypto.Signer, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, nil, err
	}
	r.Key = key.Public()
	leaf, err := c.issuer.Issue(r, c.now)
	if err != nil {
		return nil, nil, fmt.Errorf("issue: %w", err)
	}
	return leaf, key, nil
}

// newClient issues another certificate for the client.
func (c *certificates) newClient() (tls.Certificate, error) {
	leaf, key, err := c.issue(pki.Request{Profile: pki.ProfileClient, CommonName: clientName, SANs: []string{"alice@example.test"}})
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, nil
}
