package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// serveOurs is the reference's twin on tlsnet: what the stack costs without a gateway around it.
func serveOurs(o *options) error {
	chain, err := readChain(filepath.Join(o.dir, "server.pem"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(o.dir, "server.key"))
	if err != nil {
		return err
	}
	key, err := pki.ParsePrivateKeyPEM(text)
	if err != nil {
		return err
	}
	ders, err := readChain(filepath.Join(o.dir, "root.pem"))
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(ders[0])
	if err != nil {
		return err
	}
	open := &tlsnet.Config{Core: tlscore.Config{CipherSuites: []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}}, Identities: []tlsnet.Identity{{Chain: chain, Key: key}}}
	mutual := *open
	mutual.Core.ClientAuth = tlscore.RequireClientCert
	mutual.ClientRoots = []*x509.Certificate{root}
	failed := make(chan error, 2)
	for i, config := range []*tlsnet.Config{open, &mutual} {
		l, err := tlsnet.Listen("tcp", o.listen[i], config)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.AcceptConn()
				if err != nil {
					failed <- err
					return
				}
				go terminateOurs(c, o.backend)
			}
		}()
	}
	return <-failed
}

func terminateOurs(c *tlsnet.Conn, backend string) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	if p := c.Peer(); p.Leaf != nil && p.CommonName() != clientName {
		return
	}
	b, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	defer b.Close()
	done := make(chan struct{})
	go func() {
		c.WriteTo(b)
		b.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	c.ReadFrom(b)
	c.CloseWrite()
	<-done
}

// readChain returns the certificates of a PEM file, DER.
func readChain(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		chain = append(chain, b.Bytes)
	}
	if len(chain) == 0 {
		return nil, errors.New(file + ": no certificate")
	}
	return chain, nil
}

var _ io.WriterTo = (*tlsnet.Conn)(nil)
