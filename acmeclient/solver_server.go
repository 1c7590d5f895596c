package acmeclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"

	wireacme "github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// webSolver answers http-01 by a web server that runs while there is a challenge.
type webSolver struct {
	listen string
	say    func(string)

	mu     sync.Mutex
	proofs map[string]string // by path
	server *http.Server
}

// Present has the proof answered, and starts the server with the first one.
func (s *webSolver) Present(_ context.Context, ch acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		l, err := net.Listen("tcp", s.listen)
		if err != nil {
			return fmt.Errorf("the web server for the proof cannot listen: %w", err)
		}
		s.proofs = make(map[string]string)
		s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
		server := s.server
		go func() { _ = server.Serve(l) }()
	}
	s.proofs[ch.HTTP01ResourcePath()] = ch.KeyAuthorization
	return nil
}

// ServeHTTP answers with the proof, and with nothing else.
func (s *webSolver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	proof, ok := s.proofs[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, proof)
}

// CleanUp forgets a proof, and stops the server with the last one.
func (s *webSolver) CleanUp(_ context.Context, ch acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.proofs, ch.HTTP01ResourcePath())
	if s.server == nil || len(s.proofs) > 0 {
		return nil
	}
	err := s.server.Close()
	s.server = nil
	return err
}

// tlsSolver answers tls-alpn-01 by a TLS server that runs while there is a challenge.
type tlsSolver struct {
	listen string
	now    func() time.Time

	mu         sync.Mutex
	identities map[string]tlsnet.Identity // by server name
	listener   net.Listener
}

// Present has the certificate shown, and starts the server with the first one.
func (s *tlsSolver) Present(_ context.Context, ch acme.Challenge) error {
	id := wireacme.Identifier{Type: ch.Identifier.Type, Value: ch.Identifier.Value}
	identity, err := proofIdentity(id, ch.KeyAuthorization, s.now())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		l, err := net.Listen("tcp", s.listen)
		if err != nil {
			return fmt.Errorf("the TLS server for the proof cannot listen: %w", err)
		}
		s.listener, s.identities = l, make(map[string]tlsnet.Identity)
		go s.serve(l)
	}
	s.identities[strings.ToLower(wireacme.TLSALPN01ServerName(id))] = identity
	return nil
}

func (s *tlsSolver) serve(l net.Listener) {
	slots := make(chan struct{}, 64)
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			s.shake(conn)
		}()
	}
}

// shake makes one handshake: all that a validation wants.
func (s *tlsSolver) shake(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	s.mu.Lock()
	byName := maps.Clone(s.identities)
	s.mu.Unlock()
	config := &tlsnet.Config{Core: tlscore.Config{ALPN: []string{wireacme.ALPNProtocol}}}
	for _, id := range byName {
		config.Identities = append(config.Identities, id)
	}
	if len(config.Identities) == 0 {
		return
	}
	// By the name that is asked for, and not by those of the certificate: an address is asked for by its reverse name.
	config.ChooseIdentity = func(_ context.Context, q *tlscore.Question, candidates []*tlscore.Identity) (*tlscore.Identity, error) {
		wanted, ok := byName[strings.ToLower(q.ServerName)]
		for _, c := range candidates {
			if ok && bytes.Equal(c.Chain[0], wanted.Chain[0]) {
				return c, nil
			}
		}
		return nil, fmt.Errorf("no challenge is for %s", pki.Printable(q.ServerName))
	}
	c, err := tlsnet.Server(conn, config)
	if err != nil {
		return
	}
	if c.Handshake() == nil {
		_ = c.CloseWrite()
	}
}

// CleanUp forgets a certificate, and stops the server with the last one.
func (s *tlsSolver) CleanUp(_ context.Context, ch acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.identities, strings.ToLower(wireacme.TLSALPN01ServerName(wireacme.Identifier{Type: ch.Identifier.Type, Value: ch.Identifier.Value})))
	if s.listener == nil || len(s.identities) > 0 {
		return nil
	}
	err := s.listener.Close()
	s.listener = nil
	return err
}

// proofIdentity is the self-signed certificate of tls-alpn-01 (RFC 8737, Section 3).
func proofIdentity(id wireacme.Identifier, keyAuthorization string, now time.Time) (tlsnet.Identity, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return tlsnet.Identity{}, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ACME challenge"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: wireacme.ACMEIdentifierOID(), Critical: true, Value: wireacme.ACMEIdentifierValue(keyAuthorization)}}}
	if id.Type == wireacme.TypeIP {
		ip := net.ParseIP(id.Value)
		if ip == nil {
			return tlsnet.Identity{}, errors.New("the server's identifier is no address")
		}
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{id.Value}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return tlsnet.Identity{}, err
	}
	return tlsnet.Identity{Chain: [][]byte{der}, Key: key}, nil
}
