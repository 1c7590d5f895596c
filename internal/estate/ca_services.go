package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/publish"
)

// errClosed is said to those who come when the CA is being closed.
var errClosed = errors.New("the CA is being closed")

// failedValidations is how many an account may have in an hour. A private CA knows its clients.
const failedValidations = 600

// drainPatience is how long services that were replaced may take to finish what they have begun.
const drainPatience = 30 * time.Second

// caServices are all that answers behind the doors, by one set of settings.
type caServices struct {
	settings    *config.CA
	metrics     *admin.Metrics // nil: nobody could read them
	authorities []*authority.Authority
	validator   *challenge.Validator
	server      *acmeserver.Server
	publisher   *publish.Publisher
	watched     admin.Watched
	adminRoot   *x509.Certificate
	health      *admin.Health
	handlers    map[string]http.Handler // by the key of the door

	inside sync.WaitGroup // requests
	stop   context.CancelFunc
}

// leave ends a request's use of the services.
func (s *caServices) leave() { s.inside.Done() }

// close gives everything back. No request may be inside any more.
func (s *caServices) close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.publisher != nil {
		s.publisher.Close()
	}
	if s.validator != nil {
		s.validator.Close()
	}
	for _, au := range s.authorities {
		errs = append(errs, au.Close())
	}
	s.stop()
	return errors.Join(errs...)
}

// retire closes services that were replaced, when the last request has left and what was begun is done. If ctx ends, or
// that takes too long, it is cut short.
func (s *caServices) retire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	left := make(chan struct{})
	go func() {
		s.inside.Wait()
		close(left)
	}()
	select {
	case <-left:
		s.server.Drain(ctx)
	case <-ctx.Done():
	}
	return s.close()
}

// openServices opens everything behind the doors.
func (p *caPart) openServices(ctx context.Context, c *config.CA, doors map[string]*door) (s *caServices, err error) {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s = &caServices{settings: c, stop: stop, metrics: p.metersFor(c)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
			s = nil
		}
	}()
	if s.validator, err = newValidator(c, p.base.Now); err != nil {
		return s, err
	}
	options := acmeserver.Options{Validator: s.validator, Base: c.URL, NonceFile: nonceFile(p.base), Chaos: p.o.Chaos, Now: p.base.Now,
		Limits: acmeserver.Limits{FailedValidations: acmeserver.Rate{Count: failedValidations, Per: time.Hour}}, Log: p.o.Log}
	published := publish.Options{Now: p.base.Now, Log: p.o.Log, Roots: []*x509.Certificate{p.ca.Root}}
	if err := p.openAuthorities(life, s, baseHTTP(c, doors), &options, &published); err != nil {
		return s, err
	}
	if s.publisher, err = publish.New(ctx, published); err != nil {
		return s, err
	}
	options.Store = s.authorities[0].Store
	options.UseNonce = options.Store.NonceBook()
	if s.metrics != nil {
		options.Meter = s.metrics
	}
	if s.server, err = acmeserver.New(ctx, options); err != nil {
		return s, err
	}
	if s.adminRoot, err = adminRoot(p.base, c); err != nil {
		return s, err
	}
	return s, s.putHandlers(p)
}

// openAuthorities opens the issuers, and puts each into the services.
func (p *caPart) openAuthorities(life context.Context, s *caServices, plainBase string, options *acmeserver.Options, published *publish.Options) error {
	c := s.settings
	logs, err := readLogs(c)
	if err != nil {
		return err
	}
	alternates, err := readAlternates(c.Chains)
	if err != nil {
		return err
	}
	for i, name := range append([]string{""}, c.Issuers...) {
		au, err := p.base.OpenAuthority(life, name, true)
		if err != nil {
			return doing(err, "opening the CA")
		}
		s.authorities = append(s.authorities, au)
		if err := p.base.RefuseRevokedIssuer(life, au, name); err != nil {
			return err
		}
		if err := p.showToLogs(life, c, logs, au); err != nil {
			return err
		}
		public := name
		if i == 0 {
			public = keystore.DefaultIntermediate
		}
		if s.metrics != nil {
			au.Meter, published.Meter = s.metrics.Authority(public), s.metrics
			au.Store.Observe(s.metrics.Wrote)
		}
		if i == 0 && isNowhere(plainBase) && len(au.Publication.CRL)+len(au.Publication.OCSP)+len(au.Publication.Issuer) == 0 {
			p.base.Log.Warn("certificates will name " + plainBase + " for OCSP and CRLs, which nobody can reach: say how others see it (http-url)")
		}
		au.Publication = publicationBelow(plainBase, au.Publication, public)
		published.Issuers = append(published.Issuers, publish.Issuer{Name: public, Authority: au})
		options.Directories = append(options.Directories, acmeserver.Directory{Name: name, Authority: au, Policy: policyOf(c), Terms: c.Terms,
			Identities: c.CAAIdentities, RequireBinding: c.NeedsBinding, Alternates: alternatesOf(alternates, au)})
	}
	return checkAlternates(alternates)
}

