package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
)

// serveGo is the reference: the terminator that anybody writes with crypto/tls and io.Copy in forty lines.
func serveGo(o *options) error {
	cert, err := tls.LoadX509KeyPair(filepath.Join(o.dir, "server.pem"), filepath.Join(o.dir, "server.key"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(o.dir, "root.pem"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return errors.Join(err, errors.New("no root"))
	}
	open := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
	mutual := open.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, roots
	failed := make(chan error, 2)
	for i, config := range []*tls.Config{open, mutual} {
		l, err := tls.Listen("tcp", o.listen[i], config)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					failed <- err
					return
				}
				go terminateGo(c.(*tls.Conn), o.backend)
			}
		}()
	}
	return <-failed
}

func terminateGo(c *tls.Conn, backend string) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	if p := c.ConnectionState().PeerCertificates; len(p) > 0 && p[0].Subject.CommonName != clientName {
		return
	}
	b, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	defer b.Close()
	done := make(chan struct{})
	go func() {
		io.Copy(b, c)
		b.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(c, b)
	c.CloseWrite()
	<-done
}
