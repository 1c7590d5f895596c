package estate

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlsnet"
)

// How often the service looks whether its certificate is to be replaced. A machine may have slept, or its clock been set:
// the time until then is not waited for in one piece.
const (
	lookAtIdentity  = time.Hour
	soonestIdentity = time.Second
)

// ownIdentity is the certificate of a service. One that the CA made itself is replaced when two thirds of its life are
// over, while the service goes on: it runs for longer than a certificate is good for.
type ownIdentity struct {
	now  func() time.Time
	warn func(ends time.Time, err error) // is told when a certificate could not be replaced

	mu      sync.Mutex
	issue   func(context.Context) (keystore.Identity, error) // nil: it came from files, and stays
	id      tlsnet.Identity
	leaf    *x509.Certificate
	users   []*identityUser
	changed chan struct{} // closed when the identity is another
}

// identityUser is a listener with that certificate.
type identityUser struct {
	config   tlsnet.Config
	prepared atomic.Pointer[tlsnet.Prepared] // nil: the certificate is the first one still
}

// newOwnIdentity begins with an identity. issue makes the next ones; nil: it stays.
func newOwnIdentity(id keystore.Identity, issue func(context.Context) (keystore.Identity, error), now func() time.Time) (*ownIdentity, error) {
	o := &ownIdentity{now: now, warn: func(time.Time, error) {}, changed: make(chan struct{})}
	return o, o.take(id, issue)
}

// take makes an identity the current one, for connections from now on. It holds for all listeners or for none.
func (o *ownIdentity) take(id keystore.Identity, issue func(context.Context) (keystore.Identity, error)) error {
	leaf, err := cert.ParseX509(id.Chain[0])
	if err != nil {
		return doing(err, "reading the service's certificate")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	next := tlsnet.Identity{Chain: id.Chain, Key: id.Key}
	prepared := make([]*tlsnet.Prepared, len(o.users))
	for i, u := range o.users {
		config := u.config
		config.Identities = []tlsnet.Identity{next}
		if prepared[i], err = tlsnet.Prepare(&config, nil); err != nil {
			return doing(err, "taking the service's new certificate")
		}
	}
	for i, u := range o.users {
		u.prepared.Store(prepared[i])
	}
	o.id, o.leaf, o.issue = next, leaf, issue
	close(o.changed)
	o.changed = make(chan struct{})
	return nil
}

// use gives a listener's configuration the certificate.
func (o *ownIdentity) use(config tlsnet.Config) (*tlsnet.Config, *identityUser) {
	o.mu.Lock()
	defer o.mu.Unlock()
	config.Identities = []tlsnet.Identity{o.id}
	u := &identityUser{config: config}
	o.users = append(o.users, u)
	config.ForClient = func(*tlsnet.ClientHello) (*tlsnet.Prepared, error) { return u.prepared.Load(), nil }
	return &config, u
}

// drop forgets a listener.
func (o *ownIdentity) drop(u *identityUser) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.users = slices.DeleteFunc(o.users, func(other *identityUser) bool { return other == u })
}

// certificate is the current one.
func (o *ownIdentity) certificate() *x509.Certificate {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leaf
}

// due is when the certificate is to be replaced; ok is false where it stays.
func (o *ownIdentity) due() (at time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leaf.NotBefore.Add(o.leaf.NotAfter.Sub(o.leaf.NotBefore) * 2 / 3), o.issue != nil
}

// refresh replaces the certificate if it is time.
func (o *ownIdentity) refresh(ctx context.Context) error {
	if at, ok := o.due(); !ok || o.now().Before(at) {
		return nil
	}
	o.mu.Lock()
	issue, leaf := o.issue, o.leaf
	o.mu.Unlock()
	id, err := issue(ctx)
	if err != nil {
		return err
	}
	if o.certificate() != leaf {
		return nil // it was replaced meanwhile, and by other settings
	}
	return o.take(id, issue)
}

// wait is how long it takes until the next look, which after one that failed comes within a twentieth of the certificate's
// life.
func (o *ownIdentity) wait(failed bool) time.Duration {
	at, ok := o.due()
	if !ok {
		return lookAtIdentity
	}
	leaf := o.certificate()
	until := at.Sub(o.now())
	if failed {
		until = leaf.NotAfter.Sub(leaf.NotBefore) / 20
	}
	return min(max(until, soonestIdentity), lookAtIdentity)
}

