package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

func goPeer() peer {
	return peer{
		name:      "Go crypto/tls",
		version:   func() (string, error) { return runtime.Version(), nil },
		groups:    func() []wire.Group { return allGroups },
		kinds:     without(allKinds, rsaPSS), // crypto/x509 does not read id-RSASSA-PSS keys
		suites:    slices.Concat(without(allSuites, ccmSuites...), without(allSuites12, ccmSuites...)),
		ownOrder:  true,
		httpServe: goHTTPServe,
		httpDial:  goHTTPDial,
		steerless: true,
		returns: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.cache = tls.NewLRUClientSessionCache(1)
			if got := goDial(ctx, p, addr, a); got.err != nil {
				return got
			}
			return goDial(ctx, p, addr, a)
		},
		readsOCSP: goReadsStaples,
		readsSCT:  goReadsStaples,
		sendsSCT:  true,
		serve:     goServe,
		dial:      goDial,
		alertText: map[wire.AlertCode]string{
			wire.AlertBadCertificate:               "bad certificate",
			wire.AlertUnknownCA:                    "unknown certificate authority",
			wire.AlertCertificateRequired:          "certificate required",
			wire.AlertCertificateUnknown:           "unknown certificate",
			wire.AlertNoApplicationProtocol:        "no application protocol",
			wire.AlertHandshakeFailure:             "handshake failure",
			wire.AlertProtocolVersion:              "protocol version not supported",
			wire.AlertCertificateRevoked:           "revoked certificate",
			wire.AlertBadCertificateStatusResponse: "bad certificate status response",
		},
		note: "in the same process; its TLS 1.3 cipher suites cannot be steered, so that our end does it",
	}
}

func goConfig(p *pki, a asks) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(p.root)
	c := &tls.Config{MinVersion: uint16(a.oldest()), MaxVersion: uint16(a.newest()), RootCAs: roots, ClientCAs: roots, NextProtos: a.alpn, ServerName: a.name, ClientSessionCache: a.cache}
	for _, g := range a.groups {
		c.CurvePreferences = append(c.CurvePreferences, tls.CurveID(g))
	}
	for _, id := range a.suites {
		c.CipherSuites = append(c.CipherSuites, uint16(id)) // only those of TLS 1.2 count
	}
	if a.identity != nil {
		c.Certificates = []tls.Certificate{{Certificate: a.identity.chain, PrivateKey: a.identity.key}}
		if a.ocsp != nil {
			c.Certificates[0].OCSPStaple = a.ocsp.der
		}
		if a.sct != nil {
			c.Certificates[0].SignedCertificateTimestamps = a.sct.scts
		}
	}
	if a.requireClient {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if a.name == "" {
		c.ServerName = "127.0.0.1"
	}
	return c
}

type goServer struct {
	net.Listener
	asks    asks
	results chan error
}

func goServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", goConfig(p, a))
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	s := &goServer{l, a, make(chan error, 1)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.results <- s.one(ctx, c.(*tls.Conn))
		}
	}()
	return s, nil
}

func (s *goServer) one(ctx context.Context, c *tls.Conn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("crypto/tls: handshake: %w", err)
	}
	return s.asks.pumper()(c, s.asks.down(), s.asks.up(), "us to server")
}

func (s *goServer) addr() string { return s.Listener.Addr().String() }
func (s *goServer) log() string {
	select {
	case err := <-s.results:
		return fmt.Sprint(err)
	default:
		return ""
	}
}
func (s *goServer) mentions(ctx context.Context, text string) error {
	select {
	case err := <-s.results:
		if err == nil || !strings.Contains(err.Error(), text) {
			return fmt.Errorf("the server does not speak of %q: %w", text, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (s *goServer) stop() { s.Listener.Close() }
func (s *goServer) exchange(c net.Conn) error {
	if err := pump(c, s.asks.up(), s.asks.down(), "server to us"); err != nil {
		return err
	}
	return <-s.results
}

func goReadsStaples(ctx context.Context, p *pki, addr string, a asks) told {
	d := tls.Dialer{Config: goConfig(p, a)}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return told{err: err}
	}
	s := c.(*tls.Conn).ConnectionState()
	switch {
	case a.ocsp != nil && !bytes.Equal(s.OCSPResponse, a.ocsp.der):
		err = errors.New("it read another OCSP response")
	case a.sct != nil && !slices.EqualFunc(s.SignedCertificateTimestamps, a.sct.scts, bytes.Equal):
		err = errors.New("it read other SCTs")
	}
	return told{err: errors.Join(err, c.Close())}
}

func goDial(ctx context.Context, p *pki, addr string, a asks) told {
	d := tls.Dialer{Config: goConfig(p, a)}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return told{err: err, log: err.Error()}
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := a.pumper()(c, a.up(), a.down(), "us to client"); err != nil {
		return told{err: err, log: err.Error()}
	}
	// Whoever closes while the other end still closes makes its close_notify fail.
	if _, err := io.Copy(io.Discard, c); err != nil {
		return told{err: err, log: err.Error()}
	}
	return told{}
}
