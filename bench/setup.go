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
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// serverName is the name that every client verifies.
const serverName = "bench.test"

// benchSuite is what crypto/tls prefers, too, where the processor has AES instructions.
const (
	benchSuite   = wire.TLS_AES_128_GCM_SHA256
	benchSuite12 = wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
)

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
	leaf, err := issuer.Issue(pki.Request{Profile: pki.ProfilePeer, SANs: []string{serverName}, Key: key.Public()}, now)
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

// variant says what kind of connection is compared. The suite is always that with AES-128-GCM, the key share's group the
// only one there is, but that in TLS 1.2 the group of the certificate's key must be offered, too (RFC 8422, Section 5.1). Without resume no tickets are sent.
type variant struct {
	group  wire.Group
	tls12  bool
	mutual bool          // the client shows a certificate, too
	resume bool          // the client offers what it keeps of the connection before
	delay  time.Duration // tlsnet: Config.WriteDelay
}

// stack is a TLS implementation for one variant, configured once.
type stack struct {
	name string
	// client and server put it on top of what is there already.
	client, server func(nc net.Conn) (secure, error)
	// dial and listen are what a program uses over TCP.
	dial   func(addr string) (secure, error)
	listen func() (net.Listener, error)
}

// stacks are those that are compared; crypto/tls is the measure.
func stacks(c *certificates, v variant) ([]stack, error) {
	ours, err := ourStack(c, v)
	return []stack{goStack(c, v), ours}, err
}

func goStack(c *certificates, v variant) stack {
	roots := x509.NewCertPool()
	roots.AddCert(c.root)
	identity := []tls.Certificate{{Certificate: [][]byte{c.leaf}, PrivateKey: c.key}}
	base := tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveID(v.group)}, SessionTicketsDisabled: !v.resume}
	if v.tls12 {
		base.MinVersion, base.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		base.CipherSuites = []uint16{uint16(benchSuite12)}
		base.CurvePreferences = append(base.CurvePreferences, tls.CurveP256)
	}
	server, client := base.Clone(), base.Clone()
	server.Certificates = identity
	client.RootCAs, client.ServerName = roots, serverName
	if v.mutual {
		server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, roots
		client.Certificates = identity
	}
	if v.resume {
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return stack{
		name:   "crypto/tls",
		client: func(nc net.Conn) (secure, error) { return tls.Client(nc, client), nil },
		server: func(nc net.Conn) (secure, error) { return tls.Server(nc, server), nil },
		dial:   func(addr string) (secure, error) { return tls.Dial("tcp", addr, client) },
		listen: func() (net.Listener, error) { return tls.Listen("tcp", "127.0.0.1:0", server) },
	}
}

// ourConfigs are those of the two ends.
func ourConfigs(c *certificates, v variant) (client, server *tlsnet.Config) {
	identity := []tlsnet.Identity{{Chain: [][]byte{c.leaf}, Key: c.key}}
	roots := []*x509.Certificate{c.root}
	client = &tlsnet.Config{Roots: roots, ServerName: serverName}
	server = &tlsnet.Config{Identities: identity}
	for _, config := range []*tlsnet.Config{client, server} {
		config.Core.Groups = []wire.Group{v.group}
		config.Core.CipherSuites = []wire.CipherSuite{benchSuite}
		config.Core.NoTickets = !v.resume
		config.WriteDelay = v.delay
		if v.tls12 {
			config.Core.MinVersion, config.Core.MaxVersion = wire.VersionTLS12, wire.VersionTLS12
			config.Core.CipherSuites = []wire.CipherSuite{benchSuite12}
			config.Core.Groups = append(config.Core.Groups, wire.GroupSecp256r1)
		}
	}
	if v.mutual {
		server.Core.ClientAuth, server.ClientRoots = tlscore.RequireClientCert, roots
		client.Identities = identity
	}
	if v.resume {
		client.Sessions, server.Tickets = tlsnet.NewMemorySessions(1), 1
	}
	return client, server
}

func ourStack(c *certificates, v variant) (stack, error) {
	client, server := ourConfigs(c, v)
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

// wasResumed reports whether a connection of either stack resumed an earlier one.
func wasResumed(c secure) bool {
	switch c := c.(type) {
	case *tls.Conn:
		return c.ConnectionState().DidResume
	case *tlsnet.Conn:
		return c.Facts().Resumed
	}
	return false
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