// showToLogs has an authority show what it issues to the logs of the section or, where it says nothing, of the home.
func (p *caPart) showToLogs(life context.Context, c *config.CA, logs *KeptLogs, au *authority.Authority) error {
	switch {
	case c.CTLogs == config.NoLogs:
		return nil
	case logs != nil:
		return p.base.ShowToLogs(life, logs, au)
	}
	return p.base.ShowToKeptLogs(life, au)
}

// publicationBelow says where relying parties find this service, where nothing else was said.
func publicationBelow(base string, p authority.Publication, name string) authority.Publication {
	if base == "" || len(p.CRL)+len(p.OCSP)+len(p.Issuer) > 0 {
		return p
	}
	crl := base + "/crl/" + name
	if p.Shards > 1 {
		crl += "/{shard}"
	}
	p.CRL, p.OCSP, p.Issuer = []string{crl + ".crl"}, []string{base + "/ocsp/" + name}, []string{base + "/ca/" + name + ".cer"}
	return p
}

// isNowhere reports whether a URL stands for all addresses of a machine, and so for none that others could ask.
func isNowhere(base string) bool {
	at, err := netip.ParseAddrPort(strings.TrimPrefix(base, "http://"))
	return err == nil && at.Addr().IsUnspecified()
}

// metersFor makes the metrics if anybody can read them; nil: nobody can.
func (p *caPart) metersFor(c *config.CA) *admin.Metrics {
	if c.Admin == "" && c.Metrics == "" {
		return nil
	}
	return admin.NewMetrics(p.base.Version)
}

// putHandlers says what answers behind each door.
func (s *caServices) putHandlers(p *caPart) error {
	public := s.metrics.Requests("publish", admin.PublicRoute, s.publisher)
	acme := s.metrics.Requests("acme", admin.ACMERoute, s.server)
	s.handlers = map[string]http.Handler{"http": public, "listen": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/acme/") {
			acme.ServeHTTP(w, r)
			return
		}
		public.ServeHTTP(w, r)
	})}
	if s.metrics == nil {
		return nil
	}
	var issuers []admin.Issuer
	for i, name := range append([]string{""}, s.settings.Issuers...) {
		issuers = append(issuers, admin.Issuer{Name: issuerName(name), Directory: name, Authority: s.authorities[i]})
	}
	s.watched = admin.Watched{Store: s.authorities[0].Store, Issuers: issuers, Now: p.base.Now}
	if s.settings.Admin == "" {
		return nil
	}
	profiles, err := p.base.Profiles()
	if err != nil {
		return err
	}
	api, err := admin.New(admin.Options{
		Store: s.watched.Store, Issuers: issuers, Hosts: serviceNames(s.settings), Profiles: profiles,
		Renew: s.publisher.Renew, Metrics: s.metrics, Version: p.base.Version, Now: p.base.Now, Log: p.o.Log,
	})
	if err != nil {
		return err
	}
	s.handlers["admin"] = s.metrics.Requests("admin", admin.AdminRoute, api)
	return nil
}

// watch has the metrics know what is on file, and how long the certificates of the CA's own are good for.
func (s *caServices) watch(p *caPart, own *ownIdentity, isLoopback bool) {
	if s.metrics == nil {
		return
	}
	known := map[string]*x509.Certificate{"root": p.ca.Root}
	if s.adminRoot != nil {
		known["admin CA"] = s.adminRoot
	}
	s.watched.Certificates = func() map[string]*x509.Certificate {
		now := maps.Clone(known)
		now["service"] = own.certificate()
		return now
	}
	s.metrics.Watch(s.watched)
	s.health = admin.NewHealth(s.watched, s.metrics, isLoopback)
	s.handlers["metrics"] = s.health
}
