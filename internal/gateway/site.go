package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// site is a site of one state, loaded.
type site struct {
	g       *Gateway
	c       *config.Site
	name    string
	layer   layer
	target  *target
	routes  []*route // longest path first
	headers headerSet
	own     *access.Policy // nil: every client whose chain is trusted, and where none is asked for everybody
	source  source         // of its certificates
	doors   []*door
	took    prometheus.Observer // seconds of its requests
	sent    prometheus.Counter  // bytes

	mu         sync.Mutex
	identities []tlsnet.Identity
	clients    atomic.Pointer[clients] // replaced when the files change
}

// clients is which clients a site lets in, loaded.
type clients struct {
	c          *config.Clients // nil: none is asked
	auth       tlscore.ClientAuth
	roots      []*x509.Certificate
	revocation *revoked.Checker // nil: not looked at
	key        string           // equal where connections of one site may carry requests of another
}

// layer is what a site speaks behind TLS.
type layer uint8

const (
	anyLayer layer = iota // whatever the listener does: echo
	httpLayer
	streamLayer
)

// newSite checks and loads a site.
func (g *Gateway) newSite(ctx context.Context, st, old *state, c *config.Site) (*site, error) {
	s := &site{g: g, c: c, name: siteName(c), headers: newHeaderSet(c.Headers)}
	s.took, s.sent = g.metrics.duration.WithLabelValues(s.name), g.metrics.bytesOut.WithLabelValues(s.name)
	var err error
	if s.target, err = g.newTarget(st, old, s, &c.Target); err != nil {
		return nil, err
	}
	s.layer = s.target.layer
	if err := g.addRoutes(st, old, s); err != nil {
		return nil, err
	}
	if err := s.addPolicies(); err != nil {
		return nil, err
	}
	if s.source, err = g.newSource(s); err != nil {
		return nil, err
	}
	st.note(s.source.files()...)
	if c.Clients != nil {
		st.note(c.Clients.CA...)
	}
	if s.identities, err = s.source.load(ctx); err != nil {
		return nil, err
	}
	cl, err := s.loadClients()
	if err != nil {
		return nil, err
	}
	s.clients.Store(cl)
	if _, err := coreOf(c.Profile); err != nil {
		return nil, err
	}
	if c.EarlyData > 0 && cl.auth == tlscore.RequireClientCert {
		return nil, errors.New("early data comes before a client has proven who it is: it does not go with clients.mode require")
	}
	return s, nil
}

// addRoutes loads the routes of a site.
func (g *Gateway) addRoutes(st, old *state, s *site) error {
	for i := range s.c.Routes {
		rc := &s.c.Routes[i]
		r := &route{c: rc, target: s.target, name: rc.Path, policy: rc.Policy}
		if s.layer == streamLayer {
			return errors.New("a site without HTTP has no routes")
		}
		if rc.Target != nil {
			t, err := g.newTarget(st, old, s, rc.Target)
			if err != nil {
				return fmt.Errorf("route %s: %w", rc.Path, err)
			}
			if t.layer == streamLayer {
				return fmt.Errorf("route %s: its target is not of HTTP", rc.Path)
			}
			r.target = t
		}
		if err := r.compile(); err != nil {
			return fmt.Errorf("route %s: %w", rc.Path, err)
		}
		s.routes = append(s.routes, r)
		s.layer = httpLayer
	}
	slices.SortStableFunc(s.routes, func(a, b *route) int { return b.weight() - a.weight() })
	for i, r := range s.routes {
		for _, other := range s.routes[:i] {
			if r.samePath(other) && (len(r.c.Methods) == 0 && len(other.c.Methods) == 0 || slices.ContainsFunc(r.c.Methods, func(m string) bool { return slices.Contains(other.c.Methods, m) })) {
				return fmt.Errorf("route %s: another route has the same path and method, so nothing of it would be in force", r.c.Path)
			}
		}
	}
	return nil
}

