package minitls

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"
)

// ClientConfig is whom a client wants to talk to, and whom it believes.
type ClientConfig struct {
	Options
	ServerName string            // the common name of the server's certificate
	Root       *x509.Certificate // of the CA, with an Ed25519 key
}

// Client is the machine of the client. It awaits ServerHello, Certificate, CertificateVerify, Finished, then Data.
type Client struct {
	machine
	config ClientConfig
	server ed25519.PublicKey // trusted once the certificate is verified
}

// NewClient makes a client and the line that opens the conversation (steps 5 and 6). The error says what the configuration
// lacks.
func NewClient(config ClientConfig) (*Client, []byte, error) {
	if config.Root == nil || config.ServerName == "" {
		return nil, nil, errors.New("a client needs the root it trusts and the name it looks for")
	}
	m, err := newMachine(config.Options)
	if err != nil {
		return nil, nil, err
	}
	c := &Client{machine: m, config: config}
	c.steps(5, "ClientHello goes out with this random", c.random)
	c.send(ClientHello{"ClientHello", Version, []string{Suite}, c.random, c.private.PublicKey().Bytes(), config.ServerName})
	c.steps(6, "transcript hash up to ClientHello", c.sum())
	c.expects = c.onServerHello
	return c, c.result.Send, nil
}

// onServerHello: both now know the same secret (steps 7 to 9).
func (c *Client) onServerHello(line []byte, _ time.Time) (state, *Error) {
	var m ServerHello
	if err := decode(line, "ServerHello", &m); err != nil {
		return nil, err
	}
	if err := checkHello(m.Version, m.ServerRandom); err != nil {
		return nil, err
	}
	if m.CipherSuite != Suite {
		return nil, fail(CheckSuite, "the server chose %.40q, which was not offered", m.CipherSuite)
	}
	c.add(line)
	c.steps(7, "ServerHello came in; transcript hash", c.sum())
	if err := c.share(m.EphPubKey); err != nil {
		return nil, err
	}
	return c.onCertificate, nil
}

// onCertificate: the server says who it is; the CA must agree (steps 10 and 11).
func (c *Client) onCertificate(line []byte, now time.Time) (state, *Error) {
	var m Certificate
	if err := decode(line, "Certificate", &m); err != nil {
		return nil, err
	}
	c.add(line)
	c.steps(10, "Certificate came in; transcript hash", c.sum())
	key, err := c.verify(m.Certificate, now)
	if err != nil {
		return nil, err
	}
	c.server = key
	c.steps(11, "the CA vouches for this public key of the server", key)
	return c.onCertificateVerify, nil
}

// verify makes the four checks of step 11 and returns the server's public key.
func (c *Client) verify(text []byte, now time.Time) (ed25519.PublicKey, *Error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		return nil, fail(CheckForm, "Certificate is not one certificate in PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fail(CheckForm, "the certificate cannot be read: %v", err)
	}
	key, isEd25519 := leaf.PublicKey.(ed25519.PublicKey)
	switch {
	case !isEd25519:
		return nil, fail(CheckForm, "the certificate has no Ed25519 key")
	case !bytes.Equal(leaf.RawIssuer, c.config.Root.RawSubject):
		return nil, fail(CheckIssuer, "the certificate was issued by %q, not by %q", leaf.Issuer, c.config.Root.Subject)
	case leaf.CheckSignatureFrom(c.config.Root) != nil:
		return nil, fail(CheckSignature, "the signature on the certificate was not made by the CA's key")
	case leaf.IsCA:
		return nil, fail(CheckSignature, "the certificate is that of a CA, not of a server")
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return nil, fail(CheckDates, "the certificate is valid from %s to %s only", leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	case leaf.Subject.CommonName != c.config.ServerName:
		return nil, fail(CheckCommonName, "the certificate is for %q, not %q", leaf.Subject.CommonName, c.config.ServerName)
	}
	return key, nil
}

// onCertificateVerify: whoever sent the certificate has its key too, and saw these very lines (steps 12 and 13).
func (c *Client) onCertificateVerify(line []byte, _ time.Time) (state, *Error) {
	var m CertificateVerify
	if err := decode(line, "CertificateVerify", &m); err != nil {
		return nil, err
	}
	signed := c.sum() // up to Certificate, without this line
	c.add(line)
	c.steps(12, "CertificateVerify came in with this signature", m.Signature)
	if !ed25519.Verify(c.server, signed, m.Signature) {
		return nil, fail(CheckCertificateVerify, "the signature does not fit the certificate's key and the lines so far")
	}
	c.steps(13, "the signature over this transcript hash is right", signed)
	return c.onFinished, nil
}

// onFinished: the server has the same keys and saw the same lines; we say the same of us (step 14).
func (c *Client) onFinished(line []byte, _ time.Time) (state, *Error) {
	var m Finished
	if err := decode(line, "Finished", &m); err != nil {
		return nil, err
	}
	if !hmac.Equal(m.MAC, c.keys.finished("server", c.sum())) {
		return nil, fail(CheckServerFinished, "the server saw other lines, or has other keys")
	}
	c.add(line)
	mac := c.keys.finished("client", c.sum())
	c.send(Finished{"Finished", mac})
	c.steps(14, "the server's Finished is right; ours goes out", mac)
	c.sealer = c.keys.direction("client")
	c.opener = c.keys.direction("server")
	return c.openData, nil
}