// keepFresh replaces the certificate whenever it is time, until ctx ends. What fails is tried again.
func (o *ownIdentity) keepFresh(ctx context.Context) error {
	for failed := false; ; {
		o.mu.Lock()
		changed := o.changed
		o.mu.Unlock()
		timer := time.NewTimer(o.wait(failed))
		select {
		case <-timer.C:
			err := o.refresh(ctx)
			if failed = err != nil; failed && ctx.Err() == nil {
				o.warn(o.certificate().NotAfter, err)
			}
		case <-changed:
			failed = false
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// serviceFiles is the certificate that a section names; nil: it names none.
func serviceFiles(c *config.CA) (*keystore.Identity, error) {
	if c.Certificate == "" {
		if c.Key != "" {
			return nil, &Problem{Key: "key", Text: "the certificate is missing", Kind: Usage}
		}
		return nil, nil
	}
	if c.Key == "" { // both may come in one file; one without a key need not be closed to others
		text, err := os.ReadFile(c.Certificate)
		if err == nil && !bytes.Contains(text, []byte("PRIVATE KEY-----")) {
			return nil, &Problem{Text: c.Certificate + " holds no private key", Advice: "name the file of its private key: key"}
		}
	}
	id, err := keystore.LoadIdentity(c.Certificate, c.Key)
	if err != nil {
		return nil, err
	}
	return &id, nil
}

// firstIdentity is what the service begins with.
func (p *caPart) firstIdentity(ctx context.Context, c *config.CA, files *keystore.Identity) (own *ownIdentity, err error) {
	if files != nil {
		own, err = newOwnIdentity(*files, nil, p.base.Now)
	} else {
		id, isKept := p.now.kept(ctx, p.base, c, p.ca.Root)
		if !isKept {
			if id, err = p.now.issueIdentity(ctx, p.base, c); err != nil {
				return nil, err
			}
		}
		p.base.Log.Info("using a certificate for " + strings.Join(serviceNames(c), ", ") + " from the own CA")
		p.base.Log.Info("clients need its root: " + p.ca.RootPath())
		own, err = newOwnIdentity(id, p.nextIdentity, p.base.Now)
	}
	if err != nil {
		return nil, err
	}
	own.warn = func(ends time.Time, err error) {
		p.base.Log.Warn("the service's certificate ends on " + ends.UTC().Format("2006-01-02 15:04") + " and could not be replaced: " + pki.Printable(err.Error()))
	}
	return own, nil
}

// nextIdentity follows one that comes to its end.
func (p *caPart) nextIdentity(ctx context.Context) (keystore.Identity, error) {
	s := p.enter()
	if s == nil {
		return keystore.Identity{}, errClosed
	}
	defer s.leave()
	return s.issueIdentity(ctx, p.base, s.settings)
}

// issueIdentity makes a certificate of the service by the authority that is open already, and keeps it.
func (s *caServices) issueIdentity(ctx context.Context, b *Base, c *config.CA) (keystore.Identity, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return keystore.Identity{}, doing(err, "making a key")
	}
	au := s.authorities[0].As(b.Actor)
	au.Transparency = nil // it is nobody's business outside
	order := func(sans []string) (*authority.Issued, error) {
		return au.Order(ctx, authority.Order{Request: pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: sans, Key: key.Public(), Lifetime: c.Lifetime}})
	}
	sans := serviceNames(c)
	issued, err := order(sans)
	var refused *pki.RefusedError
	if errors.As(err, &refused) {
		// A machine may be called what no certificate can say.
		if without := withoutHostname(sans); len(without) < len(sans) {
			sans = without
			issued, err = order(sans)
		}
	}
	if err != nil {
		return keystore.Identity{}, doing(err, "issuing the service's certificate")
	}
	id := keystore.Identity{Chain: issued.Chain, Key: key}
	keep(b, id)
	return id, nil
}

// serviceNames are those that the service's certificate is for.
func serviceNames(c *config.CA) []string {
	names := slices.Concat(c.Names, LocalNames(c.Listen))
	if c.Admin != "" {
		names = append(names, LocalNames(c.Admin)...)
	}
	if u, err := url.Parse(c.URL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withoutHostname leaves out what this machine calls itself.
func withoutHostname(names []string) []string {
	own, err := os.Hostname()
	if err != nil {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == own })
}

// LocalNames are the names under which a server that listens on addr is reached from this machine, and the address
// itself. One that listens everywhere is also reached by the machine's name.
func LocalNames(addr string) []string {
	names := LoopbackNames()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return names
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host, _ = os.Hostname() // without one there is nothing to add
	}
	if host != "" && !slices.Contains(names, host) {
		names = append(names, host)
	}
	return names
}

// LoopbackNames are how every machine calls itself.
func LoopbackNames() []string { return []string{"localhost", "127.0.0.1", "::1"} }
