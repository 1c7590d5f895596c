package gateway

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// proofs are what the gateway shows to ACME servers that are just looking.
type proofs struct {
	mu    sync.RWMutex
	paths map[string]string           // content by path
	names map[string]*tlsnet.Prepared // by server name, lower case
}

func newProofs() *proofs {
	return &proofs{paths: make(map[string]string), names: make(map[string]*tlsnet.Prepared)}
}

// http is the content for a token of http-01.
func (p *proofs) http(token string) (string, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	content, ok := p.paths[challengePrefix+token]
	return content, ok
}

// prepared is what is shown to a validation by tls-alpn-01; nil: none is expected.
func (p *proofs) prepared(name string) *tlsnet.Prepared {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.names[strings.ToLower(name)]
}

// answerer answers the challenges of one site's orders.
type answerer struct {
	proofs *proofs
	types  []string
	now    func() time.Time
}

// Types implements acmeclient.Answerer.
func (a *answerer) Types() []string { return a.types }

// Present implements acmeclient.Answerer.
func (a *answerer) Present(_ context.Context, p acmeclient.Proof) error {
	if p.Type == acme.HTTP01 {
		a.proofs.mu.Lock()
		defer a.proofs.mu.Unlock()
		a.proofs.paths[p.Path] = p.Content
		return nil
	}
	// RFC 8737, Section 3: the server MUST agree on acme-tls/1, and shows the one certificate.
	p.Identity.Names = []string{p.ServerName}
	prepared, err := tlsnet.Prepare(&tlsnet.Config{Core: tlscore.Config{ALPN: []string{acme.ALPNProtocol}, NoTickets: true}, Identities: []tlsnet.Identity{p.Identity}, Time: a.now}, nil)
	if err != nil {
		return err
	}
	a.proofs.mu.Lock()
	defer a.proofs.mu.Unlock()
	a.proofs.names[strings.ToLower(p.ServerName)] = prepared
	return nil
}

// CleanUp implements acmeclient.Answerer.
func (a *answerer) CleanUp(_ context.Context, p acmeclient.Proof) error {
	a.proofs.mu.Lock()
	defer a.proofs.mu.Unlock()
	delete(a.proofs.paths, p.Path)
	delete(a.proofs.names, strings.ToLower(p.ServerName))
	return nil
}

// acmeSource gets a site's certificate from an ACME server, through the tree in which acmeclient keeps it.
type acmeSource struct {
	noSource
	g       *Gateway
	c       *config.ACME
	name    string // in the tree
	names   []string
	binding *acmeclient.Binding
	client  *acmeclient.Client

	mu   sync.Mutex
	next time.Time
}

// newACMESource checks what can be checked without the server.
func (g *Gateway) newACMESource(s *site) (*acmeSource, error) {
	c := s.c.Certificate.ACME
	switch {
	case g.o.Tree == nil:
		return nil, errors.New("certificate: acme: there is no folder to keep certificates in")
	case len(s.c.Hosts) == 0:
		return nil, errors.New("certificate: acme: a site for all names has none to order a certificate for")
	}
	for _, h := range s.c.Hosts {
		if strings.HasPrefix(h, "*.") {
			return nil, fmt.Errorf("certificate: acme: %s would need a challenge by DNS, which the gateway does not answer; obtain it by `tlswright acme obtain`, and name it under live", h)
		}
	}
	types, err := g.challengeTypes(s, c.Challenge)
	if err != nil {
		return nil, err
	}
	a := &acmeSource{g: g, c: c, name: acmeclient.NameFor(s.c.Hosts), names: s.c.Hosts}
	if c.Binding != "" {
		if a.binding, err = readBinding(c.Binding); err != nil {
			return nil, fmt.Errorf("certificate: acme: binding: %w", err)
		}
	}
	transport, err := g.acmeTransport(c)
	if err != nil {
		return nil, err
	}
	a.client = acmeclient.New(g.o.Tree, acmeclient.Options{Server: c.Directory, Transport: transport, UserAgent: "tlswright", Now: g.o.Now, Log: g.log,
		Answerer: &answerer{proofs: g.proofs, types: types, now: g.o.Now}})
	return a, nil
}

