package gateway

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// nameError refuses a client that asks for a name which no site has.
type nameError struct {
	name   string // fit to print; "": none was given
	served string
}

// Error implements error.
func (e *nameError) Error() string {
	if e.name == "" {
		return "the client names no server, and no site is for all names"
	}
	return "no site has the name " + e.name
}

// pendingError refuses clients of a site that has no certificate yet.
type pendingError struct{ site string }

// Error implements error.
func (e *pendingError) Error() string {
	return "the certificate of the site " + e.site + " has not been obtained yet"
}

// challengeError refuses a validation that nobody asked for.
type challengeError struct{ name string }

// Error implements error.
func (e *challengeError) Error() string {
	return "a validation by tls-alpn-01 came for " + e.name + ", for which no certificate is being ordered"
}

// policyError refuses a client by rules.
type policyError struct {
	site     string
	decision access.Decision
}

// Error implements error.
func (e *policyError) Error() string { return e.decision.Text }

// revokedError refuses a client whose certificate is revoked, or may be.
type revokedError struct{ err error }

// Error implements error.
func (e *revokedError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *revokedError) Unwrap() error { return e.err }

// choose picks the site of a connection by the client's first words.
func (g *Gateway) choose(l *listener, h *tlsnet.ClientHello) (*tlsnet.Prepared, error) {
	// RFC 8737, Section 3: the ALPN extension of a validation MUST contain acme-tls/1 and nothing else.
	if slices.Contains(h.ALPN, acme.ALPNProtocol) {
		if p := g.proofs.prepared(h.ServerName); p != nil && len(h.ALPN) == 1 {
			return p, nil
		}
		return nil, &tlsnet.RefusalError{Alert: wire.AlertNoApplicationProtocol, Err: &challengeError{pki.Printable(h.ServerName)}}
	}
	r := g.state.Load().reach[l.name]
	if r == nil {
		return nil, &nameError{name: pki.Printable(h.ServerName)} // the listener is being closed
	}
	r.countOffered(g, h)
	d := r.find(asked(h))
	if d == nil {
		return nil, &nameError{name: pki.Printable(h.ServerName), served: r.names()}
	}
	p := d.prepared.Load()
	if p == nil {
		return nil, &tlsnet.RefusalError{Alert: wire.AlertInternalError, Err: &pendingError{d.site.name}}
	}
	return p, nil
}

// asked is the name that a client wants: the one it gives, or else the address that it came to.
func asked(h *tlsnet.ClientHello) string {
	if h.ServerName != "" {
		return canonicalHost(h.ServerName)
	}
	if a, ok := addrPort(h.Local); ok {
		return a.Addr().Unmap().WithZone("").String()
	}
	return ""
}

// addrPort is the address and port of a, if it has them.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	switch a := a.(type) {
	case *net.TCPAddr:
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), true
	case nil:
		return netip.AddrPort{}, false
	}
	p, err := netip.ParseAddrPort(a.String())
	return p, err == nil
}

// verify judges a client whose chain is trusted, in a full handshake and whenever a session is resumed.
func (d *door) verify(ctx context.Context, p tlsnet.Peer, _ tlscore.Facts) error {
	cl := d.site.clients.Load()
	if cl.revocation != nil {
		if err := cl.revocation.Check(ctx, p.Chain); err != nil {
			return &tlsnet.RefusalError{Alert: revocationAlert(err), Err: &revokedError{err}}
		}
	}
	if d.answersRefusals() {
		return nil
	}
	if decision := d.site.own.Decide(access.SubjectOf(p.Chain[0])); !decision.Allowed {
		return &policyError{d.site.name, decision}
	}
	return nil
}

// answersRefusals reports whether clients that the rules refuse get a page, and not an alert.
func (d *door) answersRefusals() bool {
	return d.site.c.Page && d.protocol == config.ProtocolHTTPS
}

// standIn is an identity that a listener needs to exist and shows to nobody: every client is led to a site or refused.
func standIn(now time.Time) (tlsnet.Identity, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return tlsnet.Identity{}, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody"}, DNSNames: []string{"nobody.invalid"}, NotBefore: now, NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return tlsnet.Identity{}, fmt.Errorf("a certificate to stand in: %w", err)
	}
	return tlsnet.Identity{Chain: [][]byte{der}, Key: key}, nil
}