// addPolicies checks the rules. Those of a route narrow those of the site: whom the site's own refuse, it refuses as a
// whole, so the handshake can say so.
func (s *site) addPolicies() error {
	if s.c.Clients != nil {
		s.own = s.c.Clients.Policy
		if err := s.own.Validate(); err != nil {
			return fmt.Errorf("clients: %w", err)
		}
	}
	for _, r := range s.routes {
		if err := r.c.Policy.Validate(); err != nil {
			return fmt.Errorf("route %s: %w", r.c.Path, err)
		}
	}
	return nil
}

// loadClients reads the CAs of clients.
func (s *site) loadClients() (*clients, error) {
	c := s.c.Clients
	if c == nil {
		return &clients{}, nil
	}
	out := &clients{c: c, auth: tlscore.RequireClientCert}
	switch c.Mode {
	case config.ClientsRequest:
		out.auth = tlscore.RequestClientCert
		if s.layer == streamLayer && !s.own.LetsAnonymousIn() {
			out.auth = tlscore.RequireClientCert // who shows none is let in nowhere: the handshake can say so
		}
	case config.ClientsRequire, "":
	default:
		return nil, fmt.Errorf("clients: %q is neither %s nor %s", c.Mode, config.ClientsRequire, config.ClientsRequest)
	}
	for _, file := range c.CA {
		roots, err := keystore.ReadCertificates(file)
		if err != nil {
			return nil, fmt.Errorf("clients: ca: %w", err)
		}
		out.roots = append(out.roots, roots...)
	}
	if c.OwnCA {
		if len(s.g.o.OwnRoots) == 0 {
			return nil, errors.New("clients: ca: own: there is no CA of our own")
		}
		out.roots = append(out.roots, s.g.o.OwnRoots...)
	}
	if len(out.roots) == 0 {
		return nil, errors.New("clients: no CA is given, so nobody could be let in")
	}
	var err error
	if out.revocation, err = s.g.revocationOf(c); err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	out.key = s.clientKey(out)
	return out, nil
}

// clientKey is a digest of which clients a site lets in.
func (s *site) clientKey(c *clients) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s\n%t\n", c.auth, c.c.Revocation, s.c.Page)
	for _, crl := range c.c.CRL {
		fmt.Fprintf(h, "crl %q\n", crl)
	}
	for _, r := range c.roots {
		fmt.Fprintf(h, "%x\n", sha256.Sum256(r.Raw))
	}
	fmt.Fprintf(h, "%s\n", s.own.Digest())
	return hex.EncodeToString(h.Sum(nil))
}

// fits says why a site cannot stand behind a listener of a protocol; nil: it can.
func (s *site) fits(p config.Protocol) error {
	switch p {
	case config.ProtocolHTTPS, config.ProtocolHTTP:
		if s.layer == streamLayer {
			return fmt.Errorf("its target is not of HTTP, and %s listeners speak nothing else", p)
		}
	case config.ProtocolTLS:
		if s.layer == httpLayer {
			return errors.New("its target is of HTTP, for which there are https listeners")
		}
		if s.c.EarlyData > 0 {
			return errors.New("early data is for HTTP, where it can be answered 425")
		}
	case config.ProtocolPlain:
		if s.c.Clients != nil {
			return errors.New("it asks for client certificates, which a plain listener cannot")
		}
		if !s.target.isRemote() {
			return errors.New("a plain listener hands on to other servers, and this site has none")
		}
	default:
		return fmt.Errorf("%q is no protocol of a listener: https, tls, http or plain", p)
	}
	return nil
}

// current returns the identities with their staples, newest.
func (s *site) current() []tlsnet.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.identities)
	if s.c.Certificate.OCSP == config.StapleAuto {
		for i := range out {
			s.g.staple(&out[i])
		}
	}
	return out
}

