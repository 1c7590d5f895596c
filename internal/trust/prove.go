package trust

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// proofName is the host of the handshake that proves a store, unless the CA may not issue for it.
const proofName = "trust.tlswright.test"

// Prove makes a handshake over loopback: a server with a fresh certificate of issuer (and chain, what it sends after its
// leaf), and a client that trusts what the store holds now and nothing else. Nil means: programs that use this store
// trust the CA. The handshake is refused, with a *tlsnet.DialError beneath, when they would not.
func Prove(ctx context.Context, s Store, issuer pki.Issuer, chain [][]byte, now time.Time) error {
	roots, err := s.Roots(ctx)
	if err != nil {
		return err
	}
	return ProveWith(ctx, s, roots, issuer, chain, now)
}

// ProveWith is [Prove] for what a store is known to hold.
func ProveWith(ctx context.Context, s Store, roots []*x509.Certificate, issuer pki.Issuer, chain [][]byte, now time.Time) error {
	if len(roots) == 0 {
		return &Error{Store: s.Kind() + " store " + s.Where(), Text: "trusts nobody"}
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return err
	}
	leaf, name, err := proofLeaf(issuer, key.Public(), now)
	if err != nil {
		return fmt.Errorf("issue a certificate to try the store with: %w", err)
	}
	clock := func() time.Time { return now }
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{{Chain: append([][]byte{leaf.Raw}, chain...), Key: key}}, Time: clock,
	})
	if err != nil {
		return fmt.Errorf("listen for the handshake that proves the store: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- serveOne(l) }()
	err = shake(ctx, l.Addr(), name, roots, clock)
	err = errors.Join(err, l.Close())
	<-served // its end is the client's end
	if err != nil {
		return &Error{Store: s.Kind() + " store " + s.Where(), Text: pki.Printable(err.Error()), Err: err}
	}
	return nil
}

// proofLeaf issues for a name that the CA may issue for: name constraints may shut out proofName, and then one of what they
// permit is taken.
func proofLeaf(issuer pki.Issuer, key crypto.PublicKey, now time.Time) (leaf *x509.Certificate, name string, err error) {
	names := []string{proofName}
	for _, c := range append([]*x509.Certificate{issuer.Certificate}, issuer.Chain...) {
		for _, d := range c.PermittedDNSDomains {
			names = append(names, "trust."+strings.TrimPrefix(d, "."))
		}
		for _, r := range c.PermittedIPRanges {
			names = append(names, r.IP.String())
		}
	}
	for _, name = range names[:min(len(names), maxProofNames)] {
		req := pki.Request{Profile: pki.ProfileServer, SANs: []string{name}, Key: key, Lifetime: time.Hour}
		if leaf, err = issuer.Issue(req, now); err == nil {
			return leaf, name, nil
		}
	}
	return nil, "", err
}

// maxProofNames bounds for how many names an issuer is asked.
const maxProofNames = 50

func serveOne(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1)) // until the client closes
	return errors.Join(err, c.Close())
}

func shake(ctx context.Context, addr net.Addr, name string, roots []*x509.Certificate, clock func() time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := tlsnet.Dial(ctx, "tcp", addr.String(), &tlsnet.Config{Roots: roots, ServerName: name, Time: clock})
	if err != nil {
		return err
	}
	return c.Close()
}
