package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// lookAtIdentity is how often the service looks whether its certificate is to be replaced.
const lookAtIdentity = time.Hour

// ownIdentity is the certificate of a service. One that the CA made itself is replaced when two thirds of its life are
// over, while the service goes on: it runs for longer than a certificate is good for.
type ownIdentity struct {
	app   *app
	issue func(context.Context) (keystore.Identity, error) // nil: it came from files, and stays

	mu    sync.Mutex
	id    tlsnet.Identity
	leaf  *x509.Certificate
	users []*identityUser
}

// identityUser is a listener with that certificate.
type identityUser struct {
	config   tlsnet.Config
	prepared atomic.Pointer[tlsnet.Prepared] // nil: the certificate is the first one still
}

// newOwnIdentity takes an identity from files, or has the first one issued.
func (a *app) newOwnIdentity(ctx context.Context, files *keystore.Identity, issue func(context.Context) (keystore.Identity, error)) (*ownIdentity, error) {
	o := &ownIdentity{app: a}
	if files != nil {
		return o, o.take(*files)
	}
	o.issue = issue
	id, err := issue(ctx)
	if err != nil {
		return nil, err
	}
	return o, o.take(id)
}

// take makes an identity the current one, for connections from now on. It holds for all listeners or for none.
func (o *ownIdentity) take(id keystore.Identity) error {
	leaf, err := x509.ParseCertificate(id.Chain[0])
	if err != nil {
		return cannotRun(err, "reading the service's certificate")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	next := tlsnet.Identity{Chain: id.Chain, Key: id.Key}
	prepared := make([]*tlsnet.Prepared, len(o.users))
	for i, u := range o.users {
		u.config.Identities = []tlsnet.Identity{next}
		if prepared[i], err = tlsnet.Prepare(&u.config, nil); err != nil {
			return cannotRun(err, "taking the service's new certificate")
		}
	}
	for i, u := range o.users {
		u.prepared.Store(prepared[i])
	}
	o.id, o.leaf = next, leaf
	return nil
}

// use gives a listener's configuration the certificate.
func (o *ownIdentity) use(config tlsnet.Config) *tlsnet.Config {
	o.mu.Lock()
	defer o.mu.Unlock()
	config.Identities = []tlsnet.Identity{o.id}
	if o.issue == nil {
		return &config
	}
	u := &identityUser{config: config}
	o.users = append(o.users, u)
	config.ForClient = func(*tlsnet.ClientHello) (*tlsnet.Prepared, error) { return u.prepared.Load(), nil }
	return &config
}

// certificate is the current one.
func (o *ownIdentity) certificate() *x509.Certificate {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leaf
}

// refresh replaces the certificate if it is time.
func (o *ownIdentity) refresh(ctx context.Context) error {
	leaf := o.certificate()
	if o.issue == nil || o.app.now().Before(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore)*2/3)) {
		return nil
	}
	id, err := o.issue(ctx)
	if err != nil {
		return err
	}
	return o.take(id)
}

// keepFresh replaces the certificate whenever it is time, until ctx ends. What fails is tried again.
func (o *ownIdentity) keepFresh(ctx context.Context) error {
	tick := time.NewTicker(lookAtIdentity)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := o.refresh(ctx); err != nil && ctx.Err() == nil {
				o.app.ui.warnf("the service's certificate ends on %s and could not be replaced: %v", dateOf(o.certificate().NotAfter), err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// issueIdentity makes a certificate of the service by the authority that is open already; its key never touches the disk.
func (a *app) issueIdentity(ctx context.Context, s *caService, sans []string) (keystore.Identity, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return keystore.Identity{}, cannotRun(err, "making a key")
	}
	au := s.authorities[0].As(actor())
	au.Transparency = nil // it changes with every start, and is nobody's business outside
	order := func(sans []string) (*authority.Issued, error) {
		return au.Order(ctx, authority.Order{Request: pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: sans, Key: key.Public()}})
	}
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
		return keystore.Identity{}, caFailure(err, "issuing the service's certificate")
	}
	a.ui.notef("no --cert: using a certificate for %s from the own CA", strings.Join(sans, ", "))
	a.ui.notef("clients need its root: %s", s.ca.RootPath())
	return keystore.Identity{Chain: issued.Chain, Key: key}, nil
}