// reload reads certificates and CAs again, and turns the doors to them. What cannot be read leaves all as it was.
func (s *site) reload(ctx context.Context) error {
	ids, err := s.source.load(ctx)
	if err != nil {
		return err
	}
	cl, err := s.loadClients()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.identities = ids
	s.mu.Unlock()
	s.clients.Store(cl)
	return s.refresh()
}

// refresh turns the doors to the identities and CAs that are there.
func (s *site) refresh() error {
	var errs []error
	for _, d := range s.doors {
		if d.takesTLS() {
			errs = append(errs, d.refresh())
		}
	}
	return errors.Join(errs...)
}

func (s *site) close() {
	if s.source != nil {
		s.source.close()
	}
}

// door is a site behind one listener. It is the tag of the connections that come through it.
type door struct {
	g        *Gateway
	listener string
	protocol config.Protocol
	site     *site
	hidden   *hidden                         // of its listener
	making   sync.Mutex                      // prepared, so that what is stored last was made of what is newest
	prepared atomic.Pointer[tlsnet.Prepared] // nil: there is no certificate yet
}

func (d *door) takesTLS() bool {
	return d.protocol == config.ProtocolHTTPS || d.protocol == config.ProtocolTLS
}

// refresh makes the TLS configuration of the door from what its site has.
func (d *door) refresh() error {
	d.making.Lock()
	defer d.making.Unlock()
	ids := d.site.current()
	if len(ids) == 0 {
		return nil // ACME will bring one
	}
	core, err := coreOf(d.site.c.Profile)
	if err != nil {
		return err
	}
	cl := d.site.clients.Load()
	core.ClientAuth = cl.auth
	core.ECHKeys = d.hidden.keys()
	for _, r := range cl.roots {
		core.CertificateAuthorities = append(core.CertificateAuthorities, r.RawSubject)
	}
	if d.protocol == config.ProtocolHTTPS {
		core.ALPN = tlsnet.HTTPProtocols()
		core.MaxEarlyData = d.site.c.EarlyData
	}
	c := &tlsnet.Config{
		Core: core, Identities: ids, ClientRoots: cl.roots, TicketKeys: d.g.tickets, Time: d.g.o.Now,
		SessionPolicy: strings.Join([]string{d.listener, d.site.name, cl.key}, "\x00"),
	}
	if cl.c != nil {
		c.VerifyPeer = d.verify
	}
	if len(core.ECHKeys) > 0 {
		c.AcceptECH = d.countAccepted
	}
	if d.g.o.Tune != nil {
		d.g.o.Tune(d.site.name, c)
	}
	p, err := tlsnet.Prepare(c, d)
	if err != nil {
		return err
	}
	d.prepared.Store(p)
	return nil
}

// coreOf is what a profile negotiates, after Mozilla's recommendations for servers. The cheapest suite for both sides comes
// first: SHA-384 and longer keys make nothing safer that X25519 or P-256 has agreed on.
func coreOf(profile string) (tlscore.Config, error) {
	suites := suite.Defaults()
	slices.SortStableFunc(suites, func(a, b wire.CipherSuite) int {
		rank := func(s wire.CipherSuite) int {
			if s == wire.TLS_AES_128_GCM_SHA256 {
				return 0
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	switch profile {
	case "modern":
		return tlscore.Config{MinVersion: wire.VersionTLS13, CipherSuites: suites}, nil
	case "", "intermediate":
		return tlscore.Config{CipherSuites: append(suites, suite.Defaults12()...)}, nil
	case "old-but-sound":
		return tlscore.Config{CipherSuites: append(suites, suite.All12()...)}, nil
	}
	return tlscore.Config{}, fmt.Errorf("%q is no profile: modern, intermediate or old-but-sound", profile)
}

// target is where connections or requests go.
type target struct {
	c       *config.Target
	layer   layer
	handler http.Handler // of HTTP; nil: none
	up      *upstream    // nil: it is answered here
	echo    bool
	below   bool // its URL has a path, in front of which no request may get
}

func (t *target) isRemote() bool { return t.up != nil }