// challengeTypes are the challenges that the listeners of a site can answer.
func (g *Gateway) challengeTypes(s *site, wanted string) ([]string, error) {
	var types []string
	for _, l := range g.building.Listeners {
		switch {
		case l.Protocol == config.ProtocolHTTP && (wanted == "" || wanted == acme.HTTP01):
			types = append(types, acme.HTTP01)
		case (l.Protocol == config.ProtocolHTTPS || l.Protocol == config.ProtocolTLS) && (wanted == "" || wanted == acme.TLSALPN01):
			types = append(types, acme.TLSALPN01)
		}
	}
	slices.Sort(types)
	if types = slices.Compact(types); len(types) == 0 {
		return nil, fmt.Errorf("certificate: acme: no listener can answer the challenge %s: http-01 takes one with the protocol http, tls-alpn-01 one with https or tls", wanted)
	}
	return types, nil
}

// readBinding reads a file with an external account binding, on its first line: the key id, a space, and the key; or a
// JSON object with kid and key.
func readBinding(path string) (*acmeclient.Binding, error) {
	text, err := keystore.ReadPassphraseFile(path)
	if err != nil {
		return nil, err
	}
	var b struct{ KID, Key string }
	if json.Unmarshal(text, &b) == nil && b.KID != "" && b.Key != "" {
		return &acmeclient.Binding{KID: b.KID, Key: b.Key}, nil
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return nil, fmt.Errorf("%s: one line is expected: the key id, a space, and the key", path)
	}
	return &acmeclient.Binding{KID: fields[0], Key: fields[1]}, nil
}

// acmeTransport decides which ACME servers are believed.
func (g *Gateway) acmeTransport(c *config.ACME) (http.RoundTripper, error) {
	if g.o.Transport != nil {
		return g.o.Transport, nil
	}
	t := &tlsnet.Config{Roots: g.o.OwnRoots, SystemRoots: true, Time: g.o.Now}
	if c.CA != "" {
		roots, err := keystore.ReadCertificates(c.CA)
		if err != nil {
			return nil, fmt.Errorf("certificate: acme: ca: %w", err)
		}
		t.Roots, t.SystemRoots = roots, false
	}
	return &tlsnet.Transport{Config: t}, nil
}

func (a *acmeSource) pair() (chain, key string) {
	dir := a.g.o.Tree.Live(a.name)
	return filepath.Join(dir, keystore.FullChainFile), filepath.Join(dir, keystore.KeyFile)
}

// load reads what the tree has, if it is for all names and not over.
func (a *acmeSource) load(context.Context) ([]tlsnet.Identity, error) {
	id, err := keystore.LoadIdentity(a.pair())
	if err != nil {
		return nil, nil // there is none yet, or none that is whole: it is ordered
	}
	leaf, err := cert.ParseX509(id.Chain[0])
	if err != nil || !a.fits(leaf) {
		return nil, nil
	}
	return []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}, nil
}

func (a *acmeSource) fits(leaf *x509.Certificate) bool {
	for _, n := range a.names {
		if leaf.VerifyHostname(n) != nil {
			return false
		}
	}
	return a.g.o.Now().Before(leaf.NotAfter)
}

func (a *acmeSource) files() []string {
	chain, key := a.pair()
	return []string{chain, key}
}

// due asks the tree, which knows when the certificate is to be renewed.
func (a *acmeSource) due(now time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	have, err := a.g.o.Tree.Find(a.name)
	if err != nil || have.Generation == 0 || have.Renewal.Server != a.c.Directory {
		return now
	}
	leaf, err := cert.ParseX509(have.Chain[0])
	if err != nil || !a.fits(leaf) {
		return now
	}
	due, _ := acmeclient.Decide(&have.Renewal, leaf, now)
	if a.next.IsZero() || a.next.Before(now) { // the server may have suggested another time: it is asked every six hours
		a.next = now.Add(6 * time.Hour)
	}
	return earlier(due, a.next)
}

// renew obtains the first certificate, or renews the one that is there when it is time.
func (a *acmeSource) renew(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = time.Time{}
	have, err := a.g.o.Tree.Find(a.name)
	if err == nil && have.Generation > 0 && have.Renewal.Server == a.c.Directory && slices.Equal(have.Renewal.Names, a.names) {
		results, err := a.g.o.Tree.Renew(ctx, acmeclient.RenewOptions{Names: []string{a.name}, Client: func(string) (*acmeclient.Client, error) { return a.client, nil }})
		for _, r := range results {
			err = errors.Join(err, r.Err)
		}
		return err
	}
	r := acmeclient.Request{Name: a.name, Binding: a.binding, Renewal: acmeclient.Renewal{Names: a.names, KeyType: "p256", Profile: a.c.Profile, Challenge: acmeclient.Challenge{Way: acmeclient.Running}}}
	if a.c.Email != "" {
		r.Contact = []string{"mailto:" + strings.TrimPrefix(a.c.Email, "mailto:")}
	}
	_, err = a.client.Obtain(ctx, r)
	return err
}
