package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// serverName is the name that every client verifies.
const serverName = "bench.test"

// benchSuite is what crypto/tls prefers, too, where the processor has AES instructions.
const benchSuite = wire.TLS_AES_128_GCM_SHA256

// certificates are an ECDSA P-256 leaf below an ECDSA P-256 root.
type certificates struct {
	root *x509.Certificate
	leaf []byte // DER
	key  crypto.Signer
}

func newCertificates() (*certificates, error) {
	now := time.Now()
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, err
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, err
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Bench Root"}, rootKey, now)
	if err != nil {
		return nil, err
	}
	issuer := pki.Issuer{Certificate: root, Key: rootKey}
	leaf, err := issuer.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{serverName}, Key: key.Public()}, now)
	if err != nil {
		return nil, err
	}
	return &certificates{root: root, leaf: leaf.Raw, key: key}, nil
}

// secure is a connection of any stack.
type secure interface {
	net.Conn
	Handshake() error
}

// stack is a TLS implementation with one group and the suite TLS_AES_128_GCM_SHA256, configured once. No tickets are sent.
type stack struct {
	name string
	// client and server put it on top of what is there already.
	client, server func(nc net.Conn) (secure, error)
	// dial and listen are what a program uses over TCP.
	dial   func(addr string) (secure, error)
	listen func() (net.Listener, error)
}

// stacks are those that are compared; crypto/tls is the measure.
func stacks(c *certificates, g wire.Group) ([]stack, error) {
	ours, err := ourStack(c, g)
	return []stack{goStack(c, g), ours}, err
}

func goStack(c *certificates, g wire.Group) stack {
	roots := x509.NewCertPool()
	roots.AddCert(c.root)
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveID(g)}, SessionTicketsDisabled: true,
		RootCAs: roots, ServerName: serverName,
		Certificates: []tls.Certificate{{Certificate: [][]byte{c.leaf}, PrivateKey: c.key}},
	}
	return stack{
		name:   "crypto/tls",
		client: func(nc net.Conn) (secure, error) { return tls.Client(nc, config), nil },
		server: func(nc net.Conn) (secure, error) { return tls.Server(nc, config), nil },
		dial:   func(addr string) (secure, error) { return tls.Dial("tcp", addr, config) },
		listen: func() (net.Listener, error) { return tls.Listen("tcp", "127.0.0.1:0", config) },
	}
}

func ourStack(c *certificates, g wire.Group) (stack, error) {
	client := &tlsnet.Config{Roots: []*x509.Certificate{c.root}, ServerName: serverName}
	server := &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: [][]byte{c.leaf}, Key: c.key}}}
	for _, config := range []*tlsnet.Config{client, server} {
		config.Core.Groups = []wire.Group{g}
		config.Core.CipherSuites = []wire.CipherSuite{benchSuite}
	}
	dialer, err := tlsnet.NewDialer(client)
	if err != nil {
		return stack{}, err
	}
	pipes := make(pipeListener, 1)
	listener, err := tlsnet.NewListener(pipes, server)
	if err != nil {
		return stack{}, err
	}
	return stack{
		name:   "tlsnet",
		client: func(nc net.Conn) (secure, error) { return dialer.Upgrade(nc, serverName) },
		server: func(nc net.Conn) (secure, error) {
			pipes <- nc
			return listener.AcceptConn()
		},
		dial: func(addr string) (secure, error) {
			return dialer.Dial(context.Background(), "tcp", addr)
		},
		listen: func() (net.Listener, error) { return tlsnet.Listen("tcp", "127.0.0.1:0", server) },
	}, nil
}

// noTLS is TCP alone: what both stacks cannot go below.
func noTLS() stack {
	return stack{
		name: "plain TCP",
		dial: func(addr string) (secure, error) {
			c, err := net.Dial("tcp", addr)
			return plain{c}, err
		},
		listen: func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
	}
}

type plain struct{ net.Conn }

func (plain) Handshake() error { return nil }

// connect makes both handshakes at once over the two ends of a connection, which are closed if one fails.
func (s stack) connect(nc, sc net.Conn) (client, server secure, err error) {
	if client, err = s.client(nc); err != nil {
		return nil, nil, err
	}
	if server, err = s.server(sc); err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err = client.Handshake(); err != nil {
		nc.Close()
		sc.Close()
	}
	if err = errors.Join(err, <-done); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return client, server, nil
}

// host is a stack's listener that hands out its connections once their handshake is done.
type host struct {
	stack
	addr     string
	accepted chan secure
}

// serve listens until the process ends.
func (s stack) serve() (*host, error) {
	l, err := s.listen()
	if err != nil {
		return nil, err
	}
	h := &host{s, l.Addr().String(), make(chan secure)}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c, ok := nc.(secure)
			if !ok {
				c = plain{nc}
			}
			if c.Handshake() != nil {
				c.Close() // the client sees it
				continue
			}
			h.accepted <- c
		}
	}()
	return h, nil
}

// connect dials the host and returns both ends.
func (h *host) connect() (client, server secure, err error) {
	if client, err = h.dial(h.addr); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", h.name, err)
	}
	return client, <-h.accepted, nil
}
